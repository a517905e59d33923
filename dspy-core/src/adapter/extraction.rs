//! Drawing outputs from a free answer.

use std::sync::Arc;

use super::Adapter;
use crate::{
    lm::{LM, Message, Prefix, Prompt},
    signature::{Field, FieldRole, SignatureSpec},
    value::{Content, TypeInfo},
};

/// The second request of a two-step format: a model and a format that draw the outputs from a free answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Extraction {
    /// The model that extracts.
    pub lm: LM,
    /// The format in which it answers.
    pub adapter: Arc<dyn Adapter>,
}

impl Extraction {
    /// Extraction by this model in this format.
    pub fn new(lm: LM, adapter: Arc<dyn Adapter>) -> Self {
        Self { lm, adapter }
    }

    /// The request that draws the outputs of `spec` from `text`.
    pub fn prompt(&self, spec: &SignatureSpec, text: &str) -> Prompt {
        let source = Field::input("text", TypeInfo::of::<String>()).desc("an answer in free form");
        let mut fields = vec![source.clone()];
        fields.extend(spec.fields.iter().filter(|f| f.role == FieldRole::Output).cloned());
        let wanted = SignatureSpec::new(
            spec.name.clone(),
            format!(
                "Copy the wanted fields from the text. It was written for this task: {}",
                spec.instructions
            ),
            fields,
        );
        let mut content = Content::new();
        self.adapter.open(&mut content, &source);
        content.push_str(&self.adapter.guard(&source, text));
        self.adapter.close(&mut content, &source);
        content.push_str("\n\n");
        content.push_str(&self.adapter.reminder(&wanted));
        Prompt {
            prefix: Arc::new(Prefix::new(self.adapter.prefix(&wanted, &[]))),
            tail: vec![Message::user(content)],
        }
    }
}
