//! Predictions per second over HTTP, beside a hand-written client, against a local server that answers at once.
//!
//! `cargo bench --bench throughput`; `DEMOS=0 IN_FLIGHT=1,16` chooses what is measured. The two contestants take turns; each figure is the median of the turns. Beside the
//! rates stands the processor time of a call, which tells more on a machine that does other things as well; it is read
//! from `/proc/self/stat`, so it needs Linux. The server works in a process of its own.

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
use serde_json::{Value, json};

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(1500);

fn main() {
    support::serve_if_asked();
    // The hand-written client is built with the same TLS library, which wants to be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let remote = support::Remote::start(Duration::ZERO).unwrap();
    println!("demos  in flight      raw/s     dspy/s   ratio    raw µs   dspy µs   ratio");
    for demos in figures("DEMOS", &[0, 16]) {
        for concurrency in figures("IN_FLIGHT", &[1, 16, 256, 1024]) {
            let raw = Raw::new(&remote.api_base, demos);
            let program = program(&remote.api_base, demos, concurrency);
            let (mut by_raw, mut by_dspy) = (Vec::new(), Vec::new());
            for _ in 0..TURNS {
                by_raw.push(runtime.block_on(turn(concurrency, raw.clone(), |raw, i| async move {
                    raw.ask(&question(i)).await
                })));
                by_dspy.push(runtime.block_on(turn(concurrency, program.clone(), |program, i| async move {
                    program.call(question(i)).await.unwrap().into_inner().answer
                })));
            }
            let rates = [&by_raw, &by_dspy].map(|turns| median(turns.iter().map(|turn| turn.rate).collect()));
            let costs = [&by_raw, &by_dspy].map(|turns| median(turns.iter().map(|turn| turn.cpu).collect()));
            print!(
                "{demos:5}  {concurrency:9}  {:9.0}  {:9.0}  {:6.2}",
                rates[0],
                rates[1],
                rates[1] / rates[0]
            );
            println!("  {:8.1}  {:8.1}  {:6.2}", costs[0], costs[1], costs[0] / costs[1]);
        }
    }
}

/// What to measure: the numbers in an environment variable, or else these.
fn figures(name: &str, all: &[usize]) -> Vec<usize> {
    let chosen = std::env::var(name).unwrap_or_default();
    let chosen: Vec<usize> = chosen.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    if chosen.is_empty() { all.to_vec() } else { chosen }
}

fn question(i: usize) -> String {
    format!("What is the capital of country number {i}?")
}

fn demo(i: usize) -> (String, String) {
    (
        format!("In which city does the river with the number {i} reach the sea, and who founded it?"),
        format!("City {i}, which was founded by settlers from the north in the year {}.", 1200 + i),
    )
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
    F: Future<Output = String> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let (started, before) = (Instant::now(), ticks());
    let tasks: Vec<_> = (0..concurrency)
        .map(|_| {
            let (next, client) = (next.clone(), client.clone());
            tokio::spawn(async move {
                let mut done = 0usize;
                while started.elapsed() < TURN {
                    let answer = call(client.clone(), next.fetch_add(1, Ordering::Relaxed)).await;
                    assert_eq!(answer, "Paris");
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

/// What a careful engineer writes by hand: the same messages, built as a `serde_json::Value` at every call, and a limit
/// to how long it may take.
#[derive(Clone)]
struct Raw {
    client: reqwest::Client,
    url: Arc<str>,
    system: Arc<str>,
    demos: Arc<[(String, String)]>,
}

impl Raw {
    fn new(api_base: &str, demos: usize) -> Self {
        let rendered = Predict::<Qa>::new().render(QaInput { question: String::new() }).unwrap();
        Self {
            client: reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(10))
                .timeout(Duration::from_secs(600))
                .tcp_nodelay(true)
                .pool_max_idle_per_host(2048)
                .build()
                .unwrap(),
            url: format!("{api_base}/chat/completions").into(),
            system: rendered[0].content.text().into(),
            demos: (0..demos).map(demo).collect(),
        }
    }

    async fn ask(&self, question: &str) -> String {
        let reminder =
            "Now write, each under its header: `[[ ## answer ## ]]`; end with `[[ ## completed ## ]]`.";
        let mut messages = vec![json!({ "role": "system", "content": &*self.system })];
        for (question, answer) in &*self.demos {
            messages.push(json!({ "role": "user", "content": format!("[[ ## question ## ]]\n{question}") }));
            let answer = format!("[[ ## answer ## ]]\n{answer}\n\n[[ ## completed ## ]]");
            messages.push(json!({ "role": "assistant", "content": answer }));
        }
        let user = format!("[[ ## question ## ]]\n{question}\n\n{reminder}");
        messages.push(json!({ "role": "user", "content": user }));
        let body = json!({ "model": "bench", "messages": messages });
        let reply = self.client.post(&*self.url).json(&body).send().await.unwrap();
        let reply: Value = reply.json().await.unwrap();
        let content = reply["choices"][0]["message"]["content"].as_str().unwrap();
        let answer = content.split("[[ ## answer ## ]]").nth(1).unwrap();
        answer.split("[[ ## ").next().unwrap().trim().to_string()
    }
}
