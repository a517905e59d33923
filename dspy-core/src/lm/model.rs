//! What every language model is.

use std::{future::Future, pin::Pin};

use super::{Request, Response};
use crate::LmError;

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a model can do natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Answers that are one JSON object (`response_format: json_object`).
    pub json_object: bool,
    /// Answers constrained by a JSON Schema.
    pub json_schema: bool,
    /// Native tool calls.
    pub tools: bool,
    /// Reasoning content apart from the answer.
    pub reasoning: bool,
    /// Partial answers as they are generated.
    pub streaming: bool,
}

/// A language model that answers requests: one attempt, no cache and no retry, which [`LM`](super::LM) adds.
pub trait LanguageModel: Send + Sync + 'static {
    /// The model's identifier, as `provider/name`.
    fn id(&self) -> &str;

    /// Where it is served: part of the cache key, so that equal names at different places stay apart.
    fn endpoint(&self) -> &str {
        ""
    }

    /// What it can do natively.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Answers one request.
    ///
    /// # Errors
    /// [`LmError`], whose kind decides whether the request is sent again.
    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>>;
}
