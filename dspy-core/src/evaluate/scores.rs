//! The scores of an evaluation by row.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Comparison, Evaluation, Interval};
use crate::{Error, Result, data::Example};

/// What an evaluation says of every row: numbers alone, without the rows. With them, two programs are compared on the
/// same rows, whether the evaluations are at hand or in files.
///
/// ```no_run
/// # fn f() -> dspy_core::Result<()> {
/// use dspy_core::evaluate::Scores;
/// let (before, after) = (Scores::load("before.jsonl")?, Scores::load("after.jsonl")?);
/// println!("{}", after.compare(&before)?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    pub(super) metric: String,
    pub(super) rows: Vec<Option<Scored>>,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub(super) id: RowId,
    /// `None` when there is none through no fault of the program.
    pub(super) score: Option<f64>,
}

impl Scores {
    /// The name of the metric.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The score of every row, in the order of the data; `None` for rows that have none, because the model could not
    /// be reached or the metric failed. A row on which the program itself failed has the failure score.
    pub fn values(&self) -> Vec<Option<f64>> {
        self.rows.iter().map(|row| row.and_then(|row| row.score)).collect()
    }

    /// The mean of the rows that have a score; `None` when none has.
    pub fn mean(&self) -> Option<f64> {
        let scores = self.known();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }

    /// Where the true mean lies: see [`Interval::of_mean`].
    pub fn interval(&self, level: f64) -> Option<Interval> {
        Interval::of_mean(&self.known(), level)
    }

    /// How these scores differ from others of the same rows: see [`Comparison`].
    ///
    /// # Errors
    /// [`Error::Other`] when the rows are not the same, the metrics have different names, or there are too few rows.
    pub fn compare(&self, baseline: &Self) -> Result<Comparison> {
        let refused = |message: String| Err(Error::other(message));
        if self.metric != baseline.metric {
            return refused(format!(
                "scores of `{}` cannot be compared with scores of `{}`",
                self.metric, baseline.metric
            ));
        }
        if self.rows.len() != baseline.rows.len() {
            return refused(format!(
                "an evaluation of {} rows cannot be compared with one of {}: run both programs on the same rows",
                self.rows.len(),
                baseline.rows.len()
            ));
        }
        let both = self.rows.iter().zip(&baseline.rows);
        let differs =
            |(a, b): (&Option<Scored>, &Option<Scored>)| matches!((a, b), (Some(a), Some(b)) if a.id != b.id);
        if let Some(row) = both.clone().position(differs) {
            return refused(format!(
                "row {row} is not the same in both evaluations: run both programs on the same rows, in the same order"
            ));
        }
        Comparison::paired(&self.values(), &baseline.values())
    }

    fn known(&self) -> Vec<f64> {
        self.rows.iter().filter_map(|row| row.as_ref()?.score).collect()
    }
}

/// What tells rows apart: the first eight bytes of the SHA-256 of a row's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct RowId(u64);

impl RowId {
    pub(super) fn of(record: &Map<String, Value>) -> Result<Self> {
        Ok(Self(hash(&serde_json::to_vec(record)?)))
    }
}

impl From<RowId> for String {
    fn from(id: RowId) -> Self {
        format!("{:016x}", id.0)
    }
}

impl TryFrom<String> for RowId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        u64::from_str_radix(&text, 16).map(Self).map_err(|_| "not the id of a row")
    }
}

pub(super) fn hash(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

impl<E: Example, O> Evaluation<E, O> {
    /// The scores alone.
    ///
    /// # Errors
    /// [`Error::Other`] when a row cannot be turned into fields.
    pub fn scores(&self) -> Result<Scores> {
        let scored = |row: &super::Row<E, O>| {
            let score = (!row.is_unscored()).then_some(row.score);
            Ok(Some(Scored { id: RowId::of(&row.example.record()?)?, score }))
        };
        let rows: Result<Vec<_>> = self.rows.iter().map(scored).collect();
        Ok(Scores { metric: self.metric().to_owned(), rows: rows? })
    }

    /// How this program differs from another one that was evaluated on the same rows: see [`Comparison`].
    ///
    /// ```no_run
    /// # use dspy_core::{Result, data::Example, evaluate::Evaluate, module::Module};
    /// # use serde::Serialize;
    /// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
    /// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
    /// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(old: P, new: P, devset: Vec<Qa>) -> Result<()> {
    /// let evaluate = Evaluate::new(&devset, |gold: &Qa, pred: &String| gold.answer == *pred);
    /// let (before, after) = (evaluate.run(&old).await?, evaluate.run(&new).await?);
    /// println!("{}", after.compare(&before)?); // +4.5 points [1.2, 7.8], p = 0.010, 400 rows: 31 won, 13 lost
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Scores::compare`].
    pub fn compare<B>(&self, baseline: &Evaluation<E, B>) -> Result<Comparison> {
        self.scores()?.compare(&baseline.scores()?)
    }
}
