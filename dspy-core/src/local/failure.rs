//! What can go wrong with a model's files.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{LmError, LmErrorKind};

/// A model cannot be opened: which file, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {why}", .file.display())]
pub(crate) struct Failure {
    file: PathBuf,
    why: String,
}

/// What is wrong with a file.
pub(crate) fn in_file(file: &Path, why: impl fmt::Display) -> Failure {
    Failure { file: file.to_owned(), why: why.to_string() }
}

impl Failure {
    /// As an error of the model `id`.
    pub(crate) fn of(self, id: &str) -> LmError {
        LmError::new(LmErrorKind::Configuration, id, self.to_string())
    }
}

/// An error of the arithmetic while the model `id` answers.
pub(crate) fn arithmetic(id: &str, error: &candle_core::Error) -> LmError {
    LmError::new(LmErrorKind::Server, id, format!("the computation failed: {error}"))
}
