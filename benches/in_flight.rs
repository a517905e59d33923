//! Memory: of 10,000 calls in flight against a local server with 200 ms latency, and of the results of 100,000 rows.
//!
//! `cargo bench --bench in_flight`; `CALLS=1000` sets how many are in flight. Each figure comes from a process of its
//! own. Beside the library stands the transport alone: the same bytes through bare reqwest, a task for each. Resident
//! memory is read from `/proc/self/status`, so it needs Linux.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use dspy::{evaluate::Evaluate, lm::Cache, prelude::*};
use support::clients::{Bytes, Immediate, Qa, QaInput, QaOutput, question};

const KINDS: [&str; 3] = ["bytes", "library", "rows"];
const ROWS: usize = 100_000;

fn main() {
    support::serve_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(kind) = arguments.iter().find(|kind| KINDS.contains(&kind.as_str())) else {
        println!("the future of a call: {} bytes", size_of_val(&Predict::<Qa>::new().call("?")));
        for kind in KINDS {
            Command::new(std::env::current_exe().unwrap()).arg(kind).status().unwrap();
        }
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match kind.as_str() {
        "rows" => runtime.block_on(rows()),
        kind => runtime.block_on(in_flight(kind)),
    }
}

async fn in_flight(kind: &str) {
    let calls: usize = std::env::var("CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let remote = support::Remote::start(Duration::from_millis(200)).unwrap();
    let lm = LM::builder("openai/bench")
        .api_base(&remote.api_base)
        .cache(Cache::off())
        .concurrency(calls)
        .build()
        .unwrap();
    dspy::configure(|c| c.lm(lm).concurrency(calls));
    let program = Predict::<Qa>::new();
    let bytes = Bytes::new(&remote.api_base, &program);
    let (before, started) = (memory("VmRSS"), Instant::now());
    let failed = if kind == "bytes" {
        let ask = || {
            let bytes = bytes.clone();
            tokio::spawn(async move { bytes.ask().await })
        };
        let tasks: Vec<_> = (0..calls).map(|_| ask()).collect();
        let mut failed = 0;
        for task in tasks {
            failed += usize::from(task.await.is_err());
        }
        failed
    } else {
        let inputs = (0..calls).map(|i| QaInput { question: question(i) });
        program.batch(inputs).await.iter().filter(|result| result.is_err()).count()
    };
    println!(
        "{kind}: {calls} calls in {:.2} s, {failed} failed; resident before {} MB, at the peak {} MB",
        started.elapsed().as_secs_f64(),
        before / 1024,
        memory("VmHWM") / 1024
    );
}

async fn rows() {
    let program = Predict::<Qa>::new().lm(LM::wrap(Immediate).cache(Cache::off()).build().unwrap());
    let rows: Vec<_> = (0..ROWS).map(|i| Qa { question: question(i), answer: "Paris".into() }).collect();
    let exact = |row: &Qa, output: &QaOutput| row.answer == output.answer;
    let evaluation = Evaluate::new(&rows, exact).progress(false);
    let before = memory("VmRSS");
    let result = evaluation.run(&program).await.unwrap();
    let kept = (memory("VmRSS") - before) * 1024 / ROWS as u64;
    println!("rows: {ROWS} evaluated, {kept} bytes kept of each; score {}", result.score);
}

/// A figure of `/proc/self/status`, in KB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0)
}
