//! A provider that trains models as OpenAI does: files, jobs, events, and the models that come of them.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../../dspy-core/tests/support/mod.rs"]
pub mod server;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use dspy::{
    lm::{Cache, Message, RetryPolicy},
    optimize::finetune::{ChatRow, OpenAiFineTuner},
    prelude::*,
};
use serde_json::{Value, json};
use server::{Call, Reply, Server};

/// How often a job is asked after before it is done.
const POLLS: usize = 3;

/// What jobs come to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Fate {
    #[default]
    Succeeds,
    Fails,
    /// It runs until it is cancelled.
    NeverEnds,
}

#[derive(Debug, Clone)]
pub struct Job {
    pub body: Value,
    pub polls: usize,
    pub cancelled: bool,
}

#[derive(Default)]
pub struct State {
    pub files: BTreeMap<String, Vec<u8>>,
    pub deleted: BTreeSet<String>,
    pub jobs: Vec<Job>,
    pub fate: Fate,
    /// Parts of paths, each of which answers 429 or 500 once.
    pub ill: Vec<(&'static str, u16)>,
    /// The next job is created, but the answer is lost.
    pub lose_creation: bool,
    /// Tuned models that are no more.
    pub gone: BTreeSet<String>,
    /// The bodies of chat completions.
    pub asked: Vec<Value>,
    pub requests: Vec<String>,
}

/// A provider. It answers as long as it is kept.
pub struct Lab {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl Lab {
    /// A provider whose models answer each request for a completion as a function says.
    pub async fn start(answer: impl Fn(&Value) -> String + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = Server::start(move |call| reply(&mut shared.lock().unwrap(), call, &answer)).await;
        Self { server, state }
    }

    /// Not to be held while anything else of the provider is looked at.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> usize {
        self.state().jobs.len()
    }

    /// How many completions were asked for.
    pub fn asked(&self) -> usize {
        self.state().asked.len()
    }

    /// The client of a model.
    pub fn lm(&self, name: &str) -> LM {
        LM::builder(format!("openai/{name}"))
            .api_base(self.server.api_base())
            .api_key("sk-of-the-lab")
            .cache(Cache::memory(10_000))
            .retry(RetryPolicy::new().base(Duration::ZERO))
            .build()
            .unwrap()
    }

    /// The file that a job is trained on.
    pub fn trained(&self, job: usize) -> Vec<u8> {
        self.file(job, "training_file").unwrap()
    }

    pub fn file(&self, job: usize, kind: &str) -> Option<Vec<u8>> {
        let state = self.state();
        Some(state.files[state.jobs[job].body[kind].as_str()?].clone())
    }

    /// The rows that a job is trained on.
    pub fn rows(&self, job: usize) -> Vec<ChatRow> {
        rows(&self.trained(job))
    }

    /// How often something was asked for: the method and the beginning of the path.
    pub fn count(&self, what: &str) -> usize {
        self.state().requests.iter().filter(|request| request.starts_with(what)).count()
    }
}

pub fn rows(file: &[u8]) -> Vec<ChatRow> {
    let lines = file.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| ChatRow::from_json_line(line).unwrap()).collect()
}

pub fn tuner() -> OpenAiFineTuner {
    OpenAiFineTuner::new().poll(Duration::ZERO, Duration::ZERO)
}

/// Messages as they are sent.
pub fn sent(messages: &[Message]) -> Value {
    let row = ChatRow::new([messages, &[Message::assistant("x")]].concat()).unwrap();
    let mut line: Value = serde_json::from_slice(&row.to_json_line()).unwrap();
    line["messages"].as_array_mut().unwrap().pop();
    line["messages"].take()
}

/// The model that a job makes.
pub fn made_by(job: usize, body: &Value) -> String {
    format!("ft:{}:lab:{}:{job}", body["model"].as_str().unwrap(), body["suffix"].as_str().unwrap())
}

fn reply(state: &mut State, call: &Call, answer: &dyn Fn(&Value) -> String) -> Reply {
    assert_eq!(call.header("authorization"), Some("Bearer sk-of-the-lab"), "{}", call.path);
    let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
    let path = path.strip_prefix("/v1/").unwrap();
    state.requests.push(format!("{} {path}", call.method));
    if let Some(at) = state.ill.iter().position(|(part, _)| path.contains(part)) {
        let (_, status) = state.ill.remove(at);
        return Reply::error(status, "try again").with_header("retry-after", "0");
    }
    let parts: Vec<&str> = path.split('/').collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["chat", "completions"]) => {
            let body = call.json();
            let text = answer(&body);
            state.asked.push(body);
            Reply::completion(&text)
        }
        ("POST", ["files"]) => {
            let content = uploaded(call);
            check_file(&content);
            let id = format!("file-{}", state.files.len());
            state.files.insert(id.clone(), content);
            Reply::json(200, &json!({ "id": id, "object": "file", "purpose": "fine-tune" }))
        }
        ("DELETE", ["files", id]) => {
            assert!(state.files.contains_key(*id));
            state.deleted.insert((*id).to_owned());
            Reply::json(200, &json!({ "id": id, "object": "file", "deleted": true }))
        }
        ("GET", ["models", name]) if state.gone.contains(*name) => Reply::error(404, "no such model"),
        ("GET", ["models", name]) => Reply::json(200, &json!({ "id": name, "object": "model" })),
        ("POST", ["fine_tuning", "jobs"]) => {
            let body = call.json();
            assert!(state.files.contains_key(body["training_file"].as_str().unwrap()), "{body}");
            assert!(body["suffix"].as_str().unwrap().len() <= 64 && body["seed"].is_u64());
            state.jobs.push(Job { body, polls: 0, cancelled: false });
            if std::mem::take(&mut state.lose_creation) {
                return Reply::Reset;
            }
            Reply::json(200, &described(state, state.jobs.len() - 1))
        }
        ("GET", ["fine_tuning", "jobs"]) => {
            // `metadata[dspy_task]=...`, and one job a page.
            let wanted = query.split('&').find_map(|q| q.strip_prefix("metadata%5Bdspy_task%5D=")).unwrap();
            let after = query.split('&').find_map(|q| q.strip_prefix("after=ftjob-"));
            let before = after.map_or(state.jobs.len(), |id| id.parse().unwrap());
            let own = |i: &usize| state.jobs[*i].body["metadata"]["dspy_task"] == wanted;
            let mut found = (0..before).rev().filter(own);
            let page: Vec<Value> = found.next().map(|i| described(state, i)).into_iter().collect();
            Reply::json(200, &json!({ "object": "list", "data": page, "has_more": found.next().is_some() }))
        }
        ("GET", ["fine_tuning", "jobs", id]) => {
            let job = number(id);
            state.jobs[job].polls += 1;
            Reply::json(200, &described(state, job))
        }
        ("GET", ["fine_tuning", "jobs", id, "events"]) => {
            let polls = state.jobs[number(id)].polls;
            let event = |step: usize| {
                json!({
                    "object": "fine_tuning.job.event", "id": format!("ftevent-{step}"), "created_at": 100 + step,
                    "level": "info", "type": "metrics", "message": format!("step {step} done"),
                    "data": { "step": step, "total_steps": POLLS, "train_loss": 1.0 / (step + 1) as f64 }
                })
            };
            // The newest first, two a page.
            let after = query.split('&').find_map(|q| q.strip_prefix("after=ftevent-"));
            let end = after.map_or(polls + 1, |id| id.parse().unwrap());
            let page: Vec<Value> = (0..end).rev().take(2).map(event).collect();
            Reply::json(200, &json!({ "object": "list", "data": page, "has_more": end > 2 }))
        }
        ("POST", ["fine_tuning", "jobs", id, "cancel"]) => {
            let job = number(id);
            if described(state, job)["status"] == "succeeded" {
                return Reply::error(400, "the job has ended");
            }
            state.jobs[job].cancelled = true;
            Reply::json(200, &described(state, job))
        }
        other => panic!("nobody asks for {other:?}"),
    }
}

fn number(id: &str) -> usize {
    id.strip_prefix("ftjob-").unwrap().parse().unwrap()
}

fn described(state: &State, number: usize) -> Value {
    let job = &state.jobs[number];
    let status = match (state.fate, job.polls) {
        _ if job.cancelled => "cancelled",
        (_, 0) => "validating_files",
        (_, 1) => "queued",
        (Fate::NeverEnds, _) | (_, ..POLLS) => "running",
        (Fate::Succeeds, _) => "succeeded",
        (Fate::Fails, _) => "failed",
    };
    let done = status == "succeeded";
    json!({
        "object": "fine_tuning.job", "id": format!("ftjob-{number}"), "created_at": 100, "status": status,
        "model": job.body["model"], "training_file": job.body["training_file"],
        "validation_file": job.body["validation_file"], "metadata": job.body["metadata"],
        "fine_tuned_model": done.then(|| made_by(number, &job.body)),
        "trained_tokens": done.then_some(4321),
        "error": match status {
            "failed" => json!({ "code": "invalid_training_file", "param": "training_file", "message": "the rows are bad" }),
            _ => json!({ "code": null, "param": null, "message": null }),
        }
    })
}

/// The file of a form that has a purpose and a file.
fn uploaded(call: &Call) -> Vec<u8> {
    let kind = call.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let text = String::from_utf8(call.body.clone()).unwrap();
    let (inner, rest) = text.rsplit_once(&format!("\r\n--{boundary}--\r\n")).unwrap();
    assert_eq!(rest, "");
    let parts: Vec<(&str, &str)> = inner
        .strip_prefix(&format!("--{boundary}\r\n"))
        .unwrap()
        .split(&format!("\r\n--{boundary}\r\n"))
        .map(|part| part.split_once("\r\n\r\n").unwrap())
        .collect();
    let [(purpose, fine_tune), (file, content)] = parts[..] else { panic!("two parts: {parts:?}") };
    assert_eq!((purpose, fine_tune), ("Content-Disposition: form-data; name=\"purpose\"", "fine-tune"));
    assert!(file.starts_with("Content-Disposition: form-data; name=\"file\"; filename=\""), "{file}");
    assert!(file.lines().next().unwrap().ends_with(".jsonl\""), "{file}");
    content.as_bytes().to_vec()
}

/// What OpenAI demands of a file of rows.
fn check_file(content: &[u8]) {
    assert_eq!(content.last(), Some(&b'\n'));
    let lines: Vec<Value> =
        String::from_utf8_lossy(content).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.len() >= 10, "{} rows", lines.len());
    for line in lines {
        let messages = line["messages"].as_array().unwrap();
        let (last, before) = messages.split_last().unwrap();
        assert_eq!((&last["role"], last.get("weight")), (&json!("assistant"), None));
        assert!(before.iter().any(|m| m["role"] == "user"));
        for message in before.iter().filter(|m| m["role"] == "assistant") {
            assert_eq!(message["weight"], 0);
        }
    }
}
