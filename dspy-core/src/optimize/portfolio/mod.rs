//! The optimizers chained: each where the data and the metric give it something to learn from.

mod options;
mod size;
mod steps;

pub use options::Portfolio;

use self::{size::Shares, steps::Steps};
use super::{Amount, CandidateId, Engine, Optimizer, PlannedStage, Rows, SearchOptions, Stop, TaskShape};
use crate::{Result, data::Rng, lm::BoxFuture};

impl Optimizer for Portfolio {
    fn name(&self) -> &'static str {
        "Portfolio"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let held =
            Shares::of(self.runs(), shape.train, (shape.val != shape.train).then_some(shape.val), shape.test);
        let per_run = shape.predictors.max(1);
        let budget = self.search.budget.max_calls().map(|_| self.runs() / per_run);
        let confirm = if shape.test == 0 { 2 * held.test } else { 0 };
        let all = budget.unwrap_or(usize::MAX).min(self.runs()).saturating_sub(2 * held.test);
        let look = size::LOOK.min(held.val).min(all);
        let runs = if self.demos == 0 { 0 } else { steps::runs_for_demos(all, held.train) };
        let race = if self.demos == 0 { 0 } else { 3 * size::race_rows(held.val) };
        let rest = all.saturating_sub(look);
        let (runs, race) = (Amount::new(runs, 2 * runs), Amount::new(race / 2, race));
        let instructions = Amount::new(rest.saturating_sub(runs.expected + race.expected), rest);
        let mut stages = vec![
            PlannedStage::rollouts("look", look),
            PlannedStage::rollouts("demonstrations, where rows do not hold them", runs).demos(self.demos),
            PlannedStage::rollouts("race of demonstrations", race).demos(self.demos),
            PlannedStage::rollouts("instructions", instructions).demos(self.demos),
            PlannedStage::proposals("proposals of instructions", Amount::new(rest / 40, rest / 8)),
        ];
        if confirm > 0 {
            stages.push(PlannedStage::rollouts("confirm on rows held back", confirm).demos(self.demos));
        }
        stages
    }

    fn rows(&self, rows: Rows) -> Result<Rows> {
        let given = (!rows.judged_by_train()).then_some(rows.val.len());
        let held = Shares::of(self.runs(), rows.train.len(), given, rows.test.len());
        Ok(held.divide(rows, &Rng::new(self.search.seed).fork("rows")))
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl Portfolio {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            let mut steps = Steps::look(self, engine).await?;
            let shown = steps.demonstrations().await?;
            steps.instructions(shown).await
        })
    }
}
