//! What a predictor is told beyond its input: advice, and why its earlier answers were not accepted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::recorder::PredictorId;
use crate::adapter::Demo;

/// Advice for predictors, which they are shown as long as the context lasts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints(BTreeMap<PredictorId, String>);

impl Hints {
    pub(crate) fn of(&self, predictor: PredictorId) -> Option<&str> {
        self.0.get(&predictor).map(String::as_str)
    }

    /// Adds advice after what there is.
    pub(crate) fn add(&mut self, predictor: PredictorId, hint: &str) {
        let hints = self.0.entry(predictor).or_default();
        if !hints.is_empty() {
            hints.push('\n');
        }
        hints.push_str(hint);
    }
}

/// An answer that was not accepted.
#[derive(Debug, Clone)]
pub(crate) struct Correction {
    /// The outputs.
    pub(crate) output: Value,
    /// What is demanded of them.
    pub(crate) message: String,
}

/// What one call of a predictor is told beyond its input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guidance {
    pub(crate) hint: Option<String>,
    pub(crate) corrections: Vec<Correction>,
    /// The demonstrations that an embedding model chose for it.
    pub(crate) chosen: Option<Vec<Demo>>,
}
