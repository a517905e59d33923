//! A program with its rows and its metric as a task: the place where their types end.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value};

use super::{Parameters, PredictorInfo, Rollout, RolloutStep, Task};
use crate::{
    Error, Result,
    context::{Context, Recorder, StepOutcome},
    data::Example,
    evaluate::{Failure, Metric, RowWork, score_of},
    lm::BoxFuture,
    module::{Module, Paths, Prediction, Program, Trace, TraceStep, call},
    value::write_json_text,
};

/// How many programs that differ in their parameters are kept ready to run. Rendered prompts are kept with them.
const KEPT: usize = 128;

/// A program, rows and a metric as a task.
pub(super) struct ProgramTask<P, E, M, K> {
    program: P,
    predictors: Vec<PredictorInfo>,
    rows: Arc<[Arc<E>]>,
    metric: Arc<M>,
    built: Mutex<Vec<(Arc<Parameters>, Arc<P>)>>,
    source: Option<String>,
    form: PhantomData<fn() -> K>,
}

impl<P: Module + Clone + 'static, E: Example, M, K> ProgramTask<P, E, M, K> {
    pub(super) fn new(program: P, rows: Arc<[Arc<E>]>, metric: Arc<M>) -> Self {
        let predictors = infos(&program);
        let source = P::source().or_else(P::structure).map(str::to_owned);
        Self { program, predictors, rows, metric, built: Mutex::default(), source, form: PhantomData }
    }

    /// The program with these parameters.
    fn with(&self, parameters: &Arc<Parameters>) -> Arc<P> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, program)) = built.iter().find(|(p, _)| Arc::ptr_eq(p, parameters)) {
            return program.clone();
        }
        let mut program = self.program.clone();
        parameters.apply_to(program.predictors_mut());
        let program = Arc::new(program);
        if built.len() == KEPT {
            built.remove(0);
        }
        built.push((parameters.clone(), program.clone()));
        program
    }
}

impl<P, E, M, K> Task for ProgramTask<P, E, M, K>
where
    P: Module + Clone + 'static,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
    K: 'static,
{
    fn predictors(&self) -> &[PredictorInfo] {
        &self.predictors
    }

    fn parameters(&self) -> Parameters {
        Parameters::of(&self.program.predictors())
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn record(&self, row: usize) -> Result<Map<String, Value>> {
        self.rows.get(row).ok_or_else(|| no_row(row))?.record()
    }

    fn rollout<'a>(
        &'a self,
        parameters: &'a Arc<Parameters>,
        row: usize,
        trace: bool,
    ) -> BoxFuture<'a, Rollout> {
        match RowWork::begin(row) {
            None => self.run(parameters, row, trace),
            Some(work) => {
                let running = self.run(parameters, row, trace);
                Box::pin(work.watch(running, |rollout| &rollout.outcome))
            }
        }
    }

    fn source(&self) -> Option<String> {
        self.source.clone()
    }
}

impl<P, E, M, K> ProgramTask<P, E, M, K>
where
    P: Module + Clone + 'static,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
    K: 'static,
{
    fn run<'a>(&'a self, parameters: &'a Arc<Parameters>, row: usize, trace: bool) -> BoxFuture<'a, Rollout> {
        Box::pin(async move {
            let program = self.with(parameters);
            let Some(row) = self.rows.get(row) else {
                return Rollout::failed(Failure::Program(no_row(row)));
            };
            let (context, recorder) = recording(trace || M::READS_TRACE);
            let output = call(&*program, context, row.input().into()).await;
            let record = recorder.take();
            let output = match output {
                Ok(output) => output,
                Err(error) => {
                    let trace = Trace::of_failed(record, &Paths::of(&*program));
                    return Rollout::failed(Failure::Program(error)).trace(steps(&trace));
                }
            };
            let prediction = Prediction::new(output, record, &|| Paths::of(&*program));
            let outcome = score_of(&*self.metric, &**row, &prediction).await;
            let output = write_json_text(prediction.output()).ok().map(Arc::from);
            let violations = prediction.violations().iter().map(|v| v.message.clone()).collect();
            let trace = if trace { steps(prediction.trace()) } else { Vec::new() };
            Rollout { output, trace, violations, ..Rollout::of(outcome) }
        })
    }
}

fn infos(program: &(impl Program + ?Sized)) -> Vec<PredictorInfo> {
    program.predictors().into_iter().map(|(path, p)| PredictorInfo::of(path, p)).collect()
}

fn no_row(row: usize) -> Error {
    Error::other(format!("the task has no row {row}"))
}

/// A context that records what happens in it.
fn recording(trace: bool) -> (Context, Arc<Recorder>) {
    let context = Context::current();
    let recorder = Recorder::new(context.recorder().cloned(), trace);
    (context.recording(recorder.clone()), recorder)
}

/// What the program's own predictors did.
fn steps(trace: &Trace) -> Vec<RolloutStep> {
    trace.iter().filter_map(step).collect()
}

fn step(step: &TraceStep) -> Option<RolloutStep> {
    let object = |value| if let Value::Object(map) = value { map } else { Map::new() };
    let (error, raw) = match &step.outcome {
        StepOutcome::Done(_) => (None, None),
        StepOutcome::Failed(error) => (Some(error.to_string()), error.raw_answer().map(str::to_owned)),
    };
    Some(RolloutStep {
        path: step.path.clone()?,
        inputs: object(step.input_json()),
        outputs: step.output_json().map(object),
        error,
        raw,
    })
}
