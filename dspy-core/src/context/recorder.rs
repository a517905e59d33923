//! The steps and the usage of a call.

use std::{
    any::Any,
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    Error,
    lm::{Counts, Message, Response, Usage, facts},
    signature::Violation,
    value::{
        Coercion,
        erased::{Write, tree},
    },
};

/// A recorded value, which is serialized when it is read.
pub trait Recorded: Any + Send + Sync {
    /// The value as JSON.
    fn to_json(&self) -> Value;
    /// The value itself.
    fn as_any(&self) -> &dyn Any;
}

impl<T: Serialize + Send + Sync + 'static> Recorded for T {
    fn to_json(&self) -> Value {
        json(&self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for dyn Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}

fn json(value: &dyn Write) -> Value {
    tree(value).unwrap_or(Value::Null)
}

/// Tells predictors apart: unique in the process, new for every clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PredictorId(u64);

impl PredictorId {
    /// An identifier that no other predictor has.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The number of a step that begins now.
pub(crate) fn next_sequence() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One run of one predictor.
#[non_exhaustive]
pub struct Step {
    /// The predictor.
    pub predictor: PredictorId,
    /// Its signature's name.
    pub signature: Arc<str>,
    /// The input.
    pub input: Arc<dyn Recorded>,
    /// The output, or why there is none.
    pub outcome: StepOutcome,
    /// The last response of the model, with all of its answers as they came: with reasoning, citations and log
    /// probabilities.
    pub response: Option<Arc<Response>>,
    /// What each of several answers of that response says, in their order: see [`completions`](Self::completions). Empty
    /// when there was one.
    pub(crate) several: Vec<StepOutcome>,
    /// The usage of all its requests.
    pub usage: Usage,
    /// The model that was called.
    pub model: Arc<str>,
    /// The requests that were sent beyond the first, each with its reason.
    pub retries: Vec<String>,
    /// The coercions that were needed to parse the answer.
    pub coercions: Vec<Coercion>,
    /// Suggestions of the signature that the output does not meet.
    pub warnings: Vec<Violation>,
    /// How long it took.
    pub duration: Duration,
}

/// How a step ended.
#[derive(Clone)]
pub enum StepOutcome {
    /// With an output.
    Done(Arc<dyn Recorded>),
    /// With an error.
    Failed(Error),
}

impl fmt::Debug for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(output) => f.debug_tuple("Done").field(&(**output).to_json()).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl Step {
    /// The input as JSON.
    pub fn input_json(&self) -> Value {
        (*self.input).to_json()
    }

    /// The output as JSON, when there is one.
    pub fn output_json(&self) -> Option<Value> {
        match &self.outcome {
            StepOutcome::Done(output) => Some((**output).to_json()),
            StepOutcome::Failed(_) => None,
        }
    }

    /// What each of the answers of the last response says, in their order, or why it cannot be read; of one answer, or of one
    /// that was put together from several requests, the output alone. Nothing for an output of another type than `O`.
    ///
    /// An answer that breaks an assertion of the signature is an error.
    pub fn completions<O: 'static>(&self) -> impl Iterator<Item = Result<&O, &Error>> {
        let all = match &self.several[..] {
            [] => std::slice::from_ref(&self.outcome),
            several => several,
        };
        all.iter().filter_map(|outcome| match outcome {
            StepOutcome::Done(output) => (**output).as_any().downcast_ref().map(Ok),
            StepOutcome::Failed(error) => Some(Err(error)),
        })
    }

    /// The error, when there is one.
    pub fn error(&self) -> Option<&Error> {
        match &self.outcome {
            StepOutcome::Done(_) => None,
            StepOutcome::Failed(error) => Some(error),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Step");
        s.field("signature", &self.signature).field("input", &self.input_json());
        match &self.outcome {
            StepOutcome::Done(output) => s.field("output", &(**output).to_json()),
            StepOutcome::Failed(error) => s.field("error", &error.to_string()),
        };
        s.field("usage", &self.usage).finish_non_exhaustive()
    }
}

/// The usage of calls, by model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    /// In the order of the names. Every prediction keeps one of these, nearly always of one model.
    #[serde(serialize_with = "as_map")]
    models: Vec<(Arc<str>, Usage)>,
}

fn as_map<S: Serializer>(models: &[(Arc<str>, Usage)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(models.iter().map(|(model, usage)| (model, usage)))
}

impl UsageReport {
    /// Adds the usage of one call to a model.
    pub fn add(&mut self, model: &Arc<str>, usage: Usage) {
        match self.models.binary_search_by(|(known, _)| known.cmp(model)) {
            Ok(at) => self.models[at].1 += usage,
            Err(at) => {
                self.models.reserve_exact(1);
                self.models.insert(at, (model.clone(), usage));
            }
        }
    }

    /// Adds another report.
    pub fn merge(&mut self, other: &Self) {
        for (model, usage) in &other.models {
            self.add(model, *usage);
        }
    }

    /// The sum over all models.
    pub fn total(&self) -> Usage {
        self.models.iter().map(|(_, usage)| *usage).sum()
    }

    /// What all of it cost in US dollars, by the prices of [`facts`]; `None` when the price of a model that answered is not
    /// known. What a cache answered cost nothing.
    pub fn usd(&self) -> Option<f64> {
        self.cost_by_model().map(|(_, usd)| usd).sum()
    }

    /// What the usage of each model cost in US dollars, where its price is known.
    pub fn cost_by_model(&self) -> impl Iterator<Item = (&str, Option<f64>)> {
        self.by_model().map(|(model, usage)| match usage.total_tokens() {
            0 => (model, Some(0.0)),
            _ => (model, facts::of(model).price.map(|price| price.of(&usage))),
        })
    }

    /// The usage of each model.
    pub fn by_model(&self) -> impl Iterator<Item = (&str, Usage)> {
        self.models.iter().map(|(model, usage)| (&**model, *usage))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("steps", &self.steps)
            .field("dropped", &self.dropped)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

/// The maximum number of steps of one call, which limits the memory of a program that loops.
const MAX_STEPS: usize = 10_000;

/// Collects the steps of a call and of all calls within it.
#[derive(Debug, Default)]
pub struct Recorder {
    parent: Option<Arc<Recorder>>,
    keep_steps: bool,
    /// The parent receives the usage, but not the steps.
    hold_back: bool,
    record: Mutex<Recording>,
}

/// What a recorder has recorded.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Recording {
    /// The steps, in the order in which they began, each with its place in that order.
    pub steps: Vec<(u64, Arc<Step>)>,
    /// The number of further steps, which were dropped.
    pub dropped: usize,
    /// The usage of all calls.
    pub usage: UsageReport,
    /// What modules attached, in the order in which they did.
    pub attached: Vec<Attached>,
    /// The wishes that were not met.
    pub violations: Vec<Violation>,
    /// How often a program was run again because an assertion was not met.
    pub backtracks: usize,
}

/// Something that a module attaches to what is recorded of its call.
pub type Attached = Arc<dyn Any + Send + Sync>;

impl Recorder {
    /// A recorder that also reports to `parent`. Without `keep_steps` it records the usage only.
    pub fn new(parent: Option<Arc<Recorder>>, keep_steps: bool) -> Arc<Self> {
        Arc::new(Self { parent, keep_steps, ..Self::default() })
    }

    /// A recorder of which `parent` sees the usage only, until it is given what was recorded: for one of several
    /// attempts.
    pub(crate) fn apart(parent: Option<Arc<Recorder>>, keep_steps: bool) -> Arc<Self> {
        Arc::new(Self { parent, keep_steps, hold_back: true, record: Mutex::default() })
    }

    /// A recorder that keeps its steps to itself, for work whose steps are put in order before `parent` sees
    /// them through [`absorb`](Self::absorb).
    pub fn holding_back(parent: Arc<Recorder>) -> Arc<Self> {
        Arc::new(Self { parent: Some(parent), keep_steps: true, hold_back: true, record: Mutex::default() })
    }

    /// A recorder that counts usage only, and tells `parent` of it but of no steps, for work without end.
    pub(crate) fn counting(parent: Option<Arc<Recorder>>) -> Arc<Self> {
        Arc::new(Self { parent, hold_back: true, ..Self::default() })
    }

    /// Whether this recorder or one of its parents keeps steps.
    pub fn keeps_steps(&self) -> bool {
        self.keep_steps || !self.hold_back && self.parent.as_ref().is_some_and(|p| p.keeps_steps())
    }

    /// Adds the usage of a request.
    pub fn count(&self, model: &Arc<str>, usage: Usage) {
        self.lock().usage.add(model, usage);
        if let Some(parent) = &self.parent {
            parent.count(model, usage);
        }
    }

    /// Keeps a step that began as the `sequence`th of the process.
    pub fn keep(&self, sequence: u64, step: &Arc<Step>) {
        if self.keep_steps {
            let mut record = self.lock();
            if record.steps.len() < MAX_STEPS {
                record.steps.push((sequence, step.clone()));
            } else {
                record.dropped += 1;
            }
        }
        if let (Some(parent), false) = (&self.parent, self.hold_back) {
            parent.keep(sequence, step);
        }
    }

    /// Attaches something to the call at hand, and to those around it.
    pub(crate) fn attach(&self, attached: &Attached) {
        // What counts usage only may do so without end.
        if self.keep_steps || !self.hold_back {
            self.lock().attached.push(attached.clone());
        }
        if let (Some(parent), false) = (&self.parent, self.hold_back) {
            parent.attach(attached);
        }
    }

    /// Takes over the steps of a recorder that held them back.
    pub fn absorb(&self, record: Recording) {
        for attached in &record.attached {
            self.attach(attached);
        }
        for (_, step) in record.steps {
            self.keep(next_sequence(), &step);
        }
        self.absorb_notes(&record.violations, record.backtracks);
    }

    /// Takes over the steps of a recorder that held them back, in their places.
    pub(crate) fn absorb_in_place(&self, record: Recording) {
        for attached in &record.attached {
            self.attach(attached);
        }
        for (sequence, step) in record.steps {
            self.keep(sequence, &step);
        }
        self.absorb_notes(&record.violations, record.backtracks);
    }

    fn absorb_notes(&self, violations: &[Violation], backtracks: usize) {
        violations.iter().for_each(|violation| self.note(violation));
        self.backtracked(backtracks);
    }

    /// Keeps a wish that was not met.
    pub(crate) fn note(&self, violation: &Violation) {
        self.each(|record| {
            if record.violations.len() < MAX_STEPS {
                record.violations.push(violation.clone());
            }
        });
    }

    /// Counts that a program was run again.
    pub(crate) fn backtracked(&self, times: usize) {
        if times > 0 {
            self.each(|record| record.backtracks += times);
        }
    }

    /// Drops the steps of a run that is made again, and what was attached to this call in it.
    pub(crate) fn forget(&self, steps: &[Arc<Step>]) {
        let dropped: HashSet<*const Step> = steps.iter().map(Arc::as_ptr).collect();
        let attached = std::mem::take(&mut self.lock().attached);
        let gone: HashSet<*const ()> = attached.iter().map(|attached| Arc::as_ptr(attached).cast()).collect();
        self.each(|record| {
            record.steps.retain(|(_, step)| !dropped.contains(&Arc::as_ptr(step)));
            record.attached.retain(|attached| !gone.contains(&Arc::as_ptr(attached).cast()));
        });
    }

    /// Changes what this recorder has recorded, and all that it reports to.
    fn each(&self, mut change: impl FnMut(&mut Recording)) {
        let mut recorder = Some(self);
        while let Some(this) = recorder {
            change(&mut this.lock());
            recorder = this.parent.as_deref().filter(|_| !this.hold_back);
        }
    }

    /// Takes what was recorded so far.
    pub fn take(&self) -> Recording {
        let mut record = std::mem::take(&mut *self.lock());
        record.steps.sort_by_key(|(sequence, _)| *sequence);
        record
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recording> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts for Recorder {
    fn count(&self, model: &Arc<str>, usage: Usage) {
        self.count(model, usage);
    }
}

/// The messages of one request, formatted for reading: each below a line with its role.
pub fn show_messages<'a>(messages: impl IntoIterator<Item = &'a Message>) -> String {
    let mut out = String::new();
    for message in messages {
        out.push_str("── ");
        out.push_str(message.role.as_str());
        out.push_str(" ──\n");
        out.push_str(message.content.text().trim_end());
        for (_, part) in message.content.parts() {
            out.push_str(&format!("\n‹{}›", part.kind));
        }
        for call in &message.tool_calls {
            out.push_str(&format!("\n→ {}({})", call.name, Value::Object(call.args.clone())));
        }
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    out
}
