//! Several models as one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    BoxFuture, Capabilities, DeltaSink, LM, LanguageModel, Options, Request, Response, RetryPolicy,
    cache::setups, client::Core, limiter::Limits,
};
use crate::{LmError, LmErrorKind};

impl LM {
    /// Models that stand in for each other: each request goes to the first, and to the next one when it fails, after the
    /// retries that the model's own client makes. One that is not reached, has no credit or refuses the key comes last for
    /// half a minute, so that not every request has to find that out.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use dspy_core::lm::{LM, RetryPolicy};
    /// # fn f() -> Result<(), dspy_core::LmError> {
    /// let hasty = RetryPolicy::new().retries(1).rate_limit_timeout(Duration::from_secs(5));
    /// let first = LM::builder("openai/gpt-4o-mini").retry(hasty).build()?;
    /// let lm = LM::fallback([first, LM::new("groq/llama-3.3-70b-versatile")?])?;
    /// # let _ = lm; Ok(()) }
    /// ```
    ///
    /// Each model keeps its options, limits and retries. Answers are kept in the cache of the first, under the names of all.
    /// What all of them can do natively is used. [`Response::model`] says who answered.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] without a model.
    pub fn fallback(models: impl IntoIterator<Item = Self>) -> Result<Self, LmError> {
        Route::client(FALLBACK, models.into_iter().collect(), None)
    }

    /// Models that share the work: requests go to one after the other. One that pauses because of a rate limit is passed
    /// over while another does not, and when one fails, the next one is asked. Otherwise as [`LM::fallback`].
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] without a model.
    pub fn round_robin(models: impl IntoIterator<Item = Self>) -> Result<Self, LmError> {
        Route::client(ROUND_ROBIN, models.into_iter().collect(), Some(AtomicUsize::new(0)))
    }
}

/// Several models, and which of them is asked.
pub(super) struct Route {
    id: String,
    endpoint: String,
    models: Vec<LM>,
    /// Until when each of them comes last.
    down: Vec<Down>,
    /// The number of the next request, when models take turns.
    turn: Option<AtomicUsize>,
}

/// How long a model comes last that could answer nothing.
const OUT: Duration = Duration::from_secs(30);

/// Until when a model comes last, if it does.
#[derive(Default)]
struct Down(Mutex<Option<Instant>>);

impl Down {
    /// Whether it comes last. When its time is over, one request finds out whether it is there again.
    fn is_down(&self, now: Instant) -> bool {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let down = until.is_some_and(|until| until > now);
        if until.is_some() && !down {
            *until = Some(now + OUT);
        }
        down
    }

    /// What became of a request.
    fn hear(&self, result: &Result<Response, LmError>) {
        let until = match result {
            Ok(_) => None,
            Err(error) if answers_nothing(error.kind) => Some(Instant::now() + OUT),
            Err(_) => return,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Whether what failed so would fail for every request.
fn answers_nothing(kind: LmErrorKind) -> bool {
    matches!(
        kind,
        LmErrorKind::Transport
            | LmErrorKind::Auth
            | LmErrorKind::Quota
            | LmErrorKind::NotFound
            | LmErrorKind::Configuration
    )
}

const FALLBACK: &str = "fallback";
const ROUND_ROBIN: &str = "round-robin";

impl Route {
    /// The models.
    pub(super) fn models(&self) -> &[LM] {
        &self.models
    }

    /// The client whose identifier this is, over these models; `None` if it is not that of a client over several.
    pub(super) fn restored(id: &str, models: Vec<LM>) -> Option<Result<LM, LmError>> {
        match id.split_once('(')?.0 {
            FALLBACK => Some(LM::fallback(models)),
            ROUND_ROBIN => Some(LM::round_robin(models)),
            _ => None,
        }
    }

    fn client(name: &str, models: Vec<LM>, turn: Option<AtomicUsize>) -> Result<LM, LmError> {
        let ids: Vec<&str> = models.iter().map(LM::id).collect();
        let id = format!("{name}({})", ids.join(", "));
        let Some(first) = models.first() else {
            return Err(LmError::new(LmErrorKind::Configuration, id, "there is no model to ask"));
        };
        let cache = first.cache().clone();
        // Part of the key of cached answers: where the models are, and what they are asked with.
        let endpoint = setups(models.iter().map(|lm| (lm.model(), lm.options())));
        let down = models.iter().map(|_| Down::default()).collect();
        let members = models.clone();
        let route = Self { id, endpoint, models, down, turn };
        let core = Core::new(Arc::new(route), None, RetryPolicy::none(), Limits::default(), cache);
        Ok(LM::assemble(core.standing_for(&members), Options::default()))
    }

    /// The models in the order in which they are asked.
    fn order(&self) -> Vec<(&LM, &Down)> {
        let now = Instant::now();
        let takes_turns = self.turn.is_some();
        let last = |(lm, down): &(&LM, &Down)| down.is_down(now) || takes_turns && lm.is_paused();
        let (last, mut order): (Vec<_>, Vec<_>) = self.models.iter().zip(&self.down).partition(last);
        if let Some(turn) = &self.turn {
            let turn = turn.fetch_add(1, Relaxed);
            // Those that remain share the turns of the others.
            if !order.is_empty() {
                let first = turn % order.len();
                order.rotate_left(first);
            }
        }
        order.extend(last);
        order
    }

    async fn ask(
        &self,
        request: &Request,
        mut sink: Option<&mut DeltaSink<'_>>,
    ) -> Result<Response, LmError> {
        let mut failures: Vec<LmError> = Vec::new();
        for (lm, down) in self.order() {
            let mut begun = false;
            let result = match sink.as_deref_mut() {
                None => lm.ask_model(request, None).await,
                Some(sink) => {
                    let mut watched = |delta| {
                        begun = true;
                        sink(delta);
                    };
                    lm.ask_model(request, Some(&mut watched)).await
                }
            };
            down.hear(&result);
            match result {
                Ok(response) => return Ok(response),
                Err(error) => {
                    tracing::debug!(%error, "the next model is asked");
                    failures.push(error);
                }
            }
            // Pieces of two answers would be mixed.
            if begun {
                break;
            }
        }
        let Some(mut last) = failures.pop() else {
            return Err(LmError::new(LmErrorKind::Configuration, &self.id, "there is no model to ask"));
        };
        for earlier in failures {
            last.message = format!("{}; before that, {earlier}", last.message);
        }
        Err(last)
    }
}

impl LanguageModel for Route {
    fn id(&self) -> &str {
        &self.id
    }

    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn capabilities(&self) -> Capabilities {
        self.models.iter().map(LM::capabilities).reduce(Capabilities::both).unwrap_or_default()
    }

    fn request_body(&self, request: &Request) -> Result<Vec<u8>, LmError> {
        match self.models.first() {
            Some(lm) => lm.request_body(request.clone()),
            None => Ok(Vec::new()),
        }
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(self.ask(request, None))
    }

    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(self.ask(request, Some(sink)))
    }
}
