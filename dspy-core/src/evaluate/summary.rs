//! What an evaluation found, without the rows.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{
    Comparison, Evaluation, Failure, Interval, Scores,
    results::{Known, put},
    scores::{RowId, Scored},
    violations::Violations,
};
use crate::{Error, Result, context::UsageReport, data::Example, error::shorten};

/// What an evaluation over a stream of rows found: numbers for every row, but not the rows. Displays as a few lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Summary {
    /// The mean over all rows, in the units of the metric. Rows that failed count the failure score: see
    /// [`score_of_answered`](Self::score_of_answered).
    pub score: f64,
    /// How many rows there were.
    pub rows: usize,
    /// How many of them an earlier run had finished.
    pub resumed: usize,
    /// What all calls cost, those of failed rows, of the metric and of earlier runs included.
    pub usage: UsageReport,
    /// How long this run took.
    pub duration: Duration,
    scores: Scores,
    kinds: BTreeMap<String, usize>,
    first: BTreeMap<usize, String>,
    violations: Violations,
}

/// How many failures are shown.
const SHOWN: usize = 3;

impl Summary {
    /// The score of every row, by which programs are compared.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }

    /// The mean over the rows whose failure, if any, is the program's own
    /// ([`Failure::is_no_fault_of_the_program`]): without those for which the model could not be reached, or that the
    /// metric could not judge. `None` when no row is left.
    pub fn score_of_answered(&self) -> Option<f64> {
        self.scores.mean()
    }

    /// Where the true mean lies, with the probability `level`: see [`Interval::of_mean`]. Of the rows that
    /// [`score_of_answered`](Self::score_of_answered) counts.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        self.scores.interval(level)
    }

    /// How many rows failed for each kind of error; see [`Error::kind`].
    pub fn errors_by_kind(&self) -> &BTreeMap<String, usize> {
        &self.kinds
    }

    /// How many rows failed.
    pub fn failed(&self) -> usize {
        self.kinds.values().sum()
    }

    /// How many suggestions of signatures and of the program are not met, over all rows.
    pub fn violations(&self) -> usize {
        self.violations.all()
    }

    /// The name of the metric.
    pub fn metric(&self) -> &str {
        self.scores.metric()
    }

    /// How this program differs from another one on the same rows: see [`Comparison`].
    ///
    /// # Errors
    /// As [`Scores::compare`].
    pub fn compare(&self, baseline: &Self) -> Result<Comparison> {
        self.scores.compare(&baseline.scores)
    }
}

impl<E: Example, O> Evaluation<E, O> {
    /// Where the true mean lies, with the probability `level`: see [`Interval::of_mean`]. Of the rows that
    /// [`score_of_answered`](Self::score_of_answered) counts.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let known = self.rows.iter().filter(|row| !row.is_unscored());
        Interval::of_mean(&known.map(|row| row.score).collect::<Vec<_>>(), level)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.score_of_answered(), self.first.values().next()) {
            (None, Some(failure)) => writeln!(f, "no row has a score: {failure}")?,
            _ => {
                write!(f, "{} {:.4}", self.metric(), self.score)?;
                if let Some(interval) = self.interval(Interval::LEVEL) {
                    write!(f, " {interval:.3}")?;
                }
                let scores = || self.scores.rows.iter().filter_map(|row| row.as_ref()?.score);
                let right = scores().filter(|score| *score == 1.0).count();
                match scores().all(|score| score == 0.0 || score == 1.0) {
                    true => writeln!(f, " ({right} of {} rows)", self.rows)?,
                    false => writeln!(f, " ({} rows)", self.rows)?,
                }
            }
        }
        if !self.kinds.is_empty() {
            let kinds: Vec<String> = self.kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            writeln!(f, "failed: {}", kinds.join(", "))?;
            for (row, failure) in &self.first {
                writeln!(f, "  row {row}: {}", shorten(failure, 200))?;
            }
        }
        if let Some(violations) = self.violations.said() {
            writeln!(f, "{violations}")?;
        }
        if self.resumed > 0 {
            writeln!(f, "{} rows were finished by an earlier run", self.resumed)?;
        }
        let usage = self.usage.total();
        write!(
            f,
            "{} calls ({} from the cache), {} tokens, {:.1} s",
            usage.calls + usage.cached_calls,
            usage.cached_calls,
            usage.total_tokens(),
            self.duration.as_secs_f64()
        )
    }
}

/// Counts rows as they end.
pub(super) struct Tally {
    pub(super) failure_score: f64,
    scores: Scores,
    usage: UsageReport,
    resumed: usize,
    seen: usize,
    /// For people who watch: of rows in the order in which they ended.
    sum: f64,
    kinds: BTreeMap<String, usize>,
    first: BTreeMap<usize, String>,
    violations: Violations,
}

impl Tally {
    pub(super) fn new(metric: String, failure_score: f64, usage: UsageReport) -> Self {
        Self {
            failure_score,
            scores: Scores { metric, rows: Vec::new() },
            usage,
            resumed: 0,
            seen: 0,
            sum: 0.0,
            kinds: BTreeMap::new(),
            first: BTreeMap::new(),
            violations: Violations::default(),
        }
    }

    pub(super) fn add(
        &mut self,
        index: usize,
        id: RowId,
        score: f64,
        failure: Option<&Failure>,
        violations: u32,
        usage: &UsageReport,
    ) {
        self.violations.add(violations);
        let known = failure.is_none_or(|f| !f.is_no_fault_of_the_program());
        self.put(index, Scored { id, score: known.then_some(score) }, score);
        self.usage.merge(usage);
        if let Some(failure) = failure {
            *self.kinds.entry(failure.error().kind().to_owned()).or_default() += 1;
            self.first.insert(index, failure.to_string());
            if self.first.len() > SHOWN {
                self.first.pop_last();
            }
        }
    }

    pub(super) fn resumed(&mut self, index: usize, known: &Known<'_>) {
        self.put(index, Scored { id: known.id, score: Some(known.score) }, known.score);
        self.resumed += 1;
        self.violations.add(known.violations);
        if let Some(kind) = known.failure {
            *self.kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }

    fn put(&mut self, index: usize, scored: Scored, score: f64) {
        put(&mut self.scores.rows, index, scored);
        self.seen += 1;
        self.sum += score;
    }

    pub(super) fn so_far(&self) -> String {
        let failed: usize = self.kinds.values().sum();
        format!("mean {:.3}, {failed} failed", self.sum / self.seen.max(1) as f64)
    }

    pub(super) fn finish(self, duration: Duration) -> Result<Summary> {
        if self.seen == 0 {
            return Err(Error::other("there are no rows to evaluate on"));
        }
        // In the order of the rows, so that the sum does not depend on which was ready first.
        let scores = self.scores.rows.iter().flatten();
        let sum: f64 = scores.map(|row| row.score.unwrap_or(self.failure_score)).sum();
        Ok(Summary {
            score: sum / self.seen as f64,
            rows: self.seen,
            resumed: self.resumed,
            usage: self.usage,
            duration,
            scores: self.scores,
            kinds: self.kinds,
            first: self.first,
            violations: self.violations,
        })
    }
}
