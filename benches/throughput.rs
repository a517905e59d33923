//! Predictions per second over HTTP against a local server that answers at once.
//!
//! `cargo bench --bench throughput`; `DEMOS=0 IN_FLIGHT=1,16` chooses what is measured. Beside the library stand a client
//! written by hand, which builds its JSON for each call and reads the answer, and the transport alone: the same bytes
//! again and again, the answer not looked at. They take turns; each figure is the median of the turns. Processor time
//! of a call tells more than rates on a machine that does other things as well; it is read from `/proc/self/stat`, so
//! it needs Linux. The server works in a process of its own.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dspy::{lm::Cache, prelude::*};
use support::clients::{Bytes, Qa, Raw, demo, question};

const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(1500);

fn main() {
    support::serve_if_asked();
    // The hand-written client is built with the same TLS library, which wants to be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let remote = support::Remote::start(Duration::ZERO).unwrap();
    println!(
        "                       calls a second                       microseconds of processor time a call"
    );
    println!("demos  in flight     bytes  by hand     dspy  to bytes  to hand     bytes  by hand     dspy");
    for demos in figures("DEMOS", &[0, 16]) {
        for concurrency in figures("IN_FLIGHT", &[1, 16, 256, 1024]) {
            let program = program(&remote.api_base, demos, concurrency);
            let bytes = Bytes::new(&remote.api_base, &program);
            let raw = Raw::new(&remote.api_base, demos);
            let mut turns: [Vec<Turn>; 3] = Default::default();
            for _ in 0..TURNS {
                turns[0].push(runtime.block_on(turn(concurrency, bytes.clone(), |bytes, _| async move {
                    assert!(bytes.ask().await > 100);
                })));
                turns[1].push(runtime.block_on(turn(concurrency, raw.clone(), |raw, i| async move {
                    assert_eq!(raw.ask(&question(i)).await, "Paris");
                })));
                turns[2].push(runtime.block_on(turn(
                    concurrency,
                    program.clone(),
                    |program, i| async move {
                        assert_eq!(program.call(question(i)).await.unwrap().answer, "Paris");
                    },
                )));
            }
            let rates = turns.each_ref().map(|turns| median(turns.iter().map(|turn| turn.rate).collect()));
            let costs = turns.each_ref().map(|turns| median(turns.iter().map(|turn| turn.cpu).collect()));
            let [bytes, hand, dspy] = rates;
            print!("{demos:5}  {concurrency:9} {bytes:9.0} {hand:8.0} {dspy:8.0}");
            print!("  {:8.2} {:8.2}", dspy / bytes, dspy / hand);
            println!("  {:8.1} {:8.1} {:8.1}", costs[0], costs[1], costs[2]);
        }
    }
}

/// What to measure: the numbers in an environment variable, or else these.
fn figures(name: &str, all: &[usize]) -> Vec<usize> {
    let chosen = std::env::var(name).unwrap_or_default();
    let chosen: Vec<usize> = chosen.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    if chosen.is_empty() { all.to_vec() } else { chosen }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What one turn came to.
struct Turn {
    /// Calls per second.
    rate: f64,
    /// Processor time of a call, in microseconds.
    cpu: f64,
}

/// The processor time of this process so far, in hundredths of a second.
fn ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum()
}

/// Lets `concurrency` tasks call one after the other for a while.
async fn turn<C, F>(
    concurrency: usize,
    client: C,
    call: impl Fn(C, usize) -> F + Copy + Send + 'static,
) -> Turn
where
    C: Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let (started, before) = (Instant::now(), ticks());
    let tasks: Vec<_> = (0..concurrency)
        .map(|_| {
            let (next, client) = (next.clone(), client.clone());
            tokio::spawn(async move {
                let mut done = 0usize;
                while started.elapsed() < TURN {
                    call(client.clone(), next.fetch_add(1, Ordering::Relaxed)).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    Turn {
        rate: done as f64 / started.elapsed().as_secs_f64(),
        cpu: (ticks() - before) * 10_000.0 / done as f64,
    }
}

fn program(api_base: &str, demos: usize, concurrency: usize) -> Arc<Predict<Qa>> {
    let lm = LM::builder("openai/bench")
        .api_base(api_base)
        .cache(Cache::off())
        .concurrency(concurrency)
        .build()
        .unwrap();
    let rows = (0..demos).map(demo).map(|(question, answer)| Qa { question, answer });
    Arc::new(Predict::<Qa>::new().lm(lm).demos(rows))
}
