//! Tickets to sort, and a server that answers from the prompt.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{lm::Cache, prelude::*};
use serde_json::Value;

use crate::support::{demo_model, http};

/// Sort the message by what it is about.
#[signature]
pub(crate) struct Sort {
    #[input]
    pub(crate) message: String,
    #[output]
    pub(crate) topic: String,
}

/// Say in a few words what the message is about.
#[signature]
pub(crate) struct Sum {
    #[input]
    pub(crate) message: String,
    #[output]
    pub(crate) gist: String,
}

/// Sort the message.
#[signature]
pub(crate) struct SortSummed {
    #[input]
    pub(crate) message: String,
    #[input]
    pub(crate) gist: String,
    #[output]
    pub(crate) topic: String,
}

/// Two predictors; the data has no field for what is between them.
#[module]
pub(crate) struct TwoSteps {
    pub(crate) sum: Predict<Sum>,
    pub(crate) sort: ChainOfThought<SortSummed>,
}

impl TwoSteps {
    pub(crate) fn new() -> Self {
        Self { sum: Predict::new(), sort: ChainOfThought::new() }
    }
}

impl Module for TwoSteps {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, SortInput { message }: SortInput) -> Result<SortOutput> {
        let gist = self.sum.call(SumInput { message: message.clone() }).await?.gist.clone();
        let sorted = self.sort.call(SortSummedInput { message, gist }).await?;
        Ok(SortOutput { topic: sorted.topic.clone() })
    }
}

pub(crate) fn right(gold: &Sort, found: &SortOutput) -> bool {
    gold.topic == found.topic
}

/// A file of the examples.
pub(crate) fn examples(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect()
}

pub(crate) fn train() -> Vec<Sort> {
    dspy::data::jsonl(examples("tickets-train.jsonl")).unwrap()
}

pub(crate) fn dev() -> Vec<Sort> {
    dspy::data::jsonl(examples("tickets-dev.jsonl")).unwrap()
}

/// What the server saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: AtomicUsize,
    /// How often each request was answered well.
    pub(crate) answered: Mutex<BTreeMap<Vec<u8>, usize>>,
    pub(crate) models: Mutex<BTreeMap<String, usize>>,
    /// Requests whose last message was also shown in a demonstration.
    pub(crate) spoiled: Mutex<Vec<String>>,
    /// Whether every other request fails.
    pub(crate) ill: AtomicBool,
}

impl Seen {
    pub(crate) fn look(&self, body: &[u8]) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let request: Value = serde_json::from_slice(body).unwrap();
        *self.models.lock().unwrap().entry(request["model"].to_string()).or_default() += 1;
        let users: Vec<&str> = request["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|m| m["role"] == "user")
            .map(|m| m["content"].as_str().unwrap())
            .collect();
        let message = |text: &str| -> Option<String> {
            let rest = text.split("[[ ## message ## ]]\n").nth(1)?;
            Some(rest.split("\n\n").next()?.to_owned())
        };
        let (last, before) = users.split_last().unwrap();
        let asked = message(last);
        if before.iter().any(|text| message(text) == asked) {
            self.spoiled.lock().unwrap().push((*last).to_owned());
        }
    }
}

pub(crate) fn hash(body: &[u8], salt: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (body, salt).hash(&mut hasher);
    hasher.finish()
}

/// A server of the demonstration model. With a salt, its answers take a time that depends on it.
pub(crate) fn server(salt: Option<u64>) -> (http::Server, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let log = seen.clone();
    let server = http::Server::start(move |request| {
        log.look(&request.body);
        if log.ill.load(Ordering::SeqCst) && hash(&request.body, 0).is_multiple_of(2) {
            return http::Reply::Json(500, b"{}".to_vec());
        }
        *log.answered.lock().unwrap().entry(request.body.clone()).or_default() += 1;
        let wait = salt.map(|salt| Duration::from_millis(hash(&request.body, salt) % 12));
        let reply = demo_model::answer(request);
        wait.into_iter().fold(reply, |reply, wait| http::Reply::After(wait, Box::new(reply)))
    });
    (server.unwrap(), seen)
}

pub(crate) fn model(server: &http::Server, name: &str) -> LM {
    let lm = LM::builder(format!("openai/{name}")).api_base(server.api_base()).api_key("k");
    lm.cache(Cache::memory(100_000)).retries(0).build().unwrap()
}

pub(crate) async fn score<P>(program: &P, rows: &[Sort]) -> f64
where
    P: Module<Input = SortInput, Output = SortOutput> + Clone + 'static,
{
    Evaluate::new(rows, right).run(program).await.unwrap().score
}

pub(crate) fn tempfile() -> std::path::PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("dspy-optimize-{}-{}.json", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    std::env::temp_dir().join(name)
}
