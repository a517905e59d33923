//! Clients of the same server without the library, to compare with.

use std::{sync::Arc, time::Duration};

use dspy::{
    LmError,
    lm::{BoxFuture, LanguageModel, Request, Response},
    prelude::*,
};
use serde_json::{Value, json};

/// Answer the question.
#[signature]
pub struct Qa {
    #[input]
    pub question: String,
    #[output]
    pub answer: String,
}

pub fn question(i: usize) -> String {
    format!("What is the capital of country number {i}?")
}

pub fn demo(i: usize) -> (String, String) {
    (
        format!("In which city does the river with the number {i} reach the sea, and who founded it?"),
        format!("City {i}, which was founded by settlers from the north in the year {}.", 1200 + i),
    )
}

/// A connection pool as the library sets it up.
fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(600))
        .tcp_nodelay(true)
        .pool_max_idle_per_host(2048)
        .build()
        .unwrap()
}

/// The transport alone: sends the same bytes again and again, and looks at no answer.
#[derive(Clone)]
pub struct Bytes {
    client: reqwest::Client,
    url: reqwest::Url,
    body: Arc<[u8]>,
}

impl Bytes {
    /// Sends what the library would.
    pub fn new(api_base: &str, program: &Predict<Qa>) -> Self {
        let rendered = program.render(QaInput { question: question(1000) }).unwrap();
        let messages: Vec<_> = rendered
            .iter()
            .map(|m| json!({ "role": m.role.as_str(), "content": m.content.text() }))
            .collect();
        let body = json!({ "model": "bench", "messages": messages });
        let url = format!("{api_base}/chat/completions").parse().unwrap();
        Self { client: client(), url, body: body.to_string().into_bytes().into() }
    }

    pub async fn ask(&self) -> usize {
        let json = reqwest::header::HeaderValue::from_static("application/json");
        let request = self.client.post(self.url.clone()).header("content-type", json);
        let reply = request.body(self.body.to_vec()).send().await.unwrap();
        reply.bytes().await.unwrap().len()
    }
}

/// What a careful engineer writes by hand: the same messages, built as a `serde_json::Value` at every call, and a limit
/// to how long it may take.
#[derive(Clone)]
pub struct Raw {
    client: reqwest::Client,
    url: Arc<str>,
    system: Arc<str>,
    demos: Arc<[(String, String)]>,
}

impl Raw {
    pub fn new(api_base: &str, demos: usize) -> Self {
        let rendered = Predict::<Qa>::new().render(QaInput { question: String::new() }).unwrap();
        Self {
            client: client(),
            url: format!("{api_base}/chat/completions").into(),
            system: rendered[0].content.text().into(),
            demos: (0..demos).map(demo).collect(),
        }
    }

    pub async fn ask(&self, question: &str) -> String {
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

/// A model in this process that answers at once.
pub struct Immediate;

impl LanguageModel for Immediate {
    fn id(&self) -> &str {
        "own/immediate"
    }
    fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async { Ok(Response::text("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]")) })
    }
}
