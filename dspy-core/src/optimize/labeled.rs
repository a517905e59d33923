//! Demonstrations straight from the data.

use std::time::Instant;

use serde_json::{Map, Value};

use super::{
    Compiled, Optimizer, Split,
    engine::{Origin, Shown, labeled},
};
use crate::{
    Result,
    context::UsageReport,
    data::{Example, Rng},
    evaluate::Metric,
    module::{Module, Program},
};

/// Shows every predictor some rows of the data as demonstrations. It asks no model and needs no metric.
///
/// A predictor is shown those fields of a row that are fields of its own; rows that give it no input or no output
/// are not shown to it. Each predictor has a sample of its own. Demonstrations that the program has are replaced;
/// its instructions stay.
#[derive(Debug, Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct LabeledFewShot {
    k: usize,
    seed: u64,
    in_order: bool,
}

impl Default for LabeledFewShot {
    fn default() -> Self {
        Self { k: 16, seed: 0, in_order: false }
    }
}

impl LabeledFewShot {
    /// Sixteen rows at random, with seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many rows each predictor is shown.
    pub fn k(mut self, rows: usize) -> Self {
        self.k = rows;
        self
    }

    /// Sets the seed of the choice.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes the first rows instead of random ones.
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// The program with its demonstrations.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when a row does not serialise to a map.
    pub fn apply<P: Program + Clone, E: Example>(&self, program: P, train: &[E]) -> Result<P> {
        let records: Result<Vec<_>> = train.iter().map(Example::record).collect();
        let shown = self.show(program, &records?, &Rng::new(self.seed));
        Ok(P::clone(&shown.program))
    }

    pub(super) fn show<P: Program + Clone>(
        &self,
        program: P,
        records: &[Map<String, Value>],
        rng: &Rng,
    ) -> Shown<P> {
        let rng = rng.fork("labeled");
        Shown::new(program, |path, spec| {
            let usable = records.iter().enumerate().filter_map(|(i, r)| Some((i, labeled(spec, r)?)));
            if self.in_order {
                return usable.take(self.k).collect();
            }
            let usable: Vec<Origin> = usable.collect();
            let chosen = rng.fork(path).sample(usable.len(), self.k);
            chosen.into_iter().map(|i| usable[i].clone()).collect()
        })
    }
}

impl<P> Optimizer<P> for LabeledFewShot {
    async fn compile<'a, E, M, K>(
        &self,
        program: P,
        data: impl Into<Split<'a, E>> + Send,
        _metric: M,
    ) -> Result<Compiled<P>>
    where
        P: Module + Clone + 'static,
        E: Example,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let started = Instant::now();
        let program = self.apply(program, data.into().train)?;
        Ok(Compiled {
            program,
            score: None,
            candidates: Vec::new(),
            optimizer: "LabeledFewShot",
            notes: Vec::new(),
            usage: UsageReport::default(),
            duration: started.elapsed(),
        })
    }
}
