//! Evaluation: [`Evaluate`] runs a program over rows and scores every output with a metric.

mod export;
mod judge;
mod observed;
mod progress;
mod report;
mod results;
mod row;
mod run;
mod scores;
mod stats;
mod stream;
mod summary;
mod violations;
mod watch;

use std::{sync::Arc, time::Instant};

pub use crate::metric::{
    IntoScore, Metric, Score, WithState, answer_exact_match, answer_passage_match, exact_match, f1, f1_match,
    max_f1, metric_with_state, normalize_text,
};
pub use judge::{
    AsMetric, CompleteAndGrounded, CompleteAndGroundedInput, CompleteAndGroundedOutput, JudgedPoint,
    SemanticF1, SemanticF1Input, SemanticF1Output,
};
pub(crate) use observed::RowWork;
pub(crate) use progress::Progress;
pub use report::Evaluation;
pub use results::{ResultFailure, ResultRow, results};
pub use row::{Failure, Row};
pub(crate) use run::{Plan, run_rows, score_of};
pub use scores::Scores;
pub use stats::{Comparison, Interval, Test, ruled_out};
pub use stream::{IntoRow, Stream};
pub use summary::Summary;

use crate::{Error, Result, context::Context, data::Example, lm::BoxFuture, module::Module};
use observed::evaluation;
use watch::Watch;

/// Runs a program over rows, many at a time, and scores every output with a metric.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, evaluate::Evaluate, module::Module};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, devset: Vec<Qa>) -> Result<()> {
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let result = Evaluate::new(&devset, metric).concurrency(64).run(&program).await?;
/// println!("{result}");
/// result.save_csv("dev.csv")?;
/// # Ok(()) }
/// ```
///
/// A row that fails (no answer, an answer that cannot be parsed, an error of the program or of the metric, a panic)
/// does not stop the others: its score is [`failure_score`](Self::failure_score), and it keeps its error. Results are in
/// the order of the rows. Dropping the future stops all work.
///
/// Rows that do not fit into memory, and evaluations that take so long that they may be killed, are for
/// [`stream`](Self::stream).
#[derive(Debug)]
#[must_use = "an evaluation does nothing until `run`"]
pub struct Evaluate<R, M> {
    rows: R,
    metric: Arc<M>,
    concurrency: Option<usize>,
    progress: bool,
    max_errors: Option<usize>,
    trace: bool,
    failure_score: f64,
    metric_name: String,
}

impl<'a, E, M> Evaluate<&'a [E], M> {
    /// An evaluation over these rows.
    pub fn new(devset: &'a [E], metric: M) -> Self {
        Self::over(devset, metric)
    }
}

impl<R, M> Evaluate<R, M> {
    fn over(rows: R, metric: M) -> Self {
        Self {
            rows,
            metric: Arc::new(metric),
            concurrency: None,
            progress: true,
            max_errors: None,
            trace: false,
            failure_score: 0.0,
            metric_name: "score".into(),
        }
    }

    /// Sets how many rows run at a time; the setting `concurrency` by default.
    pub fn concurrency(mut self, rows: usize) -> Self {
        self.concurrency = Some(rows.max(1));
        self
    }

    /// Sets whether a progress bar is shown if the evaluation takes longer than a second, on a terminal; on by default.
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }

    /// Sets how many rows may fail; with one more, the evaluation stops with an error. By default, and with `None`, every
    /// row is run, unless the first ten all fail for a reason that affects every row (no model, a wrong key), or ten in a
    /// row because the account has no credit left: then the evaluation stops with that error. What was answered until then
    /// is in the cache, if there is one.
    pub fn max_errors(mut self, errors: impl Into<Option<usize>>) -> Self {
        self.max_errors = errors.into();
        self
    }

    /// Sets whether predictions keep the trace of their steps. They do not, because traces of many rows fill the
    /// memory.
    pub fn trace(mut self, on: bool) -> Self {
        self.trace = on;
        self
    }

    /// Sets the score of a row that failed; 0 by default.
    pub fn failure_score(mut self, score: f64) -> Self {
        self.failure_score = score;
        self
    }

    /// Names the metric, for tables and files; `score` by default.
    pub fn metric_name(mut self, name: impl Into<String>) -> Self {
        self.metric_name = name.into();
        self
    }

    fn width(&self) -> usize {
        self.concurrency.unwrap_or_else(|| Context::current().settings().concurrency)
    }
}

impl<E, M> Evaluate<&[E], M> {
    /// Runs the program over all rows.
    ///
    /// # Errors
    /// [`Error::Limit`] when more rows have failed than `max_errors` allows, the error of the rows when none can succeed, and
    /// [`Error::Other`] when there are no rows.
    // The type of the future does not name `K`, so that the compiler says once that a metric does not fit, and not
    // wherever the future is mentioned.
    pub fn run<'r, P, K>(&'r self, program: &'r P) -> BoxFuture<'r, Result<Evaluation<E, P::Output>>>
    where
        E: Example,
        P: Module + Clone + 'static,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let (name, rows) = (self.metric_name.clone(), self.rows.len());
        Box::pin(evaluation(name, Some(rows), Box::pin(self.evaluate(program)), |found| found.score))
    }

    async fn evaluate<P, K>(&self, program: &P) -> Result<Evaluation<E, P::Output>>
    where
        E: Example,
        P: Module + Clone + 'static,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        if self.rows.is_empty() {
            return Err(Error::other("there are no rows to evaluate on"));
        }
        let started = Instant::now();
        let rows: Arc<[Arc<E>]> = self.rows.iter().cloned().map(Arc::new).collect();
        let program = Arc::new(program.clone());
        let mut progress = Progress::new("evaluate", rows.len(), self.progress);
        let mut watch = Watch::new(self.max_errors, rows.len());
        let mut sum = 0.0;
        let mut ended = |index: usize, failure: Option<&Failure>, score: f64| {
            sum += score;
            let flow = watch.see(index, failure);
            progress.tick(|| format!("mean {:.3}, {} failed", sum / watch.seen as f64, watch.failed));
            flow
        };
        let plan = Plan {
            concurrency: self.width(),
            trace: self.trace,
            failure_score: self.failure_score,
            ended: &mut ended,
        };
        let (rows, usage) = run_rows(&rows, &self.metric, |_| program.clone(), plan).await;
        drop(progress);
        if let Some(error) = watch.verdict() {
            return Err(error);
        }
        let rows = rows.into_iter().flatten().collect();
        Ok(Evaluation::new(rows, usage, started.elapsed(), self.metric_name.clone()))
    }
}
