//! What every language model is.

use std::{any::Any, future::Future, pin::Pin};

use super::{Request, Response};
use crate::{LmError, LmErrorKind};

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

impl Capabilities {
    /// Nothing but text in, text out.
    pub const fn none() -> Self {
        Self { json_object: false, json_schema: false, tools: false, reasoning: false, streaming: false }
    }

    /// All capabilities.
    pub const fn all() -> Self {
        Self { json_object: true, json_schema: true, tools: true, reasoning: true, streaming: true }
    }

    /// What two models can do both.
    pub(crate) const fn both(self, other: Self) -> Self {
        Self {
            json_object: self.json_object && other.json_object,
            json_schema: self.json_schema && other.json_schema,
            tools: self.tools && other.tools,
            reasoning: self.reasoning && other.reasoning,
            streaming: self.streaming && other.streaming,
        }
    }

    /// Sets whether answers can be forced to be one JSON object.
    #[must_use]
    pub const fn json_object(mut self, yes: bool) -> Self {
        self.json_object = yes;
        self
    }

    /// Sets whether answers can be constrained by a JSON Schema.
    #[must_use]
    pub const fn json_schema(mut self, yes: bool) -> Self {
        self.json_schema = yes;
        self
    }

    /// Sets whether tools can be called natively.
    #[must_use]
    pub const fn tools(mut self, yes: bool) -> Self {
        self.tools = yes;
        self
    }

    /// Sets whether reasoning arrives apart from the answer.
    #[must_use]
    pub const fn reasoning(mut self, yes: bool) -> Self {
        self.reasoning = yes;
        self
    }

    /// Sets whether partial answers arrive as they are generated.
    #[must_use]
    pub const fn streaming(mut self, yes: bool) -> Self {
        self.streaming = yes;
        self
    }
}

/// A further piece of an answer, as it is generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delta {
    /// Which of the answers it belongs to, from 0.
    pub choice: usize,
    /// Text to append to the answer.
    pub text: String,
    /// Text to append to the reasoning.
    pub reasoning: String,
}

impl Delta {
    /// A piece of the text of answer `choice`.
    pub fn text(choice: usize, text: impl Into<String>) -> Self {
        Self { choice, text: text.into(), ..Self::default() }
    }
}

/// Takes the pieces of an answer as they arrive.
pub type DeltaSink<'a> = dyn FnMut(Delta) + Send + 'a;

/// A language model that answers requests: one attempt, no cache and no retry, which [`LM`](super::LM) adds.
///
/// ```
/// # use dspy_core::{LmError, lm::{BoxFuture, LM, LanguageModel, Request, Response}};
/// /// Repeats the last message.
/// struct Echo;
///
/// impl LanguageModel for Echo {
///     fn id(&self) -> &str {
///         "own/echo"
///     }
///
///     fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
///         Box::pin(async move {
///             let last = request.prompt.messages().last();
///             Ok(Response::text(last.map(|message| message.content.text()).unwrap_or_default()))
///         })
///     }
/// }
///
/// let lm = LM::from(Echo); // with a cache in memory and retries; `LM::wrap` sets them
/// assert_eq!(lm.id(), "own/echo");
/// ```
///
/// For tests there is [`StubModel`](super::StubModel).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a language model",
    label = "not a language model",
    note = "make one of its name: `LM::new(\"openai/gpt-4o-mini\")?`"
)]
pub trait LanguageModel: Any + Send + Sync + 'static {
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

    /// The body that would be sent for a request, to inspect it or to send it by other means.
    ///
    /// # Errors
    /// [`LmErrorKind::InvalidRequest`] when the request cannot be expressed in the provider's protocol, or when the model, as
    /// those in this process, sends nothing.
    fn request_body(&self, request: &Request) -> Result<Vec<u8>, LmError> {
        let _ = request;
        Err(LmError::new(LmErrorKind::InvalidRequest, self.id(), "this model sends no requests over a wire"))
    }

    /// Answers one request.
    ///
    /// # Errors
    /// [`LmError`], whose kind decides whether the request is sent again.
    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>>;

    /// Answers one request and passes each piece of the answer to `sink` as it arrives; the pieces together are the
    /// texts of the response. By default each answer is one piece.
    ///
    /// # Errors
    /// Those of [`LanguageModel::generate`].
    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let response = self.generate(request).await?;
            replay(&response, sink);
            Ok(response)
        })
    }
}

impl<M: LanguageModel + ?Sized> LanguageModel for std::sync::Arc<M> {
    fn id(&self) -> &str {
        (**self).id()
    }
    fn endpoint(&self) -> &str {
        (**self).endpoint()
    }
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    fn request_body(&self, request: &Request) -> Result<Vec<u8>, LmError> {
        (**self).request_body(request)
    }
    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        (**self).generate(request)
    }
    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        (**self).stream(request, sink)
    }
}

/// Hands over a finished response as one piece for each of its answers.
pub(crate) fn replay(response: &Response, sink: &mut DeltaSink<'_>) {
    for (i, choice) in response.choices.iter().enumerate() {
        let reasoning = choice.reasoning.clone().unwrap_or_default();
        if !choice.text.is_empty() || !reasoning.is_empty() {
            sink(Delta { choice: i, text: choice.text.clone(), reasoning });
        }
    }
}
