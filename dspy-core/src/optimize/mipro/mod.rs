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
        let mut waves = Waves::new(self, &size);
        trials.add(grounds.instructions(engine, self, &learnt, &trials, waves.next()).await?);

        // 3. Search over (instruction, demonstrations) of all predictors, by trials on a minibatch.
        while let Some(trial) = trials.next().await? {
            if !trials.is_time_for_full_evaluation(trial) {
                continue;
            }
            trials.evaluate_leader_fully().await?;
            // By now attempts have scores, and the leader has rows that it still fails on.
            let wave = waves.next();
            if wave > 0 {
                let learnt = Learnt::failures_of(engine, self, trials.leader(), trial).await?;
                trials.add(grounds.instructions(engine, self, &learnt, &trials, wave).await?);
            }
        }
        trials.confirm().await
    }
}

/// How many instructions are proposed for each predictor at a time: half of them before the first trial, the others
/// after full evaluations.
struct Waves {
    left: usize,
    each: usize,
}

impl Waves {
    fn new(options: &MIPROv2, size: &Size) -> Self {
        let left = size.instructions - 1;
        let later = size.trials.saturating_sub(1) / options.full_eval_every;
        Self { left, each: left.div_ceil(2).max(left.div_ceil(later + 1)) }
    }

    fn next(&mut self) -> usize {
        let wave = self.each.min(self.left);
        self.left -= wave;
        wave
    }
}
