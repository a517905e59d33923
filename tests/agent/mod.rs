mod again;
mod arguments;
mod calls;
mod hostile;
mod messages;
mod signed;
mod state;
mod strict;
mod work;

use dspy::{
    lm::{Cache, Capabilities},
    prelude::*,
};
use serde_json::{Map, Value, json};

use crate::model::{Model, Reply, choices};

/// Answer the question about towns.
#[signature]
#[derive(PartialEq)]
pub struct Qa {
    #[input]
    pub question: String,
    /// a number
    #[output]
    pub answer: u64,
}

/// Look up a town in the gazetteer.
#[tool]
pub async fn look_up(
    /// its name in English
    town: String,
    #[arg(default = 2020)] year: u16,
) -> Result<String> {
    match town.as_str() {
        "Tartu" => Ok(format!("Tartu had 97,000 inhabitants in {year}.")),
        other => Err(Error::other(format!("no town is called {other}"))),
    }
}

/// Add numbers.
#[tool]
pub fn add(numbers: Vec<f64>) -> f64 {
    numbers.iter().sum()
}

/// A step as a model writes it in text.
pub fn step(thought: &str, tool: &str, arguments: &str) -> String {
    format!(
        "[[ ## next_thought ## ]]\n{thought}\n\n[[ ## next_tool_name ## ]]\n{tool}\n\n\
         [[ ## next_tool_args ## ]]\n{arguments}\n\n[[ ## completed ## ]]"
    )
}

/// The last step in text.
pub fn finish() -> String {
    step("Now I know.", "finish", "{}")
}

/// The answer from the steps.
pub fn answer(n: u64) -> String {
    format!("[[ ## reasoning ## ]]\nIt is so.\n\n[[ ## answer ## ]]\n{n}\n\n[[ ## completed ## ]]")
}

/// A model that is not known to call tools.
pub async fn in_text(answers: impl IntoIterator<Item = String>) -> Model {
    let answers: Vec<String> = answers.into_iter().collect();
    let mut model = Model::saying(move |asked| answers[asked.number.min(answers.len() - 1)].clone()).await;
    model.lm = with(&model, Capabilities::none());
    model
}

/// The same model, known to have these capabilities.
pub fn with(model: &Model, capabilities: Capabilities) -> LM {
    let lm = LM::builder("openai/test").api_base(model.server.api_base()).cache(Cache::off()).retries(0);
    lm.capabilities(capabilities).build().unwrap()
}

/// A message that makes these calls natively.
pub fn calling(thought: &str, calls: &[(&str, Value)]) -> Value {
    let call = |(i, (name, arguments)): (usize, &(&str, Value))| {
        let arguments = match arguments {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        json!({"id": format!("provider_{i}"), "type": "function", "function": {"name": name, "arguments": arguments}})
    };
    let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
    json!({"role": "assistant", "content": thought, "tool_calls": calls})
}

/// A model that calls tools natively: it replies with these messages in turn.
pub async fn natively(messages: Vec<Value>) -> Model {
    let mut model = Model::replying(move |asked| -> Reply {
        let message = &messages[asked.number.min(messages.len() - 1)];
        choices(std::slice::from_ref(message), "stop")
    })
    .await;
    model.lm = with(&model, Capabilities::none().tools(true));
    model
}

pub fn said(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
