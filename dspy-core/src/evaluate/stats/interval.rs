//! How sure a mean is.

use std::fmt;

use super::special::{normal_quantile, t_quantile};

/// Where the true value lies with the probability `level`. Displays as `[0.81, 0.89]`; with a precision,
/// `{interval:.3}`, as `[0.812, 0.889]`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The probability, such as 0.95.
    pub level: f64,
}

impl Interval {
    /// The level that is used where none is given.
    pub const LEVEL: f64 = 0.95;

    pub(super) fn new(low: f64, high: f64, level: f64) -> Self {
        Self { low, high, level }
    }

    /// The interval of the mean that these scores estimate; `None` for fewer than two scores, or for a level that
    /// does not lie between 0 and 1.
    ///
    /// When all scores are 0 or 1 it is that of a proportion (Wilson 1927, "Probable Inference, the Law of
    /// Succession, and Statistical Inference"), otherwise that of Student's t. For the latter, scores that are all
    /// equal give an interval without width: they do not tell how much others may differ.
    ///
    /// ```
    /// use dspy_core::evaluate::Interval;
    /// let scores = [vec![1.0; 17], vec![0.0; 3]].concat();
    /// let interval = Interval::of_mean(&scores, Interval::LEVEL);
    /// assert_eq!(interval.map(|i| i.to_string()).as_deref(), Some("[0.64, 0.95]"));
    /// ```
    pub fn of_mean(scores: &[f64], level: f64) -> Option<Self> {
        if scores.len() < 2 || !(level > 0.0 && level < 1.0) {
            return None;
        }
        let n = scores.len() as f64;
        if scores.iter().all(|s| *s == 0.0 || *s == 1.0) {
            let right = scores.iter().filter(|s| **s == 1.0).count();
            return Some(Self::of_proportion(right as f64, n, level));
        }
        let (mean, deviation) = moments(scores);
        let margin = t_quantile(level, n - 1.0) * deviation / n.sqrt();
        Some(Self::new(mean - margin, mean + margin, level))
    }

    /// The interval of Wilson.
    pub(super) fn of_proportion(right: f64, n: f64, level: f64) -> Self {
        let z2 = normal_quantile(level).powi(2);
        let p = right / n;
        let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let margin = (z2 * (p * (1.0 - p) / n + z2 / (4.0 * n * n))).sqrt() / (1.0 + z2 / n);
        // Rounding must not take the ends beyond what is possible.
        let low = if right == 0.0 { 0.0 } else { centre - margin };
        let high = if right == n { 1.0 } else { centre + margin };
        Self::new(low, high, level)
    }

    /// Whether the value lies within.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(f, "[{:.digits$}, {:.digits$}]", self.low, self.high)
    }
}

/// The mean and the standard deviation of a sample.
pub(super) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    #[test]
    fn published_intervals_are_met() {
        // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        for (right, n, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            let interval = Interval::of_proportion(right, n, 0.95);
            assert!(
                (interval.low - low).abs() < 5e-5 && (interval.high - high).abs() < 5e-5,
                "{interval:.4}"
            );
        }
        let interval = Interval::of_mean(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        let margin = 2.776_445_105_198 * 2.5_f64.sqrt() / 5_f64.sqrt();
        assert!(
            (interval.low - (3.0 - margin)).abs() < 1e-9 && (interval.high - (3.0 + margin)).abs() < 1e-9
        );
        assert_eq!(Interval::of_mean(&[1.0], 0.95), None);
        assert_eq!(Interval::of_mean(&[1.0, 0.0], 1.0), None);
        let all = Interval::of_mean(&[1.0; 10], 0.95).unwrap();
        assert!(all.high == 1.0 && all.low > 0.7 && all.contains(1.0));
    }

    #[test]
    fn intervals_hold_the_mean_as_often_as_they_say() {
        let root = Rng::new(11);
        for (shape, least, most) in [("binary", 0.92, 0.98), ("uniform", 0.93, 0.97)] {
            let (mut held, runs) = (0, 2000);
            for run in 0..runs {
                let mut rng = root.fork(shape).fork_index(run);
                let draw = |rng: &mut Rng| match shape {
                    "binary" => f64::from(u8::from(rng.unit() < 0.8)),
                    _ => rng.unit() * 1.6,
                };
                let scores: Vec<f64> = (0..50).map(|_| draw(&mut rng)).collect();
                held += usize::from(Interval::of_mean(&scores, 0.95).unwrap().contains(0.8));
            }
            let share = held as f64 / runs as f64;
            assert!((least..most).contains(&share), "{shape}: {share}");
        }
    }
}
