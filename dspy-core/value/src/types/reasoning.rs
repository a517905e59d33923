//! Thinking before the answer, as a field.

use std::{borrow::Cow, fmt, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::KIND_KEY;

/// The model's thinking that led to the other outputs.
///
/// With a model that thinks on its own, the field is left out of the prompt and filled with the thinking that the
/// provider returns; with any other model it is a text output like another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename = "$dspy::Reasoning")]
pub struct Reasoning(String);

impl Reasoning {
    /// Reasoning from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Deref for Reasoning {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reasoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Reasoning {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Reasoning {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Reasoning> for String {
    fn from(reasoning: Reasoning) -> Self {
        reasoning.0
    }
}

impl JsonSchema for Reasoning {
    fn schema_name() -> Cow<'static, str> {
        "Reasoning".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", KIND_KEY: "reasoning" })
    }
}
