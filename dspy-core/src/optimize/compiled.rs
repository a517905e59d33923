//! What a compile gives.

use std::{fmt, path::Path, sync::Arc};

use serde_json::{Map, Value, json};

use super::{CandidateId, Parameters, Report};
use crate::{
    Result,
    module::{Program, save_with_origin},
};

/// A compiled program, and how it was found. Displays as a table of the candidates.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Compiled<P> {
    /// The program.
    pub program: P,
    /// How it was found, and what that cost.
    pub report: Report,
    candidates: Vec<Arc<Parameters>>,
}

impl<P> Compiled<P> {
    /// The program's score on the validation rows, when the optimizer judges candidates; see [`Report::score`].
    pub fn score(&self) -> Option<f64> {
        self.report.score()
    }

    /// The parameters of a candidate.
    pub fn parameters(&self, candidate: CandidateId) -> Option<&Parameters> {
        self.candidates.get(candidate.index()).map(|parameters| &**parameters)
    }
}

impl<P: Program + Clone> Compiled<P> {
    pub(super) fn new(mut program: P, report: Report, candidates: Vec<Arc<Parameters>>) -> Self {
        if let Some(chosen) = candidates.get(report.chosen.index()) {
            chosen.apply_to(program.predictors_mut());
        }
        Self { program, report, candidates }
    }

    /// The program as a candidate had it.
    pub fn candidate(&self, candidate: CandidateId) -> Option<P> {
        let parameters = self.parameters(candidate)?;
        let mut program = self.program.clone();
        parameters.apply_to(program.predictors_mut());
        Some(program)
    }
}

impl<P: Program> Compiled<P> {
    /// Saves the program, as [`Program::save`] does, with the optimizer and the scores of the candidates besides.
    ///
    /// # Errors
    /// As [`Program::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save_with_origin(&self.program, path.as_ref(), origin(&self.report))
    }
}

/// Where a program comes from, for its file.
fn origin(report: &Report) -> Map<String, Value> {
    let score = |(name, score): (String, Option<f64>)| (name, json!(score));
    let scores = report.candidates.iter().map(|c| (c.name.clone(), c.score));
    let mut origin = Map::new();
    origin.insert("optimizer".into(), report.optimizer.as_str().into());
    origin.insert("seed".into(), report.seed.into());
    origin.insert("score".into(), json!(report.score()));
    origin.insert("scores".into(), scores.map(score).collect::<Map<_, _>>().into());
    // A mean over fewer rows than the others is no score like theirs.
    let unanswered = report.candidates.iter().filter(|c| c.unanswered > 0);
    let unanswered: Map<_, _> = unanswered.map(|c| (c.name.clone(), c.unanswered.into())).collect();
    if !unanswered.is_empty() {
        origin.insert("unanswered_rows".into(), unanswered.into());
    }
    if let Some(reason) = &report.ended_early {
        origin.insert("ended_early".into(), reason.as_str().into());
    }
    origin
}

impl<P: Program> fmt::Display for Compiled<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.report)?;
        let predictors = self.program.predictors();
        for (i, (path, predictor)) in predictors.iter().enumerate() {
            let gap = if i + 1 == predictors.len() { "" } else { "\n" };
            write!(f, "{path}: {predictor}{gap}")?;
        }
        Ok(())
    }
}
