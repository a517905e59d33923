//! MIPROv2: instructions and demonstrations of all predictors together.
//!
//! The proposers are ordinary modules; see [`proposals`].

mod demos;
mod options;
pub mod proposals;
mod size;
mod trials;

pub use options::MIPROv2;
pub use size::Auto;

use self::{demos::Learnt, proposals::Grounds, size::Size, trials::Trials};
use super::{CandidateId, Engine, Optimizer, PlannedStage, Rows, SearchOptions, Stop, TaskShape};
use crate::Result;

impl Optimizer for MIPROv2 {
    fn name(&self) -> &'static str {
        "MIPROv2"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        self.planned(shape)
    }

    fn rows(&self, rows: Rows) -> Result<Rows> {
        self.divide(rows)
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        let size = self.size_for(engine)?;

        // 1. Demonstrations: runs on the train rows that the metric accepts.
        let learnt = Learnt::from_runs(engine, self).await?;
        let sets = learnt.demo_sets(engine, self, size.demo_sets)?;

        // 2. Instructions, grounded in the data, the program and what went wrong.
        let grounds = Grounds::describe(engine, self, &learnt).await?;
        let mut trials = Trials::new(engine, self, &size, sets);
        let mut waves = Waves::new(&size);
        trials.add(grounds.instructions(engine, self, &learnt, &trials, waves.next()).await?);

        // 3. Search over (instruction, demonstrations) of all predictors, by trials on a minibatch.
        while !trials.are_done() {
            if waves.are_due(trials.done()) || trials.are_exhausted() {
                let more = waves.next();
                if more == 0 {
                    break;
                }
                // By now attempts have scores, and the leader has rows that it still fails on.
                let learnt = Learnt::failures_of(engine, self, trials.leader(), trials.done()).await?;
                trials.add(grounds.instructions(engine, self, &learnt, &trials, more).await?);
                continue;
            }
            trials.next().await?;
            if trials.is_time_for_full_evaluation() {
                trials.evaluate_leader_fully().await?;
            }
        }
        trials.confirm().await
    }
}

/// How many instructions are proposed for each predictor at a time: a part of them before the first trial, the others
/// evenly spread over the trials, or as soon as there is nothing else to try.
#[derive(Debug, Clone, Copy)]
struct Waves {
    left: usize,
    each: usize,
    done: usize,
    trials: usize,
}

impl Waves {
    fn new(size: &Size) -> Self {
        let left = size.instructions - 1;
        Self { left, each: left.div_ceil(WAVES), done: 0, trials: size.trials }
    }

    /// How many waves there are.
    fn count(self) -> usize {
        self.left.div_ceil(self.each.max(1)) + self.done
    }

    /// Whether the next wave comes after so many trials.
    fn are_due(&self, trials: usize) -> bool {
        self.left > 0 && trials * self.count() > self.done * self.trials
    }

    fn next(&mut self) -> usize {
        let wave = self.each.min(self.left);
        self.left -= wave;
        self.done += 1;
        wave
    }
}

/// In how many parts instructions are proposed, at most.
const WAVES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_are_spread_over_the_trials() {
        let waves = |instructions, trials| {
            let mut waves = Waves::new(&Size { instructions, demo_sets: 0, trials });
            let mut made = vec![(0, waves.next())];
            for done in 1..=trials {
                if waves.are_due(done) {
                    made.push((done, waves.next()));
                }
            }
            made
        };
        assert_eq!(waves(6, 9), [(0, 2), (4, 2), (7, 1)]);
        assert_eq!(waves(3, 10), [(0, 1), (6, 1)]);
        assert_eq!(waves(1, 10), [(0, 0)]);
    }
}
