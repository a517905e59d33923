//! The result of a call.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

use super::{path::Path, predictor::Predictor, program::Program};
use crate::{
    Error,
    context::{Attached, PredictorId, Recording, Step, UsageReport},
    lm::Response,
    signature::Violation,
    tool::Trajectory,
    value::erased::{Write, tree},
};

/// The output of a call, with the trace and the usage of the call. Dereferences to the output.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::Module, predict::Predict};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let program = Predict::<Qa>::new().lm(StubModel::scripted([r#"{"answer": "Danube"}"#]));
/// let p = program.call("Which river flows through Vienna?").await?;
/// assert_eq!(p.answer, "Danube"); // a field of the output
/// assert_eq!(p.usage().total().calls, 1);
/// for step in p.trace() {
///     println!("{:?} {}: {:?}", step.path, step.signature, step.output_json());
/// }
/// let output: QaOutput = p.into_inner();
/// # let _ = output; Ok(()) })
/// # }
/// ```
#[derive(Clone)]
pub struct Prediction<O> {
    output: O,
    details: Arc<Details>,
}

#[derive(Default)]
struct Details {
    trace: Trace,
    usage: UsageReport,
    attached: Vec<Attached>,
    violations: Vec<Violation>,
    backtracks: usize,
}

impl Details {
    fn of(record: Recording, path: &dyn Fn(PredictorId) -> Option<Arc<str>>) -> Arc<Self> {
        let Recording { steps, dropped, usage, attached, violations, backtracks } = record;
        Arc::new(Self { trace: Trace::of(steps, dropped, path), usage, attached, violations, backtracks })
    }
}

impl<O> Prediction<O> {
    /// The output of a program that has these paths.
    pub(crate) fn new(output: O, record: Recording, paths: &dyn Fn() -> Paths) -> Self {
        let paths = if record.steps.is_empty() { Paths(Vec::new()) } else { paths() };
        Self { output, details: Details::of(record, &|id| paths.of_predictor(id)) }
    }

    /// The output of a predictor that is called itself.
    pub(crate) fn of_one(output: O, record: Recording, predictor: &Predictor) -> Self {
        static ROOT: LazyLock<Arc<str>> = LazyLock::new(|| Path::root().to_string().into());
        let own = predictor.id();
        Self { output, details: Details::of(record, &|id| (id == own).then(|| ROOT.clone())) }
    }

    /// The same without the steps.
    pub(crate) fn without_trace(self) -> Self {
        let Details { usage, attached, violations, backtracks, .. } = &*self.details;
        let details = Details {
            trace: Trace::default(),
            usage: usage.clone(),
            attached: attached.clone(),
            violations: violations.clone(),
            backtracks: *backtracks,
        };
        Self { output: self.output, details: Arc::new(details) }
    }

    /// The output, without the trace and the usage.
    pub fn into_inner(self) -> O {
        self.output
    }

    /// The output.
    pub fn output(&self) -> &O {
        &self.output
    }

    /// The steps of the call; empty when the settings do not record traces.
    pub fn trace(&self) -> &Trace {
        &self.details.trace
    }

    /// The steps of the agent that was called; of a program with several agents, or with one that was called several
    /// times, those of the last call that ended. `None` when there was no agent.
    pub fn trajectory(&self) -> Option<&Trajectory> {
        self.trajectories().next_back()
    }

    /// The steps of all agents that were called, in the order in which the calls ended.
    pub fn trajectories(&self) -> impl DoubleEndedIterator<Item = &Trajectory> {
        self.details.attached.iter().filter_map(|attached| attached.downcast_ref())
    }

    /// The code that [`ProgramOfThought`](crate::predict::ProgramOfThought), [`CodeAct`](crate::predict::CodeAct) or
    /// [`RLM`](crate::predict::RLM) had run; of several calls of such modules, that of the last one that ended.
    #[cfg(feature = "sandbox")]
    pub fn code(&self) -> Option<&crate::sandbox::CodeTrajectory> {
        self.details.attached.iter().rev().find_map(|attached| attached.downcast_ref())
    }

    /// The last response of a model in the call, with all `n` of its answers as they came: with reasoning, citations and log
    /// probabilities. `None` when the settings do not record traces, or no model answered.
    pub fn response(&self) -> Option<&Response> {
        self.trace().iter().rev().find_map(|step| step.response.as_deref())
    }

    /// All answers of the predictor that the output comes from, where [`Options::n`](crate::lm::Options::n) asked for
    /// several: each as an output, or why it cannot be read. The output itself is the first that meets everything.
    ///
    /// They are the answers of the last step whose output is of the type of this one. Without such a step, as in a program
    /// whose output is put together, or when the settings do not record traces, the output is the only one; see
    /// [`Step::completions`] for other steps.
    ///
    /// ```
    /// # use dspy_core::{Result, lm::{Options, Response, StubModel}, module::Module, predict::{Predict, majority}};
    /// # use dspy_macros::signature;
    /// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
    /// # fn main() -> Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let mut response = Response::text("");
    /// # let say = |text: &&str| Response::text(*text).choices.remove(0);
    /// # response.choices = [r#"{"answer": "Vltava"}"#, r#"{"answer": "Danube"}"#, "", r#"{"answer": "Danube"}"#].iter().map(say).collect();
    /// # let program = Predict::<Qa>::new().lm(StubModel::scripted([response]));
    /// let program = program.options(Options::new().n(5).temperature(1.0));
    /// let p = program.call("Which river flows through Vienna?").await?;
    /// let answers = p.completions().filter_map(|answer| answer.ok());
    /// assert_eq!(majority(answers, |output| output.answer.clone()).map(|output| &*output.answer), Some("Danube"));
    /// # Ok(()) })
    /// # }
    /// ```
    pub fn completions(&self) -> impl Iterator<Item = Result<&O, &Error>>
    where
        O: 'static,
    {
        let of_this = |step: &&TraceStep| step.completions::<O>().any(|completion| completion.is_ok());
        let step = self.trace().iter().rev().find(of_this);
        let alone = step.is_none().then_some(Ok(&self.output));
        step.into_iter().flat_map(|step| step.completions::<O>()).chain(alone)
    }

    /// The usage of the call, by model.
    pub fn usage(&self) -> &UsageReport {
        &self.details.usage
    }

    /// The suggestions that the call does not meet: those of signatures and those of `dspy::suggest!`.
    pub fn violations(&self) -> &[Violation] {
        &self.details.violations
    }

    /// How often the program was run again because an assertion was not met.
    pub fn backtracks(&self) -> usize {
        self.details.backtracks
    }
}

/// An output of which nothing else is known, such as one that a metric is tried with.
impl<O> From<O> for Prediction<O> {
    fn from(output: O) -> Self {
        Self { output, details: Arc::default() }
    }
}

impl<O> Deref for Prediction<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.output
    }
}

impl<O: fmt::Debug> fmt::Debug for Prediction<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.details.usage.total();
        f.debug_struct("Prediction")
            .field("output", &self.output)
            .field("steps", &self.details.trace.len())
            .field("calls", &usage.calls)
            .field("tokens", &usage.total_tokens())
            .finish()
    }
}

impl<O: serde::Serialize> fmt::Display for Prediction<O> {
    /// One line for each output field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&&self.output, f)
    }
}

fn show(output: &dyn Write, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match tree(output) {
        Ok(Value::Object(fields)) => {
            for (i, (name, value)) in fields.iter().enumerate() {
                let gap = if i == 0 { "" } else { "\n" };
                match value {
                    Value::String(text) => write!(f, "{gap}{name}: {text}")?,
                    value => write!(f, "{gap}{name}: {value}")?,
                }
            }
            Ok(())
        }
        Ok(value) => write!(f, "{value}"),
        Err(_) => Err(fmt::Error),
    }
}

/// The steps of a call, in the order in which they began.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    steps: Vec<TraceStep>,
    dropped: usize,
}

/// One step of a trace: dereferences to the [`Step`].
#[derive(Debug, Clone)]
pub struct TraceStep {
    /// The path of the predictor in the program that was called; `None` when the program does not own it.
    pub path: Option<Arc<str>>,
    step: Arc<Step>,
}

impl Deref for TraceStep {
    type Target = Step;

    fn deref(&self) -> &Step {
        &self.step
    }
}

/// The paths of a program's predictors.
#[derive(Clone)]
pub(crate) struct Paths(Vec<(PredictorId, Arc<str>)>);

impl Paths {
    pub(crate) fn of<P: Program + ?Sized>(program: &P) -> Self {
        let predictors = program.predictors().into_iter();
        let mut paths: Vec<_> = predictors.map(|(path, p)| (p.id(), path.into())).collect();
        paths.sort_by_key(|(id, _)| *id);
        Self(paths)
    }

    fn of_predictor(&self, id: PredictorId) -> Option<Arc<str>> {
        self.0.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| self.0[at].1.clone())
    }
}

impl Trace {
    fn of(
        steps: Vec<(u64, Arc<Step>)>,
        dropped: usize,
        path: &dyn Fn(PredictorId) -> Option<Arc<str>>,
    ) -> Self {
        let place = |(_, step): (u64, Arc<Step>)| TraceStep { path: path(step.predictor), step };
        Self { steps: steps.into_iter().map(place).collect(), dropped }
    }

    /// The steps of a call that gave no prediction.
    pub(crate) fn of_failed(record: Recording, paths: &Paths) -> Self {
        Self::of(record.steps, record.dropped, &|id| paths.of_predictor(id))
    }

    /// The steps.
    pub fn iter(&self) -> std::slice::Iter<'_, TraceStep> {
        self.steps.iter()
    }

    /// How many steps were recorded.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The usage of each predictor by its path, in the order in which they were first called; what the program does not own
    /// stands together under `None`.
    pub fn usage_by_predictor(&self) -> Vec<(Option<&str>, UsageReport)> {
        let mut all: Vec<(Option<&str>, UsageReport)> = Vec::new();
        for step in &self.steps {
            let path = step.path.as_deref();
            let at = all.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
                all.push((path, UsageReport::default()));
                all.len() - 1
            });
            all[at].1.add(&step.model, step.usage);
        }
        all
    }

    /// The number of further steps, which were dropped.
    pub fn dropped(&self) -> usize {
        self.dropped
    }
}

impl<'a> IntoIterator for &'a Trace {
    type Item = &'a TraceStep;
    type IntoIter = std::slice::Iter<'a, TraceStep>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
