//! Demonstrations straight from the data.

use super::{
    CandidateId, Demonstration, Engine, Optimizer, Parameters, SearchOptions, Stop,
    engine::{labeled_demo, search_options},
};
use crate::{
    Result,
    data::{Example, Rng},
    lm::BoxFuture,
    module::Program,
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
    in_order: bool,
    search: SearchOptions,
}

impl Default for LabeledFewShot {
    fn default() -> Self {
        Self { k: 16, in_order: false, search: SearchOptions::default() }
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

    /// Takes the first rows instead of random ones.
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    search_options!();

    /// The program with its demonstrations.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when a row does not serialise to a map.
    pub fn apply<P: Program, E: Example>(&self, mut program: P, train: &[E]) -> Result<P> {
        let records: Vec<_> = train.iter().map(Example::record).collect::<Result<_>>()?;
        let rng = Rng::new(self.search.seed).fork("labeled");
        for (path, predictor) in program.predictors_mut() {
            let usable: Vec<_> =
                records.iter().filter_map(|record| labeled_demo(predictor.spec(), record)).collect();
            predictor.set_demos(self.choose(usable, &rng.fork(&path)));
        }
        Ok(program)
    }

    fn choose<T: Clone>(&self, mut usable: Vec<T>, rng: &Rng) -> Vec<T> {
        if self.in_order {
            usable.truncate(self.k);
            return usable;
        }
        rng.clone().sample(usable.len(), self.k).into_iter().map(|i| usable[i].clone()).collect()
    }

    /// Parameters with labelled demonstrations instead of those they have.
    pub(super) fn show(&self, engine: &Engine, parameters: &Parameters, rng: &Rng) -> Result<Parameters> {
        let rng = rng.fork("labeled");
        let mut shown = parameters.clone();
        for (path, own) in shown.iter_mut() {
            let rows = engine.train().iter().map(|row| engine.labeled(path, *row));
            let usable: Vec<Demonstration> = rows.filter_map(Result::transpose).collect::<Result<_>>()?;
            own.set_demos(self.choose(usable, &rng.fork(path)));
        }
        Ok(shown)
    }
}

impl Optimizer for LabeledFewShot {
    fn name(&self) -> &'static str {
        "LabeledFewShot"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl LabeledFewShot {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            let student = engine.parameters(CandidateId::STUDENT);
            let shown = self.show(engine, &student, &Rng::new(self.search.seed))?;
            Ok(engine.propose("labels", [CandidateId::STUDENT], shown))
        })
    }
}
