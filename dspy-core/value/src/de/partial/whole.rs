//! What the reader of whole texts says of a part that has ended: all that is used of it beside [`lex`](super::super::lex).

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::{
    options::{Raw, ReadOptions},
    read::read,
    scalar::{self, Choice},
};
use crate::TypeInfo;

/// The words that [`is_nothing`] knows: one of them may be arriving.
pub(super) const NOTHING: [&str; 6] = ["null", "none", "nil", "n/a", "na", "undefined"];

/// Whether a text stands for nothing.
pub(super) fn is_nothing(text: &str) -> bool {
    scalar::is_nothing(text)
}

/// The one of the names that is spelt like a text but for case and separators.
pub(super) fn loosely<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    scalar::loosely(text, names)
}

/// The one of the names that a value means.
pub(super) fn choose<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    match scalar::choose(text, names, &ReadOptions::default()) {
        Choice::One(index, _) => Some(names[index]),
        _ => None,
    }
}

/// The value of a piece of JSON as a type of Rust.
pub(super) fn json<T: DeserializeOwned>(text: &str) -> Option<T> {
    of(Raw::json(text))
}

/// The value of free text as a type of Rust.
pub(super) fn text<T: DeserializeOwned>(text: &str) -> Option<T> {
    of(Raw::text(text))
}

/// The value of free text as a type.
pub(super) fn typed(ty: &TypeInfo, text: &str) -> Option<Value> {
    ty.read(Raw::text(text), &ReadOptions::default()).ok().map(|reading| reading.value)
}

/// How deep values may nest.
pub(super) fn max_depth() -> usize {
    ReadOptions::default().max_depth
}

fn of<T: DeserializeOwned>(raw: Raw<'_>) -> Option<T> {
    read(raw, &ReadOptions::default()).ok().map(|reading| reading.value)
}
