//! A demonstration model: it completes a prompt by looking at the prompt, and knows nothing else.
//!
//! It is no language model. For each field that the prompt asks for it copies what the most similar
//! demonstration in the prompt has there; without demonstrations it fills in the type that the prompt sketches with
//! pieces of the input (see `sketch.rs`). So more and better chosen demonstrations make it better, which is what an
//! optimizer is there to find. What it gains shows that the machinery works, not how good an optimizer is on a real
//! model.
#![allow(dead_code, unreachable_pub, clippy::needless_pass_by_value)]

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::{
    http::{Reply, Request},
    sketch,
};

/// Answers one request to `POST /v1/chat/completions`.
pub fn answer(request: Request) -> Reply {
    if request.method != "POST" || !request.path.ends_with("/chat/completions") {
        let message = "this server knows POST /v1/chat/completions only";
        return Reply::Json(404, json!({ "error": { "message": message } }).to_string().into());
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return Reply::Json(
            400,
            json!({ "error": { "message": "the body is not JSON" } }).to_string().into(),
        );
    };
    let messages: Vec<(String, String)> = body["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|m| (text(&m["role"]), text(&m["content"])))
        .collect();
    let content = complete(&messages);
    let words = |s: &str| s.split_whitespace().count();
    let prompt_tokens: usize = messages.iter().map(|(_, content)| words(content)).sum();
    let usage = json!({ "prompt_tokens": prompt_tokens, "completion_tokens": words(&content) });
    Reply::ok(
        json!({
            "id": "demo",
            "model": body["model"],
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": content } }],
            "usage": usage,
        })
        .to_string(),
    )
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// Completes a conversation: the last message asks, the pairs before it demonstrate.
pub fn complete(messages: &[(String, String)]) -> String {
    let system: String =
        messages.iter().filter(|(role, _)| role == "system").map(|(_, content)| content.as_str()).collect();
    let turns: Vec<&(String, String)> = messages.iter().filter(|(role, _)| role != "system").collect();
    let question = turns.last().map(|(_, content)| content.as_str()).unwrap_or_default();
    let as_json = question.contains("one JSON object");
    let demos: Vec<(&str, BTreeMap<String, String>)> = turns
        .windows(2)
        .filter(|pair| pair[0].0 == "user" && pair[1].0 == "assistant")
        .map(|pair| (pair[0].1.as_str(), if as_json { members(&pair[1].1) } else { sections(&pair[1].1) }))
        .collect();
    let inputs = sections(question).into_values().collect::<Vec<_>>().join(" ");

    let mut answer: Vec<(String, Value)> = Vec::new();
    for field in wanted(question, as_json) {
        let nearest = demos
            .iter()
            .filter(|(_, outputs)| outputs.contains_key(&field))
            .map(|(demo, outputs)| (similarity(&inputs, demo), &outputs[&field]))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let value = nearest
            .map(|(_, value)| value.as_str().into())
            .unwrap_or_else(|| guess(&system, &field, &inputs));
        answer.push((field, value));
    }
    if as_json {
        return Value::Object(answer.into_iter().collect()).to_string();
    }
    let shown = |value: Value| value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
    let mut out: String =
        answer.into_iter().map(|(name, value)| format!("[[ ## {name} ## ]]\n{}\n\n", shown(value))).collect();
    out.push_str("[[ ## completed ## ]]");
    out
}

/// The texts under the headers of a message.
fn sections(message: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for part in message.split("\n[[ ## ").flat_map(|p| p.strip_prefix("[[ ## ").or(Some(p))) {
        if let Some((name, value)) = part.split_once(" ## ]]\n") {
            let value = value.split("\n\nNow ").next().unwrap_or_default();
            found.insert(name.to_string(), value.trim().to_string());
        }
    }
    found
}

/// The members of an answer that is a JSON object.
fn members(message: &str) -> BTreeMap<String, String> {
    let Ok(Value::Object(object)) = serde_json::from_str(message) else { return BTreeMap::new() };
    object.into_iter().map(|(name, value)| (name, text(&value))).collect()
}

/// The fields that the last lines of a message ask for.
fn wanted(question: &str, as_json: bool) -> Vec<String> {
    let request = question.rsplit("\n\nNow ").next().unwrap_or_default();
    let names = request.split('`').skip(1).step_by(2);
    let names: Vec<String> = match as_json {
        true => names.map(ToString::to_string).collect(),
        false => names
            .filter_map(|name| name.strip_prefix("[[ ## ")?.strip_suffix(" ## ]]"))
            .map(ToString::to_string)
            .collect(),
    };
    names.into_iter().filter(|name| name != "completed").collect()
}

/// How much two texts have in common: shared words and shared beginnings of words, the rarer the longer.
fn similarity(a: &str, b: &str) -> f64 {
    let words = |s: &str| -> HashSet<String> {
        s.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| w.len() > 3)
            .flat_map(|w| [w.to_string(), w.chars().take(5).collect()])
            .collect()
    };
    let (a, b) = (words(a), words(b));
    let shared: usize = a.intersection(&b).map(|w| w.len()).sum();
    shared as f64 / (1.0 + b.len() as f64).sqrt()
}

/// A value without any demonstration: the type that the prompt sketches for the field, filled in from the input.
fn guess(system: &str, field: &str, inputs: &str) -> Value {
    let head = format!("- `{field}` (");
    let Some((_, hint)) = system.split_once(&head) else { return Value::Null };
    match hint.split_once('\n') {
        Some((first, rest)) if first.starts_with("as sketched below") => sketch::fill(rest, inputs),
        _ if hint.starts_with("text") => {
            inputs.split_whitespace().take(5).collect::<Vec<_>>().join(" ").into()
        }
        _ => sketch::fill(hint, inputs),
    }
}
