//! Writing values into prompts.
//!
//! A value is written straight into the text of a [`Content`]: there is no tree in between and nothing is allocated
//! but that text. Media types announce themselves by the name of their newtype (see [`super::Part`]) and become parts.

mod error;
mod text;
mod writer;

use serde::Serialize;
use serde_json::Value;

use self::writer::{Form, Lists, Sink, Target, json_text, tree_for};
pub use self::{
    error::WriteError,
    writer::{Write, Writer, tree},
};
use super::Content;

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

/// As [`write_json()`], as text: JSON on one line.
///
/// # Errors
/// As [`write_json()`].
pub fn write_json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, WriteError> {
    json_text(Target::Tree, &value)
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

#[cfg(test)]
mod tests;
