//! What candidates scored on which rows.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::CandidateId;

/// The score of every candidate on every row that it was run on.
#[derive(Default)]
pub(super) struct Scores {
    /// By the index of the candidate.
    cells: Vec<HashMap<usize, Cell, BuildHasherDefault<RowHasher>>>,
}

/// Hashes indices of rows, which nobody chooses to collide. Every mean over the rows looks up each of them.
#[derive(Default)]
struct RowHasher(u64);

impl Hasher for RowHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, n: usize) {
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4). The high bits are the mixed ones, and the
        // table takes the low ones for the place.
        self.0 = (self.0 ^ n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
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
        self.cells.get(candidate.index())?.get(&row)
    }

    pub(super) fn set(&mut self, candidate: CandidateId, row: usize, cell: Cell) {
        if self.cells.len() <= candidate.index() {
            self.cells.resize_with(candidate.index() + 1, HashMap::default);
        }
        self.cells[candidate.index()].insert(row, cell);
    }

    /// Gives a candidate of other scores those of a candidate here.
    pub(super) fn copy(&self, from: CandidateId, other: &mut Self, to: CandidateId) {
        for (row, cell) in self.cells.get(from.index()).into_iter().flatten() {
            other.set(to, *row, cell.clone());
        }
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

    /// How many runs failed through their own fault and count more than the lowest score of a run that did not fail, and
    /// that score; `None` when there are none.
    pub(super) fn failures_that_pay(&self) -> Option<(usize, f64)> {
        let scored = |failed: bool| {
            let cells = self.cells.iter().flat_map(HashMap::values).filter(move |cell| cell.failed == failed);
            cells.filter_map(|cell| cell.score)
        };
        let lowest = scored(false).fold(f64::INFINITY, f64::min);
        let paying = scored(true).filter(|score| *score > lowest).count();
        (paying > 0).then_some((paying, lowest))
    }

    /// On how many of these rows the candidate was run and has no score, through no fault of its own.
    pub(super) fn unanswered(&self, candidate: CandidateId, rows: &[usize]) -> usize {
        let unanswered = |row: &&usize| self.get(candidate, **row).is_some_and(|cell| cell.score.is_none());
        rows.iter().filter(unanswered).count()
    }

    /// The mean over those of the rows that have a score.
    pub(super) fn mean(&self, candidate: CandidateId, rows: &[usize]) -> Option<f64> {
        mean(rows.iter().map(|row| self.get(candidate, *row)?.score))
    }
}

/// The mean of the scores that there are.
pub(super) fn mean(scores: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = scores.into_iter().flatten().fold((0.0, 0_usize), |(sum, n), score| (sum + score, n + 1));
    (n > 0).then(|| sum / n as f64)
}
