//! Seeded ways to divide data.

use super::Rng;

/// Divides rows at random into parts of these shares, such as `[0.8, 0.1, 0.1]`. Every row is in one part at
/// most; when the shares sum up to 1, in one exactly.
///
/// ```
/// let rows: Vec<u32> = (0..10).collect();
/// let [train, dev] = dspy_core::data::split(&rows, 0, [0.8, 0.2]);
/// assert_eq!((train.len(), dev.len()), (8, 2));
/// ```
pub fn split<T: Clone, const N: usize>(rows: &[T], seed: u64, shares: [f64; N]) -> [Vec<T>; N] {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    Rng::new(seed).fork("split").shuffle(&mut order);
    let (mut total, mut start) = (0.0, 0);
    shares.map(|share| {
        total += if share.is_finite() { share.max(0.0) } else { 0.0 };
        // The ends are rounded, not the lengths, so that no row falls between two parts.
        let end = ((total * rows.len() as f64).round() as usize).clamp(start, rows.len());
        let part = order[start..end].iter().map(|&i| rows[i].clone()).collect();
        start = end;
        part
    })
}

/// Shuffles rows.
pub fn shuffle<T>(rows: &mut [T], seed: u64) {
    Rng::new(seed).fork("shuffle").shuffle(rows);
}

/// `n` different rows, in random order; all of them if there are fewer.
pub fn sample<T: Clone>(rows: &[T], seed: u64, n: usize) -> Vec<T> {
    Rng::new(seed).fork("sample").sample(rows.len(), n).into_iter().map(|i| rows[i].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_disjoint_and_complete() {
        for len in [0, 1, 2, 3, 10, 101] {
            let rows: Vec<usize> = (0..len).collect();
            let parts = split(&rows, 3, [0.7, 0.2, 0.1]);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            assert_eq!(all, rows);
            assert_eq!(parts, split(&rows, 3, [0.7, 0.2, 0.1]));
        }
        let rows: Vec<usize> = (0..100).collect();
        assert_ne!(split(&rows, 0, [0.5]), split(&rows, 1, [0.5]));
        let [a, b] = split(&rows, 0, [0.9, f64::NAN]);
        assert_eq!((a.len(), b.len()), (90, 0));
        assert_eq!(split(&rows, 0, [0.6, 0.6]).map(|p| p.len()), [60, 40]);
    }
}
