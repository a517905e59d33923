//! Code that a model wrote, through the public interface: in real worker processes, and over real HTTP.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../dspy-core/tests/support/mod.rs"]
mod server;

#[path = "../modules/world.rs"]
mod world;

mod act;
mod attempts;
mod recursive;
mod saved;
mod sessions;
mod streams;
mod thought;
mod words;

/// A model that says these texts in turn.
async fn saying(answers: impl IntoIterator<Item = String>) -> world::World {
    let answers: Vec<String> = answers.into_iter().collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    world::world(move |_| answers[next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)].clone()).await
}
