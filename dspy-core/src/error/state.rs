//! States that do not fit.

use std::path::PathBuf;

/// A program's state that could not be saved, or does not fit the program.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}{}{}: {message}", .file.as_ref().map(|p| format!("{}: ", p.display())).unwrap_or_default(), .predictor.as_ref().map(|p| format!("predictor `{p}`")).unwrap_or_else(|| "program state".into()), .field.as_ref().map(|f| format!(", field `{f}`")).unwrap_or_default())]
#[non_exhaustive]
pub struct StateError {
    /// The file, when there was one.
    pub file: Option<PathBuf>,
    /// The path of the predictor at fault.
    pub predictor: Option<String>,
    /// The field at fault.
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl StateError {
    /// A state error without a place; see [`StateError::at`].
    pub fn new(message: impl Into<String>) -> Self {
        Self { file: None, predictor: None, field: None, message: message.into() }
    }

    /// Names the predictor.
    #[must_use]
    pub fn at(mut self, predictor: impl Into<String>) -> Self {
        self.predictor = Some(predictor.into());
        self
    }

    /// Names the field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}
