//! What a compile will take.

use super::{
    demos,
    options::{MIPROv2, MOST_HELD_BACK},
    proposals,
    size::{Wanted, val_rows},
    waves::Waves,
};
use crate::optimize::{Amount, PlannedStage, TaskShape};

impl MIPROv2 {
    pub(super) fn planned(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let Ok(size) = self.wanted.size(shape.predictors, self.is_zero_shot()) else { return Vec::new() };
        let (mut train, mut val) = (shape.train, shape.val);
        if train == val {
            val = (train * 4 / 5).clamp(1, MOST_HELD_BACK);
            train -= val.min(train);
        }
        if let Wanted::Auto(auto) = self.wanted {
            val = val.min(val_rows(auto));
        }
        let batch = self.minibatch_of(val);
        let full = size.trials / self.full_eval_every + 2;
        let shown = self.demos.max_labeled.max(self.demos.max_bootstrapped);
        let tried = demos::rows_tried(self, train);
        let asked = proposals::calls(self, &size, shape.predictors);
        let again = demos::FAILURES * Waves::new(&size).count().saturating_sub(1);
        vec![
            PlannedStage::rollouts("bootstrap", Amount::new(tried / 3, tried)).demos(shown / 2),
            PlannedStage::proposals("instructions", asked),
            PlannedStage::rollouts(
                "trials",
                Amount::new((size.trials + 1) * batch * 3 / 4, (size.trials + 1) * batch + again),
            )
            .demos(shown),
            PlannedStage::rollouts(
                "full evaluations",
                Amount::new(full * (val - batch) / 2, full * (val - batch)),
            )
            .demos(shown),
        ]
    }
}
