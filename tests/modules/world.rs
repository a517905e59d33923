//! A server whose model answers as a function says, and the messages that it got, to compare with a file.

use std::{fs, path::Path, time::Duration};

use dspy::{
    lm::{Cache, RetryPolicy},
    prelude::*,
};
use serde_json::Value;

use crate::server::{Call, Reply, Server};

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) lm: LM,
}

/// A message that was sent: its role and its text.
pub(crate) type Sent = (String, String);

/// A model that answers the messages of a request.
pub(crate) async fn world(answer: impl Fn(&[Sent]) -> String + Send + Sync + 'static) -> World {
    let server = Server::start(move |call| match answer(&messages(call)) {
        text if text == "ERROR" => Reply::error(400, "no"),
        text => Reply::completion(&text),
    })
    .await;
    let lm = LM::builder("openai/m")
        .api_base(server.api_base())
        .cache(Cache::off())
        .retry(RetryPolicy::new().base(Duration::ZERO))
        .build()
        .unwrap();
    World { server, lm }
}

pub(crate) fn messages(call: &Call) -> Vec<Sent> {
    let text = |content: &Value| content.as_str().map_or_else(|| content.to_string(), str::to_owned);
    let message = |m: &Value| (m["role"].as_str().unwrap().to_owned(), text(&m["content"]));
    call.json()["messages"].as_array().unwrap().iter().map(message).collect()
}

/// The last message.
pub(crate) fn question(sent: &[Sent]) -> &str {
    &sent.last().unwrap().1
}

/// An answer in the format of the chat adapter.
pub(crate) fn chat(fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("[[ ## {name} ## ]]\n{value}\n\n")).collect();
    fields.concat() + "[[ ## completed ## ]]"
}

impl World {
    pub(crate) fn count(&self) -> usize {
        self.server.count()
    }

    /// The requests so far, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<Vec<Sent>> {
        self.server.calls().iter().map(messages).collect()
    }

    /// Compares the requests with a file of `tests/modules/snapshots`. With `DSPY_WRITE_SNAPSHOTS=1` in the environment
    /// the file is written.
    pub(crate) fn assert_sent(&self, name: &str) {
        let mut text = String::new();
        for (i, request) in self.requests().iter().enumerate() {
            text.push_str(&format!("=== request {}\n", i + 1));
            for (role, message) in request {
                text.push_str(&format!("--- {role}\n{}\n", message.trim_end()));
            }
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/snapshots").join(name);
        if std::env::var_os("DSPY_WRITE_SNAPSHOTS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            expected == text,
            "{} holds other messages than those that were sent:\n{text}",
            file.display()
        );
    }
}
