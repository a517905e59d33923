//! Votes.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::{metric::normalize_text, signature::REASONING};

/// The first of the predictions that agree in a field in which most agree; `None` of none. Of equally frequent values the
/// earliest is taken. Texts are compared as [`normalize_text`](crate::evaluate::normalize_text) sees them, in whatever
/// they stand. Values that are null or empty have no vote, unless there are no others.
///
/// ```
/// use dspy_core::predict::majority;
/// let authors = ["Jane Austen", "the Brontës", "jane austen."];
/// assert_eq!(majority(authors, |name| *name), Some("Jane Austen"));
/// ```
///
/// Of several predictions of a program, by one field: `majority(predictions, |p| p.answer.clone())`.
pub fn majority<T, K: Serialize>(
    predictions: impl IntoIterator<Item = T>,
    field: impl Fn(&T) -> K,
) -> Option<T> {
    let predictions: Vec<T> = predictions.into_iter().collect();
    let chosen = most_frequent(predictions.iter().map(field));
    predictions.into_iter().nth(chosen)
}

/// The place of the first of the keys that occur most often; of equally frequent ones, the earliest. Texts are compared
/// as [`normalize_text`] sees them, in whatever they stand. Keys that are null or empty do not count, unless there are no
/// others.
pub(super) fn most_frequent<K: Serialize>(keys: impl IntoIterator<Item = K>) -> usize {
    let keys = keys.into_iter().map(|key| {
        let normal = normal(serde_json::to_value(key).unwrap_or_default());
        let empty = matches!(&normal, Value::Null) || normal.as_str() == Some("");
        (!empty).then(|| normal.to_string())
    });
    let mut votes: HashMap<String, (usize, usize)> = HashMap::new();
    for (place, key) in keys.enumerate() {
        if let Some(key) = key {
            votes.entry(key).or_insert((0, place)).0 += 1;
        }
    }
    let best = votes.values().max_by_key(|(votes, first)| (*votes, std::cmp::Reverse(*first)));
    best.map_or(0, |(_, first)| *first)
}

/// A value whose texts are normal.
fn normal(value: Value) -> Value {
    match value {
        Value::String(text) => normalize_text(&text).into(),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, normal(value))).collect(),
        other => other,
    }
}

/// The fields of an output but for the reasoning; of a single one its value.
pub(super) fn fields<O: Serialize>(output: &O) -> Value {
    match serde_json::to_value(output).unwrap_or_default() {
        Value::Object(mut map) => {
            if map.len() > 1 {
                map.shift_remove(REASONING);
            }
            match map.len() {
                1 => map.into_iter().next().map(|(_, value)| value).unwrap_or_default(),
                _ => Value::Object(map),
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_wins_and_of_equals_the_earliest() {
        assert_eq!(most_frequent(["red", "blue", "Blue.", "red"]), 0);
        assert_eq!(most_frequent(["red", "blue", "The Blue!"]), 1);
        assert_eq!(most_frequent(["", "", "x"]), 2);
        assert_eq!(most_frequent([Value::Null, Value::Null]), 0);
        assert_eq!(most_frequent([vec!["One"], vec!["two"], vec!["two "]]), 1);
        assert_eq!(most_frequent(Vec::<u8>::new()), 0);
    }

    #[test]
    fn reasoning_has_no_vote() {
        let output =
            |reasoning: &str, answer: &str| serde_json::json!({ "reasoning": reasoning, "answer": answer });
        let outputs = [output("a", "4"), output("b", "5"), output("c", "5")];
        assert_eq!(most_frequent(outputs.iter().map(fields)), 1);
    }
}
