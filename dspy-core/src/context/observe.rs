//! Observers: what happens while a program runs, as typed events.

use std::{
    fmt,
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::{Map, Value};

use super::recorder::{Recorded, Step};
use crate::{
    Error, LmError, ToolError,
    lm::{HistoryEntry, Prompt, Request, embed::Embeddings},
    value::Coercion,
};

/// Is told of what happens while a program runs: of requests, modules, tools, evaluations and compiles.
///
/// A closure is an observer. [`Settings::observer`](super::Settings::observer) adds one, for the process or for a scope:
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::Module, predict::Predict, with};
/// # use dspy_macros::signature;
/// use dspy_core::context::observe::{Event, EventKind};
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let report = |event: &Event<'_>| match &event.kind {
///     EventKind::RequestEnded { entry } => println!("{} took {:?}", entry.model, entry.duration),
///     EventKind::ToolStarted { tool, arguments } => println!("calls {tool} with {arguments:?}"),
///     _ => {}
/// };
/// # let qa = Predict::<Qa>::new().lm(StubModel::scripted([r#"{"answer": "Paris"}"#]));
/// with(|c| c.observer(report), qa.call("What is the capital of France?")).await?;
/// # Ok(()) })
/// # }
/// ```
///
/// It is called where the event happens, so it must be quick: what takes long belongs to a thread or a task of its own. A
/// panic in it is logged and disturbs nothing else. It must not change settings.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Tells pieces of work apart: unique in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct WorkId(NonZeroU64);

impl WorkId {
    pub(super) fn fresh() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Relaxed).wrapping_add(1);
        Self(NonZeroU64::new(id).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened.
///
/// Each piece of work (a request, a call of a module) begins with one event that ends in `Started`, and ends with one that
/// ends in `Ended` ([`RowScored`](EventKind::RowScored) for a row) or with [`Cancelled`](EventKind::Cancelled); the
/// events between belong to it, too. `parent` makes a tree of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The work that it belongs to.
    pub work: WorkId,
    /// The work that this work is part of. An observer of a scope may not know it: it may have begun outside.
    pub parent: Option<WorkId>,
    /// When it happened.
    pub time: SystemTime,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// What happened. Values of programs are made into JSON only if [`Recorded::to_json`] is called.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// A module is called.
    ModuleStarted {
        /// Its type.
        module: &'a str,
        /// Whether it is an agent, which calls tools.
        agent: bool,
        /// Its path in the program that was called; `None` of that program itself, and of a module without predictors.
        path: Option<&'a str>,
        /// Its input.
        input: &'a dyn Recorded,
    },
    /// A module has ended.
    ModuleEnded {
        /// Its type.
        module: &'a str,
        /// As above.
        path: Option<&'a str>,
        /// Its output.
        result: Result<&'a dyn Recorded, &'a Error>,
        /// How long it took.
        duration: Duration,
    },
    /// A predictor is called. One whose call is replayed because an assertion has the program run again is not.
    PredictorStarted {
        /// The name of its signature.
        signature: &'a str,
        /// Its path in the program that was called; `None` when it was called itself.
        path: Option<&'a str>,
        /// Its input.
        input: &'a dyn Recorded,
    },
    /// The adapter made the prompt of a request.
    PromptFormatted {
        /// The adapter.
        adapter: &'a str,
        /// The prompt.
        prompt: &'a Prompt,
    },
    /// The adapter read an answer.
    AnswerParsed {
        /// The adapter.
        adapter: &'a str,
        /// The coercions that were needed, or what could not be read.
        result: Result<&'a [Coercion], &'a Error>,
    },
    /// The predictor sends a further request, because an answer could not be read.
    AskedAgain {
        /// Why.
        reason: &'a str,
    },
    /// A predictor has ended.
    PredictorEnded {
        /// Its path.
        path: Option<&'a str>,
        /// What it did: input, outcome, usage, retries, coercions.
        step: &'a Step,
    },
    /// A request is sent to a model, unless a cache answers it.
    RequestStarted {
        /// The model, as `provider/name`.
        model: &'a str,
        /// The request.
        request: &'a Request,
    },
    /// An attempt to have a request answered, to a language model or for a batch of embeddings, failed, and another one is
    /// made.
    RequestRetried {
        /// Why it failed; its `attempts` are those that were made.
        error: &'a LmError,
        /// After how long.
        delay: Duration,
    },
    /// A request has ended.
    RequestEnded {
        /// The request and its result, as in the history: whether it was cached, its usage, cost and duration.
        entry: &'a HistoryEntry,
    },
    /// An embedding model is called.
    EmbeddingStarted {
        /// The model, as `provider/name`.
        model: &'a str,
        /// The texts.
        texts: &'a [&'a str],
    },
    /// An embedding model has answered.
    EmbeddingEnded {
        /// The model.
        model: &'a str,
        /// The vectors, and what they took.
        result: Result<&'a Embeddings, &'a LmError>,
        /// How long it took.
        duration: Duration,
    },
    /// A tool is called.
    ToolStarted {
        /// Its name.
        tool: &'a str,
        /// The arguments as they were given.
        arguments: &'a Map<String, Value>,
    },
    /// A tool has ended.
    ToolEnded {
        /// Its name.
        tool: &'a str,
        /// What it returned.
        result: Result<&'a Value, &'a ToolError>,
        /// How long it took.
        duration: Duration,
    },
    /// Passages are searched.
    RetrievalStarted {
        /// The retriever's type.
        retriever: &'a str,
        /// The query.
        query: &'a str,
        /// How many passages are wanted.
        k: usize,
    },
    /// A search has ended.
    RetrievalEnded {
        /// The retriever's type.
        retriever: &'a str,
        /// The passages, a `Vec<Passage>`.
        result: Result<&'a dyn Recorded, &'a Error>,
        /// How long it took.
        duration: Duration,
    },
    /// A program is evaluated.
    EvaluationStarted {
        /// The name of the metric.
        metric: &'a str,
        /// The number of rows, when it is known.
        rows: Option<usize>,
    },
    /// A row is run, in an evaluation or a compile.
    RowStarted {
        /// Its place among the rows.
        row: usize,
    },
    /// A row was scored.
    RowScored {
        /// Its place among the rows.
        row: usize,
        /// What the metric says; `None` when there is no output to score, or the metric failed.
        score: Option<f64>,
        /// What the metric says in words.
        feedback: Option<&'a str>,
        /// Why there is no score.
        error: Option<&'a Error>,
        /// How long it took.
        duration: Duration,
    },
    /// An evaluation has ended.
    EvaluationEnded {
        /// The name of the metric.
        metric: &'a str,
        /// The mean score over all rows, when the evaluation came to its end.
        score: Option<f64>,
        /// Why it stopped.
        error: Option<&'a Error>,
        /// How long it took.
        duration: Duration,
    },
    /// A compile begins.
    CompileStarted {
        /// The optimizer.
        optimizer: &'a str,
    },
    /// The optimizer did something.
    Optimizer {
        /// What: an [`optimize::Event`](crate::optimize::Event).
        event: &'a dyn Recorded,
    },
    /// A compile has ended.
    CompileEnded {
        /// The optimizer.
        optimizer: &'a str,
        /// Why it failed.
        error: Option<&'a Error>,
        /// How long it took.
        duration: Duration,
    },
    /// The work was given up before its end: its future was dropped.
    Cancelled {
        /// How long it took until then.
        duration: Duration,
    },
}

/// Observers, in the order in which they were added.
#[derive(Clone, Default)]
pub struct Observers(Option<Arc<[Arc<dyn Observer>]>>);

/// Whether there was ever an observer in this process.
static ANY: AtomicBool = AtomicBool::new(false);

impl Observers {
    /// These and one more.
    pub(super) fn and(&self, observer: impl Observer) -> Self {
        ANY.store(true, Relaxed);
        let all = self.iter().cloned().chain(std::iter::once(Arc::new(observer) as Arc<dyn Observer>));
        Self(Some(all.collect()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<dyn Observer>> {
        self.0.iter().flat_map(|all| all.iter())
    }

    pub(super) fn tell(&self, work: WorkId, parent: Option<WorkId>, kind: EventKind<'_>) {
        if self.is_empty() {
            return;
        }
        let event = Event { work, parent, time: SystemTime::now(), kind };
        for observer in self.iter() {
            if catch_unwind(AssertUnwindSafe(|| observer.observe(&event))).is_err() {
                tracing::error!("an observer panicked; what it observes goes on");
            }
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.len())
    }
}

/// Whether anybody may observe: an observer, or a subscriber of `tracing`.
#[inline]
pub(crate) fn wanted() -> bool {
    observed() || tracing::level_filters::LevelFilter::current() >= tracing::level_filters::LevelFilter::INFO
}

/// Whether there was ever an observer.
#[inline]
pub(super) fn observed() -> bool {
    ANY.load(Relaxed)
}
