//! Scalars that have ended.

use serde_json::{Number, Value};

use super::{look::FARTHEST, plan::Node, text::fenced, whole};

/// What a type makes of a scalar, if anything.
pub(super) fn scalar(node: &Node, text: &str, quoted: bool) -> Option<Value> {
    // No number, no name and no word for nothing is as long.
    let short = text.len() <= FARTHEST;
    let nothing = || Some(Value::Null).filter(|_| node.null && short && whole::is_nothing(text));
    if node.any {
        return match quoted || !short {
            true => Some(text.into()),
            false => nothing().or_else(|| whole::json(text)),
        };
    }
    let integer = || match text.parse::<i64>() {
        Ok(plain) => Some(plain.into()),
        Err(_) => {
            whole::json::<i64>(text).map(Value::from).or_else(|| whole::json::<u64>(text).map(Value::from))
        }
    };
    let float = || match node.single {
        true => crate::write_json(&whole::json::<f32>(text)?).ok(),
        false => {
            text.parse().ok().or_else(|| whole::json(text)).and_then(Number::from_f64).map(Value::Number)
        }
    };
    let number = || {
        let whole = (node.integer && short).then(integer).flatten();
        whole.or_else(|| (node.number && short).then(float).flatten())
    };
    let boolean = || (node.bool && short).then(|| whole::json(text)).flatten().map(Value::Bool);
    let choice = || choice(&node.choices, text).map(Value::from);
    let words = || {
        Some(text).filter(|_| quoted || !matches!(text, "null" | "None")).and_then(|_| written(node, text))
    };
    match quoted {
        true => choice().or_else(words).or_else(boolean).or_else(number).or_else(nothing),
        false => nothing().or_else(boolean).or_else(number).or_else(choice).or_else(words),
    }
}

/// The text itself.
fn written(node: &Node, text: &str) -> Option<Value> {
    match node.code {
        true => Some(fenced(text).unwrap_or_else(|| text.into())),
        false => (node.text || node.notation).then(|| text.into()),
    }
}

/// The one of the names that a text means.
pub(super) fn choice<'n>(names: &'n [String], text: &str) -> Option<&'n str> {
    if names.is_empty() || text.len() > FARTHEST {
        return None;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    whole::choose(text, &names)
}

/// What text makes of a structure in its place.
pub(super) fn structure(node: &Node, text: &str) -> Option<Value> {
    scalar(node, &whole::json::<String>(text)?, true)
}
