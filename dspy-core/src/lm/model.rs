//! What every language model is.

use std::{any::Any, future::Future, pin::Pin};

use super::{Capabilities, Request, Response};
use crate::{LmError, LmErrorKind};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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

    /// What else decides its answers, such as a protocol or headers: part of the cache key, and so never a secret.
    fn variant(&self) -> &str {
        ""
    }

    /// What it can do natively.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Whether one request can be answered several times ([`Options::n`](super::Options::n)). Where it cannot, the client
    /// sends several.
    fn several(&self) -> bool {
        true
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
    fn variant(&self) -> &str {
        (**self).variant()
    }
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    fn several(&self) -> bool {
        (**self).several()
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
