//! The standard client: cache, single-flight, limits and retries around a [`LanguageModel`].

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use tracing::Instrument;

use super::{
    Answer, BoxFuture, Cache, Capabilities, DeltaSink, HistoryEntry, Inspection, LanguageModel, Options,
    Request, Response, ResponseStream, RetryPolicy, Usage,
    account::{Call, Sums},
    attempts::Attempts,
    budget::{Admitted, Asked},
    cache::{Asking, Found, Key},
    history,
    limiter::{Limiter, Limits},
    probe::Retried,
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
    sums: Sums,
    /// The models of which one answers: this one, or those of `members`.
    priced: Vec<Arc<str>>,
    /// The clients for which this one stands, if it stands for several.
    members: Vec<LM>,
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
        let id: Arc<str> = model.id().into();
        Self {
            priced: vec![id.clone()],
            members: Vec::new(),
            id,
            capabilities: capabilities.unwrap_or_else(|| model.capabilities()),
            retry,
            limiter: Limiter::new(limits),
            timeout: limits.timeout.unwrap_or(Duration::from_secs(600)),
            hedge: limits.hedge,
            cache,
            sums: Sums::default(),
            model,
        }
    }

    /// The same for a client that stands for several.
    pub(super) fn standing_for(mut self, members: &[LM]) -> Self {
        self.priced = members.iter().flat_map(|lm| lm.core.priced.iter().cloned()).collect();
        self.members = members.to_vec();
        self
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
        let Some(_place) = self.limiter.spare_place(|| bytes_of(request)) else { return first.await };
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

    /// The model that gave an answer of this client: of several, the one of them.
    pub(crate) fn answered_by<'a>(&'a self, answer: &'a Answer) -> &'a Arc<str> {
        answer.response.answered_by.as_ref().unwrap_or(&self.core.id)
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
        self.core.sums.usage()
    }

    /// The last `n` requests to models of this name in the history of the process, the oldest first.
    pub fn history(&self, n: usize) -> Vec<Arc<HistoryEntry>> {
        let mut entries = history::recent(usize::MAX);
        entries.retain(|entry| entry.model == self.core.id);
        entries.split_off(entries.len().saturating_sub(n))
    }

    /// The last `n` prompts and answers of models of this name, to print.
    pub fn inspect_history(&self, n: usize) -> Inspection {
        Inspection::new(self.history(n))
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
            let call = Call::begin(self.id(), &mut request);
            let result = match self.deadline {
                None => self.answer(&request).instrument(call.span()).await,
                Some(deadline) => {
                    // In a box, because most calls have none.
                    let answer = Box::pin(self.answer(&request).instrument(call.span()));
                    self.in_time(deadline, answer).await
                }
            };
            call.end(&self.core.id, &self.core.sums, request, &result);
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
            let call = Call::begin(lm.id(), &mut request);
            let answer = lm.answer_streamed(&request, &mut *sink).instrument(call.span());
            let result = match lm.deadline {
                None => answer.await,
                Some(deadline) => lm.in_time(deadline, answer).await,
            };
            call.end(&lm.core.id, &lm.core.sums, request, &result);
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
                let how = self.asking(request);
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
        let how = self.asking(request);
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
        let asked = self.answers(&request, sink);
        let mut response = match self.deadline {
            None => asked.await,
            Some(deadline) => self.in_time(deadline, asked).await,
        }?;
        self.core.sums.add(&response.usage);
        response.answered_by.get_or_insert_with(|| self.core.id.clone());
        Ok(response)
    }

    /// How this client uses its cache.
    fn asking<'a>(&'a self, request: &'a Request) -> Asking<'a> {
        let asked = request.prompt.messages().last().map_or("", |message| message.content.text());
        self.core.cache.asking(self.id(), asked, Arc::as_ptr(&self.core).addr(), self.core.timeout)
    }

    /// Asks the meter of the work that a request belongs to.
    fn admit(&self, key: Option<&Key>, request: &Request) -> Result<Option<Admitted>, LmError> {
        let Some(meter) = &request.meter else { return Ok(None) };
        let Options { n, max_tokens, .. } = request.options;
        let requests = self.requests(n);
        let answers = n.unwrap_or(1).max(1).into();
        let asked = Asked::Answer { prompt: &request.prompt, max_tokens, answers, requests };
        meter.admit(self.id(), &self.core.priced, key, asked).map(Some)
    }

    /// How many requests are sent for so many answers.
    fn requests(&self, n: Option<u32>) -> u64 {
        let n = n.or(self.options.n);
        match (n, &*self.core.members) {
            (Some(n @ 2..), []) if !self.core.model.several() => n.into(),
            (_, []) => 1,
            (n, members) => members.iter().map(|lm| lm.requests(n)).max().unwrap_or(1),
        }
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
        let probe = request.probe.as_deref().map(|probe| probe as &dyn Retried);
        let mut attempts = Attempts::new(self.id(), &core.limiter, &core.retry, probe);
        loop {
            let mut begun = false;
            let place = attempts.begin(|| bytes_of(request)).await?;
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
            match result {
                Ok(mut response) => {
                    place.answered(&response.usage, response.quota.take().as_deref());
                    return Ok(response);
                }
                // What was handed over cannot be taken back. In a box, because it is rare.
                Err(error) => Box::pin(attempts.failed(place, error, !begun)).await?,
            }
        }
    }
}

/// The length of a request's texts.
fn bytes_of(request: &Request) -> usize {
    request.prompt.messages().map(|message| message.content.text().len()).sum()
}

/// Tells the meter what an answer took.
fn settled(admitted: Option<Admitted>, model: &str, answer: Answer) -> Answer {
    if let Some(admitted) = admitted {
        admitted.settle(answer.response.answered_by.as_deref().unwrap_or(model), &answer.response.usage);
    }
    answer
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
