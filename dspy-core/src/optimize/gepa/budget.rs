//! How many runs of the program a search may make.

use crate::optimize::Auto;

/// What limits a search.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    Auto(Auto),
    MetricCalls(usize),
    FullEvals(usize),
}

impl Size {
    /// The limit in metric calls: runs of the program on a row.
    pub(super) fn metric_calls(self, components: usize, train: usize, val: usize) -> usize {
        match self {
            Self::MetricCalls(calls) => calls,
            Self::FullEvals(n) => n.saturating_mul(train.saturating_add(val)),
            Self::Auto(auto) => {
                let n = auto.options();
                let trials =
                    (4.0 * components.max(1) as f64 * (n as f64).log2()).max(1.5 * n as f64) as usize;
                let full_evals = (trials + 1) / 5 + 1 + usize::from(trials < 5);
                val + 5 * n + 35 * trials + full_evals * val
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_those_of_the_formula() {
        let calls = |auto, val| Size::Auto(auto).metric_calls(1, 0, val);
        assert_eq!([50, 100, 300].map(|v| calls(Auto::Light, v)), [580, 780, 1580]);
        assert_eq!([50, 100, 300].map(|v| calls(Auto::Medium, v)), [940, 1190, 2190]);
        assert_eq!([50, 100, 300].map(|v| calls(Auto::Heavy, v)), [1385, 1735, 3135]);
        assert_eq!(Size::FullEvals(3).metric_calls(1, 20, 10), 90);
    }
}
