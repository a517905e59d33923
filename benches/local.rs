//! Tokens per second of a model: prompts and answers apart, with one and with several requests at a time.
//!
//! ```text
//! cargo bench --bench local --features local -- --model local/PATH
//! cargo bench --bench local -- --model openai/NAME --api-base http://127.0.0.1:8080/v1
//! ```
//!
//! The second form measures any server that speaks OpenAI's protocol, through the same client. Further options:
//! `--requests 1,16` at a time, `--prompt 512` and `--answer 128` tokens, `--turns 3`, of which the best counts, and
//! `--process PID` of the server.
//!
//! Beside the rates stand the tokens per second of processor time of that process (without the option, of this one),
//! which tell more on a machine that does other things as well. They are read from `/proc`, so they need Linux, and are
//! 0 elsewhere. For a fair comparison of them, let both use one thread: those that wait for others in a loop use
//! processor time for nothing.
//!
//! No two prompts begin alike, so none is read from what is kept of another; what the model says that it had kept is not
//! counted. Prompts are measured by requests for one token. Answers are measured with short prompts: the time to read
//! those is in their figure.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Instant,
};

use dspy::{
    LM,
    lm::{Cache, Capabilities, Message, Options, Request, Usage},
};
use futures_util::future::join_all;

fn main() {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (mut model, mut api_base) = (None, None);
    let mut process = "self".to_owned();
    let (mut requests, mut prompt, mut answer, mut turns) = (vec![1, 16], 512_u32, 128_u32, 3_u32);
    while let Some(arg) = args.next() {
        let value = args.next().unwrap_or_default();
        let number = || value.parse().unwrap();
        match &*arg {
            "--model" => model = Some(value),
            "--api-base" => api_base = Some(value),
            "--requests" => requests = value.split(',').map(|n| n.parse().unwrap()).collect(),
            "--prompt" => prompt = number(),
            "--answer" => answer = number(),
            "--process" => process = value,
            "--turns" => turns = number(),
            other => println!("the option {other} is unknown"),
        }
    }
    let Some(model) = model else {
        println!("skipped: name a model with --model local/PATH");
        return;
    };
    let mut lm = LM::builder(model).cache(Cache::off()).retries(0).temperature(0.0);
    if let Some(base) = api_base {
        lm = lm.api_base(base).capabilities(Capabilities::none().streaming(true));
    }
    let lm = lm.build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |n, words, tokens| runtime.block_on(turn(&lm, &process, n, words, tokens));

    // How many words make a prompt of this length, for this tokenizer.
    let short = ask(1, 1, 1).usage.prompt_tokens;
    let longer = ask(1, 101, 1).usage.prompt_tokens;
    let words = u64::from(prompt).saturating_sub(short) * 100 / (longer - short) + 1;

    println!("{}", lm.id());
    println!("requests  prompt/each  tokens/s  per cpu second  answer/each  tokens/s  per cpu second");
    for n in requests {
        let read = best(turns, || ask(n, words as usize, 1));
        let written = best(turns, || ask(n, 1, answer));
        let (prompts, answers) = (read.usage.prompt_tokens, written.usage.completion_tokens);
        println!(
            "{n:8}  {:11}  {:8.1}  {:14.1}  {:11}  {:8.1}  {:14.1}",
            prompts / n as u64,
            read.rate(Turn::read, read.seconds),
            read.rate(Turn::read, read.processor),
            answers / n as u64,
            written.rate(Turn::written, written.seconds),
            written.rate(Turn::written, written.processor),
        );
    }
}

/// Requests that were made at the same time.
struct Turn {
    seconds: f64,
    /// Seconds that processors worked.
    processor: f64,
    usage: Usage,
}

impl Turn {
    /// Tokens of prompts that were read.
    fn read(&self) -> u64 {
        self.usage.prompt_tokens - self.usage.cached_prompt_tokens
    }

    /// Tokens of answers.
    fn written(&self) -> u64 {
        self.usage.completion_tokens
    }

    fn rate(&self, tokens: impl Fn(&Self) -> u64, seconds: f64) -> f64 {
        if seconds > 0.0 { tokens(self) as f64 / seconds } else { 0.0 }
    }
}

fn best(turns: u32, turn: impl Fn() -> Turn) -> Turn {
    (0..turns).map(|_| turn()).min_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap()
}

async fn turn(lm: &LM, process: &str, n: usize, words: usize, tokens: u32) -> Turn {
    let (began, worked) = (Instant::now(), processor(process));
    let answers = join_all((0..n).map(|_| async {
        let mut request = Request::new(messages(words));
        request.cache = false;
        request.options = Options::new().max_tokens(tokens);
        lm.stream(request).finish().await.unwrap().response.usage
    }));
    let usage = answers.await.into_iter().sum();
    Turn { seconds: began.elapsed().as_secs_f64(), processor: processor(process) - worked, usage }
}

/// Seconds of processor time of a process, in its own code and in the system's for it.
fn processor(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; 100 ticks are a second on every Linux.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |i| rest.split_whitespace().nth(i).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// A conversation that begins as no other does.
fn messages(words: usize) -> Vec<Message> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    const WORDS: [&str; 8] =
        ["ferry", "letters", "parcel", "numbers", "visitors", "morning", "drawer", "rain"];
    let number = NUMBER.fetch_add(1, Relaxed);
    let text: Vec<&str> = (0..words).map(|i| WORDS[(i * 7 + number * 3 + i / 8) % 8]).collect();
    vec![Message::system(format!("{number} {}", std::process::id())), Message::user(text.join(" "))]
}
