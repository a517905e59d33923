//! A model behind a real HTTP server, which answers each request as a function of the test says.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../../dspy-core/tests/support/mod.rs"]
pub mod server;

use dspy::{lm::Cache, prelude::*};
use serde_json::{Value, json};
use server::{Call, Server};

pub use server::Reply;

/// A request as the model sees it.
pub struct Asked {
    pub body: Value,
    /// How many requests came before.
    pub number: usize,
}

impl Asked {
    fn new(call: &Call) -> Self {
        Self { body: call.json(), number: call.number }
    }

    /// The texts of the messages of `role`, in order. Of a message in parts, its texts.
    pub fn texts(&self, role: &str) -> Vec<String> {
        let messages = self.body["messages"].as_array().cloned().unwrap_or_default();
        messages.iter().filter(|m| m["role"] == role).map(|m| text(&m["content"])).collect()
    }

    /// The last message.
    pub fn last(&self) -> String {
        self.body["messages"]
            .as_array()
            .and_then(|m| m.last())
            .map(|m| text(&m["content"]))
            .unwrap_or_default()
    }

    /// The roles of the messages, in order.
    pub fn roles(&self) -> Vec<String> {
        let messages = self.body["messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|m| m["role"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn text(content: &Value) -> String {
    match content {
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// A model at a server of its own. It answers as long as it is kept.
pub struct Model {
    pub server: Server,
    pub lm: LM,
}

impl Model {
    /// A model that answers each request with a text.
    pub async fn saying(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        Self::replying(move |asked| Reply::completion(&answer(asked))).await
    }

    /// A model that says these texts in turn, the last one again and again.
    pub async fn script(answers: &[&str]) -> Self {
        let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        Self::saying(move |asked| answers[asked.number.min(answers.len() - 1)].clone()).await
    }

    /// A model that replies to each request.
    pub async fn replying(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(move |call| reply(&Asked::new(call))).await;
        let lm = LM::builder("openai/test").api_base(server.api_base()).cache(Cache::off()).retries(0);
        Self { lm: lm.build().unwrap(), server }
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.server.calls().iter().map(Asked::new).collect()
    }

    pub fn count(&self) -> usize {
        self.server.count()
    }
}

/// A completion of these messages, all with the same reason for their end.
pub fn choices(messages: &[Value], finish: &str) -> Reply {
    let choices: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(i, message)| json!({"index": i, "message": message, "finish_reason": finish}))
        .collect();
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    Reply::json(200, &json!({"id": "c", "model": "test", "choices": choices, "usage": usage}))
}

/// Runs an asynchronous test.
pub fn run<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}
