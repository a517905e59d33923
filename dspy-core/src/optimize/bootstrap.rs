//! Demonstrations from runs that went well.

use std::sync::Arc;

use super::{
    Amount, Attempts, Bootstrap, Bootstrapped, CandidateId, Demonstration, Engine, LabeledFewShot, Optimizer,
    Parameters, PlannedStage, SearchOptions, Stop, TaskShape, engine::search_options,
};
use crate::{Result, data::Rng, lm::BoxFuture};

/// Runs a teacher over the rows and shows every predictor what the teacher's predictor did in the runs that the
/// metric accepts; then fills up with rows of the data (Khattab et al. 2023, "DSPy: Compiling Declarative Language
/// Model Calls into Self-Improving Pipelines", §4).
///
/// The teacher is the program itself, with labelled demonstrations when it has none, unless the compile is given
/// [another](crate::module::Module::with_teacher); [`teacher_settings`](Self::teacher_settings) lets it ask a stronger
/// model. It never sees a demonstration with the answer of the row it runs on. The rows are tried in their order
/// until enough of them are accepted, as many at a time as are expected to be needed. What the program itself was
/// shown before is replaced; its instructions stay.
#[derive(Debug, Clone, Default)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct BootstrapFewShot {
    demos: DemoOptions,
    attempts: Attempts,
    search: SearchOptions,
}

/// How many demonstrations a predictor is shown.
#[derive(Debug, Clone)]
pub(super) struct DemoOptions {
    pub(super) max_bootstrapped: usize,
    pub(super) max_labeled: usize,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { max_bootstrapped: 4, max_labeled: 16 }
    }
}

/// The builder methods of [`Attempts`], for a struct with a field `attempts` of that type.
macro_rules! attempt_options {
    () => {
        /// Sets how often a row is tried until the metric accepts its run: from the second time on with
        /// temperature 1.
        pub fn max_rounds(mut self, n: u64) -> Self {
            self.attempts.max_rounds = n.max(1);
            self
        }

        /// Accepts a run whose score is at least this. Without it, a run is accepted whose score is above 0.
        pub fn metric_threshold(mut self, score: f64) -> Self {
            self.attempts.threshold = Some(score);
            self
        }

        /// Changes the settings under which the teacher runs, such as its model:
        /// `.teacher_settings(move |c| c.lm(strong.clone()))`. A predictor that has a model of its own keeps it.
        pub fn teacher_settings(
            mut self,
            change: impl Fn($crate::context::Settings) -> $crate::context::Settings + Send + Sync + 'static,
        ) -> Self {
            self.attempts.settings = Some(std::sync::Arc::new(change));
            self
        }
    };
}
pub(super) use attempt_options;

/// The builder methods of [`DemoOptions`] and [`Attempts`], for a struct with fields `demos` and `attempts`.
macro_rules! bootstrap_options {
    () => {
        /// Sets how many demonstrations from runs a predictor has at most.
        pub fn max_bootstrapped_demos(mut self, n: usize) -> Self {
            self.demos.max_bootstrapped = n;
            self
        }

        /// Sets how many demonstrations a predictor has at most when it is filled up with rows of the data, those
        /// from runs included. Also the number of labelled demonstrations of the teacher.
        pub fn max_labeled_demos(mut self, n: usize) -> Self {
            self.demos.max_labeled = n;
            self
        }

        $crate::optimize::bootstrap::attempt_options!();
    };
}
pub(super) use bootstrap_options;

impl BootstrapFewShot {
    /// At most 4 demonstrations from runs, 16 with those from the data, one round, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    bootstrap_options!();
    search_options!();
}

impl Optimizer for BootstrapFewShot {
    fn name(&self) -> &'static str {
        "BootstrapFewShot"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let rows = if self.demos.max_bootstrapped == 0 { 0 } else { shape.train };
        let amount = Amount::new(self.demos.max_bootstrapped, rounds(rows, &self.attempts));
        vec![PlannedStage::rollouts("bootstrap", amount).demos(self.demos.max_labeled)]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl BootstrapFewShot {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            let rng = Rng::new(self.search.seed);
            let wish = Bootstrap::new(engine.train().to_vec(), self.demos.max_bootstrapped);
            engine.stage("bootstrap", engine.train().len());
            let teacher = Arc::new(self.demos.teacher(engine)?);
            let found = engine.bootstrap(&teacher, &self.attempts, std::slice::from_ref(&wish)).await?;
            engine.note(found.summary());
            let shown = self.demos.show(engine, &found, &wish, &rng)?;
            Ok(engine.propose("bootstrapped", [CandidateId::STUDENT], shown))
        })
    }
}

/// How many runs on so many rows there are at most.
pub(super) fn rounds(rows: usize, attempts: &Attempts) -> usize {
    rows.saturating_mul(usize::try_from(attempts.max_rounds).unwrap_or(usize::MAX))
}

impl DemoOptions {
    /// The parameters of the teacher: one without demonstrations is shown rows of the data.
    pub(super) fn teacher(&self, engine: &Engine) -> Result<Parameters> {
        let teacher = engine.teacher_parameters();
        let knows = teacher.iter().any(|(_, own)| !own.demos.is_empty());
        if knows || self.max_labeled == 0 {
            return Ok(teacher);
        }
        LabeledFewShot::new().k(self.max_labeled).show(engine, &teacher, &engine.rng("teacher"))
    }

    /// The student's parameters with the demonstrations that a wish gave, filled up with rows of the data that are drawn at
    /// random.
    pub(super) fn show(
        &self,
        engine: &Engine,
        found: &Bootstrapped,
        wish: &Bootstrap,
        rng: &Rng,
    ) -> Result<Parameters> {
        self.show_with(engine, found, wish, rng, |path, usable, missing| {
            rng.fork("labeled").fork(path).sample(usable, missing)
        })
    }

    /// The same, filled up with the first rows in the order of the wish.
    pub(super) fn show_in_order(
        &self,
        engine: &Engine,
        found: &Bootstrapped,
        wish: &Bootstrap,
        rng: &Rng,
    ) -> Result<Parameters> {
        self.show_with(engine, found, wish, rng, |_, usable, missing| (0..missing.min(usable)).collect())
    }

    fn show_with(
        &self,
        engine: &Engine,
        found: &Bootstrapped,
        wish: &Bootstrap,
        rng: &Rng,
        fill: impl Fn(&str, usize, usize) -> Vec<usize>,
    ) -> Result<Parameters> {
        let accepted = found.accepted(wish);
        let rest: Vec<usize> = wish
            .order
            .iter()
            .map(|place| place.row)
            .filter(|row| !accepted.iter().any(|(accepted, _)| accepted == row))
            .collect();
        let mut shown = Parameters::clone(&engine.parameters(CandidateId::STUDENT));
        for (path, own) in shown.iter_mut() {
            let made = accepted.iter().filter_map(|(row, steps)| engine.demo_of(path, *row, steps, rng));
            own.set_demos(made.collect::<Vec<_>>());
            let missing = self.max_labeled.saturating_sub(own.demos.len());
            if missing == 0 {
                continue;
            }
            let usable: Vec<Demonstration> = rest
                .iter()
                .filter_map(|row| engine.labeled(path, *row).transpose())
                .collect::<Result<_>>()?;
            for i in fill(path, usable.len(), missing) {
                own.add_demo(usable[i].clone());
            }
        }
        Ok(shown)
    }
}
