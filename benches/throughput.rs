//! Predictions per second over HTTP, beside a hand-written client, against a local server that answers at once.
//!
//! `cargo bench --bench throughput`. The two contestants take turns; each figure is the median of the turns.

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
    println!("demos  in flight      raw/s     dspy/s   ratio");
    for demos in [0, 16] {
        for concurrency in [1, 16, 256, 1024] {
            let raw = Raw::new(&remote.api_base, demos);
            let program = program(&remote.api_base, demos, concurrency);
            let (mut by_raw, mut by_dspy) = (Vec::new(), Vec::new());
            for _ in 0..TURNS {
                by_raw.push(runtime.block_on(rate(concurrency, raw.clone(), |raw, i| async move {
                    raw.ask(&question(i)).await
                })));
                by_dspy.push(runtime.block_on(rate(concurrency, program.clone(), |program, i| async move {
                    program.call(question(i)).await.unwrap().into_inner().answer
                })));
            }
            let (raw, dspy) = (median(by_raw), median(by_dspy));
            println!("{demos:5}  {concurrency:9}  {raw:9.0}  {dspy:9.0}  {:6.2}", dspy / raw);
        }
    }
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

/// Calls per second when `concurrency` tasks call one after the other.
async fn rate<C, F>(
    concurrency: usize,
    client: C,
    call: impl Fn(C, usize) -> F + Copy + Send + 'static,
) -> f64
where
    C: Clone + Send + 'static,
    F: Future<Output = String> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
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
    done as f64 / started.elapsed().as_secs_f64()
}

fn program(api_base: &str, demos: usize, concurrency: usize) -> Arc<Predict<Qa>> {
    let lm = LM::builder("openai/bench")
        .api_base(api_base)
        .cache(Cache::off())
        .concurrency(concurrency)
        .build()
        .unwrap();
    let rows = (0..demos).map(demo).map(|(question, answer)| Qa { question, answer });
    Arc::new(Predict::<Qa>::new().lm(lm).demos(rows).unwrap())
}

/// What a careful engineer writes by hand: the same messages, built as a `serde_json::Value` at every call.
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
