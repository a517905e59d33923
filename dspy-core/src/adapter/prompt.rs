//! What adapters have in common: how fields, demonstrations and earlier turns are written into a prompt. For adapters of
//! your own, too.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{
    Demo,
    demo::{Coverage, given, shown},
};
use crate::{
    lm::{Message, Role},
    signature::{Field, FieldRole, Layout, SignatureSpec, guard_since},
    value::{Content, choices},
};

/// What stands for an output that a demonstration does not have.
pub(super) const NOT_SHOWN: &str = "(left out in this example)";

/// What a demonstration with gaps is introduced with.
const GAPS: &str = "An example in which some fields are left out.";

/// The text of a system message: the fields with their types and descriptions, then `layout`, which shows how the format
/// sets fields off, then the instructions.
pub fn describe(spec: &SignatureSpec, layout: &str) -> String {
    let mut out = String::new();
    list(&mut out, "Input fields", spec.inputs());
    list(&mut out, "Output fields", spec.outputs());
    out.push_str(layout);
    out.push_str("\n\nThe task:\n");
    for line in spec.instructions.trim().lines() {
        let _ = writeln!(out, "    {}", line.trim_end());
    }
    out.truncate(out.trim_end().len());
    out
}

fn list<'a>(out: &mut String, title: &str, fields: impl Iterator<Item = &'a Field>) {
    let mut fields = fields.peekable();
    if fields.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for field in fields {
        let hint = type_hint(field);
        let (short, note) = match hint.contains('\n') {
            true => ("as sketched below", ""),
            // What the type says of itself goes with what the field says.
            false => hint.rsplit_once(" // ").filter(|(_, note)| !note.contains('"')).unwrap_or((&hint, "")),
        };
        let _ = write!(out, "- `{}` ({short})", field.name);
        match (field.desc.trim(), note) {
            ("", "") => {}
            (desc, "") => drop(write!(out, ": {desc}")),
            ("", note) => drop(write!(out, ": {note}")),
            (desc, note) => drop(write!(out, ": {desc} ({note})")),
        }
        out.push('\n');
        if hint.contains('\n') {
            for line in hint.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    out.push('\n');
}

/// What a field must look like, in one phrase or as a sketch of several lines.
pub fn type_hint(field: &Field) -> String {
    let hint = crate::value::hint(&field.schema());
    if hint.is_empty() { "text".into() } else { hint }
}

/// What an output must look like, in parentheses behind its name; empty for text.
pub fn short_hint(field: &Field) -> String {
    if let Some(choices) = choices(&field.schema()) {
        return match listed(&choices) {
            choices if choices.len() <= 200 => format!(" (one of {choices})"),
            _ => " (one of the values sketched above, without quotes)".into(),
        };
    }
    match type_hint(field) {
        hint if hint == "text" => String::new(),
        hint if hint.contains('\n') || hint.len() > 80 => " (JSON as sketched above)".into(),
        hint => format!(" ({hint})"),
    }
}

/// Choices with commas between them; with those in quotes that would otherwise be taken for several, or for none.
fn listed(choices: &[String]) -> String {
    let unclear = |c: &String| c.trim() != c || c.is_empty() || c.contains([',', '"', '(', ')', '\n', ';']);
    if !choices.iter().any(unclear) {
        return choices.join(", ");
    }
    let quoted: Vec<String> =
        choices.iter().map(|c| serde_json::Value::from(c.as_str()).to_string()).collect();
    format!("{}, without the quotes", quoted.join(", "))
}

/// Writes a field's value from a demonstration, guarded by [`Layout::guard`].
pub fn write_value(layout: &dyn Layout, field: &Field, value: &Value, out: &mut Content) {
    let start = out.mark();
    match field.role {
        FieldRole::Input => field.ty.write_input(value, out),
        FieldRole::Output => field.ty.write_output(value, out),
    }
    guard_since(layout, field, out, start);
}

/// How a format writes the two messages of a demonstration or of an earlier turn. Unless overridden, the fields follow
/// one another as the [`Layout`] sets them off.
pub trait DemoFormat: Layout {
    /// The user message: inputs with their values.
    fn inputs(&self, values: &[(&Field, Option<&Value>)]) -> Content {
        write_fields(&self, values)
    }

    /// The assistant message: outputs with their values; `None` for an output that the demonstration lacks.
    fn outputs(&self, values: &[(&Field, Option<&Value>)]) -> Content {
        write_fields(&self, values)
    }
}

/// Writes fields one after the other, as the layout sets them off. In place of a missing value, a note says that it is
/// left out.
pub fn write_fields(layout: &dyn Layout, values: &[(&Field, Option<&Value>)]) -> Content {
    let mut out = Content::new();
    for (field, value) in values {
        layout.open(&mut out, field);
        match value {
            Some(value) => write_value(layout, field, value, &mut out),
            None => out.push_str(NOT_SHOWN),
        }
        layout.close(&mut out, field);
    }
    out
}

/// The demonstrations as pairs of messages: those that lack fields first, with a note that says so.
pub fn demo_messages(format: &dyn DemoFormat, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
    let mut messages = Vec::new();
    for (demo, coverage) in shown(spec, demos) {
        let inputs = present(spec.inputs(), &demo.fields);
        let outputs: Vec<_> = spec.outputs().map(|f| (f, given(f, &demo.fields))).collect();
        let mut question = Content::new();
        if coverage == Coverage::Partial {
            question.push_str(GAPS);
            question.push_str("\n\n");
        }
        question.append(format.inputs(&inputs));
        messages.push(Message::new(Role::User, question));
        messages.push(Message::new(Role::Assistant, format.outputs(&outputs)));
    }
    messages
}

/// The turns of a conversation as pairs of messages; a side without any of its fields is left out.
pub fn turn_messages(
    format: &dyn DemoFormat,
    spec: &SignatureSpec,
    turns: &[Map<String, Value>],
) -> Vec<Message> {
    let mut messages = Vec::new();
    for turn in turns {
        let inputs = present(spec.inputs(), turn);
        if !inputs.is_empty() {
            messages.push(Message::new(Role::User, format.inputs(&inputs)));
        }
        let outputs = present(spec.outputs(), turn);
        if !outputs.is_empty() {
            messages.push(Message::new(Role::Assistant, format.outputs(&outputs)));
        }
    }
    messages
}

fn present<'a>(
    fields: impl Iterator<Item = &'a Field>,
    values: &'a Map<String, Value>,
) -> Vec<(&'a Field, Option<&'a Value>)> {
    fields.filter_map(|f| given(f, values).map(|v| (f, Some(v)))).collect()
}

/// A list of field names for a sentence: "`a`, `b`, `c`".
pub fn names<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    fields.map(|f| format!("`{}`", f.name)).collect::<Vec<_>>().join(", ")
}

/// The reasons why fields are asked for again, one line each.
pub fn complaints(errors: &[crate::FieldError]) -> String {
    errors.iter().map(|e| format!("- {e}\n")).collect()
}
