//! Memory of 10,000 calls in flight against a local server with 200 ms latency.
//!
//! `cargo bench --bench in_flight`. Peak resident memory is read from `/proc/self/status`, so it needs Linux.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::time::{Duration, Instant};

use dspy::{lm::Cache, prelude::*};
use support::clients::{Qa, QaInput};

fn main() {
    support::serve_if_asked();
    let calls: usize = std::env::var("CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let remote = support::Remote::start(Duration::from_millis(200)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = memory("VmRSS");
    runtime.block_on(async {
        let lm = LM::builder("openai/bench")
            .api_base(&remote.api_base)
            .cache(Cache::off())
            .concurrency(calls)
            .build()
            .unwrap();
        dspy::configure(|c| c.lm(lm).concurrency(calls));
        let started = Instant::now();
        let inputs = (0..calls).map(|i| QaInput { question: format!("What is number {i}?") });
        let results = Predict::<Qa>::new().batch(inputs).await;
        let failed = results.iter().filter(|r| r.is_err()).count();
        let errors: Vec<String> =
            results.iter().filter_map(|r| r.as_ref().err()).map(ToString::to_string).collect();
        println!(
            "{calls} calls in {:.2} s, {failed} failed {:?}",
            started.elapsed().as_secs_f64(),
            errors.first()
        );
    });
    println!("resident before {before} MB, peak {} MB", memory("VmHWM"));
}

/// A figure of `/proc/self/status`, in MB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
