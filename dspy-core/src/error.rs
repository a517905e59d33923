//! The one error type of the library.

use std::{error::Error as StdError, fmt, path::PathBuf, sync::Arc, time::Duration};

use dspy_grammar::GrammarError;
use serde::{Deserialize, Serialize};

use crate::value::{MediaError, ReadError, WriteError};

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

impl From<AssertionError> for Error {
    fn from(e: AssertionError) -> Self {
        Self::Assertion(Box::new(e))
    }
}

impl From<LmError> for Error {
    fn from(e: LmError) -> Self {
        Self::Lm(Box::new(e))
    }
}
impl From<ParseError> for Error {
    fn from(e: ParseError) -> Self {
        Self::Parse(Box::new(e))
    }
}
impl From<StateError> for Error {
    fn from(e: StateError) -> Self {
        Self::State(Box::new(e))
    }
}
impl From<RetrievalError> for Error {
    fn from(e: RetrievalError) -> Self {
        Self::Retrieval(Box::new(e))
    }
}
impl From<ToolError> for Error {
    fn from(e: ToolError) -> Self {
        Self::Tool(Box::new(e))
    }
}
impl From<GrammarError> for Error {
    fn from(e: GrammarError) -> Self {
        Self::Signature(Box::new(e))
    }
}
impl From<ReadError> for Error {
    fn from(e: ReadError) -> Self {
        Self::other(e)
    }
}
impl From<WriteError> for Error {
    fn from(e: WriteError) -> Self {
        Self::other(e)
    }
}
impl From<MediaError> for Error {
    fn from(e: MediaError) -> Self {
        Self::other(e)
    }
}
impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Self::other(e)
    }
}
impl From<serde_json::Error> for Error {
    fn from(e: serde_json::Error) -> Self {
        Self::other(e)
    }
}

/// Why a model call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LmErrorKind {
    /// No connection, a reset, a body that broke off.
    Transport,
    /// One of the timeouts passed.
    Timeout,
    /// The key is missing, wrong, or not allowed to do this (401, 403).
    Auth,
    /// The provider asks to slow down (429).
    RateLimit,
    /// The account has no credit left (429 with `insufficient_quota`); waiting does not help.
    Quota,
    /// The request is wrong (other 4xx).
    InvalidRequest,
    /// The prompt and the answer do not fit into the model's context window.
    ContextWindow,
    /// The provider's filter withheld the answer, or refused the prompt.
    ContentFilter,
    /// The model declined to answer, and the provider says so.
    Refusal,
    /// The model or the endpoint does not exist (404).
    NotFound,
    /// The provider failed (5xx, 408, 409).
    Server,
    /// The provider answered with something that is not its own protocol.
    InvalidResponse,
    /// The client was set up wrongly.
    Configuration,
    /// The request does not fit into the budget of the work that it belongs to; it was not sent.
    Budget,
    /// The cache has no answer where none may be asked for, or does not work where it must.
    Cache,
}

impl LmErrorKind {
    /// The kind in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::InvalidRequest => "invalid_request",
            Self::ContextWindow => "context_window",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::NotFound => "not_found",
            Self::Server => "server",
            Self::InvalidResponse => "invalid_response",
            Self::Configuration => "configuration",
            Self::Budget => "budget",
            Self::Cache => "cache",
        }
    }
}

impl fmt::Display for LmErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed model call.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{model}: {kind}{}: {message}{}",
    .status.map(|s| format!(" (HTTP {s})")).unwrap_or_default(),
    if *.attempts > 1 { format!(" (after {} attempts)", .attempts) } else { String::new() }
)]
#[non_exhaustive]
pub struct LmError {
    /// What happened.
    pub kind: LmErrorKind,
    /// The model, as `provider/name`.
    pub model: String,
    /// The HTTP status of a refusal.
    pub status: Option<u16>,
    /// How long the provider asked to wait.
    pub retry_after: Option<Duration>,
    /// The provider's message, shortened.
    pub message: String,
    /// How many times the request was sent.
    pub attempts: u32,
}

impl LmError {
    /// An error of `kind` from `model`.
    pub fn new(kind: LmErrorKind, model: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            model: model.into(),
            status: None,
            retry_after: None,
            message: message.into(),
            attempts: 1,
        }
    }

    /// Whether sending the same request again may succeed: transport faults, 408, 409, 429, 5xx and
    /// broken bodies; never another 4xx.
    pub fn retryable(&self) -> bool {
        matches!(
            self.kind,
            LmErrorKind::Transport
                | LmErrorKind::Timeout
                | LmErrorKind::RateLimit
                | LmErrorKind::Server
                | LmErrorKind::InvalidResponse
        )
    }
}

/// Why an answer could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The adapter's format (section markers, the JSON object) was not found.
    Structure,
    /// The format was there, but fields are missing.
    Missing,
    /// The format was there, but a value does not fit its type.
    Value,
    /// The model stopped at its token limit before the answer was complete.
    Truncated,
    /// The answer was empty.
    Empty,
}

/// An answer that could not be read as the signature's outputs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ParseError {
    /// What was wrong.
    pub kind: ParseErrorKind,
    /// The signature's name.
    pub signature: String,
    /// The adapter that read the answer.
    pub adapter: &'static str,
    /// The fields that could not be read, with the reason of each.
    pub fields: Vec<FieldError>,
    /// The raw answer.
    pub response: String,
}

/// One output field that could not be read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// The expected type.
    pub expected: String,
    /// What was wrong with the text; `None` when the field was not in the answer.
    pub cause: Option<ReadError>,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            None => write!(f, "field `{}` ({}) is not in the answer", self.field, self.expected),
            Some(cause) => write!(f, "field `{}`: {cause}", self.field),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ParseErrorKind::Structure => "the answer does not have the expected format",
            ParseErrorKind::Missing => "the answer lacks fields",
            ParseErrorKind::Value => "the answer has values of the wrong type",
            ParseErrorKind::Truncated => "the answer was cut off at the token limit; raise max_tokens",
            ParseErrorKind::Empty => "the answer is empty",
        };
        write!(f, "{} ({} adapter): {what}", self.signature, self.adapter)?;
        for field in &self.fields {
            write!(f, "; {field}")?;
        }
        if !self.response.is_empty() {
            write!(f, "; the model wrote: {:?}", shorten(&self.response, 300))?;
        }
        Ok(())
    }
}

impl StdError for ParseError {}

/// A failed search, or an index that could not be built, saved or loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{retriever}{}: {message}", .status.map(|s| format!(" (HTTP {s})")).unwrap_or_default())]
#[non_exhaustive]
pub struct RetrievalError {
    /// What was searched: the kind of the index or store, and its name or file.
    pub retriever: String,
    /// The HTTP status of a store's refusal.
    pub status: Option<u16>,
    /// Whether the same may succeed later: the store was not reached, is overloaded or failed itself.
    pub retryable: bool,
    /// What is wrong and what to do.
    pub message: String,
}

impl RetrievalError {
    /// An error of a retriever that will not go away by itself.
    pub fn new(retriever: impl Into<String>, message: impl Into<String>) -> Self {
        Self { retriever: retriever.into(), status: None, retryable: false, message: message.into() }
    }

    /// Sets whether the same may succeed later.
    #[must_use]
    pub fn retryable(mut self, yes: bool) -> Self {
        self.retryable = yes;
        self
    }
}

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
