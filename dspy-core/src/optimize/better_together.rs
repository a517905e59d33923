//! Prompts and weights in turns.

use super::{
    BootstrapFewShotWithRandomSearch, BootstrapFinetune, CandidateId, Engine, FineTuner, Optimizer,
    PlannedStage, SearchOptions, Stop, TaskShape, engine::search_options,
};

/// Optimizes the prompts of a program and the weights of its model in turns, each step from what the last one gave (Soylu
/// et al. 2024, "Fine-Tuning and Prompt Optimization: Two Great Steps that Work Better Together").
///
/// Every program on the way, the student included, is judged by the validation rows; the best is taken, of equals the
/// earliest. A step that fails ends the turns, and the report says why.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{BetterTogether, Optimizer, Strategy, finetune::OpenAiFineTuner};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let optimizer = BetterTogether::new(OpenAiFineTuner::new())
///     .strategy(Strategy::prompts().then_weights().then_prompts());
/// let compiled = optimizer.compile(program, &trainset, metric).await?;
/// # let _ = compiled; Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct BetterTogether<P = BootstrapFewShotWithRandomSearch, W = BootstrapFinetune> {
    prompts: P,
    weights: W,
    strategy: Strategy,
    search: SearchOptions,
}

/// The order of the steps of [`BetterTogether`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy(Vec<Step>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Prompts,
    Weights,
}

impl Strategy {
    /// First the prompts.
    #[must_use]
    pub fn prompts() -> Self {
        Self(vec![Step::Prompts])
    }

    /// First the weights.
    #[must_use]
    pub fn weights() -> Self {
        Self(vec![Step::Weights])
    }

    /// Then the prompts.
    #[must_use]
    pub fn then_prompts(mut self) -> Self {
        self.0.push(Step::Prompts);
        self
    }

    /// Then the weights.
    #[must_use]
    pub fn then_weights(mut self) -> Self {
        self.0.push(Step::Weights);
        self
    }
}

impl BetterTogether {
    /// Prompts by [`BootstrapFewShotWithRandomSearch`], weights by [`BootstrapFinetune`] with this tuner: prompts, then
    /// weights, then prompts.
    pub fn new(tuner: impl FineTuner) -> Self {
        Self::of(BootstrapFewShotWithRandomSearch::new(), BootstrapFinetune::new(tuner))
    }
}

impl<P, W> BetterTogether<P, W> {
    /// Prompts by one optimizer, weights by another: prompts, then weights, then prompts.
    pub fn of(prompts: P, weights: W) -> Self {
        let strategy = Strategy::prompts().then_weights().then_prompts();
        Self { prompts, weights, strategy, search: SearchOptions::default() }
    }

    /// Sets the order of the steps.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    search_options!();
}

impl<P: Optimizer, W: Optimizer> Optimizer for BetterTogether<P, W> {
    fn name(&self) -> &'static str {
        "BetterTogether"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let mut stages = vec![PlannedStage::rollouts("judge the student", shape.val)];
        for step in &self.strategy.0 {
            stages.extend(match step {
                Step::Prompts => self.prompts.stages(shape),
                Step::Weights => self.weights.stages(shape),
            });
            stages.push(PlannedStage::rollouts("judge", shape.val));
        }
        stages
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        engine.stage("judge the student", engine.val().len());
        engine.evaluate_fully(CandidateId::STUDENT).await?;
        let mut last = CandidateId::STUDENT;
        for (i, step) in self.strategy.0.iter().enumerate() {
            let stepped = match step {
                Step::Prompts => engine.run(&self.prompts, last, &format!("{} prompts", i + 1)).await,
                Step::Weights => engine.run(&self.weights, last, &format!("{} weights", i + 1)).await,
            };
            last = match stepped {
                Ok(found) => found,
                // What was found before is worth keeping.
                Err(Stop::Failed(error)) => {
                    engine.note(format!("step {} failed, and the turns end with it: {error}", i + 1));
                    break;
                }
                Err(stop) => return Err(stop),
            };
            engine.stage("judge", engine.val().len());
            engine.evaluate_fully(last).await?;
        }
        Ok(engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
    }
}
