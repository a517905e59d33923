//! MIPROv2: instructions and demonstrations of all predictors together.
//!
//! The proposers are ordinary modules; see [`proposers`].

mod demos;
mod options;
mod planned;
mod proposals;
pub mod proposers;
mod size;
mod trials;
mod waves;

pub use options::MIPROv2;

use self::{demos::Learnt, proposals::Grounds, trials::Trials, waves::Waves};
use super::{CandidateId, Engine, Optimizer, PlannedStage, Rows, SearchOptions, Stop, TaskShape};
use crate::{Result, lm::BoxFuture};

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
        self.run(engine).await
    }
}

impl MIPROv2 {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
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
        })
    }
}
