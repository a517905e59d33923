//! What is searched, and what is found.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A passage of text, as it is put into an index and as it is found.
///
/// ```
/// # use dspy_core::retrieve::Passage;
/// let passage = Passage::new("Ada Lovelace wrote the first program.").id("ada").metadata("year", 1843);
/// assert_eq!(passage.metadata["year"], 1843);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Passage {
    /// What tells it from others. An index gives those without one the number of their place, from `0`.
    #[serde(default)]
    pub id: String,
    /// The text.
    pub text: String,
    /// How well it fits the query it was found for; 0 before. The greater, the better; what numbers there are depends on
    /// the retriever.
    #[serde(default)]
    pub score: f32,
    /// Whatever else is known of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl Passage {
    /// A passage of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets the score.
    #[must_use]
    pub fn score(mut self, score: f32) -> Self {
        self.score = score;
        self
    }

    /// Adds something else that is known of it.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}

impl From<&str> for Passage {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Passage {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Passage> for String {
    fn from(passage: Passage) -> Self {
        passage.text
    }
}

impl fmt::Display for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Gives passages without an id the number of their place.
pub(super) fn numbered<P: Into<Passage>>(passages: impl IntoIterator<Item = P>) -> Vec<Passage> {
    let mut passages: Vec<Passage> = passages.into_iter().map(Into::into).collect();
    for (i, passage) in passages.iter_mut().enumerate() {
        if passage.id.is_empty() {
            passage.id = i.to_string();
        }
    }
    passages
}
