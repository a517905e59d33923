//! What a compile gives.

use std::{fmt, path::Path, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    Result,
    context::UsageReport,
    module::{Program, save_with_origin},
};

/// One program that an optimizer tried.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Candidate<P> {
    /// What it is, such as `labels only`; unique within a compile.
    pub name: String,
    /// The mean over the rows it was judged by, in the units of the metric. A row that fails through the program's
    /// own fault counts 0; rows for which the model could not be reached are left out. `None` when it was not
    /// judged.
    pub score: Option<f64>,
    /// The score of each row; `None` where the model could not be reached.
    pub scores: Vec<Option<f64>>,
    /// How many rows failed.
    pub failures: usize,
    /// The program.
    pub program: P,
}

/// A compiled program, and how it was found. Displays as a table of the candidates.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Compiled<P> {
    /// The program.
    pub program: P,
    /// Its score, when the optimizer judges candidates; see [`Candidate::score`].
    pub score: Option<f64>,
    /// All programs that were tried, in the order in which they were.
    pub candidates: Vec<Candidate<P>>,
    /// The optimizer's name.
    pub optimizer: &'static str,
    /// What is worth knowing of the way there, one sentence each.
    pub notes: Vec<String>,
    /// What all calls cost.
    pub usage: UsageReport,
    /// How long it took.
    pub duration: Duration,
}

impl<P> Compiled<P> {
    /// The candidates, best first; of equals, the earlier first.
    pub fn ranking(&self) -> Vec<&Candidate<P>> {
        let mut ranking: Vec<_> = self.candidates.iter().collect();
        ranking.sort_by(|a, b| score_of(b).total_cmp(&score_of(a)));
        ranking
    }
}

fn score_of<P>(candidate: &Candidate<P>) -> f64 {
    candidate.score.unwrap_or(f64::NEG_INFINITY)
}

impl<P: Program> Compiled<P> {
    /// Saves the program, as [`Program::save`] does, with the optimizer and the scores of the candidates besides.
    ///
    /// # Errors
    /// As [`Program::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let candidates = self.candidates.iter().map(|c| (c.name.as_str(), c.score));
        save_with_origin(&self.program, path.as_ref(), origin(self.optimizer, self.score, candidates))
    }
}

/// Where a program comes from, for its file.
pub(super) fn origin<'a>(
    optimizer: &str,
    score: Option<f64>,
    candidates: impl Iterator<Item = (&'a str, Option<f64>)>,
) -> Map<String, Value> {
    let scores: Map<String, Value> =
        candidates.map(|(name, score)| (name.to_owned(), json!(score))).collect();
    let mut origin = Map::new();
    origin.insert("optimizer".into(), optimizer.into());
    origin.insert("score".into(), json!(score));
    origin.insert("scores".into(), scores.into());
    origin
}

impl<P: Program> fmt::Display for Compiled<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.optimizer)?;
        if let Some(score) = self.score {
            write!(f, ": score {score:.4}")?;
        }
        writeln!(f)?;
        let width = self.candidates.iter().map(|c| c.name.chars().count()).max().unwrap_or(0);
        for candidate in self.ranking() {
            let score = candidate.score.map_or("-".into(), |s| format!("{s:.4}"));
            write!(f, "  {:<width$}  {score:>7}", candidate.name)?;
            if candidate.failures > 0 {
                write!(f, "  {} failed", candidate.failures)?;
            }
            writeln!(f)?;
        }
        for (path, predictor) in self.program.predictors() {
            writeln!(f, "{path}: {predictor}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        write!(f, "{}, {:.1} s", self.usage.total(), self.duration.as_secs_f64())
    }
}
