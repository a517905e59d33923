//! How much is done, and with which rows.

use crate::{
    data::Rng,
    optimize::{Auto, Rows},
};

/// How many validation rows the student is run on before anything else.
pub(super) const LOOK: usize = 16;

/// From how many validation rows on a quarter of them is held back for the confirmation.
const ENOUGH_TO_CONFIRM: usize = 40;
/// From how many training rows on, when there are no others, some of them are held back for validation.
const ENOUGH_TO_JUDGE: usize = 20;

/// How many runs of the program there are at most.
pub(super) fn rollouts(size: Auto) -> usize {
    match size {
        Auto::Light => 1_000,
        Auto::Medium => 3_000,
        Auto::Heavy => 9_000,
    }
}

/// How many validation rows candidates are judged by at most, and how many are held back for the confirmation.
fn judged_and_confirmed(runs: usize) -> (usize, usize) {
    (runs / 5, runs / 10)
}

/// On how many validation rows demonstrations race.
pub(super) fn race_rows(val: usize) -> usize {
    val.min(64)
}

/// How many rows are for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) train: usize,
    /// 0 when candidates are judged by the training rows.
    pub(super) val: usize,
    pub(super) test: usize,
}

impl Shares {
    /// For so many runs, of so many rows to learn from, to judge by, if they are others, and to confirm on.
    pub(super) fn of(runs: usize, train: usize, val: Option<usize>, test: usize) -> Self {
        let (judged, confirmed) = judged_and_confirmed(runs);
        let confirming = |rows: usize| if test > 0 { 0 } else { rows.min(confirmed) };
        match val {
            Some(val) => {
                let held = if val >= ENOUGH_TO_CONFIRM { confirming(val / 4) } else { 0 };
                Self { train, val: (val - held).min(judged), test: test + held }
            }
            None if train < ENOUGH_TO_JUDGE => Self { train, val: train, test },
            None => {
                let held = if train >= 2 * ENOUGH_TO_CONFIRM { confirming(train / 5) } else { 0 };
                let val = (train * 3 / 10).min(judged);
                Self { train: train - val - held, val, test: test + held }
            }
        }
    }

    /// The rows, divided so. Which of them are for what is drawn.
    pub(super) fn divide(self, mut rows: Rows, rng: &Rng) -> Rows {
        let held = self.test - rows.test.len();
        if rows.judged_by_train() {
            if self.train == rows.train.len() {
                return rows;
            }
            rng.fork("held back").shuffle(&mut rows.train);
            let mut others = rows.train.split_off(self.train);
            rows.test.extend(others.split_off(self.val));
            rows.val = others;
            rows.train.sort_unstable();
        } else {
            rng.fork("held back").shuffle(&mut rows.val);
            rows.test.extend(rows.val.split_off(rows.val.len() - held));
            rows.val.truncate(self.val);
        }
        rows.val.sort_unstable();
        rows.test.sort_unstable();
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(train: usize, val: Option<usize>, test: usize) -> (usize, usize, usize) {
        let rows = Rows::new((0..train).collect()).test((900..900 + test).collect());
        let rows = match val {
            Some(val) => rows.val((1000..1000 + val).collect()),
            None => rows,
        };
        let shares = Shares::of(1_000, train, val, test);
        let found = shares.divide(rows, &Rng::new(3));
        assert_eq!(found, shares.divide(found_again(train, val, test), &Rng::new(3)));
        let all: std::collections::HashSet<usize> =
            found.train.iter().chain(&found.val).chain(&found.test).copied().collect();
        let sum = found.train.len() + found.val.len() + found.test.len();
        assert!(found.judged_by_train() || all.len() == sum, "a row is for one purpose");
        assert_eq!(Shares { train: found.train.len(), val: found.val.len(), test: found.test.len() }, shares);
        (found.train.len(), found.val.len(), found.test.len())
    }

    fn found_again(train: usize, val: Option<usize>, test: usize) -> Rows {
        let rows = Rows::new((0..train).collect()).test((900..900 + test).collect());
        match val {
            Some(val) => rows.val((1000..1000 + val).collect()),
            None => rows,
        }
    }

    #[test]
    fn rows_are_held_back_when_there_are_enough() {
        assert_eq!(divided(200, Some(200), 0), (200, 150, 50));
        assert_eq!(divided(200, Some(200), 30), (200, 200, 30));
        assert_eq!(divided(200, Some(30), 0), (200, 30, 0));
        assert_eq!(divided(200, None, 0), (100, 60, 40));
        assert_eq!(divided(60, None, 0), (42, 18, 0));
        assert_eq!(divided(10, None, 0), (10, 10, 0));
        assert_eq!(divided(400, Some(2000), 0), (400, 200, 100));
    }
}
