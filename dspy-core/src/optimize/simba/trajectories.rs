//! Runs on the same row.

use crate::{
    data::Rng,
    optimize::{Engine, Parameters, Rollout},
};

/// The runs on one row, the best first.
pub(super) struct Bucket {
    pub(super) row: usize,
    runs: Vec<Trajectory>,
}

/// One run.
pub(super) struct Trajectory {
    pub(super) rollout: Rollout,
    /// `None` when it failed through no fault of the program.
    pub(super) score: Option<f64>,
}

impl Bucket {
    pub(super) fn new(row: usize) -> Self {
        Self { row, runs: Vec::new() }
    }

    pub(super) fn add(&mut self, rollout: Rollout) {
        let score = rollout.score();
        let at = self.runs.partition_point(|run| {
            run.score.unwrap_or(f64::NEG_INFINITY) >= score.unwrap_or(f64::NEG_INFINITY)
        });
        self.runs.insert(at, Trajectory { rollout, score });
    }

    pub(super) fn scores(&self) -> impl Iterator<Item = f64> {
        self.runs.iter().filter_map(|run| run.score)
    }

    /// Whether there are runs, and all of them have this score.
    pub(super) fn is_always(&self, score: f64) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(|run| run.score == Some(score))
    }

    /// Compares how much the runs differ: first the distance from the best to the worst, then the best itself, then its
    /// distance from the mean.
    pub(super) fn by_spread(&self, other: &Self) -> std::cmp::Ordering {
        let (own, other) = (self.spread(), other.spread());
        own.iter()
            .zip(other)
            .map(|(a, b)| a.total_cmp(&b))
            .fold(std::cmp::Ordering::Equal, |so_far, next| so_far.then(next))
    }

    fn spread(&self) -> [f64; 3] {
        let (Some(best), Some(worst)) = (self.scores().next(), self.scores().last()) else {
            return [f64::NEG_INFINITY; 3];
        };
        let mean = self.scores().sum::<f64>() / self.scores().count() as f64;
        [best - worst, best, best - mean]
    }

    pub(super) fn best(&self) -> Option<(&Trajectory, f64)> {
        let run = self.runs.first()?;
        Some((run, run.score?))
    }

    /// A better and a worse run, when they tell something: the better is among the low scores for neither, and the worse
    /// not among the high ones. `None` in a pair is a run that tells nothing.
    pub(super) fn contrast(&self, low: f64, high: f64) -> Option<(Option<&Trajectory>, Option<&Trajectory>)> {
        let (better, best) = self.best()?;
        let worse = self.runs.iter().rev().find(|run| run.score.is_some())?;
        let worst = worse.score?;
        if best <= low || worst >= high {
            return None;
        }
        Some(match best > worst {
            true => (Some(better), Some(worse)),
            false if best > high => (Some(better), None),
            false => (None, Some(worse)),
        })
    }
}

impl Trajectory {
    /// Adds what each predictor did last to its demonstrations. `false` when nothing can be added.
    pub(super) fn add_demos(
        &self,
        engine: &Engine,
        row: usize,
        parameters: &mut Parameters,
        rng: &Rng,
    ) -> bool {
        let mut added = false;
        for (path, own) in parameters.iter_mut() {
            if let Some(demo) = engine.demo_of(path, row, &self.rollout.trace, rng) {
                let before = own.demos.len();
                own.add_demo(demo);
                added |= own.demos.len() > before;
            }
        }
        added
    }
}

/// The value below which this share of the numbers lies, linearly between them.
pub(super) fn percentile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(scores: &[f64]) -> Bucket {
        let mut bucket = Bucket::new(0);
        scores.iter().for_each(|score| bucket.add(Rollout::scored(*score)));
        bucket
    }

    #[test]
    fn runs_are_ordered_and_compared() {
        let mixed = bucket(&[0.0, 1.0, 0.5]);
        assert_eq!(mixed.scores().collect::<Vec<_>>(), [1.0, 0.5, 0.0]);
        let wider = |a: &Bucket, b: &Bucket| a.by_spread(b) == std::cmp::Ordering::Greater;
        assert!(wider(&mixed, &bucket(&[1.0, 1.0])));
        assert!(wider(&bucket(&[1.0, 1.0]), &bucket(&[0.0, 0.0])));
        let (better, worse) = mixed.contrast(0.0, 1.0).unwrap();
        assert_eq!((better.unwrap().score, worse.unwrap().score), (Some(1.0), Some(0.0)));
        assert!(bucket(&[0.0, 0.0]).contrast(0.0, 1.0).is_none());
    }

    #[test]
    fn percentiles_lie_between_the_numbers() {
        assert_eq!(percentile(&[4.0, 0.0, 2.0], 0.5), 2.0);
        assert_eq!(percentile(&[0.0, 1.0], 0.1), 0.1);
        assert_eq!(percentile(&[], 0.1), 0.0);
    }
}
