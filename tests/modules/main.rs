//! The modules above `Predict`, through the public interface and over real HTTP.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../dspy-core/tests/support/mod.rs"]
mod server;

mod assertions;
mod attempts;
mod comparing;
mod constraints;
mod dynamic;
mod world;
