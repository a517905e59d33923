//! How large a search is.

use crate::{Error, Result, optimize::Auto};

/// What the user asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Auto(Auto),
    Explicit { candidates: usize, trials: usize },
}

/// The size of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Instructions of a predictor, the present one among them.
    pub(super) instructions: usize,
    /// Demonstration sets of a predictor.
    pub(super) demo_sets: usize,
    /// Combinations that are tried, besides the student's own.
    pub(super) trials: usize,
}

/// How many rows candidates are judged by at most.
pub(super) fn val_rows(auto: Auto) -> usize {
    match auto {
        Auto::Light => 100,
        Auto::Medium => 300,
        Auto::Heavy => 1000,
    }
}

impl Wanted {
    pub(super) fn size(self, predictors: usize, zero_shot: bool) -> Result<Size> {
        let (n, trials, auto) = match self {
            Self::Auto(auto) => (auto.options(), trials(auto.options(), predictors, zero_shot), true),
            Self::Explicit { candidates, trials } => (candidates, trials, false),
        };
        if trials == 0 {
            return Err(Error::other("MIPROv2 needs at least one trial"));
        }
        if n == 0 || (zero_shot && n == 1) {
            return Err(Error::other(
                "MIPROv2 has nothing to choose from: without demonstrations it needs at least two candidates, of which \
                 the present instruction is one",
            ));
        }
        Ok(match zero_shot {
            true => Size { instructions: n, demo_sets: 0, trials },
            false => Size { instructions: if auto { n / 2 } else { n }, demo_sets: n, trials },
        })
    }
}

/// How many combinations of `n` options for each of so many variables are tried: more, the more variables there are.
fn trials(n: usize, predictors: usize, zero_shot: bool) -> usize {
    let variables = if zero_shot { predictors } else { 2 * predictors };
    let by_variables = 2.0 * variables as f64 * (n as f64).log2();
    by_variables.max(1.5 * n as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_those_of_the_table() {
        let sizes = |zero_shot| {
            [Auto::Light, Auto::Medium, Auto::Heavy].map(|auto| {
                [1, 2, 5].map(|predictors| Wanted::Auto(auto).size(predictors, zero_shot).unwrap().trials)
            })
        };
        assert_eq!(sizes(false), [[10, 20, 51], [18, 28, 71], [27, 33, 83]]);
        assert_eq!(sizes(true), [[9, 10, 25], [18, 18, 35], [27, 27, 41]]);
        let light = Wanted::Auto(Auto::Light);
        assert_eq!(light.size(1, false).unwrap(), Size { instructions: 3, demo_sets: 6, trials: 10 });
        assert_eq!(light.size(1, true).unwrap(), Size { instructions: 6, demo_sets: 0, trials: 9 });
    }

    #[test]
    fn what_leaves_nothing_to_choose_is_refused() {
        let explicit = |candidates, trials| Wanted::Explicit { candidates, trials };
        assert!(explicit(1, 4).size(1, true).is_err());
        assert!(explicit(0, 4).size(1, false).is_err());
        assert!(explicit(4, 0).size(1, false).is_err());
        assert!(explicit(1, 4).size(1, false).is_ok());
    }
}
