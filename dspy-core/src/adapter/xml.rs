//! Fields as XML-like tags.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Adapter, Demo, JsonAdapter, NoStructure, loose, markup,
    names::same_name,
    prompt::{DemoFormat, complaints, demo_messages, describe, names, short_hint, turn_messages},
    tags,
};
use crate::{
    FieldError,
    lm::{Choice, Message},
    signature::{Field, Layout, Sections, SignatureSpec},
    value::Content,
};

/// Sets each field off by tags, `<name>…</name>`, for models that were trained on them. Structures stand in their
/// tag as JSON. Texts stay as they are, but for what would be read otherwise: the tags of their own field, CDATA and
/// entities are written with `&lt;` and `&amp;`.
#[derive(Debug, Clone)]
pub struct XmlAdapter {
    fallback: Option<Arc<dyn Adapter>>,
}

impl Default for XmlAdapter {
    fn default() -> Self {
        Self { fallback: Some(Arc::new(JsonAdapter::default())) }
    }
}

impl XmlAdapter {
    /// The format with its further attempt in JSON.
    pub fn new() -> Self {
        Self::default()
    }

    /// The format alone: an answer without its tags is an error at once.
    #[must_use]
    pub fn without_fallback(mut self) -> Self {
        self.fallback = None;
        self
    }
}

impl Layout for XmlAdapter {
    fn open(&self, out: &mut Content, field: &Field) {
        tags::open(out, &field.name);
    }

    fn close(&self, out: &mut Content, field: &Field) {
        tags::close(out, &field.name);
    }

    /// Writes what would be read otherwise as entities.
    fn guard<'a>(&self, field: &Field, text: &'a str) -> Cow<'a, str> {
        markup::escape(&field.name, text)
    }
}

impl DemoFormat for XmlAdapter {}

impl Adapter for XmlAdapter {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
        let mut layout = String::from("Each field stands between tags of its name, in this way:\n");
        for field in &spec.fields {
            layout.push_str(&format!("\n<{0}>\n{{{0}}}\n</{0}>", field.name));
        }
        let mut messages = vec![Message::system(describe(spec, &layout))];
        messages.extend(demo_messages(self, spec, demos));
        messages
    }

    fn turns(&self, spec: &SignatureSpec, turns: &[Map<String, Value>]) -> Vec<Message> {
        turn_messages(self, spec, turns)
    }

    fn reminder(&self, spec: &SignatureSpec) -> String {
        let outputs: Vec<String> =
            spec.outputs().map(|field| format!("`<{}>`{}", field.name, short_hint(field))).collect();
        format!("Now write, each between its tags: {}.", outputs.join(", "))
    }

    /// Finds the tags, matched by balance, whatever their case and attributes. Entities and CDATA are read as the text
    /// that they stand for, a tag that comes again as a further item if the field is a list, and tags within a tag as
    /// the items or members of a list or structure.
    fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure> {
        let thoughts = |name: &str| spec.outputs().any(|field| same_name(&field.name, name));
        let text = match thoughts("think") || thoughts("thinking") {
            true => &choice.text,
            false => loose::without_thoughts(&choice.text),
        };
        let sections = tags::split(spec, text);
        match sections.is_empty() {
            true => loose::split(spec, text),
            false => Ok(loose::or_object(spec, text, sections)),
        }
    }

    fn ask_again(&self, wanted: &SignatureSpec, errors: &[FieldError], out: &mut Content) {
        out.push_str("These fields of your answer could not be read:\n");
        out.push_str(&complaints(errors));
        out.push_str(&format!("\nWrite only {} again", names(wanted.outputs())));
        out.push_str(", each between its tags; everything else stays as it is.\n\n");
        out.push_str(&self.reminder(wanted));
    }

    fn fallback(&self) -> Option<Arc<dyn Adapter>> {
        self.fallback.clone()
    }
}
