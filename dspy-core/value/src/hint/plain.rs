//! A JSON Schema without what only tools need.

use serde_json::{Map, Value};

use super::notes::{is_natural_bound, is_number_format};

/// Drops the dialect, titles, the names of Rust's number types with their ranges, and the library's own keys.
pub(super) fn plain(node: &Value) -> Value {
    let Value::Object(object) = node else { return node.clone() };
    let kept = object.iter().filter(|(key, value)| match key.as_str() {
        "$schema" | "title" => false,
        "format" => value.as_str().is_none_or(|f| !is_number_format(f)),
        "minimum" | "maximum" => !is_natural_bound(node, key),
        other => !other.starts_with("x-dspy"),
    });
    kept.map(|(key, value)| (key.clone(), map_parts(key, value, plain))).collect::<Map<_, _>>().into()
}

/// Applies `f` to the schemas that stand under a keyword; other values are kept.
pub(super) fn map_parts(key: &str, value: &Value, f: fn(&Value) -> Value) -> Value {
    match (key, value) {
        ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(parts)) => {
            parts.iter().map(|(name, part)| (name.clone(), f(part))).collect::<Map<_, _>>().into()
        }
        ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(parts)) => parts.iter().map(f).collect(),
        ("items" | "additionalProperties" | "not" | "contains" | "propertyNames", part) => f(part),
        (_, other) => other.clone(),
    }
}
