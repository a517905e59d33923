//! A free answer first, its fields drawn from it afterwards.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Adapter, ChatAdapter, Demo, Extraction, NoStructure,
    prompt::{DemoFormat, demo_messages, describe, names, turn_messages},
};
use crate::{
    FieldError,
    lm::{Choice, LM, Message},
    signature::{Field, Layout, Sections, SignatureSpec},
    value::Content,
};

/// Lets the model answer in prose and a second, usually smaller, model draw the outputs from it: for models that
/// reason well but follow formats badly.
#[derive(Debug, Clone)]
pub struct TwoStepAdapter {
    extraction: Extraction,
}

impl TwoStepAdapter {
    /// Extraction by this model through the [`ChatAdapter`].
    pub fn new(extractor: impl Into<LM>) -> Self {
        Self::with_adapter(extractor, ChatAdapter::default())
    }

    /// Extraction by this model in this format.
    pub fn with_adapter(extractor: impl Into<LM>, adapter: impl Adapter) -> Self {
        Self { extraction: Extraction::new(extractor.into(), Arc::new(adapter)) }
    }
}

impl Layout for TwoStepAdapter {
    fn open(&self, out: &mut Content, field: &Field) {
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(&field.name);
        out.push_str(":\n");
    }

    fn close(&self, _: &mut Content, _: &Field) {}
}

impl DemoFormat for TwoStepAdapter {}

impl Adapter for TwoStepAdapter {
    fn name(&self) -> &'static str {
        "two_step"
    }

    fn prefix(&self, spec: &SignatureSpec, demos: &[Demo]) -> Vec<Message> {
        let layout = "Answer in your own words and your own order; say something on every output field.";
        let mut messages = vec![Message::system(describe(spec, layout))];
        messages.extend(demo_messages(self, spec, demos));
        messages
    }

    fn turns(&self, spec: &SignatureSpec, turns: &[Map<String, Value>]) -> Vec<Message> {
        turn_messages(self, spec, turns)
    }

    fn reminder(&self, spec: &SignatureSpec) -> String {
        format!("Your answer must settle {}.", names(spec.outputs()))
    }

    fn parse<'a>(&self, spec: &SignatureSpec, choice: &'a Choice) -> Result<Sections<'a>, NoStructure> {
        self.extraction.adapter.parse(spec, choice)
    }

    fn ask_again(&self, wanted: &SignatureSpec, errors: &[FieldError], out: &mut Content) {
        self.extraction.adapter.ask_again(wanted, errors, out);
    }

    fn extraction(&self) -> Option<&Extraction> {
        Some(&self.extraction)
    }
}
