//! Writing values into prompts.
//!
//! A value is written straight into the text of a [`Content`]: there is no tree in between and nothing is allocated
//! but that text. Media types announce themselves by the name of their newtype (see [`super::Part`]) and become parts.

mod text;
mod writer;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use self::writer::{Form, Lists, Sink, Target};
pub use self::writer::{Write, Writer};
use super::Content;

/// How the name of a newtype starts that stands for a medium; the kind follows.
pub(crate) const PART_TOKEN: &str = "$dspy::Part:";

/// A value that could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteError {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl WriteError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// The same error, seen from the list that holds the value.
    fn in_item(mut self, index: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{dot}{}", self.path);
        self
    }

    /// The same error, seen from the object that holds the value.
    pub fn in_field(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at `{}`: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for WriteError {}

impl serde::ser::Error for WriteError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// Writes an *input* as it stands in a prompt.
///
/// | value | text |
/// |---|---|
/// | text, `char`, a unit enum variant | as it is, without quotes |
/// | number, boolean, `None` | `3`, `0.1`, `true`, `null` |
/// | a list of texts | numbered passages, see below |
/// | a medium ([`Image`](super::Image), …) | a part at this place, no text |
/// | anything else | JSON on one line, non-ASCII characters as they are |
///
/// Passages are lines `[1] …`, `[2] …`; the further lines of a passage are indented by four spaces, so a passage
/// cannot pass for two, whatever it holds. An empty list is `[]`.
///
/// # Errors
/// [`WriteError`] names the place of a value that JSON cannot hold (a number that is not finite, a map key that is
/// neither text nor number), or tells why the type's own `Serialize` failed. Nothing is written then.
pub fn write<T: Serialize + ?Sized>(value: &T, out: &mut Content) -> Result<(), WriteError> {
    write_value(&value, out)
}

/// Writes an *output* as a model is to write it: what stands in a demonstration, and what [`read`](super::read) takes
/// back to the same value.
///
/// As [`write()`], but a list of texts is a JSON array, [`Code`](super::Code) stands in a fence of its language, and a
/// medium is its plain object, such as `{"url": …}`: models write text.
///
/// # Errors
/// As [`write()`].
pub fn write_output<T: Serialize + ?Sized>(value: &T, out: &mut Content) -> Result<(), WriteError> {
    write_output_value(&value, out)
}

/// As [`write()`], of whatever type.
///
/// # Errors
/// As [`write()`].
pub fn write_value(value: &dyn Write, out: &mut Content) -> Result<(), WriteError> {
    write_as(value, out, Lists::Passages)
}

/// As [`write_output()`].
pub(crate) fn write_output_value(value: &dyn Write, out: &mut Content) -> Result<(), WriteError> {
    write_as(value, out, Lists::Json)
}

fn write_as(value: &dyn Write, out: &mut Content, lists: Lists) -> Result<(), WriteError> {
    let start = out.mark();
    let mut to = Sink { out, not_text: false };
    let mut result = value.write(Writer { to: &mut to, form: Form::Prompt(lists) });
    if to.not_text {
        // The list held something else than texts after all, which only shows on the way.
        to.out.rewind(start);
        result = value.write(Writer { to: &mut to, form: Form::Prompt(Lists::MixedInput) });
    }
    if result.is_err() {
        out.rewind(start);
    }
    result
}

/// A value as a JSON tree, as it is kept in demonstrations and saved state. Media are their plain objects.
///
/// Numbers keep their shortest form: `0.1f32` is `0.1`.
///
/// # Errors
/// As [`write()`], and for integers that need more than 64 bits.
pub fn write_json<T: Serialize + ?Sized>(value: &T) -> Result<Value, WriteError> {
    tree(&value)
}

/// As [`write_json()`], of whatever type.
///
/// # Errors
/// As [`write_json()`].
pub fn tree(value: &dyn Write) -> Result<Value, WriteError> {
    tree_for(Target::Tree, value)
}

/// A value as the JSON tree that a saved program holds, in the shape that DSPy writes: as [`write_json()`], but media
/// are texts in DSPy's marks, wherever in the value they stand.
///
/// # Errors
/// As [`write_json()`].
pub fn write_saved<T: Serialize + ?Sized>(value: &T) -> Result<Value, WriteError> {
    saved_tree(&value)
}

/// An output as a member of the JSON object that an answer is: as [`write_json()`], but program text that would be taken
/// for a fence stands in one.
///
/// # Errors
/// As [`write_json()`].
pub fn write_answer<T: Serialize + ?Sized>(value: &T) -> Result<Value, WriteError> {
    answer_tree(&value)
}

/// As [`write_answer()`], of whatever type.
pub(crate) fn answer_tree(value: &dyn Write) -> Result<Value, WriteError> {
    tree_for(Target::Output, value)
}

/// As [`write_saved()`], of whatever type.
pub(crate) fn saved_tree(value: &dyn Write) -> Result<Value, WriteError> {
    tree_for(Target::Saved, value)
}

fn tree_for(target: Target, value: &dyn Write) -> Result<Value, WriteError> {
    // Through text, because a tree would widen `0.1f32` to `0.10000000149011612`.
    let mut out = Content::new();
    let mut to = Sink { out: &mut out, not_text: false };
    value.write(Writer { to: &mut to, form: Form::Json(target) })?;
    serde_json::from_str(out.text()).map_err(|e| WriteError::new(e.to_string()))
}

#[cfg(test)]
mod tests;
