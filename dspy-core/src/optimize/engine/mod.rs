//! What the optimizers share.

mod budget;
mod demos;

use std::sync::Arc;

pub(super) use budget::ErrorBudget;
pub(super) use demos::{from_step, labeled, set_demos, without_own};

use serde_json::{Map, Value};

use crate::{
    Result,
    context::Context,
    data::Example,
    evaluate::{Failure, Metric, Plan, Row, run_rows, score_of_answered},
    module::{Flow, Module},
};

/// Options that every optimizer has.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub(super) seed: u64,
    pub(super) concurrency: Option<usize>,
    pub(super) max_errors: Option<usize>,
    pub(super) progress: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self { seed: 0, concurrency: None, max_errors: Some(10), progress: true }
    }
}

impl Common {
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or_else(|| Context::current().settings().concurrency).max(1)
    }
}

/// The builder methods of [`Common`], for a struct with a field `common`.
macro_rules! common_options {
    () => {
        /// Sets the seed of all random decisions: 0 unless set.
        pub fn seed(mut self, seed: u64) -> Self {
            self.common.seed = seed;
            self
        }

        /// Sets how many rows run at a time; without it, the `concurrency` of the settings. It changes the speed
        /// and nothing else.
        pub fn concurrency(mut self, rows: usize) -> Self {
            self.common.concurrency = Some(rows.max(1));
            self
        }

        /// Sets how many rows may fail because the model could not be reached, in the whole compile, before it
        /// stops with an error: 10 unless set, `None` for any number. Rows that fail through the program's own
        /// fault are not counted here: they count in its score.
        pub fn max_errors(mut self, errors: impl Into<Option<usize>>) -> Self {
            self.common.max_errors = errors.into();
            self
        }

        /// Sets whether a bar is shown, on a terminal and when the compile takes longer than a second. It is.
        pub fn progress(mut self, on: bool) -> Self {
            self.common.progress = on;
            self
        }
    };
}
pub(super) use common_options;

/// Rows that many tasks share, with their fields.
pub(super) struct Data<E> {
    pub(super) rows: Arc<[Arc<E>]>,
    pub(super) records: Arc<[Map<String, Value>]>,
}

impl<E> Clone for Data<E> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), records: self.records.clone() }
    }
}

impl<E: Example> Data<E> {
    pub(super) fn new(rows: &[E]) -> Result<Self> {
        let records: Result<Vec<_>> = rows.iter().map(Example::record).collect();
        Ok(Self { rows: rows.iter().cloned().map(Arc::new).collect(), records: records?.into() })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// What judging a candidate found.
pub(super) struct Judgement {
    pub(super) score: Option<f64>,
    pub(super) scores: Vec<Option<f64>>,
    pub(super) failures: usize,
}

/// Judges a candidate by rows, each without the demonstrations that were made from it.
pub(super) async fn judge<P, E, M, K>(
    program: &Arc<P>,
    data: &Data<E>,
    metric: &Arc<M>,
    concurrency: usize,
    budget: &ErrorBudget,
    mut tick: impl FnMut() + Send,
) -> Result<Judgement>
where
    P: Module + Clone + 'static,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
    K: 'static,
{
    let mut ended = |_: usize, failure: Option<&Failure>, _: f64| {
        tick();
        match failure.is_some_and(|f| !budget.allows(f)) {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    };
    let plan = Plan { concurrency, trace: false, failure_score: 0.0, ended: &mut ended };
    let program_for = |i: usize| without_own(program, &data.records[i]);
    let (rows, _) = run_rows(&data.rows, metric, program_for, plan).await;
    budget.check()?;
    let rows: Vec<Row<E, P::Output>> = rows.into_iter().flatten().collect();
    let reached = |row: &Row<E, P::Output>| row.failure.as_ref().is_none_or(|f| !f.is_infrastructure());
    Ok(Judgement {
        score: score_of_answered(&rows),
        scores: rows.iter().map(|row| reached(row).then_some(row.score)).collect(),
        failures: rows.iter().filter(|row| row.failure.is_some()).count(),
    })
}
