//! When a candidate need not be looked at any longer.

/// The sizes of the bets, which are averaged: small ones find small differences in many rows, large ones large
/// differences in few.
const BETS: usize = 24;

/// Whether a candidate is worse than the leader, by what is known of both so far: `true` with a probability of at most
/// `alpha` when it is as good or better, **however often one looks** while scores come in. The slices hold the scores
/// of the same rows in the same order; rows without a score on either side are left out, and so is what one slice has
/// more than the other.
///
/// It is a paired, one-sided test by betting (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random
/// variables by betting"; the bound over all looks is Ville's inequality): money is put on the candidate losing each
/// row, at odds that are fair or worse when it is as good as the leader; so it grows by `1 / alpha` with a probability
/// of at most `alpha`. No level has to be divided among looks that are planned beforehand.
///
/// The bound is exact for scores from 0 to 1 and rows that are drawn at random. Where there are scores beyond that, their
/// range is taken from those at hand, which makes it approximate. A leader that was chosen for its scores on these very rows is
/// partly lucky; candidates are then ruled out more often than against another run of it.
///
/// ```
/// use dspy_core::evaluate::ruled_out;
/// let leader = vec![Some(1.0); 20];
/// assert!(ruled_out(&vec![Some(0.0); 20], &leader, 0.01));
/// assert!(!ruled_out(&leader, &leader, 0.01));
/// assert!(!ruled_out(&[Some(0.0)], &leader, 0.01));
/// ```
pub fn ruled_out(candidate: &[Option<f64>], leader: &[Option<f64>], alpha: f64) -> bool {
    let pairs = || candidate.iter().zip(leader).filter_map(|(a, b)| Some(((*a)?, (*b)?)));
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (a, b) in pairs() {
        low = low.min(a).min(b);
        high = high.max(a).max(b);
    }
    let range = if low >= 0.0 && high <= 1.0 { 1.0 } else { high - low };
    if alpha.is_nan() || alpha <= 0.0 || !(range > 0.0 && range.is_finite()) {
        return false;
    }
    // Logarithms of the stakes: a hundred thousand rows lead far beyond the largest number.
    let mut stakes = [0.0_f64; BETS];
    for (a, b) in pairs() {
        let lost = (b - a) / range;
        if lost != 0.0 {
            for (i, stake) in stakes.iter_mut().enumerate() {
                *stake += (bet(i) * lost).ln_1p();
            }
        }
    }
    let best = stakes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = stakes.iter().map(|s| (s - best).exp()).sum::<f64>() / BETS as f64;
    best + mean.ln() >= -alpha.ln()
}

/// The shares of the stake that are put on one row, evenly spread below the whole.
fn bet(i: usize) -> f64 {
    (i + 1) as f64 / (BETS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    /// After how many rows, on average, and how often a candidate is ruled out when one looks after every row.
    fn race(
        runs: u64,
        rows: usize,
        alpha: f64,
        seed: &str,
        draw: impl Fn(&mut Rng) -> (f64, f64),
    ) -> (f64, f64) {
        let root = Rng::new(23).fork(seed);
        let (mut out, mut seen) = (0_usize, 0_usize);
        for run in 0..runs {
            let mut rng = root.fork_index(run);
            let (candidate, leader): (Vec<_>, Vec<_>) =
                (0..rows).map(|_| draw(&mut rng)).map(|(a, b)| (Some(a), Some(b))).unzip();
            match (1..=rows).find(|n| ruled_out(&candidate[..*n], &leader[..*n], alpha)) {
                Some(n) => (out, seen) = (out + 1, seen + n),
                None => seen += rows,
            }
        }
        (out as f64 / runs as f64, seen as f64 / runs as f64)
    }

    fn yes(rng: &mut Rng, chance: f64) -> f64 {
        f64::from(u8::from(rng.unit() < chance))
    }

    #[test]
    fn equals_are_ruled_out_no_more_often_than_stated() {
        for (name, alpha) in [("wide", 0.2), ("usual", 0.05)] {
            let (apart, _) = race(600, 120, alpha, name, |rng| (yes(rng, 0.7), yes(rng, 0.7)));
            assert!(apart <= alpha, "{name}: {apart}");
            let together = |rng: &mut Rng| {
                let ease = rng.unit();
                (yes(rng, ease), yes(rng, ease))
            };
            let (paired, _) = race(600, 120, alpha, name, together);
            assert!(paired <= alpha, "{name}: {paired}");
            // Seldom much better, mostly a little worse, the same on average: a test of medians would be wrong.
            let skewed = |rng: &mut Rng| (if rng.unit() < 0.1 { 1.0 } else { 0.0 }, 0.1);
            let (skewed, _) = race(600, 120, alpha, name, skewed);
            assert!(skewed <= alpha, "{name}: {skewed}");
            let (large, _) = race(600, 120, alpha, name, |rng| (100.0 * rng.unit(), 100.0 * rng.unit()));
            assert!(large <= alpha, "{name}: {large}");
        }
    }

    #[test]
    fn what_is_worse_is_found_early() {
        let (found, rows) = race(300, 200, 0.05, "worse", |rng| (yes(rng, 0.5), yes(rng, 0.8)));
        assert!(found > 0.95 && rows < 70.0, "{found} after {rows}");
        let (found, rows) = race(300, 200, 0.05, "far", |rng| (yes(rng, 0.1), yes(rng, 0.9)));
        assert!(found == 1.0 && rows < 12.0, "{found} after {rows}");
        let (found, _) = race(300, 200, 0.05, "graded", |rng| (0.6 * rng.unit(), 0.4 + 0.6 * rng.unit()));
        assert!(found == 1.0, "{found}");
    }

    #[test]
    fn nothing_is_ruled_out_without_reason() {
        assert!(!ruled_out(&[], &[], 0.05));
        assert!(!ruled_out(&[None; 50], &[Some(1.0); 50], 0.05));
        assert!(!ruled_out(&[Some(0.0); 50], &[Some(1.0); 50], 0.0));
        assert!(!ruled_out(&[Some(0.0); 50], &[Some(1.0); 50], f64::NAN));
        assert!(ruled_out(&vec![Some(0.0); 200_000], &vec![Some(1.0); 200_000], 1e-300));
    }
}
