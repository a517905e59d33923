//! What the optimizers share.

mod budget;
mod demos;

use std::sync::Arc;

pub(super) use budget::{ErrorBudget, is_no_fault_of_the_program, nothing_heard};
pub(super) use demos::{Origin, Shown, from_step, labeled};

use serde_json::{Map, Value};

use crate::{
    Result,
    context::Context,
    data::Example,
    evaluate::{Failure, Metric, Plan, Progress, Row, run_rows},
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

        /// Sets how many rows may fail through no fault of the program (the model could not be reached, the metric
        /// could not judge) in the whole compile before it stops with an error: 10 unless set, `None` for any
        /// number. Rows that fail through the program's own fault are not counted here: they count 0 in its score.
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
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when there are no rows, or one does not serialise to a map.
    pub(super) fn new(rows: &[E]) -> Result<Self> {
        if rows.is_empty() {
            return Err(crate::Error::other("there are no rows to compile with"));
        }
        let records: Result<Vec<_>> = rows.iter().map(Example::record).collect();
        Ok(Self { rows: rows.iter().cloned().map(Arc::new).collect(), records: records?.into() })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// These rows, and others after them.
    pub(super) fn and(&self, others: &Self) -> Self {
        Self {
            rows: self.rows.iter().chain(&*others.rows).cloned().collect(),
            records: self.records.iter().chain(&*others.records).cloned().collect(),
        }
    }
}

/// What judging a candidate found.
pub(super) struct Judgement {
    /// The mean of the scores that there are.
    pub(super) score: Option<f64>,
    pub(super) scores: Vec<Option<f64>>,
    pub(super) failures: usize,
}

/// By what candidates are judged.
pub(super) struct Judge<'a, E, M> {
    /// The rows that demonstrations were made from.
    pub(super) train: &'a Data<E>,
    pub(super) val: &'a Data<E>,
    pub(super) metric: &'a Arc<M>,
    pub(super) budget: &'a ErrorBudget,
    pub(super) concurrency: usize,
}

impl<E: Example, M> Judge<'_, E, M> {
    /// Judges candidates by every row, each without the demonstrations that were made from it. The rows of all
    /// candidates run at the same time as far as the concurrency allows.
    pub(super) async fn judge<P, K>(
        &self,
        candidates: &[&Shown<P>],
        progress: &mut Progress,
    ) -> Result<Vec<Judgement>>
    where
        P: Module + Clone + 'static,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let n = self.val.len();
        let rows: Arc<[Arc<E>]> = candidates.iter().flat_map(|_| self.val.rows.iter().cloned()).collect();
        let mut ended = |_: usize, failure: Option<&Failure>, _: f64| {
            progress.tick(String::new);
            if failure.is_some_and(|f| !self.budget.allows(f)) { Flow::Drain } else { Flow::Continue }
        };
        let plan =
            Plan { concurrency: self.concurrency, trace: false, failure_score: 0.0, ended: &mut ended };
        let program_for = |i: usize| candidates[i / n].for_row(&self.train.records, &self.val.records[i % n]);
        let (rows, _) = run_rows(&rows, self.metric, program_for, plan).await;
        self.budget.check()?;
        let rows: Vec<Row<E, P::Output>> = rows.into_iter().flatten().collect();
        let unheard = |row: &Row<E, P::Output>| row.failure.clone().filter(is_no_fault_of_the_program);
        if let Some(first) = rows.first().and_then(unheard)
            && rows.iter().all(|row| unheard(row).is_some())
        {
            return Err(nothing_heard(&first));
        }
        Ok(rows.chunks(n).map(Judgement::of).collect())
    }
}

impl Judgement {
    fn of<E, O>(rows: &[Row<E, O>]) -> Self {
        let said = |row: &Row<E, O>| row.failure.as_ref().is_none_or(|f| !is_no_fault_of_the_program(f));
        let scores: Vec<Option<f64>> = rows.iter().map(|row| said(row).then_some(row.score)).collect();
        let known: Vec<f64> = scores.iter().flatten().copied().collect();
        Self {
            score: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
            failures: rows.iter().filter(|row| row.failure.is_some()).count(),
            scores,
        }
    }
}
