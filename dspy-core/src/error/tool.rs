//! Failed calls of tools.

use serde::{Deserialize, Serialize};

/// What became of a call of a tool that gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolErrorKind {
    /// There is no tool of this name.
    Unknown,
    /// The arguments are not those of the tool; it was not called.
    Arguments,
    /// The call was not allowed; the tool was not called.
    Denied,
    /// The tool returned an error.
    Failed,
    /// The tool panicked.
    Panicked,
    /// The tool gave no result in time.
    TimedOut,
}

impl ToolErrorKind {
    /// The kind in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Arguments => "arguments",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
        }
    }
}

/// A call of a tool that gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ToolError {
    /// The tool's name.
    pub tool: String,
    /// What happened.
    pub kind: ToolErrorKind,
    /// A sentence that a person or a model can act on.
    pub message: String,
}

impl ToolError {
    /// A failure of the tool of this name.
    pub fn new(tool: impl Into<String>, kind: ToolErrorKind, message: impl Into<String>) -> Self {
        Self { tool: tool.into(), kind, message: message.into() }
    }
}
