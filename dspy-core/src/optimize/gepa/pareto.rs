//! Which candidates are worth improving: those that are the best on some row.

use std::collections::BTreeMap;

use crate::data::Rng;

/// For each row, the candidates that have the best score on it. `scores[c][r]` is the score of candidate `c` on row `r`,
/// if it was run on it.
pub(super) fn fronts(scores: &[Vec<Option<f64>>]) -> Vec<Vec<usize>> {
    let rows = scores.iter().map(Vec::len).max().unwrap_or(0);
    let score = |c: usize, row: usize| scores[c].get(row).copied().flatten();
    let front = |row: usize| {
        let best = (0..scores.len()).filter_map(|c| score(c, row)).fold(f64::NEG_INFINITY, f64::max);
        (0..scores.len()).filter(|c| score(*c, row) == Some(best)).collect()
    };
    (0..rows).map(front).collect()
}

/// The candidates that no others dominate, in their order. From the lowest mean upwards, a candidate is dropped when on
/// every row on which it is among the best another one that is kept is, too (Agrawal et al. 2025, algorithm 2).
pub(super) fn undominated(scores: &[Vec<Option<f64>>]) -> Vec<usize> {
    let mut fronts = fronts(scores);
    let mean = |c: usize| {
        let known: Vec<f64> = scores[c].iter().flatten().copied().collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Of equally good ones the later is dropped first.
    order.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)).then(b.cmp(a)));
    let mut kept: Vec<usize> = (0..scores.len()).collect();
    for candidate in order {
        let dominated =
            fronts.iter().all(|front| front.len() > 1 || !front.contains(&candidate)) && kept.len() > 1;
        if dominated {
            kept.retain(|c| *c != candidate);
            fronts.iter_mut().for_each(|front| front.retain(|c| *c != candidate));
        }
    }
    kept
}

/// One of the undominated candidates, as likely as the number of rows on which it is among the best.
pub(super) fn draw(scores: &[Vec<Option<f64>>], rng: &mut Rng) -> Option<usize> {
    let kept = undominated(scores);
    let mut frequency: BTreeMap<usize, usize> = kept.iter().map(|c| (*c, 0)).collect();
    for candidate in fronts(scores).into_iter().flatten() {
        if let Some(n) = frequency.get_mut(&candidate) {
            *n += 1;
        }
    }
    let mut place = rng.below(frequency.values().sum::<usize>().max(1));
    for (candidate, n) in &frequency {
        if place < *n {
            return Some(*candidate);
        }
        place -= n;
    }
    kept.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(rows: &[&[f64]]) -> Vec<Vec<Option<f64>>> {
        rows.iter().map(|row| row.iter().map(|s| (*s >= 0.0).then_some(*s)).collect()).collect()
    }

    #[test]
    fn ties_share_a_row_and_rows_without_a_score_count_for_nothing() {
        let scores = scores(&[&[1.0, 0.0, 0.5], &[1.0, 0.0, -1.0], &[0.0, 0.0, 0.6]]);
        assert_eq!(fronts(&scores), [vec![0, 1], vec![0, 1, 2], vec![2]]);
        // Of the first two, which are equally good, the earlier stays.
        assert_eq!(undominated(&scores), [0, 2]);
    }

    #[test]
    fn a_candidate_is_kept_for_a_row_that_only_it_solves() {
        let scores = scores(&[&[1.0, 1.0, 1.0, 0.0], &[0.0, 0.0, 0.0, 1.0], &[1.0, 1.0, 0.0, 0.0]]);
        assert_eq!(undominated(&scores), [0, 1]);
        let drawn = |c: usize| {
            (0..4000).filter(|i| draw(&scores, &mut Rng::new(1).fork_index(*i)) == Some(c)).count()
        };
        assert!((2850..3150).contains(&drawn(0)), "{}", drawn(0));
        assert_eq!(drawn(0) + drawn(1), 4000);
    }

    #[test]
    fn somebody_is_always_kept() {
        assert_eq!(undominated(&scores(&[&[0.0], &[0.0], &[0.0]])), [0]);
        assert_eq!(undominated(&scores(&[&[], &[]])), [0]);
        assert!(undominated(&[]).is_empty());
        assert_eq!(draw(&[], &mut Rng::new(0)), None);
    }
}
