//! What the client costs beside the request itself.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use divan::{Bencher, black_box};
use dspy_core::{
    LmError,
    lm::{BoxFuture, Cache, LM, LanguageModel, Message, Options, Prefix, Prompt, Request, Response},
};
use tokio::runtime::{Builder, Runtime};

fn main() {
    divan::main();
}

/// Answers at once.
struct Instant;

impl LanguageModel for Instant {
    fn id(&self) -> &str {
        "own/instant"
    }
    fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async { Ok(Response::text("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]")) })
    }
}

fn prefix(demos: usize) -> Arc<Prefix> {
    let mut messages = vec![Message::system("Answer the question. ".repeat(30))];
    for i in 0..demos {
        messages
            .push(Message::user(format!("[[ ## question ## ]]\nWhat is the \"capital\" of country {i}?")));
        messages.push(Message::assistant("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"));
    }
    Arc::new(Prefix::new(messages))
}

fn request(prefix: &Arc<Prefix>, n: u64) -> Request {
    let tail =
        vec![Message::user(format!("[[ ## question ## ]]\nWhat is the capital of country number {n}?"))];
    let mut request = Request::new(Prompt::new(prefix.clone(), tail));
    request.options = Options::new().temperature(0.0).max_tokens(256);
    request
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Making the request, its key, and finding its answer in memory.
#[divan::bench(args = [0, 16])]
fn hit_in_memory(bencher: Bencher<'_, '_>, demos: usize) {
    let lm = LM::wrap(Instant).cache(Cache::memory(1000)).build().unwrap();
    let (runtime, prefix) = (runtime(), prefix(demos));
    bencher.bench_local(|| runtime.block_on(lm.generate(black_box(request(&prefix, 1)))).unwrap());
}

/// A request that passes the whole client and no cache.
#[divan::bench]
fn no_cache(bencher: Bencher<'_, '_>) {
    let lm = LM::wrap(Instant).cache(Cache::off()).build().unwrap();
    let (runtime, prefix) = (runtime(), prefix(16));
    bencher.bench_local(|| runtime.block_on(lm.generate(black_box(request(&prefix, 1)))).unwrap());
}

/// The bytes of a request whose prefix has been rendered before.
#[divan::bench(args = [0, 16])]
fn body(bencher: Bencher<'_, '_>, demos: usize) {
    let lm = LM::builder("openai/m").api_base("http://127.0.0.1:1/v1").build().unwrap();
    let prefix = prefix(demos);
    bencher.bench_local(|| lm.request_body(black_box(request(&prefix, 1))).unwrap());
}

/// A new answer, until it is in the file.
#[cfg(feature = "disk-cache")]
#[divan::bench(args = [1, 256])]
fn write_to_disk(bencher: Bencher<'_, '_>, at_once: u64) {
    let folder = tempfile::tempdir().unwrap();
    let lm = LM::wrap(Instant).cache(Cache::disk(folder.path())).build().unwrap();
    let (runtime, prefix, next) = (runtime(), prefix(16), std::cell::Cell::new(0));
    bencher.counter(divan::counter::ItemsCount::new(at_once)).bench_local(|| {
        let ask = || lm.generate(request(&prefix, next.replace(next.get() + 1)));
        runtime.block_on(futures_util::future::join_all((0..at_once).map(|_| ask())))
    });
}

/// An answer that is in the file and not in memory.
#[cfg(feature = "disk-cache")]
#[divan::bench(args = [1, 256])]
fn hit_on_disk(bencher: Bencher<'_, '_>, at_once: u64) {
    let folder = tempfile::tempdir().unwrap();
    let lm = LM::wrap(Instant).cache(Cache::disk(folder.path())).build().unwrap();
    let (runtime, prefix) = (runtime(), prefix(16));
    let ask = |n| lm.generate(request(&prefix, n));
    runtime.block_on(futures_util::future::join_all((0..256).map(ask)));
    bencher.counter(divan::counter::ItemsCount::new(at_once)).bench_local(|| {
        lm.cache().clear_memory();
        runtime.block_on(futures_util::future::join_all((0..at_once).map(ask)))
    });
}
