//! What a client answers.

use std::sync::Arc;

use super::{Response, Usage};
use crate::{LmError, LmErrorKind, error::shorten};

/// A model's answer, and whether it was paid for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The response.
    pub response: Arc<Response>,
    /// Whether it came from a cache or was shared with an equal request in flight.
    pub cached: bool,
    /// Whether it should have been kept on disk, and could not be: see [`Cache`](super::Cache).
    pub unsaved: bool,
}

impl Answer {
    /// The answer, or the error that it is: one that was withheld, or is a refusal.
    pub(crate) fn checked(self, model: &str) -> Result<Self, LmError> {
        let Some(kind) = self.response.withheld() else { return Ok(self) };
        let said = self.response.choices.first().map_or("", |choice| choice.text.trim());
        let message = match kind {
            LmErrorKind::Refusal => "the model declined to answer",
            _ => "the provider's filter withheld the answer",
        };
        let words = if said.is_empty() { String::new() } else { format!(": {}", shorten(said, 300)) };
        Err(LmError::new(kind, model, format!("{message}{words}")))
    }

    /// What this answer cost: the provider's own count, or one cached call that cost nothing.
    pub fn usage(&self) -> Usage {
        if self.cached {
            return Usage { cached_calls: 1, ..Usage::default() };
        }
        Usage { unsaved_calls: self.unsaved.into(), ..self.response.usage }
    }
}
