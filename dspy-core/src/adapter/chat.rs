//! Fields set off by `[[ ## name ## ]]` headers.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Adapter, Demo, JsonAdapter, NoStructure,
    header_splitter::HeaderSplitter,
    headers, lines, loose,
    prompt::{
        DemoFormat, complaints, demo_messages, describe, names, short_hint, turn_messages, write_fields,
    },
    splitter::Splitter,
};
use crate::{
    FieldError,
    lm::{Choice, Message},
    signature::{Field, Layout, Sections, SignatureSpec},
    value::Content,
};

/// Sets each field off by a header line, `[[ ## name ## ]]`, and ends an answer with `[[ ## completed ## ]]`.
///
/// The format that most models follow without constrained decoding. Answers are read leniently: see
/// [`parse`](Adapter::parse).
#[derive(Debug, Clone)]
pub struct ChatAdapter {
    fallback: Option<Arc<dyn Adapter>>,
}

impl Default for ChatAdapter {
    fn default() -> Self {
        Self { fallback: Some(Arc::new(JsonAdapter::default())) }
    }
}

impl ChatAdapter {
    /// The format with its further attempt in JSON.
    pub fn new() -> Self {
        Self::default()
    }

    /// The format alone: an answer without its headers is an error at once.
    #[must_use]
    pub fn without_fallback(mut self) -> Self {
        self.fallback = None;
        self
    }
}

/// The last header of an answer.
const COMPLETED: &str = "[[ ## completed ## ]]";

impl Layout for ChatAdapter {
    fn open(&self, out: &mut Content, field: &Field) {
        headers::write(out, &field.name);
    }

    fn close(&self, _: &mut Content, _: &Field) {}

    /// Puts a backslash before a line that would be read as a header.
    fn guard<'a>(&self, _: &Field, text: &'a str) -> Cow<'a, str> {
        lines::guard(text)
    }
}

impl DemoFormat for ChatAdapter {
    fn outputs(&self, values: &[(&Field, Option<&Value>)]) -> Content {
        let mut out = write_fields(self, values);
        out.push_str("\n\n");
        out.push_str(COMPLETED);
        out
    }
}

impl Adapter for ChatAdapter {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
        let mut layout = String::from("Each field stands under a header line of its own, in this way:");
        for field in &spec.fields {
            layout.push_str(&format!("\n\n[[ ## {0} ## ]]\n{{{0}}}", field.name));
        }
        layout.push_str(&format!("\n\n{COMPLETED}"));
        let mut messages = vec![Message::system(describe(spec, &layout))];
        messages.extend(demo_messages(self, spec, demos));
        messages
    }

    fn turns(&self, spec: &SignatureSpec, turns: &[Map<String, Value>]) -> Vec<Message> {
        turn_messages(self, spec, turns)
    }

    fn reminder(&self, spec: &SignatureSpec) -> String {
        let outputs: Vec<String> = spec
            .outputs()
            .map(|field| format!("`[[ ## {} ## ]]`{}", field.name, short_hint(field)))
            .collect();
        format!("Now write, each under its header: {}; end with `{COMPLETED}`.", outputs.join(", "))
    }

    /// Finds the headers, also when they are decorated, spaced or spelt a little otherwise, or when the last one
    /// is missing; a line that only speaks of them is text. An answer without any header is still read when it leaves no doubt: as `Name: value` lines and
    /// headings, as a JSON object, as tags, or, when there is only one output, as the value itself.
    fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure> {
        let text = loose::without_thoughts(&choice.text);
        let sections = headers::split(spec, text);
        match sections.is_empty() {
            true => loose::split(spec, text),
            false => Ok(loose::or_object(spec, text, sections)),
        }
    }

    fn splitter(&self, spec: &SignatureSpec) -> Option<Box<dyn Splitter>> {
        Some(Box::new(HeaderSplitter::new(spec)))
    }

    fn ask_again(&self, wanted: &SignatureSpec, errors: &[FieldError], out: &mut Content) {
        out.push_str("These fields of your answer could not be read:\n");
        out.push_str(&complaints(errors));
        out.push_str(&format!("\nWrite only {} again", names(wanted.outputs())));
        out.push_str(", each under its header; everything else stays as it is.\n\n");
        out.push_str(&self.reminder(wanted));
    }

    fn fallback(&self) -> Option<Arc<dyn Adapter>> {
        self.fallback.clone()
    }
}
