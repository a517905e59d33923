//! The optimizers by name.

use dspy::{
    lm::Budget,
    optimize::{KNNFewShot, Portfolio, Report, SIMBA, Split},
    prelude::*,
};

/// The names of all optimizers, as [`compile`] knows them.
pub const NAMES: &[&str] = &[
    "none",
    "labeled8",
    "bootstrap",
    "rs10",
    "rs16",
    "knn8",
    "simba",
    "copro",
    "copro_blind",
    "inferrules",
    "mipro_light",
    "mipro_zeroshot",
    "gepa_light",
    "portfolio",
    "portfolio_plain",
];

/// A compiled program, and the report if there was a search.
pub struct Found<P> {
    pub program: P,
    pub report: Option<Report>,
    pub ended_early: Option<String>,
}

/// Compiles with the settings that stand in the testbed's table. Optimizers that take validation rows have `dev`, the
/// others see the train rows alone.
pub async fn compile<P, E, M, F, K, L>(
    name: &str,
    seed: u64,
    budget: &Budget,
    program: P,
    (train, dev): (&[E], &[E]),
    metric: M,
    feedback: F,
) -> Result<Found<P>>
where
    P: Module + Clone + 'static,
    E: Example<Input: Into<P::Input>>,
    M: Metric<E, P::Output, K>,
    F: Metric<E, P::Output, L>,
    K: 'static,
    L: 'static,
{
    // Seed and budget are options of every optimizer.
    macro_rules! run {
        ($optimizer:expr, $data:expr, $metric:expr) => {
            $optimizer
                .seed(seed)
                .budget(budget.clone())
                .progress(false)
                .compile(program, Split::from($data), $metric)
                .await
                .map(Found::from)
        };
    }
    let both = (train, dev);
    match name {
        "none" => Ok(Found { program, report: None, ended_early: None }),
        "labeled8" => run!(LabeledFewShot::new().k(8), train, metric),
        "bootstrap" => run!(BootstrapFewShot::new(), train, metric),
        "rs10" => run!(BootstrapFewShotWithRandomSearch::new().num_candidates(10), both, metric),
        "rs16" => run!(BootstrapFewShotWithRandomSearch::new(), both, metric),
        "knn8" => run!(KNNFewShot::new(8).bootstrap(true), train, metric),
        "simba" => run!(SIMBA::new(), train, metric),
        "copro" => run!(COPRO::new(), train, metric),
        // As in DSPy: the proposer sees no rows, and every instruction is scored on all of them.
        "copro_blind" => run!(COPRO::new().examples(0).racing(None), train, metric),
        "inferrules" => run!(InferRules::new(), both, metric),
        "mipro_light" => run!(MIPROv2::auto(Auto::Light), both, metric),
        "mipro_zeroshot" => run!(MIPROv2::auto(Auto::Light).zero_shot(), both, metric),
        "gepa_light" => run!(GEPA::new(), both, feedback),
        "portfolio" => run!(Portfolio::new(), both, feedback),
        // Where the metric says nothing in words.
        "portfolio_plain" => run!(Portfolio::new(), both, metric),
        other => {
            Err(Error::other(format!("there is no optimizer `{other}`; there are {}", NAMES.join(", "))))
        }
    }
}

impl<P: Program> From<Compiled<P>> for Found<P> {
    fn from(compiled: Compiled<P>) -> Self {
        let ended_early = compiled.report.ended_early.clone();
        Self { program: compiled.program, report: Some(compiled.report), ended_early }
    }
}
