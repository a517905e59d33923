//! What can go wrong.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Why a model could not be opened, asked or trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of a model is missing, broken, not supported, or cannot be written.
    #[error("{}: {message}", .file.display())]
    File {
        /// The file or the directory.
        file: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A request makes no sense, or the model has no chat template for it.
    #[error("{0}")]
    Request(String),
    /// The prompt leaves no room for an answer.
    #[error("the prompt has {prompt} tokens, but the context is {context}")]
    ContextWindow {
        /// The length of the prompt, in tokens.
        prompt: usize,
        /// The longest context of the model, in tokens.
        context: usize,
    },
    /// The arithmetic failed, as it does when a device has no memory left.
    #[error("the computation failed: {0}")]
    Computation(String),
    /// The thread of the model could not be started, or has ended.
    #[error("{0}")]
    Thread(String),
    /// A training cannot begin or go on: a row does not fit, a setting makes no sense, the loss is not a number.
    #[error("{0}")]
    Training(String),
    /// The hook stopped the training.
    #[error("the training was stopped after step {step} of {steps}")]
    Stopped {
        /// The last step that was done.
        step: u64,
        /// How many there are.
        steps: u64,
    },
}

/// What a fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with a file.
pub(crate) fn in_file(file: &Path, why: impl fmt::Display) -> Error {
    Error::File { file: file.to_owned(), message: why.to_string() }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Computation(error.to_string())
    }
}
