//! Scalars that have ended.

use serde_json::{Number, Value};

use super::{
    super::{Choice, Raw, ReadOptions, choose, find, read, scalar as scalars},
    plan::Node,
};

/// Whether a text stands for nothing.
pub(super) fn nothing(text: &str) -> bool {
    scalars::is_nothing(text)
}

/// What a type makes of a scalar, if anything.
pub(super) fn scalar(node: &Node, text: &str, quoted: bool) -> Option<Value> {
    if !quoted && node.null && nothing(text) {
        return Some(Value::Null);
    }
    if node.any {
        return match quoted {
            true => Some(text.into()),
            false => {
                read::<Value>(Raw::json(text), &ReadOptions::default()).ok().map(|reading| reading.value)
            }
        };
    }
    let number = || {
        let integer =
            || of::<i64>(text, quoted).map(Value::from).or_else(|| of::<u64>(text, quoted).map(Value::from));
        let float = || match node.single {
            true => crate::write_json(&of::<f32>(text, quoted)?).ok(),
            false => Number::from_f64(of::<f64>(text, quoted)?).map(Value::Number),
        };
        let whole = node.integer.then(integer).flatten();
        whole.or_else(|| node.number.then(float).flatten())
    };
    let boolean = || node.bool.then(|| of::<bool>(text, quoted)).flatten().map(Value::Bool);
    let choice = || choice(&node.choices, text).map(Value::from);
    let words = || match quoted {
        true => written(node, text),
        false => (text != "null" && text != "None").then(|| written(node, text)).flatten(),
    };
    let value = if quoted {
        choice().or_else(words).or_else(boolean).or_else(number)
    } else {
        boolean().or_else(number).or_else(choice).or_else(words)
    };
    value.or_else(|| (node.null && nothing(text)).then_some(Value::Null))
}

/// The text itself.
fn written(node: &Node, text: &str) -> Option<Value> {
    if node.code {
        let fence = Some(text).filter(|text| text.trim_start().starts_with("```")).map(find::fences);
        let first = fence.as_ref().and_then(|fences| fences.first());
        return Some(first.map_or(text, |fence| fence.text).into());
    }
    (node.text || node.notation).then(|| text.into())
}

/// The one of the names that a text means.
pub(super) fn choice<'n>(names: &'n [String], text: &str) -> Option<&'n str> {
    if names.is_empty() {
        return None;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match choose(text, &names, &ReadOptions::default()) {
        Choice::One(index, _) => Some(names[index]),
        _ => None,
    }
}

/// What text makes of a structure in its place.
pub(super) fn structure(node: &Node, text: &str) -> Option<Value> {
    let written = read::<String>(Raw::json(text), &ReadOptions::default()).ok()?.value;
    scalar(node, &written, true)
}

fn of<T: serde::de::DeserializeOwned>(text: &str, quoted: bool) -> Option<T> {
    let raw = if quoted { serde_json::to_string(text).ok()? } else { text.to_owned() };
    read::<T>(Raw::json(&raw), &ReadOptions::default()).ok().map(|reading| reading.value)
}
