//! A server whose model answers by a script: rows are sorted well or badly by what the instruction says, and
//! instructions are written when they are asked for. It counts what it answers.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../../dspy-core/tests/support/mod.rs"]
pub mod server;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{
    lm::{Cache, RetryPolicy},
    prelude::*,
};
use server::{Call, Reply, Server};

/// Sort the message.
#[signature]
pub struct Sort {
    #[input]
    pub message: String,
    #[output]
    pub topic: String,
}

pub const TOPICS: [&str; 3] = ["billing", "delivery", "account"];

/// What is right for row `n`.
pub fn topic(n: usize) -> &'static str {
    TOPICS[n % TOPICS.len()]
}

pub fn rows(range: std::ops::Range<usize>) -> Vec<Sort> {
    range.map(|n| Sort { message: format!("case {n}"), topic: topic(n).into() }).collect()
}

pub fn right(gold: &Sort, found: &SortOutput) -> bool {
    gold.topic == found.topic
}

/// What can be written in an instruction: each word makes other rows come out right.
pub const WORDS: [&str; 6] = ["carefully", "briefly", "twice", "slowly", "first", "politely"];

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What the server has answered.
#[derive(Default)]
pub struct Answered {
    /// How often each body was answered.
    pub bodies: Mutex<HashMap<Vec<u8>, usize>>,
    pub received: AtomicUsize,
}

impl Answered {
    pub fn different(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    pub fn total(&self) -> usize {
        self.bodies.lock().unwrap().values().sum()
    }

    pub fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

/// A server of the scripted model. `refuse` may keep a request from being answered.
pub async fn start(
    refuse: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
) -> (Server, Arc<Answered>) {
    let answered = Arc::new(Answered::default());
    let log = answered.clone();
    let server = Server::start(move |call| {
        log.received.fetch_add(1, Ordering::SeqCst);
        if let Some(reply) = refuse(call) {
            return reply;
        }
        let mut bodies = log.bodies.lock().unwrap();
        let times = bodies.entry(call.body.clone()).or_default();
        *times += 1;
        // A sampled answer comes out otherwise when it is asked for again.
        Reply::completion(&answer(call, *times))
    });
    (server.await, answered)
}

/// Answers to a request that comes for the n-th time.
fn answer(call: &Call, times: usize) -> String {
    let body = call.json();
    let messages = body["messages"].as_array().unwrap();
    let text = |i: usize| messages[i]["content"].as_str().unwrap();
    let (system, last) = (text(0), text(messages.len() - 1));
    let sampled = body["temperature"].as_f64().is_some_and(|t| t > 0.0);
    let drawn = hash((&call.body, if sampled { times } else { 0 }));
    let field = |name: &str, value: &str| format!("[[ ## {name} ## ]]\n{value}\n\n");
    let word = |shift: u32| WORDS[(drawn >> shift) as usize % WORDS.len()];
    let fields = if system.contains("better_instruction") {
        field("better_instruction", &format!("Sort the message {} and {}.", word(0), word(8)))
    } else if system.contains("`rules`") {
        field("reasoning", "There are some.")
            + &field("rules", &format!("1. Read {}.\n2. Sort {}.", word(0), word(8)))
    } else {
        let n: usize =
            last.split("case ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        // A fifth of the rows comes out right anyhow, and about a fifth more for every word.
        let knows = |word: &str| system.contains(word) && hash((word, n)).is_multiple_of(5);
        let luck = if sampled { drawn.is_multiple_of(3) } else { hash(n).is_multiple_of(5) };
        let good = luck || WORDS.iter().any(|word| knows(word));
        field("topic", topic(if good { n } else { n + 1 }))
    };
    fields + "[[ ## completed ## ]]"
}

/// The model behind the server. The number of a draw is sent, so that a draw is known by its body.
pub fn model(api_base: String, cache: Cache) -> LM {
    let lm = LM::builder("openai/scripted").api_base(api_base).temperature(0.0).rollout_parameter("draw");
    lm.cache(cache).retry(RetryPolicy::new().retries(0).base(Duration::ZERO)).build().unwrap()
}
