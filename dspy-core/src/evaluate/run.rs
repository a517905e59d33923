//! Runs a program over rows and judges every output.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Failure, Metric, Row, RowWork, Score};
use crate::{
    Result,
    context::{Context, Recorder, UsageReport, with},
    data::Example,
    metric::{caught, judged},
    module::{Flow, Module, Prediction, fan_out},
};

/// How rows are run.
pub(crate) struct Plan<'p> {
    pub(crate) concurrency: usize,
    /// Whether predictions keep their traces.
    pub(crate) trace: bool,
    /// What a row counts that failed.
    pub(crate) failure_score: f64,
    /// Told of every row as it ends.
    pub(crate) ended: &'p mut (dyn FnMut(usize, Option<&Failure>, f64) -> Flow + Send),
}

/// Runs the program that `program_for` gives for each row. A row is `None` when it was not run, because the plan
/// said to stop.
pub(crate) async fn run_rows<P, E, M, K>(
    rows: &Arc<[Arc<E>]>,
    metric: &Arc<M>,
    program_for: impl Fn(usize) -> Arc<P> + Send,
    plan: Plan<'_>,
) -> (Vec<Option<Row<E, P::Output>>>, UsageReport)
where
    P: Module + 'static,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
    K: 'static,
{
    let Plan { concurrency, trace, failure_score, ended } = plan;
    let mut done: Vec<Option<Row<E, P::Output>>> = Vec::new();
    done.resize_with(rows.len(), || None);
    let recorder = Recorder::new(Context::current().recorder().cloned(), false);
    let mut stopped = false;
    let work = |index: usize| {
        let (program, row, metric) = (program_for(index), rows[index].clone(), metric.clone());
        async move {
            let started = Instant::now();
            let judged = judge(index, &*program, &*row, &*metric).await;
            (judged, started.elapsed())
        }
    };
    let each = |index: usize, result: Result<(Judged<P::Output>, Duration)>| {
        let (judged, duration) = match result {
            Ok(finished) => finished,
            // What was stopped has no result.
            Err(_) if stopped => return Flow::Stop,
            // A task that ended from outside.
            Err(error) => (Judged { prediction: None, score: Err(Failure::Program(error)) }, Duration::ZERO),
        };
        let (score, failure) = match judged.score {
            Ok(score) => (score, None),
            Err(failure) => (Score::new(failure_score), Some(failure)),
        };
        let flow = ended(index, failure.as_ref(), score.value);
        stopped |= matches!(flow, Flow::Stop);
        done[index] = Some(Row {
            index,
            example: rows[index].clone(),
            prediction: judged.prediction.map(|p| if trace { p } else { p.without_trace() }),
            score: score.value,
            feedback: score.feedback,
            failure,
            duration,
        });
        flow
    };
    with(|c| c.trace(trace || M::READS_TRACE), async {
        let scope = Context::current().recording(recorder.clone()).detached();
        scope.scope(fan_out(rows.len(), concurrency, work, each)).await;
    })
    .await;
    let usage = recorder.take().usage;
    (done, usage)
}

/// What became of one row.
pub(super) struct Judged<O> {
    pub(super) prediction: Option<Prediction<O>>,
    pub(super) score: Result<Score, Failure>,
}

impl<O> Judged<O> {
    /// How many suggestions are not met.
    pub(super) fn violations(&self) -> u32 {
        let violations = self.prediction.as_ref().map_or(0, |p| p.violations().len());
        u32::try_from(violations).unwrap_or(u32::MAX)
    }
}

/// Runs a program on a row, and scores what it gives.
pub(super) async fn judge<P, E, M, K>(index: usize, program: &P, row: &E, metric: &M) -> Judged<P::Output>
where
    P: Module,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
{
    let running = run_and_score(program, row, metric);
    match RowWork::begin(index) {
        None => running.await,
        Some(work) => work.watch(Box::pin(running), |judged| &judged.score).await,
    }
}

async fn run_and_score<P, E, M, K>(program: &P, row: &E, metric: &M) -> Judged<P::Output>
where
    P: Module,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
{
    let called = caught("program", async { program.call(row.input()).await }).await;
    match called.and_then(|result| result) {
        Err(error) => Judged { prediction: None, score: Err(Failure::Program(error)) },
        Ok(prediction) => {
            let score = score_of(metric, row, &prediction).await;
            Judged { prediction: Some(prediction), score }
        }
    }
}

/// What the metric says, as a number that can be compared.
pub(crate) async fn score_of<E, O, M, K>(
    metric: &M,
    row: &E,
    prediction: &Prediction<O>,
) -> Result<Score, Failure>
where
    M: Metric<E, O, K>,
{
    judged(metric, row, prediction).await.map_err(Failure::Metric)
}
