//! What a compile costs beside the calls that it makes, against a local server that answers at once.
//!
//! `cargo bench --bench compile`. A random search runs its candidates on all validation rows; then the same programs are
//! called on the same rows without it, by as many tasks. They take turns; each figure is the median of the turns. The
//! share is the processor time of the plain calls of that of the compile, read from `/proc/self/stat`: it needs Linux.
//! The server works in a process of its own.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use dspy::{lm::Cache, prelude::*};
use support::clients::{Qa, QaOutput, demo, question};

const TURNS: usize = 5;
const ROWS: usize = 1500;
/// Besides the three that are always there.
const CANDIDATES: usize = 4;

/// Calls a second, and microseconds of processor time a call.
type Figures = (f64, f64);

fn main() {
    support::serve_if_asked();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let remote = support::Remote::start(std::time::Duration::ZERO).unwrap();
    println!("           calls a second        us of processor time a call");
    println!("in flight  compile    plain      compile    plain  share of the calls");
    for at_once in [16, 256] {
        let (mut compiles, mut plains) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let (figures, programs) = runtime.block_on(compile(&remote.api_base, at_once));
            compiles.push(figures);
            plains.push(runtime.block_on(plain(&remote.api_base, programs, at_once)));
        }
        let of = |turns: &[Figures]| {
            (median(turns.iter().map(|t| t.0).collect()), median(turns.iter().map(|t| t.1).collect()))
        };
        let ((rate, cost), (plain_rate, plain_cost)) = (of(&compiles), of(&plains));
        let share = 100.0 * plain_cost / cost;
        println!("{at_once:9} {rate:8.0} {plain_rate:8.0}    {cost:9.1} {plain_cost:8.1}  {share:5.0} %");
    }
}

fn model(api_base: &str, at_once: usize) -> LM {
    let lm = LM::builder("openai/bench").api_base(api_base).concurrency(at_once);
    lm.cache(Cache::memory(1_000_000)).build().unwrap()
}

fn row(i: usize) -> Qa {
    Qa { question: question(i), answer: "Paris".into() }
}

/// Compiles: what that took, and the candidates.
async fn compile(api_base: &str, at_once: usize) -> (Figures, Vec<Predict<Qa>>) {
    let train: Vec<Qa> = (0..50).map(|i| Qa { question: demo(i).0, answer: "Paris".into() }).collect();
    let val: Vec<Qa> = (0..ROWS).map(row).collect();
    let lm = model(api_base, at_once);
    let metric = |gold: &Qa, found: &QaOutput| gold.answer == found.answer;
    let search = BootstrapFewShotWithRandomSearch::new().num_candidates(CANDIDATES).progress(false);
    let search = search.concurrency(at_once);
    let calls_of = lm.clone();
    let (started, before) = (Instant::now(), ticks());
    let compiled = with(move |c| c.lm(lm), search.compile(Predict::<Qa>::new(), (&train, &val), metric));
    let compiled = compiled.await.unwrap();
    let figures = figures(started, before, calls_of.usage().calls);
    let scored = compiled.report.candidates.iter().filter(|c| c.score.is_some());
    (figures, scored.filter_map(|c| compiled.candidate(c.id)).collect())
}

/// The same calls without a compile.
async fn plain(api_base: &str, programs: Vec<Predict<Qa>>, at_once: usize) -> Figures {
    let lm = model(api_base, at_once);
    let programs: Arc<[Predict<Qa>]> = programs.into_iter().map(|p| p.lm(lm.clone())).collect();
    let next = Arc::new(AtomicUsize::new(0));
    let (started, before) = (Instant::now(), ticks());
    let tasks: Vec<_> = (0..at_once)
        .map(|_| {
            let (next, programs) = (next.clone(), programs.clone());
            tokio::spawn(async move {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(program) = programs.get(i / ROWS) else { return };
                    assert_eq!(program.call(question(i % ROWS)).await.unwrap().answer, "Paris");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    figures(started, before, lm.usage().calls)
}

fn figures(started: Instant, before: f64, calls: u64) -> Figures {
    let calls = calls as f64;
    (calls / started.elapsed().as_secs_f64(), (ticks() - before) * 10_000.0 / calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The processor time of this process so far, in hundredths of a second.
fn ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum()
}
