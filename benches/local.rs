//! Tokens per second of a model: prompts and answers apart, with one and with several requests at a time.
//!
//! ```text
//! cargo bench --bench local --features local -- --model local/PATH
//! cargo bench --bench local -- --model openai/NAME --api-base http://127.0.0.1:8080/v1
//! ```
//!
//! The second form measures any server that speaks OpenAI's protocol, through the same client. Further options:
//! `--requests 1,16` at a time, `--prompt 512` and `--answer 128` tokens, `--turns 3`, of which the best counts.
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
    let (mut requests, mut prompt, mut answer, mut turns) = (vec![1, 16], 512, 128, 3);
    while let Some(arg) = args.next() {
        let value = args.next().unwrap_or_default();
        let number = || value.parse().unwrap();
        match &*arg {
            "--model" => model = Some(value),
            "--api-base" => api_base = Some(value),
            "--requests" => requests = value.split(',').map(|n| n.parse().unwrap()).collect(),
            "--prompt" => prompt = number(),
            "--answer" => answer = number(),
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
    let ask = |n, words, tokens| runtime.block_on(turn(&lm, n, words, tokens));

    // How many words make a prompt of this length, for this tokenizer.
    let short = ask(1, 1, 1).usage.prompt_tokens;
    let longer = ask(1, 101, 1).usage.prompt_tokens;
    let words = (prompt as u64).saturating_sub(short) * 100 / (longer - short) + 1;

    println!("{}", lm.id());
    println!("requests  prompt/each  prompt tokens/s  answer/each  answer tokens/s  all at once after");
    for n in requests {
        let read = best(turns, || ask(n, words as usize, 1), |u| u.prompt_tokens - u.cached_prompt_tokens);
        let written = best(turns, || ask(n, 1, answer), |u| u.completion_tokens);
        println!(
            "{n:8}  {:11}  {:15.1}  {:11}  {:15.1}  {:.2} s, {:.2} s",
            read.usage.prompt_tokens / n as u64,
            (read.usage.prompt_tokens - read.usage.cached_prompt_tokens) as f64 / read.seconds,
            written.usage.completion_tokens / n as u64,
            written.usage.completion_tokens as f64 / written.seconds,
            read.seconds,
            written.seconds,
        );
    }
}

/// Requests that were made at the same time.
struct Turn {
    seconds: f64,
    usage: Usage,
}

fn best(turns: usize, turn: impl Fn() -> Turn, tokens: impl Fn(&Usage) -> u64) -> Turn {
    let rate = |turn: &Turn| tokens(&turn.usage) as f64 / turn.seconds;
    (0..turns).map(|_| turn()).max_by(|a, b| rate(a).total_cmp(&rate(b))).unwrap()
}

async fn turn(lm: &LM, n: usize, words: usize, tokens: u32) -> Turn {
    let began = Instant::now();
    let answers = join_all((0..n).map(|_| async {
        let mut request = Request::new(messages(words));
        request.cache = false;
        request.options = Options::new().max_tokens(tokens);
        lm.stream(request).finish().await.unwrap().response.usage
    }));
    let usage = answers.await.into_iter().sum();
    Turn { seconds: began.elapsed().as_secs_f64(), usage }
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
