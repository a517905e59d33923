//! When instructions are proposed.

use super::size::Size;

/// How many instructions are proposed for each predictor at a time: a part of them before the first trial, the others
/// evenly spread over the trials, or as soon as there is nothing else to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waves {
    left: usize,
    each: usize,
    done: usize,
    trials: usize,
}

impl Waves {
    pub(super) fn new(size: &Size) -> Self {
        let left = size.instructions - 1;
        Self { left, each: left.div_ceil(WAVES), done: 0, trials: size.trials }
    }

    /// How many waves there are.
    pub(super) fn count(self) -> usize {
        self.left.div_ceil(self.each.max(1)) + self.done
    }

    /// Whether the next wave comes after so many trials.
    pub(super) fn are_due(&self, trials: usize) -> bool {
        self.left > 0 && trials * self.count() > self.done * self.trials
    }

    pub(super) fn next(&mut self) -> usize {
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
