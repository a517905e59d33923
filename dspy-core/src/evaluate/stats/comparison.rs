//! Whether one program is better than another.

use std::fmt;

use super::{
    Interval,
    interval::moments,
    special::{fair_coin_tail, t_quantile, t_two_sided},
};
use crate::{Error, Result};

/// How the scores of one program differ from those of another on the same rows.
///
/// ```
/// use dspy_core::evaluate::Comparison;
/// let before: Vec<Option<f64>> = (0..400).map(|i| Some(f64::from(u8::from(i % 5 != 0)))).collect();
/// // It mends half of the failures, and breaks a few rows that were right.
/// let after: Vec<Option<f64>> =
///     (0..400).map(|i| Some(f64::from(u8::from(i % 10 != 0 && i % 61 != 1)))).collect();
/// let comparison = Comparison::paired(&after, &before)?;
/// assert!(comparison.is_significant(0.05) && comparison.difference > 0.0);
/// println!("{comparison}"); // +8.5 points [5.0, 12.0], p < 0.001, 400 rows: 40 won, 6 lost
/// # Ok::<(), dspy_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The rows that both have a score for.
    pub rows: usize,
    /// The rows that one of them has no score for: they are left out.
    pub skipped: usize,
    /// The mean of the program in question.
    pub mean: f64,
    /// The mean of the one it is compared with.
    pub baseline: f64,
    /// The difference of the means; positive when the program in question is better.
    pub difference: f64,
    /// Where the difference lies: by default with a probability of 0.95.
    pub interval: Interval,
    /// How likely a difference at least as large, in either direction, is among programs that are equally good.
    pub p_value: f64,
    /// The test that `p_value` is of.
    pub test: Test,
    /// The rows on which the program in question has the better score.
    pub won: usize,
    /// The rows on which it has the worse one.
    pub lost: usize,
    /// Whether the scores are shares, from 0 to 1.
    shares: bool,
}

/// A paired test of whether two programs are equally good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Test {
    /// For scores that are 0 or 1: how rows that only one program gets right are spread over both, exactly (McNemar
    /// 1947, "Note on the Sampling Error of the Difference Between Correlated Proportions").
    McNemar,
    /// For other scores of few rows that differ: over all ways to swap both scores of a row (Fisher 1935, "The Design
    /// of Experiments").
    SignFlip,
    /// For other scores of many rows: Student's t test of the differences.
    PairedT,
}

/// With more rows that differ than this, there are too many ways to swap their scores.
const FLIPPED: usize = 16;

impl Comparison {
    /// Compares the scores of a program with those of another on the same rows, in the same order. A row without a
    /// score on either side (`None`: the model could not be reached, for instance) is left out.
    ///
    /// The interval is that of a difference of paired proportions for scores that are 0 or 1 (Newcombe 1998, "Improved
    /// Confidence Intervals for the Difference between Binomial Proportions Based on Paired Data", method 10), and
    /// Student's t for others. It comes from another method than an exact test's `p_value`; near the edge one may say
    /// yes and the other no.
    ///
    /// # Errors
    /// [`Error::Other`] when the numbers of rows differ, or fewer than two rows have both scores.
    pub fn paired(scores: &[Option<f64>], baseline: &[Option<f64>]) -> Result<Self> {
        Self::paired_at(scores, baseline, Interval::LEVEL)
    }

    /// As [`paired`](Self::paired), with an interval of this level, such as 0.99.
    ///
    /// # Errors
    /// As [`paired`](Self::paired), and when the level does not lie between 0 and 1.
    pub fn paired_at(scores: &[Option<f64>], baseline: &[Option<f64>], level: f64) -> Result<Self> {
        if scores.len() != baseline.len() {
            return Err(Error::other(format!(
                "{} rows cannot be compared with {}: a paired comparison needs scores of the same rows in the same \
                 order",
                scores.len(),
                baseline.len()
            )));
        }
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::other(format!(
                "the level of an interval lies between 0 and 1, not at {level}"
            )));
        }
        let pairs: Vec<(f64, f64)> =
            scores.iter().zip(baseline).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        if pairs.len() < 2 {
            return Err(Error::other(format!(
                "{} of {} rows have a score on both sides; a comparison needs at least two",
                pairs.len(),
                scores.len()
            )));
        }
        let n = pairs.len() as f64;
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
        let won = differences.iter().filter(|d| **d > 0.0).count();
        let lost = differences.iter().filter(|d| **d < 0.0).count();
        let values = || pairs.iter().flat_map(|(a, b)| [*a, *b]);
        let (test, p_value, interval) = if values().all(|s| s == 0.0 || s == 1.0) {
            let both = pairs.iter().filter(|(a, b)| *a == 1.0 && *b == 1.0).count();
            let cells = Cells { both, won, lost, neither: pairs.len() - both - won - lost };
            let p = (2.0 * fair_coin_tail(won.max(lost), won + lost)).min(1.0);
            (Test::McNemar, p, cells.interval(level))
        } else {
            let (mean, deviation) = moments(&differences);
            let error = deviation / n.sqrt();
            let margin = t_quantile(level, n - 1.0) * error;
            let interval = Interval::new(mean - margin, mean + margin, level);
            match won + lost {
                0..=FLIPPED => (Test::SignFlip, sign_flip(&differences), interval),
                _ => (Test::PairedT, t_two_sided(mean / error, n - 1.0), interval),
            }
        };
        Ok(Self {
            rows: pairs.len(),
            skipped: scores.len() - pairs.len(),
            mean: pairs.iter().map(|(a, _)| a).sum::<f64>() / n,
            baseline: pairs.iter().map(|(_, b)| b).sum::<f64>() / n,
            difference: differences.iter().sum::<f64>() / n,
            interval,
            p_value,
            test,
            won,
            lost,
            shares: values().all(|s| (0.0..=1.0).contains(&s)),
        })
    }

    /// The rows on which both have the same score.
    pub fn tied(&self) -> usize {
        self.rows - self.won - self.lost
    }

    /// Whether a difference like this is rarer than `alpha` among programs that are equally good.
    pub fn is_significant(&self, alpha: f64) -> bool {
        self.p_value < alpha
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { low, high, .. } = self.interval;
        if self.shares {
            let [difference, low, high] = [self.difference, low, high].map(|v| tidy(100.0 * v, 1));
            write!(f, "{difference:+.1} points [{low:.1}, {high:.1}]")?;
        } else {
            let [difference, low, high] = [self.difference, low, high].map(|v| tidy(v, 3));
            write!(f, "{difference:+.3} [{low:.3}, {high:.3}]")?;
        }
        match self.p_value {
            p if p < 0.001 => f.write_str(", p < 0.001")?,
            p => write!(f, ", p = {p:.3}")?,
        }
        write!(f, ", {} rows: {} won, {} lost", self.rows, self.won, self.lost)?;
        match self.skipped {
            0 => Ok(()),
            n => write!(f, " ({n} without a score left out)"),
        }
    }
}

/// Without the sign of a number that is shown as zero.
fn tidy(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale + 0.0
}

/// How many rows both programs, only the one, only the other, and neither gets right.
struct Cells {
    both: usize,
    won: usize,
    lost: usize,
    neither: usize,
}

impl Cells {
    fn interval(&self, level: f64) -> Interval {
        let [a, b, c, d] = [self.both, self.won, self.lost, self.neither].map(|n| n as f64);
        let n = a + b + c + d;
        let (p1, p2) = ((a + b) / n, (a + c) / n);
        let (one, two) = (Interval::of_proportion(a + b, n, level), Interval::of_proportion(a + c, n, level));
        let margins = (a + b) * (c + d) * (a + c) * (b + d);
        let cross = a * d - b * c;
        // With a correction for continuity where the programs agree more than by chance.
        let cross = if cross > 0.0 { (cross - n / 2.0).max(0.0) } else { cross };
        let phi = if margins > 0.0 { cross / margins.sqrt() } else { 0.0 };
        let side = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
        let difference = p1 - p2;
        Interval::new(
            (difference - side(p1 - one.low, two.high - p2)).max(-1.0),
            (difference + side(one.high - p1, p2 - two.low)).min(1.0),
            level,
        )
    }
}

/// The share of all ways to flip the signs of the differences whose sum is at least as far from 0.
fn sign_flip(differences: &[f64]) -> f64 {
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let reached = moved.iter().sum::<f64>().abs();
    // What differs by rounding alone is equal.
    let slack = 1e-9 * moved.iter().map(|d| d.abs()).sum::<f64>();
    let ways = 1_u32 << moved.len();
    let far = (0..ways).filter(|signs| {
        let sum: f64 = moved.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d }).sum();
        sum.abs() >= reached - slack
    });
    far.count() as f64 / f64::from(ways)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    fn some(scores: &[f64]) -> Vec<Option<f64>> {
        scores.iter().copied().map(Some).collect()
    }

    fn binary(both: usize, won: usize, lost: usize, neither: usize) -> (Vec<Option<f64>>, Vec<Option<f64>>) {
        let rows = [((1.0, 1.0), both), ((1.0, 0.0), won), ((0.0, 1.0), lost), ((0.0, 0.0), neither)];
        rows.into_iter().flat_map(|((a, b), n)| std::iter::repeat_n((Some(a), Some(b)), n)).unzip()
    }

    #[test]
    fn yes_and_no_are_compared_exactly() {
        let (after, before) = binary(280, 31, 13, 76);
        let comparison = Comparison::paired(&after, &before).unwrap();
        assert_eq!(comparison.to_string(), "+4.5 points [1.2, 7.8], p = 0.010, 400 rows: 31 won, 13 lost");
        assert_eq!((comparison.test, comparison.tied()), (Test::McNemar, 356));
        let back = Comparison::paired(&before, &after).unwrap();
        assert!((back.interval.low + comparison.interval.high).abs() < 1e-12);
        assert_eq!(back.p_value, comparison.p_value);
        // Two rows differ, in one direction: the chance of that is one half.
        let (after, before) = binary(5, 2, 0, 3);
        assert!((Comparison::paired(&after, &before).unwrap().p_value - 0.5).abs() < 1e-12);
        let (after, before) = binary(5, 0, 0, 5);
        let same = Comparison::paired(&after, &before).unwrap();
        assert_eq!((same.p_value, same.difference, same.interval.contains(0.0)), (1.0, 0.0, true));
    }

    #[test]
    fn other_scores_are_compared_by_their_differences() {
        let (after, before) = (some(&[0.9, 0.8, 0.7, 0.6]), some(&[0.8, 0.6, 0.4, 0.2]));
        let few = Comparison::paired(&after, &before).unwrap();
        assert_eq!((few.test, few.p_value), (Test::SignFlip, 2.0 / 16.0));
        assert!((few.difference - 0.25).abs() < 1e-12);
        // The textbook case: differences 1, 2, ..., 20 with mean 10.5.
        let after: Vec<f64> = (1..=20).map(f64::from).collect();
        let many = Comparison::paired(&some(&after), &some(&[0.0; 20])).unwrap();
        assert_eq!(many.test, Test::PairedT);
        let t = 10.5 / (35_f64.sqrt() / 20_f64.sqrt());
        assert!((many.p_value - t_two_sided(t, 19.0)).abs() < 1e-15 && many.p_value < 1e-6);
        assert!(
            many.to_string().starts_with("+10.500 [7.731, 13.269], p < 0.001, 20 rows: 20 won, 0 lost"),
            "{many}"
        );
        let shifted = Comparison::paired(&some(&[2.5; 30]), &some(&[2.0; 30])).unwrap();
        assert_eq!((shifted.p_value, shifted.interval.low), (0.0, 0.5));
    }

    #[test]
    fn rows_without_scores_are_left_out_and_others_refused() {
        let after = [Some(1.0), None, Some(0.0), Some(1.0)];
        let before = [Some(0.0), Some(1.0), Some(0.0), None];
        let comparison = Comparison::paired(&after, &before).unwrap();
        assert_eq!((comparison.rows, comparison.skipped, comparison.won), (2, 2, 1));
        assert!(comparison.to_string().ends_with("2 rows: 1 won, 0 lost (2 without a score left out)"));
        let error = Comparison::paired(&after, &before[1..]).unwrap_err().to_string();
        assert!(error.contains("4 rows cannot be compared with 3"), "{error}");
        assert!(Comparison::paired(&[None, Some(1.0)], &[Some(1.0), None]).is_err());
        assert!(Comparison::paired_at(&after, &before, 95.0).is_err());
    }

    /// How often the interval holds the true difference, and how often the test finds one.
    fn simulate(runs: u64, seed: &str, draw: impl Fn(&mut Rng) -> (f64, f64), truth: f64) -> (f64, f64) {
        let root = Rng::new(5).fork(seed);
        let (mut held, mut found) = (0, 0);
        for run in 0..runs {
            let mut rng = root.fork_index(run);
            let (a, b): (Vec<_>, Vec<_>) = (0..80).map(|_| draw(&mut rng)).unzip();
            let comparison = Comparison::paired(&some(&a), &some(&b)).unwrap();
            held += usize::from(comparison.interval.contains(truth));
            found += usize::from(comparison.is_significant(0.05));
        }
        (held as f64 / runs as f64, found as f64 / runs as f64)
    }

    #[test]
    fn errors_are_as_rare_as_they_are_said_to_be() {
        // Rows of different difficulty: the scores of both programs hang together.
        let answer = |rng: &mut Rng, ease: f64| f64::from(u8::from(rng.unit() < ease));
        let equal = |rng: &mut Rng| {
            let ease = rng.unit();
            (answer(rng, ease), answer(rng, ease))
        };
        let (held, found) = simulate(1500, "equal", equal, 0.0);
        assert!(held > 0.935 && found < 0.055, "{held} {found}");
        let better = |rng: &mut Rng| {
            let ease = rng.unit();
            (answer(rng, 0.4 + 0.6 * ease), answer(rng, ease))
        };
        let (held, found) = simulate(1500, "better", better, 0.2);
        assert!(held > 0.935 && found > 0.7, "{held} {found}");
        let graded = |rng: &mut Rng| (rng.unit().powi(2), rng.unit().powi(2));
        let (held, found) = simulate(1500, "graded", graded, 0.0);
        assert!((0.935..0.965).contains(&held) && found < 0.065, "{held} {found}");
        let sparse = |rng: &mut Rng| match rng.below(10) {
            0 => (rng.unit(), 0.5),
            _ => (0.5, 0.5),
        };
        let (_, found) = simulate(1500, "sparse", sparse, 0.0);
        assert!(found < 0.06, "{found}");
    }
}
