//! Scores of candidates: on all rows, on some, or as long as they can still win.

use std::collections::HashSet;

use super::{CandidateId, Engine, Event, Run, Stop, errors::nothing_heard, scores::Cell};
use crate::{
    evaluate::{Failure, ruled_out},
    optimize::Rollout,
};

/// What an evaluation found of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Evaluated {
    /// The candidate.
    pub candidate: CandidateId,
    /// The mean over the rows it was run on, those left out that failed through no fault of the program.
    pub score: Option<f64>,
    /// Whether it was run on all rows. It was not when racing ruled it out.
    pub complete: bool,
}

/// The rows that racing looks at before it compares for the first time, and how many times as many each time after.
const FIRST_LOOK: usize = 16;

impl Engine {
    /// Scores candidates on rows, all at the same time as far as the concurrency allows; what is known already is not
    /// run again. With [`racing`](super::SearchOptions::racing), candidates that the others rule out are given up
    /// before they have been run on all rows.
    ///
    /// # Errors
    /// As [`rollouts`](Self::rollouts).
    pub async fn evaluate(&self, candidates: &[CandidateId], rows: &[usize]) -> Result<Vec<Evaluated>, Stop> {
        match self.options.racing {
            Some(error) => self.race(candidates, rows, error).await?,
            None => self.fill(candidates, rows).await?,
        }
        Ok(candidates.iter().map(|candidate| self.evaluated(*candidate, rows)).collect())
    }

    /// Scores candidates on rows, all of them on all rows, whether racing is on or not.
    ///
    /// # Errors
    /// As [`rollouts`](Self::rollouts).
    pub async fn evaluate_all(
        &self,
        candidates: &[CandidateId],
        rows: &[usize],
    ) -> Result<Vec<Evaluated>, Stop> {
        self.fill(candidates, rows).await?;
        Ok(candidates.iter().map(|candidate| self.evaluated(*candidate, rows)).collect())
    }

    /// Scores one candidate on all validation rows.
    ///
    /// # Errors
    /// As [`rollouts`](Self::rollouts).
    pub async fn evaluate_fully(&self, candidate: CandidateId) -> Result<Option<f64>, Stop> {
        let rows = self.rows.val.clone();
        self.fill(&[candidate], &rows).await?;
        Ok(self.evaluated(candidate, &rows).score)
    }

    /// The mean of a candidate over those of the rows that it has a score on.
    pub fn mean(&self, candidate: CandidateId, rows: &[usize]) -> Option<f64> {
        self.state().scores.mean(candidate, rows)
    }

    /// The scores of a candidate on rows, in their order; `None` where there is none.
    pub fn scores(&self, candidate: CandidateId, rows: &[usize]) -> Vec<Option<f64>> {
        self.state().scores.of(candidate, rows)
    }

    /// What the metric said of a candidate on a row.
    pub fn feedback(&self, candidate: CandidateId, row: usize) -> Option<String> {
        self.state().scores.get(candidate, row)?.feedback.clone()
    }

    /// Whether a candidate was run on all these rows.
    pub fn covers(&self, candidate: CandidateId, rows: &[usize]) -> bool {
        self.state().scores.covers(candidate, rows)
    }

    /// Takes a rollout of a candidate, in the settings of the compile, as its score on the row.
    pub fn record_score(&self, candidate: CandidateId, row: usize, rollout: &Rollout) {
        let cell =
            Cell { score: rollout.score(), feedback: rollout.feedback(), failed: rollout.outcome.is_err() };
        self.state().scores.set(candidate, row, cell);
    }

    /// Tells when failing pays, because the metric gives scores below what a failed run counts.
    pub(in crate::optimize) fn note_failures_that_pay(&self) {
        let paying = self.state().scores.failures_that_pay();
        if let Some((runs, lowest)) = paying {
            let counted = self.options.failure_score.unwrap_or_default();
            self.note(format!(
                "{runs} failed runs count {counted}, more than the lowest score of the metric, {lowest}: set \
                 `failure_score` to the lowest score that there is, so that programs do not gain by failing"
            ));
        }
    }

    /// A run whose score is that of a candidate.
    pub fn run_of(&self, candidate: CandidateId, row: usize) -> Run {
        Run { candidate: Some(candidate), ..Run::new(self.parameters(candidate), row) }
    }

    fn evaluated(&self, candidate: CandidateId, rows: &[usize]) -> Evaluated {
        let state = self.state();
        let complete = state.scores.covers(candidate, rows);
        Evaluated { candidate, score: state.scores.mean(candidate, rows), complete }
    }

    async fn race(&self, candidates: &[CandidateId], rows: &[usize], error: f64) -> Result<(), Stop> {
        // Who is the best so far takes part: it was run on these rows already.
        let champion = self.best().map(|(best, _)| best).filter(|best| self.covers(*best, rows));
        let mut alive = candidates.to_vec();
        let looks = looks(rows.len());
        for (i, end) in looks.iter().enumerate() {
            if i + 1 == looks.len() || (i > 0 && self.is_short(&alive, &rows[..*end], rows)) {
                // When a budget may end it, those that lead are done first.
                if self.calls_left().is_some() && i > 0 {
                    let seen = &rows[..looks[i - 1]];
                    let mean = |c: CandidateId| self.mean(c, seen).unwrap_or(f64::NEG_INFINITY);
                    alive.sort_by(|a, b| mean(*b).total_cmp(&mean(*a)));
                }
                return self.fill(&alive, rows).await;
            }
            self.fill(&alive, &rows[..*end]).await?;
            let seen = &rows[..*end];
            let all = || alive.iter().copied().chain(champion);
            let mean_of = |c: CandidateId| self.mean(c, seen).unwrap_or(f64::NEG_INFINITY);
            let Some(leader) = all().reduce(|a, b| if mean_of(b) > mean_of(a) { b } else { a }) else {
                break;
            };
            let leading = self.scores(leader, seen);
            let out = |c: CandidateId| c != leader && ruled_out(&self.scores(c, seen), &leading, error);
            let ruled_out: Vec<CandidateId> = alive.iter().copied().filter(|c| out(*c)).collect();
            for candidate in &ruled_out {
                self.emit(Event::RuledOut { candidate: *candidate, by: leader, rows: *end });
            }
            alive.retain(|c| !ruled_out.contains(c));
        }
        Ok(())
    }

    /// Whether the calls that are left, if they are limited, may not suffice for these candidates on some rows, and
    /// for one of them on all. A run is taken to ask each predictor once.
    fn is_short(&self, candidates: &[CandidateId], some: &[usize], all: &[usize]) -> bool {
        let Some(left) = self.calls_left() else { return false };
        let missing = {
            let state = self.state();
            let unknown =
                |c: &CandidateId| some.iter().filter(|row| state.scores.get(*c, **row).is_none()).count();
            candidates.iter().map(unknown).sum::<usize>() + (all.len() - some.len())
        };
        (missing * self.predictors().len().max(1)) as u64 > left
    }

    /// Runs candidates on those of the rows that they have no score on.
    pub(super) async fn fill(&self, candidates: &[CandidateId], rows: &[usize]) -> Result<(), Stop> {
        self.run_missing(candidates, rows, false).await.map(drop)
    }

    /// Runs candidates on those of the rows that they have no score on, and gives what was run.
    pub(in crate::optimize) async fn run_missing(
        &self,
        candidates: &[CandidateId],
        rows: &[usize],
        trace: bool,
    ) -> Result<Vec<(CandidateId, usize, Rollout)>, Stop> {
        let mut missing: Vec<(CandidateId, usize)> = Vec::new();
        {
            let state = self.state();
            for candidate in candidates {
                let unknown = rows.iter().filter(|row| state.scores.get(*candidate, **row).is_none());
                missing.extend(unknown.map(|row| (*candidate, *row)));
            }
        }
        // A budget may end the work anywhere. One candidate after the other, at most one is left half done; and all that
        // are done count, whatever the order in which their answers came.
        let by_candidate = |a: &(CandidateId, usize), b: &(CandidateId, usize)| a.0 == b.0;
        let parts: Vec<&[(CandidateId, usize)]> = match self.meter.is_limited() {
            true => missing.chunk_by(by_candidate).collect(),
            false => vec![missing.as_slice()],
        };
        let mut done = Vec::with_capacity(missing.len());
        let mut ended = Ok(());
        for part in parts {
            let runs: Vec<Run> =
                part.iter().map(|(candidate, row)| Run { trace, ..self.run_of(*candidate, *row) }).collect();
            let (rollouts, stopped) = self.rollouts_until_end(runs).await;
            ended = stopped;
            // Which runs are done when a user asks for an end is chance anyhow, and they are paid.
            if matches!(ended, Ok(()) | Err(Stop::Cancelled)) {
                let some = part
                    .iter()
                    .zip(rollouts)
                    .filter_map(|((candidate, row), r)| Some((*candidate, *row, r?)));
                done.extend(some);
            }
            if ended.is_err() {
                break;
            }
        }
        for (candidate, row, rollout) in &done {
            self.record_score(*candidate, *row, rollout);
        }
        if ended.is_ok() {
            all_unheard(&done).map_or(Ok(()), |failure| Err(nothing_heard(failure)))?;
        }
        if !done.is_empty() {
            for candidate in candidates.iter().filter(|candidate| self.covers(**candidate, rows)) {
                self.tell_evaluated(*candidate, rows);
            }
        }
        ended.map(|()| done)
    }

    /// Whether these are the validation rows, in whatever order.
    fn is_all_of_val(&self, rows: &[usize]) -> bool {
        let val = &self.rows.val;
        if rows == val.as_slice() {
            return true;
        }
        let rows: HashSet<usize> = rows.iter().copied().collect();
        val.iter().all(|row| rows.contains(row)) && rows.len() == val.iter().collect::<HashSet<_>>().len()
    }

    pub(super) fn tell_evaluated(&self, candidate: CandidateId, rows: &[usize]) {
        let spent = self.spent();
        let (score, full, best) = {
            let mut state = self.state();
            let score = state.scores.mean(candidate, rows);
            let covered = state.scores.covers(candidate, &self.rows.val);
            let val = state.scores.mean(candidate, &self.rows.val).filter(|_| covered);
            let best = val.filter(|score| state.best.is_none_or(|(_, best)| *score > best));
            if let Some(score) = best {
                state.best = Some((candidate, score));
            }
            (score, covered && self.is_all_of_val(rows), best)
        };
        self.emit(Event::Evaluated { candidate, rows: rows.len(), full, score, spent });
        if let Some(score) = best {
            self.emit(Event::Best { candidate, score, spent });
        }
    }
}

/// The failure of the first, when all of them failed through no fault of the program.
fn all_unheard(done: &[(CandidateId, usize, Rollout)]) -> Option<&Failure> {
    match done.first().map(|(_, _, first)| &first.outcome) {
        Some(Err(failure)) if done.iter().all(|(_, _, rollout)| rollout.score().is_none()) => Some(failure),
        _ => None,
    }
}

/// After how many rows racing compares.
fn looks(rows: usize) -> Vec<usize> {
    let mut looks: Vec<usize> =
        std::iter::successors(Some(FIRST_LOOK), |n| Some(n * 2)).take_while(|n| *n < rows).collect();
    looks.push(rows);
    looks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_double_and_end_with_all_rows() {
        assert_eq!(looks(100), [16, 32, 64, 100]);
        assert_eq!((looks(16), looks(3)), (vec![16], vec![3]));
    }
}
