//! What optimizers work on, whatever the types of the program, its rows and the metric.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use super::Parameters;
use crate::{
    Error, Result,
    evaluate::{Failure, Score},
    lm::BoxFuture,
    predict::Predictor,
    signature::SignatureSpec,
};

/// Something that has text parameters and can be scored on rows: a program with its data and its metric, or anything
/// else that optimizers are to improve, such as a prompt outside of this library, a query template or a rubric.
///
/// [`Optimizer::compile`](super::Optimizer::compile) makes one of a program. One of your own is given to
/// [`Optimizer::optimize`](super::Optimizer::optimize).
pub trait Task: Send + Sync + 'static {
    /// The predictors: what has parameters.
    fn predictors(&self) -> &[PredictorInfo];

    /// The parameters that the search starts from: those of the student. They name every predictor.
    fn parameters(&self) -> Parameters;

    /// How many rows there are.
    fn rows(&self) -> usize;

    /// A row as a map of its fields: the inputs and what is expected.
    ///
    /// # Errors
    /// When the row cannot be turned into a map.
    fn record(&self, row: usize) -> Result<Map<String, Value>>;

    /// Runs with these parameters on a row and scores the output. It must depend on nothing but its arguments and the
    /// settings in force ([`settings`](crate::settings)), from which it takes the temperature and the rollout number.
    /// With `trace`, the steps of the predictors are reported.
    fn rollout<'a>(
        &'a self,
        parameters: &'a Arc<Parameters>,
        row: usize,
        trace: bool,
    ) -> BoxFuture<'a, Rollout>;

    /// The source of the program, for optimizers that read it.
    fn source(&self) -> Option<String> {
        None
    }
}

/// A predictor of a task: where it is, and what it takes and gives.
#[derive(Clone)]
pub struct PredictorInfo {
    path: Arc<str>,
    spec: Arc<SignatureSpec>,
    predictor: Option<Predictor>,
}

impl PredictorInfo {
    /// A predictor with this path. The specification tells optimizers which fields demonstrations may have.
    pub fn new(path: impl Into<Arc<str>>, spec: impl Into<Arc<SignatureSpec>>) -> Self {
        Self { path: path.into(), spec: spec.into(), predictor: None }
    }

    /// A text that is optimized as a whole and takes no demonstrations.
    pub fn text(path: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        let path = path.into();
        let spec = SignatureSpec::new(path.to_string(), text, Vec::new());
        Self::new(path, spec)
    }

    pub(super) fn of(path: String, predictor: &Predictor) -> Self {
        Self { path: path.into(), spec: predictor.spec().clone(), predictor: Some(predictor.clone()) }
    }

    /// Its path in the program.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// Its signature, with the words of the student.
    pub fn spec(&self) -> &Arc<SignatureSpec> {
        &self.spec
    }

    /// The student's predictor, when the task is a program.
    pub fn predictor(&self) -> Option<&Predictor> {
        self.predictor.as_ref()
    }
}

impl fmt::Debug for PredictorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PredictorInfo")
            .field("path", &self.path)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

/// What a run on a row gave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rollout {
    /// The score, or why there is none.
    pub outcome: Result<Score, Failure>,
    /// The output as JSON text, when there is one.
    pub output: Option<Arc<str>>,
    /// What the predictors did, in the order in which they began; empty without a trace.
    pub trace: Vec<RolloutStep>,
    /// The suggestions that are not met, in words.
    pub violations: Vec<String>,
    /// What it counts when it failed through its own fault; the engine sets it.
    pub(super) failure_score: f64,
}

impl Rollout {
    /// A run that was scored.
    pub fn scored(score: impl Into<Score>) -> Self {
        Self::of(Ok(score.into()))
    }

    /// A run that failed.
    pub fn failed(failure: Failure) -> Self {
        Self::of(Err(failure))
    }

    pub(super) fn of(outcome: Result<Score, Failure>) -> Self {
        Self { outcome, output: None, trace: Vec::new(), violations: Vec::new(), failure_score: 0.0 }
    }

    /// The same with what a failure counts. A score that is no number is none.
    pub(super) fn counted(mut self, failure_score: f64) -> Self {
        self.failure_score = failure_score;
        if let Some(value) = self.outcome.as_ref().ok().map(|score| score.value).filter(|v| !v.is_finite()) {
            let error = Error::other(format!("the score is {value}; it must be a finite number"));
            self.outcome = Err(Failure::Metric(error));
        }
        self
    }

    /// Adds the output.
    #[must_use]
    pub fn output(mut self, output: impl Into<Value>) -> Self {
        self.output = Some(output.into().to_string().into());
        self
    }

    /// Adds the steps.
    #[must_use]
    pub fn trace(mut self, steps: Vec<RolloutStep>) -> Self {
        self.trace = steps;
        self
    }

    /// What the run counts: its score, the [`failure_score`](super::SearchOptions::failure_score) (0 unless set) when it
    /// failed through its own fault, and nothing when the fault lies elsewhere (the model could not be reached, the metric
    /// could not judge).
    pub fn score(&self) -> Option<f64> {
        match &self.outcome {
            Ok(score) => Some(score.value),
            Err(failure) if failure.is_no_fault_of_the_program() => None,
            Err(_) => Some(self.failure_score),
        }
    }

    /// What the metric says in words; of a failed run, why it failed.
    pub fn feedback(&self) -> Option<String> {
        match &self.outcome {
            Ok(score) => score.feedback.clone(),
            Err(failure) => Some(failure.to_string()),
        }
    }
}

/// What one predictor did in a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RolloutStep {
    /// The predictor's path.
    pub path: Arc<str>,
    /// The inputs, by field.
    pub inputs: Map<String, Value>,
    /// The outputs, by field; `None` when the step failed.
    pub outputs: Option<Map<String, Value>>,
    /// Why the step failed.
    pub error: Option<String>,
    /// The answer of the model as it was, when it could not be read.
    pub raw: Option<String>,
}

impl RolloutStep {
    /// A step that gave outputs.
    pub fn new(path: impl Into<Arc<str>>, inputs: Map<String, Value>, outputs: Map<String, Value>) -> Self {
        Self { path: path.into(), inputs, outputs: Some(outputs), error: None, raw: None }
    }
}
