//! Settings and the trace of the running task.
//!
//! [`configure`] changes the settings of the process, [`with`] those of one task and everything that it awaits. The
//! library's own concurrency passes them on; a task of `tokio::spawn` receives them through [`Context::current`].

mod attempt;
mod guidance;
pub mod observe;
mod recorder;
mod settings;
mod work;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock},
    task::{self, Poll},
};

pub(crate) use attempt::{Attempt, Ended, Logged, Recall};
pub(crate) use guidance::{Correction, Guidance, Hints};
pub(crate) use recorder::next_sequence;
pub use recorder::{
    Attached, PredictorId, Recorded, Recorder, Recording, Step, StepOutcome, UsageReport, show_messages,
};
pub use settings::Settings;
pub(crate) use work::{PredictorPaths, Work};

use self::{observe::EventKind, work::Within};
use crate::{
    lm::{Counts, EmbeddingProbe, Ledger, Meter, Probe, Probes, Request, install_probes, provide_ledger},
    signature::Violation,
};

static GLOBAL: LazyLock<RwLock<Arc<Settings>>> = LazyLock::new(RwLock::default);
/// Held while the global settings change, so that no change is lost, and none keeps readers waiting.
static CHANGING: Mutex<()> = Mutex::new(());

tokio::task_local! {
    static SCOPE: Context;
}

/// Changes the settings of the process. Calls that are running keep the settings that they started with.
///
/// ```
/// # use dspy_core::{adapter::ChatAdapter, configure};
/// configure(|c| c.adapter(ChatAdapter::default()).concurrency(8));
/// ```
pub fn configure(change: impl FnOnce(Settings) -> Settings) {
    let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    provide_ledger(ledger);
    let changed = changed(&global(), change);
    *GLOBAL.write().unwrap_or_else(PoisonError::into_inner) = changed;
}

/// Runs a future under changed settings.
///
/// ```
/// # async fn run() {
/// let concurrency = dspy_core::with(|c| c.concurrency(2), async { dspy_core::settings().concurrency }).await;
/// assert_eq!(concurrency, 2);
/// # }
/// ```
pub fn with<F: Future>(
    change: impl FnOnce(Settings) -> Settings,
    future: F,
) -> impl Future<Output = F::Output> {
    With { change: Some(change), context: Context::default(), future }
}

pin_project_lite::pin_project! {
    // A type of its own, because an `async fn` keeps its arguments twice and would double the future at every level.
    struct With<C, F> {
        // Taken when the future first runs, so that scopes nest however they are written down.
        change: Option<C>,
        context: Context,
        #[pin]
        future: F,
    }
}

impl<C: FnOnce(Settings) -> Settings, F: Future> Future for With<C, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(change) = this.change.take() {
            *this.context = Context::current();
            this.context.settings = Some(changed(&this.context.settings(), change));
        }
        provide_ledger(ledger);
        SCOPE.sync_scope(this.context.clone(), || this.future.poll(cx))
    }
}

fn changed(settings: &Settings, change: impl FnOnce(Settings) -> Settings) -> Arc<Settings> {
    let changed = Arc::new(change(settings.clone()));
    if !changed.observers.is_empty() {
        install_probes(Probes { request: request_probe, embedding: embedding_probe });
    }
    changed
}

fn request_probe(model: &str, request: &Request) -> Option<Arc<dyn Probe>> {
    // The client has a span of its own.
    let work = Context::current().begin_observed(|| EventKind::RequestStarted { model, request })?;
    Some(Arc::new(work))
}

fn embedding_probe(model: &str, texts: &[&str]) -> Option<Box<dyn EmbeddingProbe>> {
    let work = Context::current().begin_observed(|| EventKind::EmbeddingStarted { model, texts })?;
    Some(Box::new(work))
}

/// Begins work in the current context, if anybody observes.
pub(crate) fn begin<'a>(start: impl FnOnce() -> (tracing::Span, EventKind<'a>)) -> Option<Work> {
    if observe::wanted() { Context::current().begin(start) } else { None }
}

/// Tells the observers of something that happened in the work at hand.
pub(crate) fn tell<'a>(kind: impl FnOnce() -> EventKind<'a>) {
    if observe::observed() {
        let context = Context::current();
        if let Some(within) = &context.within {
            context.settings().observers.tell(within.id, within.parent, kind());
        }
    }
}

/// The current settings.
pub fn settings() -> Arc<Settings> {
    SCOPE.try_with(|c| c.settings.clone()).ok().flatten().unwrap_or_else(global)
}

fn global() -> Arc<Settings> {
    GLOBAL.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What counts the spending of the running task.
fn ledger() -> Ledger {
    let context = Context::current();
    let meter = context.meter();
    Ledger { meter, usage: context.recorder.map(|recorder| recorder as Arc<dyn Counts>) }
}

/// The current settings and recorder, which can be passed on to a spawned task.
#[derive(Debug, Clone, Default)]
pub struct Context {
    settings: Option<Arc<Settings>>,
    recorder: Option<Arc<Recorder>>,
    attempt: Option<Arc<Attempt>>,
    hints: Option<Arc<Hints>>,
    /// The observed work at hand.
    within: Option<Arc<Within>>,
}

impl Context {
    /// The current context.
    pub fn current() -> Self {
        SCOPE.try_with(Clone::clone).unwrap_or_default()
    }

    /// The settings.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.clone().unwrap_or_else(global)
    }

    /// What counts the requests of the work at hand.
    pub(crate) fn meter(&self) -> Option<Arc<Meter>> {
        match &self.settings {
            Some(settings) => settings.meter.clone(),
            None => global().meter.clone(),
        }
    }

    /// The recorder of the running call, if there is one.
    pub fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    /// The same settings with another recorder.
    #[must_use]
    pub fn recording(mut self, recorder: Arc<Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Runs a function in this context.
    pub fn sync_scope<R>(self, function: impl FnOnce() -> R) -> R {
        provide_ledger(ledger);
        SCOPE.sync_scope(self, function)
    }

    /// The runs of the call at hand.
    pub(crate) fn attempt(&self) -> Option<&Arc<Attempt>> {
        self.attempt.as_ref()
    }

    /// The same context within the runs of a call.
    pub(crate) fn attempting(mut self, attempt: Arc<Attempt>) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// The same context with a record of its own, which is part of the present one.
    pub(crate) fn nested(self) -> Self {
        let recorder = Recorder::new(self.recorder.clone(), false);
        self.recording(recorder)
    }

    /// The same context for work of its own: neither run again by the call at hand nor advised by it.
    pub(crate) fn detached(mut self) -> Self {
        self.attempt = None;
        self.hints = None;
        self
    }

    /// The advice that predictors are shown.
    pub(crate) fn hints(&self) -> Option<&Arc<Hints>> {
        self.hints.as_ref()
    }

    /// The same context with other advice.
    pub(crate) fn hinting(mut self, hints: Hints) -> Self {
        self.hints = Some(Arc::new(hints));
        self
    }

    /// Whether anybody may observe.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        observe::wanted()
    }

    /// Begins work, if anybody observes: with its span, and the event that tells of it.
    #[inline]
    pub(crate) fn begin<'a>(&self, start: impl FnOnce() -> (tracing::Span, EventKind<'a>)) -> Option<Work> {
        if !observe::wanted() {
            return None;
        }
        let (span, started) = start();
        let observers = self.settings().observers.clone();
        // Nobody may be left: an observer of another scope, a subscriber that does not want this.
        if observers.is_empty() && span.is_disabled() {
            return None;
        }
        Some(Work::begin(observers, self.within.as_deref(), span, started))
    }

    /// Begins work that has no span, if there are observers.
    fn begin_observed<'a>(&self, started: impl FnOnce() -> EventKind<'a>) -> Option<Work> {
        self.begin(|| (tracing::Span::none(), started()))
    }

    /// The same context within a piece of work.
    pub(crate) fn within(mut self, work: &Work) -> Self {
        self.within = Some(Arc::new(work.within()));
        self
    }

    /// The path of a predictor in the program that was called, as far as it is observed.
    pub(crate) fn path_of(&self, predictor: PredictorId) -> Option<Arc<str>> {
        let paths = self.within.as_ref()?.paths.as_ref()?;
        paths.iter().find(|(id, _)| *id == predictor).map(|(_, path)| path.clone())
    }

    /// Notes a wish that is not met.
    pub(crate) fn note(&self, violation: Violation) {
        match (&self.attempt, &self.recorder) {
            (Some(attempt), _) => attempt.note(violation),
            (None, Some(recorder)) => recorder.note(&violation),
            (None, None) => {}
        }
    }

    /// Runs a future in this context.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        provide_ledger(ledger);
        SCOPE.scope(self, future)
    }
}
