//! What candidates scored on which rows.

use std::collections::HashMap;

use super::CandidateId;

/// The score of every candidate on every row that it was run on.
#[derive(Default)]
pub(super) struct Scores {
    cells: HashMap<(CandidateId, usize), Cell>,
}

/// One candidate on one row.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// `None` when the run failed through no fault of the candidate.
    pub(super) score: Option<f64>,
    pub(super) feedback: Option<String>,
    pub(super) failed: bool,
}

impl Scores {
    pub(super) fn get(&self, candidate: CandidateId, row: usize) -> Option<&Cell> {
        self.cells.get(&(candidate, row))
    }

    pub(super) fn set(&mut self, candidate: CandidateId, row: usize, cell: Cell) {
        self.cells.insert((candidate, row), cell);
    }

    /// Gives a candidate of other scores those of a candidate here.
    pub(super) fn copy(&self, from: CandidateId, other: &mut Self, to: CandidateId) {
        let own = self.cells.iter().filter(|((candidate, _), _)| *candidate == from);
        other.cells.extend(own.map(|((_, row), cell)| ((to, *row), cell.clone())));
    }

    /// The scores on these rows, in their order; `None` where there is none.
    pub(super) fn of(&self, candidate: CandidateId, rows: &[usize]) -> Vec<Option<f64>> {
        rows.iter().map(|row| self.get(candidate, *row)?.score).collect()
    }

    /// Whether the candidate was run on all these rows.
    pub(super) fn covers(&self, candidate: CandidateId, rows: &[usize]) -> bool {
        rows.iter().all(|row| self.get(candidate, *row).is_some())
    }

    /// On how many of these rows the candidate failed.
    pub(super) fn failures(&self, candidate: CandidateId, rows: &[usize]) -> usize {
        rows.iter().filter(|row| self.get(candidate, **row).is_some_and(|cell| cell.failed)).count()
    }

    /// On how many of these rows the candidate was run and has no score, through no fault of its own.
    pub(super) fn unanswered(&self, candidate: CandidateId, rows: &[usize]) -> usize {
        let unanswered = |row: &&usize| self.get(candidate, **row).is_some_and(|cell| cell.score.is_none());
        rows.iter().filter(unanswered).count()
    }

    /// The mean over those of the rows that have a score.
    pub(super) fn mean(&self, candidate: CandidateId, rows: &[usize]) -> Option<f64> {
        mean(&self.of(candidate, rows))
    }
}

/// The mean of the scores that there are.
pub(super) fn mean(scores: &[Option<f64>]) -> Option<f64> {
    let known = scores.iter().flatten();
    let n = known.clone().count();
    (n > 0).then(|| known.sum::<f64>() / n as f64)
}
