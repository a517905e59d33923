//! Votes.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::{metric::normalize_text, signature::REASONING};

/// The first of the predictions that agree in a field in which most agree; `None` of none. Of equally frequent values the
/// earliest is taken. Texts are compared as [`normalize_text`](crate::evaluate::normalize_text) sees them, in whatever
/// they stand, but `-5` is not `5`, `C++` is not `C#`, and the label `A` is not nothing: signs at the edges of words count,
/// and so does an article that stands alone. Values that are null or empty have no vote, unless there are no others.
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

/// The place of the first of the keys that occur most often; of equally frequent ones, the earliest. Keys that are null or
/// empty do not count, unless there are no others.
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

/// A value whose texts are normal, and whose maps have one order.
fn normal(value: Value) -> Value {
    match value {
        Value::String(text) => normal_text(&text).into(),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(map) => {
            let mut fields: Vec<_> = map.into_iter().map(|(name, value)| (name, normal(value))).collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            fields.into_iter().collect()
        }
        other => other,
    }
}

/// A text as [`normalize_text`] sees it, with the signs that tell values apart: `-5` and `5`, `B+` and `B`, `C#` and `C`.
/// Of a text of which nothing would be left, such as the label `A`, what it is.
fn normal_text(text: &str) -> String {
    let sign = |c: char| matches!(c, '+' | '-' | '\u{2212}' | '#' | '<' | '=' | '>');
    let bare =
        |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric() && !sign(c)).replace('\u{2212}', "-");
    let mut normal = normalize_text(text);
    if normal.is_empty() {
        return Some(bare(text))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| text.trim().into())
            .to_lowercase();
    }
    for word in text.split_whitespace().map(bare) {
        let inner = word.trim_matches(sign);
        // A dash between words and a mark before a heading are none of them.
        let layout = inner.is_empty() && word.chars().all(|c| matches!(c, '-' | '#'));
        if inner.len() < word.len() && !layout {
            normal.push_str(&format!(" {}", word.to_lowercase()));
        }
    }
    normal
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
        assert_eq!(most_frequent(["Tartu", "Tartu - the town", "the town, Tartu"]), 0);
        assert_eq!(most_frequent(["x", "97,000.", "97000"]), 1);
        assert_eq!(most_frequent(["b", "(a)", "A."]), 1);
        assert_eq!(most_frequent(["نعم", "لا", "لا"]), 1);
        assert_eq!(most_frequent(["はい", "いいえ。", "いいえ"]), 1);
    }

    #[test]
    fn what_only_signs_and_articles_tell_apart_is_told_apart() {
        for [one, other] in [
            ["B", "A"],
            ["b", "(a)"],
            ["5", "-5"],
            ["5", "\u{2212}5."],
            ["C", "C++"],
            ["C++", "C#"],
            ["B", "B+"],
            ["B-", "B+"],
            ["<", ">="],
            ["-", "+"],
            ["x < 3", "x > 3"],
        ] {
            assert_eq!(most_frequent([one, other, other]), 1, "{one} {other}");
        }
    }

    #[test]
    fn the_order_of_a_map_does_not_count() {
        let map = |n: u32| HashMap::<String, u32>::from_iter((0..20).map(|i| (format!("key {i}"), n)));
        assert_eq!(most_frequent([map(1), map(2), map(2)]), 1);
        assert_eq!(most_frequent([vec![map(1)], vec![map(2)], vec![map(2)]]), 1);
    }

    #[test]
    fn reasoning_has_no_vote() {
        let output =
            |reasoning: &str, answer: &str| serde_json::json!({ "reasoning": reasoning, "answer": answer });
        let outputs = [output("a", "4"), output("b", "5"), output("c", "5")];
        assert_eq!(most_frequent(outputs.iter().map(fields)), 1);
    }
}
