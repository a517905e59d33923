//! The standard client: cache, single-flight, limits and retries around a [`LanguageModel`].

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::{Either, select};
use tracing::Instrument;

use super::{
    Answer, BoxFuture, Cache, Capabilities, DeltaSink, HistoryEntry, LanguageModel, Meter, Options, Request,
    Response, ResponseStream, RetryPolicy, Usage,
    budget::Admitted,
    cache::{Asking, Found, Key},
    history::{self, Inspection},
    limiter::{Limiter, Limits},
    several::{self, Shared},
};
use crate::{LmError, LmErrorKind, error::no_runtime};

/// A client of a language model, with a cache, limits and retries. It is cheap to clone.
///
/// ```no_run
/// # async fn f() -> Result<(), dspy_core::LmError> {
/// use dspy_core::lm::{LM, Message, Request};
///
/// let lm = LM::new("openai/gpt-4o-mini")?;
/// let answer = lm.generate(Request::new(vec![Message::user("What is the capital of France?")])).await?;
/// println!("{}", answer.response.choices[0].text);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LM {
    core: Arc<Core>,
    options: Arc<Options>,
    /// How long a call may take altogether.
    deadline: Option<Duration>,
}

/// What the clones of a handle share.
pub(super) struct Core {
    model: Arc<dyn LanguageModel>,
    id: Arc<str>,
    capabilities: Capabilities,
    retry: RetryPolicy,
    limiter: Limiter,
    /// How long one attempt may take.
    timeout: Duration,
    /// When a request without an answer is sent a second time.
    hedge: Option<Duration>,
    cache: Cache,
    spent: Spent,
}

/// What was spent, added up without a lock.
#[derive(Default)]
struct Spent {
    calls: AtomicU64,
    cached_calls: AtomicU64,
    unsaved_calls: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    cached_prompt_tokens: AtomicU64,
    cache_write_tokens: AtomicU64,
    reasoning_tokens: AtomicU64,
}

impl<M: LanguageModel> From<M> for LM {
    fn from(model: M) -> Self {
        Self::from_model(model)
    }
}

impl Core {
    pub(super) fn new(
        model: Arc<dyn LanguageModel>,
        capabilities: Option<Capabilities>,
        retry: RetryPolicy,
        limits: Limits,
        cache: Cache,
    ) -> Self {
        Self {
            id: model.id().into(),
            capabilities: capabilities.unwrap_or_else(|| model.capabilities()),
            retry,
            limiter: Limiter::new(limits),
            timeout: limits.timeout.unwrap_or(Duration::from_secs(600)),
            hedge: limits.hedge,
            cache,
            spent: Spent::default(),
            model,
        }
    }

    /// Sends a request, and sends it again if there is no answer after a while. The first answer is taken.
    async fn hedged(&self, request: &Request, after: Duration) -> Result<Response, LmError> {
        let first = self.model.generate(request);
        if tokio::runtime::Handle::try_current().is_err() {
            return first.await;
        }
        let first = match select(first, pin!(tokio::time::sleep(after))).await {
            Either::Left((result, _)) => return result,
            Either::Right(((), first)) => first,
        };
        // Not where requests wait: this one has its turn.
        let Some(_place) = self.limiter.spare_place() else { return first.await };
        match select(first, self.model.generate(request)).await {
            Either::Left((Ok(response), _)) | Either::Right((Ok(response), _)) => Ok(response),
            Either::Left((Err(_), other)) | Either::Right((Err(_), other)) => other.await,
        }
    }
}

impl LM {
    /// A client of a model of your own, with the same single-flight and retries, no limit on requests in flight, and
    /// a cache of its own in memory.
    ///
    /// To cache its answers on disk, use [`LM::wrap`] and [`LMBuilder::cache`](super::LMBuilder::cache). Then
    /// [`LanguageModel::id`] and [`LanguageModel::endpoint`] must tell it from every other model that ever uses the same
    /// cache.
    pub fn from_model(model: impl LanguageModel) -> Self {
        let core =
            Core::new(Arc::new(model), None, RetryPolicy::default(), Limits::default(), Cache::private());
        Self::assemble(core, Options::default())
    }

    pub(super) fn assemble(core: Core, options: Options) -> Self {
        Self { core: Arc::new(core), options: Arc::new(options), deadline: None }
    }

    /// The model's identifier, as `provider/name`.
    pub fn id(&self) -> &str {
        &self.core.id
    }

    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.core.id
    }

    /// A client like this one for another model.
    pub(crate) fn with_model(&self, model: impl LanguageModel) -> Self {
        let Core { capabilities, retry, limiter, cache, .. } = &*self.core;
        let (retry, cache) = (retry.clone(), cache.clone());
        let core = Core::new(Arc::new(model), Some(*capabilities), retry, limiter.limits(), cache);
        Self { core: Arc::new(core), ..self.clone() }
    }

    /// The model of this client.
    pub fn model(&self) -> &dyn LanguageModel {
        &*self.core.model
    }

    /// What the model can do natively.
    pub fn capabilities(&self) -> Capabilities {
        self.core.capabilities
    }

    /// The default options of requests.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The same client with default options that `options` override; the cache, limits and counters are shared.
    #[must_use]
    pub fn with_options(&self, options: &Options) -> Self {
        Self { options: Arc::new(self.options.overlaid(options)), ..self.clone() }
    }

    /// The same client, whose calls may take so long altogether: with the wait for a place, with pauses and repeated
    /// attempts. A call that takes longer is given up ([`Timeout`](crate::LmErrorKind::Timeout)). The cache, limits and
    /// counters are shared.
    #[must_use]
    pub fn with_deadline(&self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { deadline: deadline.into(), ..self.clone() }
    }

    /// Whether requests wait at present, because the provider takes no more.
    pub fn is_paused(&self) -> bool {
        self.core.limiter.is_paused()
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.core.cache
    }

    /// The retry policy.
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.core.retry
    }

    /// The usage of all clones of this client so far.
    pub fn usage(&self) -> Usage {
        let s = &self.core.spent;
        Usage {
            calls: s.calls.load(Relaxed),
            cached_calls: s.cached_calls.load(Relaxed),
            unsaved_calls: s.unsaved_calls.load(Relaxed),
            prompt_tokens: s.prompt_tokens.load(Relaxed),
            completion_tokens: s.completion_tokens.load(Relaxed),
            cached_prompt_tokens: s.cached_prompt_tokens.load(Relaxed),
            cache_write_tokens: s.cache_write_tokens.load(Relaxed),
            reasoning_tokens: s.reasoning_tokens.load(Relaxed),
        }
    }

    /// The last `n` requests to models of this name in the history of the process, the oldest first.
    pub fn history(&self, n: usize) -> Vec<Arc<HistoryEntry>> {
        let mut entries = history::recent(usize::MAX);
        entries.retain(|entry| entry.model == self.core.id);
        entries.split_off(entries.len().saturating_sub(n))
    }

    /// The last `n` prompts and answers of models of this name, to print.
    pub fn inspect_history(&self, n: usize) -> Inspection {
        Inspection(self.history(n))
    }

    /// Sends a request; `request.options` override those of the client.
    ///
    /// With `request.cache`, a cached answer is used if there is one, equal requests in flight are sent once, and
    /// the answer is cached before this returns. Failures are retried according to [`RetryPolicy`], and not cached.
    ///
    /// # Errors
    /// [`LmError`] after the last attempt; [`ContentFilter`](crate::LmErrorKind::ContentFilter) and
    /// [`Refusal`](crate::LmErrorKind::Refusal) when there is an
    /// answer that nobody can use.
    pub fn generate(&self, request: Request) -> impl Future<Output = Result<Answer, LmError>> + Send {
        self.ask(request, true)
    }

    /// As [`generate`](Self::generate). What was withheld is an answer unless it is `checked`.
    pub(crate) fn ask(
        &self,
        mut request: Request,
        checked: bool,
    ) -> impl Future<Output = Result<Answer, LmError>> + Send {
        request.options.fill_from(&self.options);
        // A block, because an `async fn` keeps its arguments twice.
        async move {
            let began = Began::now();
            let span = self.span(&request);
            let result = match self.deadline {
                None => self.answer(&request).instrument(span.clone()).await,
                Some(deadline) => {
                    // In a box, because most calls have none.
                    let answer = Box::pin(self.answer(&request).instrument(span.clone()));
                    self.in_time(deadline, answer).await
                }
            };
            self.account(&span, &began, request, &result);
            if checked { result.and_then(|answer| answer.checked(self.id())) } else { result }
        }
    }

    /// Sends a request and returns the answer as it is generated.
    ///
    /// A cached answer arrives as one piece. A complete answer is cached if `request.cache` is set; a stream that
    /// is dropped before its end stops the request, and nothing is cached. Failures are retried as long as nothing
    /// has been returned.
    pub fn stream(&self, request: Request) -> ResponseStream {
        self.ask_streamed(request, true)
    }

    /// As [`stream`](Self::stream). What was withheld is an answer unless it is `checked`.
    pub(crate) fn ask_streamed(&self, mut request: Request, checked: bool) -> ResponseStream {
        request.options.fill_from(&self.options);
        let lm = self.clone();
        ResponseStream::new(|mut sink| async move {
            let began = Began::now();
            let span = lm.span(&request);
            let answer = lm.answer_streamed(&request, &mut *sink).instrument(span.clone());
            let result = match lm.deadline {
                None => answer.await,
                Some(deadline) => lm.in_time(deadline, answer).await,
            };
            lm.account(&span, &began, request, &result);
            if checked { result.and_then(|answer| answer.checked(lm.id())) } else { result }
        })
    }

    /// The body of a request as the provider receives it. Nothing is sent.
    ///
    /// # Errors
    /// See [`LanguageModel::request_body`].
    pub fn request_body(&self, mut request: Request) -> Result<Vec<u8>, LmError> {
        request.options.fill_from(&self.options);
        self.core.model.request_body(&request)
    }

    async fn answer(&self, request: &Request) -> Result<Answer, LmError> {
        match self.core.cache.store().filter(|_| request.cache) {
            None => {
                let admitted = self.admit(None, request)?;
                let response = Arc::new(self.answers(request, None).await?);
                Ok(settled(admitted, self.id(), Answer { response, cached: false, unsaved: false }))
            }
            Some(store) => {
                let key = Key::of(&*self.core.model, request);
                let admitted = self.admit(Some(&key), request)?;
                let how = self.asking();
                if how.mode.reads()
                    && let Some(response) = store.in_memory(&key)
                {
                    return Ok(settled(
                        admitted,
                        self.id(),
                        Answer { response, cached: true, unsaved: false },
                    ));
                }
                // Boxed, so that what waits behind a flight, or is found on disk, stays small.
                let asking = Box::pin(store.answer(key, &how, Box::pin(self.answers(request, None))));
                let Found { response, asked, unsaved } = asking.await?;
                Ok(settled(admitted, self.id(), Answer { response, cached: !asked, unsaved }))
            }
        }
    }

    async fn answer_streamed(&self, request: &Request, sink: &mut DeltaSink<'_>) -> Result<Answer, LmError> {
        let store = self.core.cache.store().filter(|_| request.cache);
        let key = store.map(|_| Key::of(&*self.core.model, request));
        let admitted = self.admit(key.as_ref(), request)?;
        let how = self.asking();
        if let (Some(store), Some(key)) = (store, &key) {
            if how.mode.reads()
                && let Some(response) = store.find(key).await
            {
                super::model::replay(&response, sink);
                return Ok(settled(admitted, self.id(), Answer { response, cached: true, unsaved: false }));
            }
            if !how.mode.asks() {
                return Err(how.missing());
            }
        }
        let response = Arc::new(self.answers(request, Some(sink)).await?);
        let mut unsaved = false;
        if let (Some(store), Some(key)) = (store, &key)
            && response.withheld().is_none()
        {
            unsaved = !store.keep(key, &response, &how).await?;
        }
        Ok(settled(admitted, self.id(), Answer { response, cached: false, unsaved }))
    }

    async fn in_time<T>(
        &self,
        deadline: Duration,
        work: impl Future<Output = Result<T, LmError>>,
    ) -> Result<T, LmError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(LmError::new(LmErrorKind::Configuration, self.id(), no_runtime("Deadlines")));
        }
        tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
            let seconds = deadline.as_secs_f64();
            let message = format!("the deadline of {seconds} s has passed before there was an answer");
            Err(LmError::new(LmErrorKind::Timeout, self.id(), message))
        })
    }

    /// Asks the model, without the cache, with this client's options, limits and retries: for a client of several
    /// models, which has counted the request.
    pub(super) async fn ask_model(
        &self,
        request: &Request,
        sink: Option<&mut DeltaSink<'_>>,
    ) -> Result<Response, LmError> {
        let mut request = request.clone();
        request.options.fill_from(&self.options);
        let asked = self.attempts(&request, sink);
        let response = match self.deadline {
            None => asked.await,
            Some(deadline) => self.in_time(deadline, asked).await,
        }?;
        self.core.spent.add(&response.usage);
        Ok(response)
    }

    /// How this client uses its cache.
    fn asking(&self) -> Asking<'_> {
        self.core.cache.asking(self.id(), Arc::as_ptr(&self.core).addr(), self.core.timeout)
    }

    /// Asks the meter of the work that a request belongs to.
    fn admit(&self, key: Option<&Key>, request: &Request) -> Result<Option<Admitted>, LmError> {
        let max_tokens = request.options.max_tokens;
        let admit = |meter: &Arc<Meter>| meter.admit(self.id(), key, &request.prompt, max_tokens);
        request.meter.as_ref().map(admit).transpose()
    }

    /// As many answers as are asked for: by several requests, where one cannot ask for several.
    async fn answers(
        &self,
        request: &Request,
        sink: Option<&mut DeltaSink<'_>>,
    ) -> Result<Response, LmError> {
        match request.options.n {
            Some(n) if n > 1 && !self.core.model.several() => Box::pin(self.several(request, n, sink)).await,
            _ => self.attempts(request, sink).await,
        }
    }

    async fn several(
        &self,
        request: &Request,
        n: u32,
        sink: Option<&mut DeltaSink<'_>>,
    ) -> Result<Response, LmError> {
        let requests = several::split(self.id(), request, n)?;
        let shared = sink.map(Shared::new);
        let mut asked: Vec<BoxFuture<'_, Result<Response, LmError>>> = Vec::with_capacity(requests.len());
        for (i, one) in requests.iter().enumerate() {
            let shared = shared.as_ref();
            asked.push(Box::pin(async move {
                let Some(shared) = shared else { return self.attempts(one, None).await };
                let mut sink = |delta| shared.pass(i, delta);
                self.attempts(one, Some(&mut sink)).await
            }));
        }
        several::answers(asked).await
    }

    /// Sends a request until it is answered or there is no hope.
    async fn attempts(
        &self,
        request: &Request,
        mut sink: Option<&mut DeltaSink<'_>>,
    ) -> Result<Response, LmError> {
        let core = &*self.core;
        let (mut attempts, mut faults) = (0, 0);
        loop {
            attempts += 1;
            let mut begun = false;
            // Held for this attempt only: who waits to try again lets others through.
            let place = core.limiter.place(self.id(), || bytes_of(request)).await.map_err(|mut error| {
                error.attempts = attempts - 1;
                error
            })?;
            let result = match sink.as_deref_mut() {
                None => match core.hedge {
                    None => core.model.generate(request).await,
                    Some(after) => Box::pin(core.hedged(request, after)).await,
                },
                Some(sink) => {
                    let mut watched = |delta| {
                        begun = true;
                        sink(delta);
                    };
                    core.model.stream(request, &mut watched).await
                }
            };
            let mut error = match result {
                Ok(response) => {
                    place.answered(&response.usage);
                    return Ok(response);
                }
                Err(error) => error,
            };
            error.attempts = attempts;
            if error.model.is_empty() {
                error.model = self.id().to_owned();
            }
            let delay = place.failed(&error, attempts, &mut faults, &core.retry);
            match delay {
                Some(_) if tokio::runtime::Handle::try_current().is_err() => {
                    error.message.push_str("; ");
                    error.message.push_str(&no_runtime("Further attempts"));
                    return Err(error);
                }
                Some(delay) if !begun => {
                    tracing::debug!(%error, attempts, delay = ?delay, "trying again");
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                }
                _ => return Err(error),
            }
        }
    }

    /// A span with OpenTelemetry's names (semantic conventions for generative AI); nothing when nobody listens.
    fn span(&self, request: &Request) -> tracing::Span {
        let span = tracing::info_span!(
            "chat",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = tracing::field::Empty,
            gen_ai.request.model = self.id(),
            gen_ai.request.temperature = request.options.temperature,
            gen_ai.request.top_p = request.options.top_p,
            gen_ai.request.max_tokens = request.options.max_tokens,
            gen_ai.request.seed = request.options.seed,
            gen_ai.response.id = tracing::field::Empty,
            gen_ai.response.model = tracing::field::Empty,
            gen_ai.response.finish_reasons = tracing::field::Empty,
            gen_ai.usage.input_tokens = tracing::field::Empty,
            gen_ai.usage.output_tokens = tracing::field::Empty,
            dspy.cached = tracing::field::Empty,
            error.r#type = tracing::field::Empty,
        );
        if !span.is_disabled()
            && let Some((provider, _)) = self.id().split_once('/')
        {
            span.record("gen_ai.provider.name", provider);
        }
        span
    }

    fn account(
        &self,
        span: &tracing::Span,
        began: &Began,
        request: Request,
        result: &Result<Answer, LmError>,
    ) {
        if let Ok(answer) = result {
            self.core.spent.add(&answer.usage());
        }
        if !span.is_disabled() {
            record(span, result);
        }
        history::push(HistoryEntry {
            time: began.time,
            model: self.core.id.clone(),
            prompt: request.prompt,
            cached: result.as_ref().is_ok_and(|answer| answer.cached),
            outcome: result.as_ref().map(|answer| answer.response.clone()).map_err(Clone::clone),
            duration: began.elapsed(),
        });
    }
}

/// The length of a request's texts.
fn bytes_of(request: &Request) -> usize {
    request.prompt.messages().map(|message| message.content.text().len()).sum()
}

/// Tells the meter what an answer took.
fn settled(admitted: Option<Admitted>, model: &str, answer: Answer) -> Answer {
    if let Some(admitted) = admitted {
        admitted.settle(model, &answer.response.usage);
    }
    answer
}

fn record(span: &tracing::Span, result: &Result<Answer, LmError>) {
    match result {
        Err(e) => {
            span.record("error.type", e.kind.as_str());
        }
        Ok(answer) => {
            let response = &answer.response;
            span.record("gen_ai.response.id", &*response.id);
            span.record("gen_ai.response.model", &*response.model);
            let reasons: Vec<_> = response.choices.iter().map(|c| &c.finish).collect();
            span.record("gen_ai.response.finish_reasons", tracing::field::debug(reasons));
            span.record("gen_ai.usage.input_tokens", response.usage.prompt_tokens);
            span.record("gen_ai.usage.output_tokens", response.usage.completion_tokens);
            span.record("dspy.cached", answer.cached);
        }
    }
}

/// When a request began, for people and for measuring.
struct Began {
    time: SystemTime,
    instant: Instant,
}

impl Began {
    fn now() -> Self {
        Self { time: SystemTime::now(), instant: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        self.instant.elapsed()
    }
}

impl Spent {
    fn add(&self, u: &Usage) {
        for (sum, n) in [
            (&self.calls, u.calls),
            (&self.cached_calls, u.cached_calls),
            (&self.unsaved_calls, u.unsaved_calls),
            (&self.prompt_tokens, u.prompt_tokens),
            (&self.completion_tokens, u.completion_tokens),
            (&self.cached_prompt_tokens, u.cached_prompt_tokens),
            (&self.cache_write_tokens, u.cache_write_tokens),
            (&self.reasoning_tokens, u.reasoning_tokens),
        ] {
            if n > 0 {
                sum.fetch_add(n, Relaxed);
            }
        }
    }
}

impl fmt::Debug for LM {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LM")
            .field("id", &self.id())
            .field("endpoint", &self.model().endpoint())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
