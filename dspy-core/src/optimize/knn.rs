//! The nearest rows as demonstrations of each call.

use std::{fmt, sync::Arc};

use super::{
    Amount, Attempts, Bootstrap, CandidateId, Demonstration, Engine, Nearest, Optimizer, Parameters,
    PlannedStage, SearchOptions, Stop, TaskShape,
    bootstrap::{attempt_options, rounds},
    engine::search_options,
};
use crate::{
    Result,
    lm::{BoxFuture, embed::Embedder},
};

/// Shows each call the rows whose inputs have most in common with its own (Liu et al. 2022, "What Makes Good In-Context
/// Examples for GPT-3?").
///
/// The rows are chosen anew for each call, by what [`NearestDemos`](crate::module::NearestDemos) says: by the words of the
/// inputs, without asking a model, or, with an [`embedder`](Self::embedder), by what they mean. They become part of the program and are saved with it. Demonstrations that the program has are replaced; its
/// instructions stay.
///
/// A row is a demonstration of the predictors that have an input and an output of it. Predictors in the middle of a
/// program have none, and a row has no reasoning: [`bootstrap`](Self::bootstrap) runs the program on every row, once, while
/// it is compiled, and takes what the predictors did in the runs that the metric accepts. No model is asked for
/// demonstrations later.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{KNNFewShot, Optimizer};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let compiled = KNNFewShot::new(8).bootstrap(true).compile(program, &trainset, metric).await?;
/// # let _ = compiled; Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct KNNFewShot {
    k: usize,
    embedder: Option<Arc<dyn Embedder>>,
    bootstrap: bool,
    passes: usize,
    attempts: Attempts,
    search: SearchOptions,
}

impl KNNFewShot {
    /// The `k` nearest rows of the data; no model is asked.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            embedder: None,
            bootstrap: false,
            passes: 2,
            attempts: Attempts::default(),
            search: SearchOptions::default(),
        }
    }

    /// Has an embedding model compare the inputs, in place of their words. Every call of the compiled program asks it for
    /// one vector, the first for those of the rows as well, unless its cache has them. A file of the program holds its
    /// name: give a program that was loaded the model with [`set_embedder`](crate::module::Program::set_embedder).
    ///
    /// ```no_run
    /// # use dspy_core::{Result, lm::embed::EmbeddingModel, module::{Module, Program}, optimize::KNNFewShot};
    /// # async fn run<P: Program>(mut loaded: P) -> Result<()> {
    /// let optimizer = KNNFewShot::new(8).embedder(EmbeddingModel::new("openai/text-embedding-3-small")?);
    /// // Later, in another process: let mut loaded = Qa::new().load("qa.json")?;
    /// loaded.set_embedder(EmbeddingModel::new("openai/text-embedding-3-small")?)?;
    /// # let _ = optimizer; Ok(()) }
    /// ```
    pub fn embedder(mut self, embedder: impl Embedder) -> Self {
        self.embedder = Some(Arc::new(embedder));
        self
    }

    /// Sets whether the program is run on every row for demonstrations of all its predictors: it is not unless set.
    pub fn bootstrap(mut self, yes: bool) -> Self {
        self.bootstrap = yes;
        self
    }

    /// Sets how often rows are run at most when [bootstrapping](Self::bootstrap): 2 unless set. Rows that the metric
    /// did not accept run again with the demonstrations that were found before.
    pub fn passes(mut self, n: usize) -> Self {
        self.passes = n.max(1);
        self
    }

    attempt_options!();
    search_options!();

    /// Parameters that show the nearest of these demonstrations, or else of the rows.
    fn show(&self, engine: &Engine, made: &[Vec<Demonstration>]) -> Result<Parameters> {
        let mut shown = Parameters::clone(&engine.parameters(CandidateId::STUDENT)).without_demos();
        for (info, made) in engine.predictors().iter().zip(made) {
            let mut pool = made.clone();
            for row in engine.train() {
                if !made.iter().any(|demo| demo.row == Some(*row)) {
                    pool.extend(engine.labeled(info.path(), *row)?);
                }
            }
            if let Some(own) = shown.get_mut(info.path()).filter(|_| !pool.is_empty()) {
                let mut nearest = Nearest::new(info.spec(), self.k, pool);
                if let Some(embedder) = &self.embedder {
                    nearest.demos = nearest.demos.by_meaning(embedder.clone());
                }
                own.nearest = Some(nearest);
            }
        }
        Ok(shown)
    }
}

impl fmt::Debug for KNNFewShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KNNFewShot")
            .field("k", &self.k)
            .field("embedder", &self.embedder.as_ref().map(|embedder| embedder.id()))
            .field("bootstrap", &self.bootstrap)
            .finish_non_exhaustive()
    }
}

impl Optimizer for KNNFewShot {
    fn name(&self) -> &'static str {
        "KNNFewShot"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        match self.bootstrap {
            false => Vec::new(),
            true => {
                let most = rounds(shape.train, &self.attempts).saturating_mul(self.passes);
                vec![PlannedStage::rollouts("bootstrap", Amount::new(shape.train, most)).demos(self.k)]
            }
        }
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl KNNFewShot {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            let rng = engine.rng("nearest");
            let mut made: Vec<Vec<Demonstration>> = vec![Vec::new(); engine.predictors().len()];
            let mut open = if self.bootstrap { engine.train().to_vec() } else { Vec::new() };
            for pass in 0..self.passes {
                if open.is_empty() {
                    break;
                }
                engine.stage(format!("bootstrap, pass {}", pass + 1), open.len());
                // A teacher that knows something is asked as it is; one that does not, and every later pass, with what there
                // is so far.
                let teacher = engine.teacher_parameters();
                let knows = teacher.iter().any(|(_, own)| !own.demos.is_empty() || own.nearest.is_some());
                let teacher = if pass == 0 && knows { teacher } else { self.show(engine, &made)? };
                let wish = Bootstrap::all(&open, 1);
                let found =
                    engine.bootstrap(&Arc::new(teacher), &self.attempts, std::slice::from_ref(&wish)).await?;
                engine.note(found.summary());
                let accepted = found.accepted(&wish);
                for (row, steps) in &accepted {
                    for (info, made) in engine.predictors().iter().zip(&mut made) {
                        made.extend(engine.demo_of(info.path(), *row, steps, &rng));
                    }
                }
                let before = open.len();
                open.retain(|row| !accepted.iter().any(|(accepted, _)| accepted == row));
                if open.len() == before {
                    break;
                }
            }
            Ok(engine.propose(
                format!("{} nearest", self.k),
                [CandidateId::STUDENT],
                self.show(engine, &made)?,
            ))
        })
    }
}
