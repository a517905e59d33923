//! The value of a prefix of an answer.
//!
//! From the bottom up: [`whole`] is what is used of the reader of whole texts, [`look`] looks ahead, [`plan`] is the type,
//! [`tree`] the value so far, [`strings`], [`text`] and [`words`] read scalars, [`machine`] reads JSON, and [`members`]
//! are the texts of its members. Each uses only what stands before it.

mod look;
mod machine;
mod members;
mod plan;
mod strings;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod whole;
mod words;

use std::{fmt, sync::Arc};

pub use self::members::{MemberPiece, MemberReader};

use schemars::Schema;
use serde_json::Value;

use self::{
    machine::Machine,
    plan::Plan,
    text::{Fenced, Prose},
};
use super::Form;
use crate::TypeInfo;

/// Reads the value that an answer has so far, while it arrives.
///
/// ```
/// use dspy_value::{Form, PartialReader, TypeInfo};
/// use serde_json::json;
///
/// let mut reader = PartialReader::new(&TypeInfo::of::<Vec<String>>(), Form::Text);
/// reader.push("Here you are: [\"Phobos\", \"Dei");
/// assert_eq!(reader.value(), Some(&json!(["Phobos", "Dei"])));
/// reader.push("mos\"]");
/// assert_eq!(reader.value(), Some(&json!(["Phobos", "Deimos"])));
/// ```
///
/// Lists, objects and strings grow. A number, a boolean and `null` appear when what follows shows that they have ended,
/// the value of an enum when it is one of its names. What a model may write around and into JSON is understood as
/// [`read`](crate::read) understands it: fences and text before it, commas, quotes, keys and words of other
/// languages, comments, names spelt loosely.
///
/// All chunks together take time and memory linear in their length, however they are cut. For that, what stands more than
/// 1 KB ahead decides nothing, a longer key ends the value, and so do brackets that are nested deeper than
/// [`ReadOptions::max_depth`](crate::ReadOptions::max_depth) allows by default.
///
/// # What holds
/// A partial value is a guess at a value of which only a part is known; the typed value comes from
/// [`read`](crate::read), of the whole text. Where the text holds one value, as JSON that may be malformed in
/// these ways, each partial value is a beginning of that one: objects have some of its members, lists the first of its
/// items, strings the first of their characters. After [`finish`](Self::finish) they are equal, but for what the text
/// does not have: defaults, and names that only the type knows, such as a serde alias. The guess may be wrong, and is
/// taken back, where the whole text shows what its beginning could not: a key that comes twice, a better candidate
/// further on, a bracket that is missing. A value that is written without JSON, such as a list of bullets, a number in a
/// sentence or `key: value` lines, has no partial value.
pub struct PartialReader {
    mode: Mode,
    ty: Option<TypeInfo>,
}

enum Mode {
    /// Text as it is.
    Prose(Prose),
    /// Program text, which may stand in a fence.
    Fenced(Fenced),
    /// Anything that counts as a whole only.
    Held(String, Option<Value>),
    Json(Box<Machine>),
}

impl PartialReader {
    /// A reader of values of this type, in text of this form.
    pub fn new(ty: &TypeInfo, form: Form) -> Self {
        Self { ty: Some(ty.clone()), ..Self::of_schema(&ty.schema(), form) }
    }

    /// A reader of values with this schema, in text of this form.
    pub fn of_schema(schema: &Schema, form: Form) -> Self {
        let (plan, root) = Plan::of(schema.as_value());
        let (node, text) = (plan.node(root), form == Form::Text);
        let mode = if text && node.free_text() && node.choices.is_empty() {
            Mode::Prose(Prose::new(node.null))
        } else if text && node.code {
            Mode::Fenced(Fenced::default())
        } else if text && !node.structure() && !node.any {
            Mode::Held(String::new(), None)
        } else {
            Mode::Json(Box::new(Machine::new(Arc::new(plan), root, text, whole::max_depth())))
        };
        Self { mode, ty: None }
    }

    /// Takes the next piece of the text.
    pub fn push(&mut self, chunk: &str) {
        match &mut self.mode {
            Mode::Prose(prose) => prose.push(chunk),
            Mode::Fenced(fenced) => fenced.push(chunk),
            Mode::Held(text, _) => text.push_str(chunk),
            Mode::Json(machine) => machine.push(chunk, &mut |_, _| {}),
        }
    }

    /// Tells that the text has ended.
    pub fn finish(&mut self) {
        match &mut self.mode {
            Mode::Prose(prose) => prose.finish(),
            Mode::Fenced(fenced) => fenced.finish(),
            Mode::Held(text, value) => *value = self.ty.as_ref().and_then(|ty| whole::typed(ty, text)),
            Mode::Json(machine) => machine.finish(&mut |_, _| {}),
        }
    }

    /// The value so far; `None` while nothing of it is known.
    pub fn value(&self) -> Option<&Value> {
        match &self.mode {
            Mode::Prose(Prose { value, .. }) | Mode::Fenced(Fenced { value, .. }) | Mode::Held(_, value) => {
                value.as_ref()
            }
            Mode::Json(machine) => machine.tree.value.as_ref(),
        }
    }

    /// The value, taken out.
    pub fn into_value(self) -> Option<Value> {
        match self.mode {
            Mode::Prose(Prose { value, .. }) | Mode::Fenced(Fenced { value, .. }) | Mode::Held(_, value) => {
                value
            }
            Mode::Json(machine) => machine.tree.value,
        }
    }
}

impl fmt::Debug for PartialReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialReader").field("value", &self.value()).finish_non_exhaustive()
    }
}
