//! A model without a network, for tests.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use super::{
    BoxFuture, Cache, Capabilities, Delta, DeltaSink, LM, LMBuilder, LanguageModel, Options, Request,
    Response, RetryPolicy, client::Core,
};
use crate::{LmError, LmErrorKind};

const ID: &str = "stub/model";

/// A model for tests: it answers from a script or from a closure, sends nothing, and records its requests.
///
/// Wherever a model is expected, pass a reference: `program.lm(&model)`, `configure(|c| c.lm(&model))`. Such a client
/// has no cache and no retries, so that every request reaches the stub once; [`builder`](Self::builder) gives one
/// with both.
///
/// ```
/// # use dspy_core::{predict::Predict, signature::DynSignature, module::Module};
/// use dspy_core::lm::{StubModel, StubResponse};
///
/// # fn main() -> dspy_core::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # #[derive(serde::Serialize)] struct QaOutput { answer: String }
/// # let program = Predict::<DynSignature>::with_spec(DynSignature::parse("question -> answer")?);
/// # let input = dspy_core::signature::Record::from([("question", "Which river flows through Vienna?")]);
/// let model = StubModel::scripted([StubResponse::outputs(&QaOutput { answer: "Danube".into() })]);
/// let p = program.lm(&model).call(input).await?;
/// assert_eq!(p["answer"], "Danube");
///
/// let requests = model.requests();
/// let messages: Vec<_> = requests[0].prompt.messages().collect();
/// assert!(messages[1].content.text().contains("Vienna"));
/// # Ok(()) })
/// # }
/// ```
#[derive(Clone)]
pub struct StubModel {
    stub: Stub,
}

/// What a [`StubModel`] answers to one request: a response or an error.
///
/// Made from a text (`&str`, `String`), a [`Response`], an [`LmError`] or a `Result` of both, and from the outputs of
/// a signature by [`StubResponse::outputs`].
#[derive(Debug, Clone)]
pub struct StubResponse(Result<Response, LmError>);

impl StubResponse {
    /// An answer of this text, as the model writes it. Headers, tags and the like are those of the adapter.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Ok(Response::text(text)))
    }

    /// An answer with these outputs: a value of the signature's output, or of
    /// [`Reasoned`](crate::signature::Reasoned) for a chain of thought. It is written as a JSON object, which every
    /// adapter reads, so that a test need not know the format of the prompt.
    pub fn outputs(outputs: &(impl Serialize + ?Sized)) -> Self {
        Self(match serde_json::to_string(outputs) {
            Ok(text) => Ok(Response::text(text)),
            Err(error) => Err(LmError::new(
                LmErrorKind::Configuration,
                ID,
                format!("the outputs of the stub cannot be written as JSON: {error}"),
            )),
        })
    }
}

impl From<&str> for StubResponse {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for StubResponse {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Response> for StubResponse {
    fn from(response: Response) -> Self {
        Self(Ok(response))
    }
}

impl From<LmError> for StubResponse {
    fn from(error: LmError) -> Self {
        Self(Err(error))
    }
}

impl From<Result<Response, LmError>> for StubResponse {
    fn from(result: Result<Response, LmError>) -> Self {
        Self(result)
    }
}

impl StubModel {
    /// A model that gives these responses in turn, one for each request. A request after the last one is an error
    /// that says so.
    ///
    /// Requests that are in flight at the same time take their responses in the order in which they arrive. A program
    /// that asks concurrently is better tested with [`from_fn`](Self::from_fn).
    pub fn scripted<R: Into<StubResponse>>(responses: impl IntoIterator<Item = R>) -> Self {
        let script: VecDeque<_> = responses.into_iter().map(Into::into).collect();
        let (length, script) = (script.len(), Mutex::new(script));
        Self::from_fn(move |_: &Request| {
            lock(&script).pop_front().unwrap_or_else(|| {
                let message =
                    format!("the script of the stub has {length} responses, and this request is one more");
                LmError::new(LmErrorKind::Configuration, ID, message).into()
            })
        })
    }

    /// A model that answers each request with what the closure returns.
    pub fn from_fn<R: Into<StubResponse>>(respond: impl Fn(&Request) -> R + Send + Sync + 'static) -> Self {
        let shared = Shared {
            respond: Box::new(move |request| respond(request).into().0),
            requests: Mutex::default(),
        };
        Self { stub: Stub { capabilities: Capabilities::all(), shared: Arc::new(shared) } }
    }

    /// Sets what the model is said to do natively: everything unless set. With [`Capabilities::none`] no structured
    /// output and no native tool calls are requested.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.stub.capabilities = capabilities;
        self
    }

    /// The requests so far, in the order in which they arrived, of all clones and clients of this model.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.stub.shared.requests).clone()
    }

    /// A client of this model with the cache in memory and the retries of any other, to change them.
    pub fn builder(&self) -> LMBuilder {
        LM::wrap(self.stub.clone())
    }

    fn client(&self) -> LM {
        let model = Arc::new(self.stub.clone());
        LM::assemble(
            Core::new(model, None, RetryPolicy::none(), super::limiter::Limits::default(), Cache::off()),
            Options::default(),
        )
    }
}

impl From<&StubModel> for LM {
    fn from(model: &StubModel) -> Self {
        model.client()
    }
}

impl From<StubModel> for LM {
    fn from(model: StubModel) -> Self {
        model.client()
    }
}

impl fmt::Debug for StubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = lock(&self.stub.shared.requests).len();
        f.debug_struct("StubModel").field("requests", &requests).finish_non_exhaustive()
    }
}

/// The model behind the clients of a [`StubModel`].
#[derive(Clone)]
struct Stub {
    capabilities: Capabilities,
    shared: Arc<Shared>,
}

type Respond = Box<dyn Fn(&Request) -> Result<Response, LmError> + Send + Sync>;

struct Shared {
    respond: Respond,
    requests: Mutex<Vec<Request>>,
}

impl Stub {
    fn respond(&self, request: &Request) -> Result<Response, LmError> {
        lock(&self.shared.requests).push(request.clone());
        (self.shared.respond)(request)
    }
}

impl LanguageModel for Stub {
    fn id(&self) -> &str {
        ID
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move { self.respond(request) })
    }

    /// Streams each answer word by word.
    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let response = self.respond(request)?;
            for (i, choice) in response.choices.iter().enumerate() {
                if let Some(reasoning) = &choice.reasoning {
                    sink(Delta { choice: i, reasoning: reasoning.clone(), ..Delta::default() });
                }
                for word in choice.text.split_inclusive(char::is_whitespace) {
                    sink(Delta::text(i, word));
                }
            }
            Ok(response)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
