//! Outputs as one JSON object.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Adapter, Demo, NoStructure, headers, lines, loose,
    names::complete,
    object,
    prompt::{DemoFormat, NOT_SHOWN, complaints, demo_messages, describe, names, turn_messages, type_hint},
    splitter::{ObjectSplitter, Splitter},
};
use crate::{
    FieldError,
    lm::{Capabilities, Choice, Message, ResponseFormat},
    signature::{Field, Layout, Sections, SignatureSpec},
    value::{Content, strict_object},
};

/// Asks for one JSON object whose keys are the outputs, through the provider's structured output where the model
/// has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JsonAdapter {
    structured: bool,
}

impl Default for JsonAdapter {
    fn default() -> Self {
        Self { structured: true }
    }
}

impl JsonAdapter {
    /// The format, with structured output where the model has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The format without the provider's structured output.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.structured = false;
        self
    }
}

impl Layout for JsonAdapter {
    fn open(&self, out: &mut Content, field: &Field) {
        headers::write(out, &field.name);
    }

    fn close(&self, _: &mut Content, _: &Field) {}

    /// Puts a backslash before a line that would be taken for a header.
    fn guard<'a>(&self, _: &Field, text: &'a str) -> Cow<'a, str> {
        lines::guard(text)
    }
}

impl DemoFormat for JsonAdapter {
    fn outputs(&self, values: &[(&Field, Option<&Value>)]) -> Content {
        let object: Map<String, Value> = values
            .iter()
            .map(|(field, value)| {
                let value = value.map_or_else(|| NOT_SHOWN.into(), |value| field.ty.to_answer(value));
                (field.name.clone(), value)
            })
            .collect();
        let text = serde_json::to_string_pretty(&object).unwrap_or_default();
        text.into()
    }
}

impl Adapter for JsonAdapter {
    fn name(&self) -> &'static str {
        "json"
    }

    fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
        let mut layout = String::from("The inputs come under header lines such as `[[ ## name ## ]]`.\n");
        layout.push_str("Answer with one JSON object and nothing else:\n{");
        for (i, field) in spec.outputs().enumerate() {
            let hint = type_hint(field);
            let hint = if hint.contains('\n') { "see its sketch above" } else { &hint };
            let comma = if i == 0 { "" } else { "," };
            layout.push_str(&format!("{comma}\n  \"{}\": ({hint})", field.name));
        }
        layout.push_str("\n}");
        let mut messages = vec![Message::system(describe(spec, &layout))];
        messages.extend(demo_messages(self, spec, demos));
        messages
    }

    fn turns(&self, spec: &SignatureSpec, turns: &[Map<String, Value>]) -> Vec<Message> {
        turn_messages(self, spec, turns)
    }

    fn reminder(&self, spec: &SignatureSpec) -> String {
        let keys = names(spec.outputs());
        format!("Now answer with one JSON object that has the keys {keys}, in this order.")
    }

    fn response_format(&self, spec: &SignatureSpec, capabilities: Capabilities) -> ResponseFormat {
        if !self.structured {
            return ResponseFormat::Text;
        }
        if capabilities.json_schema {
            let schemas: Vec<_> = spec.outputs().map(|f| (f, f.schema())).collect();
            let fields = schemas.iter().map(|(f, schema)| (f.name.as_str(), f.desc.as_str(), schema));
            // Types that a strict schema cannot express are asked for as plain JSON: a closed object in their
            // place would force the model to answer `{}`.
            if let Some(schema) = strict_object(fields) {
                return ResponseFormat::JsonSchema { name: spec.name.clone(), schema: Arc::new(schema) };
            }
        }
        if capabilities.json_object { ResponseFormat::JsonObject } else { ResponseFormat::Text }
    }

    fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure> {
        let text = loose::without_thoughts(&choice.text);
        let object = object::split(spec, text);
        if let Some(whole) = object.as_ref().filter(|found| complete(spec, found)) {
            return Ok(whole.clone());
        }
        let headers = headers::split(spec, text);
        let count = |sections: &Sections<'_>| sections.iter().count();
        match object {
            Some(object) if count(&object) >= count(&headers) => Ok(object),
            _ if !headers.is_empty() => Ok(headers),
            _ => loose::split(spec, text),
        }
    }

    fn splitter(&self, spec: &SignatureSpec) -> Option<Box<dyn Splitter>> {
        Some(Box::new(ObjectSplitter::new(spec)))
    }

    fn ask_again(&self, wanted: &SignatureSpec, errors: &[FieldError], out: &mut Content) {
        out.push_str("These fields of your answer could not be read:\n");
        out.push_str(&complaints(errors));
        out.push_str("\nEverything else stays as it is.\n\n");
        out.push_str(&self.reminder(wanted));
    }
}
