//! A demonstration model: it completes a prompt by looking at the prompt, and knows nothing else.
//!
//! It is no language model. For each field that the prompt asks for it copies what the most similar
//! demonstration in the prompt has there; without demonstrations it takes a word that the prompt allows. So more
//! and better chosen demonstrations make it better, which is what an optimizer is there to find. What it gains
//! shows that the machinery works, not how good an optimizer is on a real model.
#![allow(dead_code, unreachable_pub, clippy::needless_pass_by_value)]

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::http::{Reply, Request};

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

    let mut answer: Vec<(String, String)> = Vec::new();
    for field in wanted(question, as_json) {
        let nearest = demos
            .iter()
            .filter(|(_, outputs)| outputs.contains_key(&field))
            .map(|(demo, outputs)| (similarity(&inputs, demo), &outputs[&field]))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let value =
            nearest.map(|(_, value)| value.clone()).unwrap_or_else(|| guess(&system, &field, &inputs));
        answer.push((field, value));
    }
    if as_json {
        let object: Map<String, Value> =
            answer.into_iter().map(|(name, value)| (name, value.into())).collect();
        return Value::Object(object).to_string();
    }
    let mut out: String =
        answer.into_iter().map(|(name, value)| format!("[[ ## {name} ## ]]\n{value}\n\n")).collect();
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

/// A value without any demonstration: of the alternatives that the field's description lists, one that the input
/// mentions, else the first; a plain value for other types; a few words of the input for texts.
fn guess(system: &str, field: &str, inputs: &str) -> String {
    let line = system.lines().find(|l| l.starts_with(&format!("- `{field}` ("))).unwrap_or_default();
    let hint = line.split_once('(').map(|(_, rest)| rest).unwrap_or_default();
    let alternatives: Vec<&str> = hint.split('"').skip(1).step_by(2).collect();
    let mentioned = alternatives.iter().find(|a| inputs.to_lowercase().contains(&a.to_lowercase()));
    match (mentioned.or(alternatives.first()), hint) {
        (Some(value), _) => (*value).to_string(),
        (None, h) if h.starts_with("bool") || h.starts_with("true") => "true".into(),
        (None, h) if h.starts_with("int") || h.starts_with("number") => "1".into(),
        _ => inputs.split_whitespace().take(5).collect::<Vec<_>>().join(" "),
    }
}
