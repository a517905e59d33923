//! The one error type of the library.

mod lm;
mod parse;
mod retrieval;
mod state;
mod tool;

use std::{error::Error as StdError, fmt, path::PathBuf, sync::Arc};

use dspy_grammar::GrammarError;

use crate::value::{MediaError, ReadError, WriteError};

pub use self::{
    lm::{LmError, LmErrorKind},
    parse::{FieldError, ParseError, ParseErrorKind},
    retrieval::RetrievalError,
    state::StateError,
    tool::{ToolError, ToolErrorKind},
};
pub(crate) use crate::value::shorten;

/// What a fallible function of this library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is said where something was asked for that needs a tokio runtime, and there is none.
pub(crate) fn no_runtime(what: &str) -> String {
    format!(
        "{what} need a tokio runtime, and there is none here: call from an `async fn main` with `#[tokio::main]`, or \
         inside of `tokio::runtime::Runtime::new()?.block_on(..)`"
    )
}

/// Everything that can go wrong, by what a program can do about it.
///
/// Errors are cheap to clone, because equal requests that wait for one answer share its failure.
///
/// `{:?}`, which `fn main() -> dspy::Result<()>` prints, is the message and what caused it; `{:#?}` is the structure.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The language model could not be asked, or refused.
    #[error(transparent)]
    Lm(Box<LmError>),
    /// The model answered, but the answer could not be read as the signature's outputs.
    #[error(transparent)]
    Parse(Box<ParseError>),
    /// An answer was read, but breaks a constraint of its signature, and so did those that it was corrected to.
    #[error("constraint on `{field}` of `{signature}` not met: {message}")]
    Constraint {
        /// The signature's name.
        signature: String,
        /// The output field, or `self` for a constraint on the whole output.
        field: String,
        /// What the constraint asks for.
        message: String,
    },
    /// An assertion of a program was not met, and no answer that could be corrected any further led to it.
    #[error(transparent)]
    Assertion(Box<AssertionError>),
    /// No model is configured, or a setting is missing.
    #[error("{0}")]
    Context(String),
    /// A program's state could not be saved or loaded.
    #[error(transparent)]
    State(Box<StateError>),
    /// A data set could not be read.
    #[error("{}{}: {message}", .path.display(), .line.map(|l| format!(", line {l}")).unwrap_or_default())]
    Dataset {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, when one line is at fault.
        line: Option<usize>,
        /// What is wrong and what to do.
        message: String,
    },
    /// A search failed, or an index could not be built, saved or loaded.
    #[error(transparent)]
    Retrieval(Box<RetrievalError>),
    /// A signature that arrived as data could not be understood.
    #[error(transparent)]
    Signature(Box<GrammarError>),
    /// A tool was not called, or failed.
    #[error(transparent)]
    Tool(Box<ToolError>),
    /// A limit that the user set was reached.
    #[error("{0}")]
    Limit(String),
    /// A task of the library panicked or was cancelled from outside.
    #[error("{0}")]
    Task(String),
    /// An error of the user's own code inside a `forward` or a metric.
    #[error(transparent)]
    Other(Arc<dyn StdError + Send + Sync>),
}

impl Error {
    /// Wraps an error of the user's own.
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Other(Arc::from(error.into()))
    }

    /// The answer of the model as it was, when it could not be read.
    pub fn raw_answer(&self) -> Option<&str> {
        match self {
            Self::Parse(e) => Some(&e.response),
            _ => None,
        }
    }

    /// Whether it only makes its way to the call that runs the program again.
    pub(crate) fn is_rerun(&self) -> bool {
        matches!(self, Self::Assertion(e) if e.again.is_some())
    }

    /// The kind of failure in one word, for tables and counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Lm(e) => e.kind.as_str(),
            Self::Parse(_) => "parse",
            Self::Constraint { .. } => "constraint",
            Self::Assertion(_) => "assertion",
            Self::Context(_) => "context",
            Self::State(_) => "state",
            Self::Dataset { .. } => "dataset",
            Self::Retrieval(_) => "retrieval",
            Self::Signature(_) => "signature",
            Self::Tool(_) => "tool",
            Self::Limit(_) => "limit",
            Self::Task(_) => "task",
            Self::Other(_) => "other",
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return self.with_causes(f);
        }
        let mut tuple = |name, value: &dyn fmt::Debug| f.debug_tuple(name).field(value).finish();
        match self {
            Self::Lm(e) => tuple("Lm", e),
            Self::Parse(e) => tuple("Parse", e),
            Self::Constraint { signature, field, message } => f
                .debug_struct("Constraint")
                .field("signature", signature)
                .field("field", field)
                .field("message", message)
                .finish(),
            Self::Assertion(e) => tuple("Assertion", e),
            Self::Context(message) => tuple("Context", message),
            Self::State(e) => tuple("State", e),
            Self::Dataset { path, line, message } => f
                .debug_struct("Dataset")
                .field("path", path)
                .field("line", line)
                .field("message", message)
                .finish(),
            Self::Retrieval(e) => tuple("Retrieval", e),
            Self::Signature(e) => tuple("Signature", e),
            Self::Tool(e) => tuple("Tool", e),
            Self::Limit(message) => tuple("Limit", message),
            Self::Task(message) => tuple("Task", message),
            Self::Other(e) => tuple("Other", e),
        }
    }
}

impl Error {
    /// The message, and a line for each cause that it does not tell itself.
    fn with_causes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.to_string();
        f.write_str(&told)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !told.contains(&message) {
                write!(f, "\ncaused by: {message}")?;
                told = message;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// An assertion that was not met.
#[derive(Debug, Clone, thiserror::Error)]
#[error("assertion not met: {message} ({place})")]
#[non_exhaustive]
pub struct AssertionError {
    /// What is demanded.
    pub message: String,
    /// Where in the source it is demanded, as `src/main.rs:31`.
    pub place: String,
    /// The call that is run again.
    pub(crate) again: Option<u64>,
}

macro_rules! from {
    ($($cause:ty => $how:expr;)*) => {
        $(impl From<$cause> for Error {
            fn from(cause: $cause) -> Self {
                $how(cause.into())
            }
        })*
    };
}

from! {
    AssertionError => Self::Assertion;
    LmError => Self::Lm;
    ParseError => Self::Parse;
    StateError => Self::State;
    RetrievalError => Self::Retrieval;
    ToolError => Self::Tool;
    GrammarError => Self::Signature;
    ReadError => other;
    WriteError => other;
    MediaError => other;
    std::io::Error => other;
    serde_json::Error => other;
}

fn other(cause: Box<dyn StdError + Send + Sync>) -> Error {
    Error::Other(cause.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_for_people_unless_the_structure_is_asked_for() {
        #[derive(Debug, thiserror::Error)]
        #[error("the step failed")]
        struct Outer(#[source] std::io::Error);

        let lm = Error::from(LmError::new(LmErrorKind::Auth, "openai/x", "no such key"));
        assert_eq!(format!("{lm:?}"), "openai/x: auth: no such key");
        assert!(format!("{lm:#?}").starts_with("Lm(\n    LmError {"));
        let outer = Error::other(Outer(std::io::Error::other("disk full")));
        assert_eq!(format!("{outer:?}"), "the step failed\ncaused by: disk full");
        let dataset = Error::Dataset { path: "a.csv".into(), line: Some(2), message: "no `x`".into() };
        assert_eq!(format!("{dataset:?}"), dataset.to_string());
        assert!(format!("{dataset:#?}").contains("line: Some("));
    }

    #[test]
    fn errors_of_the_parts_become_it() {
        fn media() -> Result<()> {
            crate::value::Image::from_path("no/such/file.png")?;
            Ok(())
        }
        assert_eq!(media().unwrap_err().kind(), "other");
    }
}
