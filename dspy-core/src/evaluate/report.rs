//! What an evaluation found.

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use serde::Serialize;

use super::{
    export::{self, Columns},
    row::{Failure, Row},
    violations::Violations,
};
use crate::{
    Result, context::UsageReport, data::Example, error::shorten, module::Prediction, signature::Violation,
};

impl<E, O> Row<E, O> {
    /// Whether there is no score, through no fault of the program.
    pub(super) fn is_unscored(&self) -> bool {
        self.failure.as_ref().is_some_and(Failure::is_no_fault_of_the_program)
    }
}

/// What an evaluation found. Displays as a table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Evaluation<E, O> {
    /// The mean over all rows, in the units of the metric (1 is the best of a metric that says yes or no; not a
    /// percentage). Rows that failed count the failure score, also when all of them did: see
    /// [`score_of_answered`](Self::score_of_answered).
    pub score: f64,
    /// The rows, in the order of the data.
    pub rows: Vec<Row<E, O>>,
    /// What all calls cost, those of failed rows and of the metric included.
    pub usage: UsageReport,
    /// How long it took.
    pub duration: Duration,
    metric: String,
}

impl<E, O> Evaluation<E, O> {
    pub(super) fn new(rows: Vec<Row<E, O>>, usage: UsageReport, duration: Duration, metric: String) -> Self {
        Self { score: mean(rows.iter()).unwrap_or(0.0), rows, usage, duration, metric }
    }

    /// The rows that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&Row<E, O>, &Failure)> {
        self.rows.iter().filter_map(|row| Some((row, row.failure.as_ref()?)))
    }

    /// The mean over the rows whose failure, if any, is the program's own
    /// ([`Failure::is_no_fault_of_the_program`]): without those for which the model could not be reached, or that the
    /// metric could not judge. `None` when no row is left.
    pub fn score_of_answered(&self) -> Option<f64> {
        score_of_answered(&self.rows)
    }

    /// How many rows failed for each kind of error; see [`Error::kind`](crate::Error::kind).
    pub fn errors_by_kind(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for (_, failure) in self.failures() {
            *kinds.entry(failure.error().kind()).or_default() += 1;
        }
        kinds
    }

    /// The suggestions of signatures and of the program that are not met, each with its row.
    pub fn violations(&self) -> impl Iterator<Item = (&Row<E, O>, &Violation)> {
        let given = self.rows.iter().filter_map(|row| Some((row, row.prediction.as_ref()?)));
        given.flat_map(|(row, prediction)| {
            prediction.violations().iter().map(move |violation| (row, violation))
        })
    }

    /// How many answers were corrected because an assertion of the program did not accept them, over all rows.
    pub fn backtracks(&self) -> usize {
        self.rows.iter().filter_map(|row| row.prediction.as_ref()).map(Prediction::backtracks).sum()
    }

    /// The name of the metric.
    pub fn metric(&self) -> &str {
        &self.metric
    }
}

pub(crate) fn score_of_answered<E, O>(rows: &[Row<E, O>]) -> Option<f64> {
    mean(rows.iter().filter(|r| !r.is_unscored()))
}

fn mean<'a, E: 'a, O: 'a>(rows: impl Iterator<Item = &'a Row<E, O>>) -> Option<f64> {
    let (sum, n) = rows.fold((0.0, 0_usize), |(sum, n), row| (sum + row.score, n + 1));
    (n > 0).then(|| sum / n as f64)
}

impl<E: Example, O: Serialize> Evaluation<E, O> {
    /// Saves the rows as comma-separated values: the fields of the row, those of the prediction, the metric, its
    /// feedback where there is any, and the error. A name that both sides have becomes `example_<name>` and
    /// `pred_<name>`; lists and structs stand as JSON. The file is written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when the file cannot be written or a row cannot be turned into fields.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        export::csv(&Columns::of(&self.rows, &self.metric)?, path.as_ref())
    }

    /// Saves the rows as a JSON array of objects with the columns of [`save_csv`](Self::save_csv).
    ///
    /// # Errors
    /// As [`save_csv`](Self::save_csv).
    pub fn save_json(&self, path: impl AsRef<Path>) -> Result<()> {
        export::json(&Columns::of(&self.rows, &self.metric)?, path.as_ref())
    }

    /// A table of the first `rows` rows.
    pub fn table(&self, rows: usize) -> String {
        let shown = &self.rows[..rows.min(self.rows.len())];
        let mut out = match Columns::of(shown, &self.metric) {
            Ok(columns) => columns.table(),
            Err(error) => format!("{error}\n"),
        };
        if shown.len() < self.rows.len() {
            out.push_str(&format!("… {} rows more\n", self.rows.len() - shown.len()));
        }
        out
    }
}

impl<E: Example, O: Serialize> fmt::Display for Evaluation<E, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More rows are for a file.
        const ROWS: usize = 10;
        f.write_str(&self.table(ROWS))?;
        writeln!(f, "{}", self.unheard().unwrap_or_else(|| self.summary()))?;
        let kinds = self.errors_by_kind();
        if !kinds.is_empty() {
            let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
            writeln!(f, "failed: {}", kinds.join(", "))?;
            for (row, failure) in self.failures().take(3) {
                writeln!(f, "  row {}: {}", row.index, shorten(&failure.to_string(), 200))?;
            }
        }
        let of = |row: &Row<E, O>| row.prediction.as_ref().map_or(0, |p| p.violations().len() as u32);
        if let Some(violations) = Violations::of(self.rows.iter().map(of)).said() {
            writeln!(f, "{violations}")?;
        }
        match self.backtracks() {
            0 => {}
            1 => writeln!(f, "1 answer corrected")?,
            n => writeln!(f, "{n} answers corrected")?,
        }
        write!(f, "{}, {:.1} s", self.usage.total(), self.duration.as_secs_f64())
    }
}

impl<E, O> Evaluation<E, O> {
    /// What no row could be scored for, if so: a mean of failures would look like a score.
    fn unheard(&self) -> Option<String> {
        if self.score_of_answered().is_some() {
            return None;
        }
        self.failures().next().map(|(_, failure)| match failure {
            Failure::Program(error) => format!("no row could be answered: {error}"),
            Failure::Metric(error) => format!("no row could be judged: {error}"),
        })
    }

    /// `score 0.8500 (17 of 20 rows)` when the metric says yes or no, otherwise `score 0.4217 (20 rows)`.
    fn summary(&self) -> String {
        let binary = self.rows.iter().all(|r| r.score == 0.0 || r.score == 1.0);
        let n = self.rows.len();
        let right = self.rows.iter().filter(|r| r.score == 1.0).count();
        let of = if binary { format!("{right} of {n} rows") } else { format!("{n} rows") };
        format!("{} {:.4} ({of})", self.metric, self.score)
    }
}
