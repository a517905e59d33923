//! Values as the bytes of a hash.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::lm::Message;

/// SHA-256 of everything that decides what a model answers: messages with roles and media, model, endpoint, options,
/// response format, tools and rollout. Never the API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(crate) [u8; 32]);

/// Marks what a provider wants back; no role has this number.
const REPLAY: u8 = 0xFE;

/// Hashes messages. Every text is preceded by its length, so that no two lists of messages feed the same bytes.
pub(crate) fn messages(mut h: Sha256, messages: &[Message]) -> Sha256 {
    for message in messages {
        h.update([message.role as u8]);
        text(&mut h, message.content.text());
        number(&mut h, message.content.parts().len() as u64);
        for (at, part) in message.content.parts() {
            number(&mut h, *at as u64);
            text(&mut h, part.kind);
            value(&mut h, &part.data);
        }
        number(&mut h, message.tool_calls.len() as u64);
        for call in &message.tool_calls {
            text(&mut h, call.id.as_deref().unwrap_or_default());
            text(&mut h, &call.name);
            object(&mut h, &call.args);
        }
        match &message.tool_call_id {
            None => h.update([0]),
            Some(id) => {
                h.update([1]);
                text(&mut h, id);
            }
        }
        if let Some(replay) = &message.replay {
            h.update([REPLAY]);
            text(&mut h, &replay.wire);
            text(&mut h, &replay.json);
        }
    }
    h
}

pub(super) fn number(h: &mut Sha256, n: u64) {
    h.update(n.to_le_bytes());
}

pub(super) fn optional(h: &mut Sha256, n: Option<u64>) {
    match n {
        None => h.update([0]),
        Some(n) => {
            h.update([1]);
            number(h, n);
        }
    }
}

pub(super) fn text(h: &mut Sha256, s: &str) {
    number(h, s.len() as u64);
    h.update(s.as_bytes());
}

/// Objects are hashed in the order of their keys: how they were put together does not matter.
pub(super) fn object(h: &mut Sha256, map: &Map<String, Value>) {
    number(h, map.len() as u64);
    if map.len() < 2 {
        for (name, v) in map {
            text(h, name);
            value(h, v);
        }
        return;
    }
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| name.as_str());
    for (name, v) in entries {
        text(h, name);
        value(h, v);
    }
}

pub(super) fn value(h: &mut Sha256, v: &Value) {
    match v {
        Value::Null => h.update([0]),
        Value::Bool(b) => h.update([1, u8::from(*b)]),
        Value::Number(n) => {
            h.update([2]);
            text(h, &n.to_string());
        }
        Value::String(s) => {
            h.update([3]);
            text(h, s);
        }
        Value::Array(items) => {
            h.update([4]);
            number(h, items.len() as u64);
            for item in items {
                value(h, item);
            }
        }
        Value::Object(map) => {
            h.update([5]);
            object(h, map);
        }
    }
}
