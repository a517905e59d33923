//! Instructions of a call, counted by callgrind: unlike times, they are the same on a busy machine.
//!
//! `cargo bench --bench instructions` prints them for each kind of call; it needs Linux and `valgrind`. With
//! `-- NAME COUNT` it makes that many calls of one kind and nothing else, to be looked at with
//! `valgrind --tool=callgrind` by hand.
//!
//! Every kind is counted twice, for few and for many calls. The difference is what further calls take: setting up,
//! connecting and rendering the prompt for the first time are not in it. The server works in a process of its own,
//! which is not counted; nor is what the kernel does.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "support/agents.rs"]
mod agents;
mod support;

use std::{process::Command, time::Duration};

use dspy::{evaluate::Evaluate, lm::Cache, prelude::*};
use support::clients::{Bytes, Immediate, Qa, QaInput, QaOutput, Raw, question};

/// What is counted, and what it is compared with.
const KINDS: &[(&str, &str, Option<&str>)] = &[
    ("bytes", "ready-made bytes through bare reqwest, the answer not looked at", None),
    ("by-hand", "a client by hand: reqwest and trees of serde_json", Some("bytes")),
    ("call", "`Predict::call`", Some("bytes")),
    ("own-call", "`Predict::call` of a model in this process that answers at once", None),
    ("own-batch", "the same, a row of `batch`", Some("own-call")),
    ("own-evaluate", "the same, a row of `Evaluate`", Some("own-call")),
    ("own-compile", "the same, a row of a candidate in a compile", Some("own-call")),
    (
        "loop-by-hand",
        "an agent by hand, three calls of a tool: five answers of a model in this process",
        None,
    ),
    ("own-agent", "`ReAct::call` that does the same", Some("loop-by-hand")),
];

const FEW: usize = 400;
const MANY: usize = 2400;

fn main() {
    support::serve_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [kind, count] = arguments.as_slice() {
        return run(kind, count.parse().unwrap());
    }
    let mut counted: Vec<(&str, u64)> = Vec::new();
    println!("instructions of a further call");
    for (kind, what, beside) in KINDS {
        let each = (instructions(kind, MANY) - instructions(kind, FEW)) / (MANY - FEW) as u64;
        counted.push((kind, each));
        let beside = counted.iter().find(|(kind, _)| Some(*kind) == *beside).map(|(_, base)| base);
        let more = beside.map(|base| format!("{:+}", each as i64 - *base as i64)).unwrap_or_default();
        println!("{kind:>12} {each:8} {more:>8}  {what}");
    }
}

/// The instructions of a process that makes `count` calls.
fn instructions(kind: &str, count: usize) -> u64 {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([kind, &count.to_string()])
        .output()
        .expect("this needs `valgrind`");
    let said = String::from_utf8_lossy(&done.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected :").nth(1));
    match collected.and_then(|number| number.trim().parse().ok()) {
        Some(count) if done.status.success() => count,
        _ => panic!("callgrind counted nothing:\n{said}"),
    }
}

/// Makes `count` calls of one kind, one after the other.
fn run(kind: &str, count: usize) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let remote = support::Remote::start(Duration::ZERO).unwrap();
    let lm = LM::builder("openai/bench").api_base(&remote.api_base).cache(Cache::off()).build().unwrap();
    let program = Predict::<Qa>::new().lm(lm);
    let own = Predict::<Qa>::new().lm(LM::wrap(Immediate).cache(Cache::off()).build().unwrap());
    let rows = (0..count).map(|i| Qa { question: question(i), answer: "Paris".into() });
    runtime.block_on(async {
        match kind {
            "bytes" => {
                let bytes = Bytes::new(&remote.api_base, &program);
                for _ in 0..count {
                    assert!(bytes.ask().await > 100);
                }
            }
            "by-hand" => {
                let raw = Raw::new(&remote.api_base, 0);
                for i in 0..count {
                    assert_eq!(raw.ask(&question(i)).await, "Paris");
                }
            }
            "call" | "own-call" => {
                let program = if kind == "call" { &program } else { &own };
                for i in 0..count {
                    assert_eq!(program.call(question(i)).await.unwrap().answer, "Paris");
                }
            }
            "own-batch" => {
                let inputs = (0..count).map(|i| QaInput { question: question(i) });
                let outputs = own.batch(inputs).await;
                assert!(outputs.into_iter().all(|output| output.unwrap().answer == "Paris"));
            }
            "loop-by-hand" => {
                let by_hand = agents::ByHand::default();
                for i in 0..count {
                    assert_eq!(by_hand.run(&question(i)).await, "Paris");
                }
            }
            "own-agent" => {
                let agent = agents::agent();
                for i in 0..count {
                    assert_eq!(agent.call(question(i)).await.unwrap().answer, "Paris");
                }
            }
            "own-evaluate" => {
                let rows: Vec<_> = rows.collect();
                let exact = |row: &Qa, output: &QaOutput| row.answer == output.answer;
                let evaluation = Evaluate::new(&rows, exact).progress(false);
                assert_eq!(evaluation.run(&own).await.unwrap().score, 1.0);
            }
            "own-compile" => {
                // Three candidates: the student, and two that show a row.
                let (train, val): (Vec<_>, Vec<_>) =
                    (rows.clone().take(1).collect(), rows.take(count / 3).collect());
                let exact = |row: &Qa, output: &QaOutput| row.answer == output.answer;
                let search = BootstrapFewShotWithRandomSearch::new().num_candidates(0).max_labeled_demos(1);
                let search = search.max_bootstrapped_demos(0).progress(false);
                let compiled = search.compile(own, (&train, &val), exact).await.unwrap();
                assert_eq!(compiled.report.val.after, Some(1.0));
            }
            other => panic!("there is no kind of call `{other}`"),
        }
    });
}
