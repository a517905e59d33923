//! Many choices of demonstrations, and the best of them.

use std::{collections::HashSet, sync::Arc};

use super::{
    Amount, Attempts, Bootstrap, CandidateId, Engine, LabeledFewShot, Optimizer, PlannedStage, SearchOptions,
    Stop, TaskShape,
    bootstrap::{DemoOptions, bootstrap_options, rounds},
    describe,
    engine::search_options,
};
use crate::{Result, data::Rng, lm::BoxFuture, module::representative};

/// Makes several choices of demonstrations as [`BootstrapFewShot`](super::BootstrapFewShot) does, judges each by the
/// metric, and takes the best (Khattab et al. 2023, "DSPy: Compiling Declarative Language Model Calls into
/// Self-Improving Pipelines", §4).
///
/// The candidates are the program without demonstrations (the student itself, when it has none), with rows of the data only,
/// with demonstrations from the first rows that go well, and [`num_candidates`](Self::num_candidates) with a random number
/// of those from other rows. For every other one of these, the rows come in random order; for the rest, those rows come first
/// that stand for a random half of all rows, by the words they have in common, so that each kind of row is shown before a kind
/// is shown twice. Of equally good candidates the first is taken. The teacher runs on a row once, whatever number of candidates
/// learn from it.
///
/// Candidates are judged by the validation rows, if there are any, otherwise by the rows that they learnt from: each
/// row is then answered without the demonstrations that were made from it.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{BootstrapFewShotWithRandomSearch, Optimizer};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
///
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let optimizer = BootstrapFewShotWithRandomSearch::new().num_candidates(8).seed(7);
/// let compiled = optimizer.compile(program, &trainset, metric).await?;
/// println!("{}", compiled.report);
/// compiled.program.save("qa.json")?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct BootstrapFewShotWithRandomSearch {
    demos: DemoOptions,
    attempts: Attempts,
    search: SearchOptions,
    num_candidates: usize,
    stop_at_score: Option<f64>,
}

impl Default for BootstrapFewShotWithRandomSearch {
    fn default() -> Self {
        Self {
            demos: DemoOptions::default(),
            attempts: Attempts::default(),
            // The best is told from most of the others long before all were run on all rows.
            search: SearchOptions { racing: Some(0.05), ..SearchOptions::default() },
            num_candidates: 16,
            stop_at_score: None,
        }
    }
}

impl BootstrapFewShotWithRandomSearch {
    /// 16 random candidates; at most 4 demonstrations from runs, 16 with those from the data, one round; racing with an error
    /// of 0.05; seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many candidates are made from rows in random order, besides the three others.
    pub fn num_candidates(mut self, n: usize) -> Self {
        self.num_candidates = n;
        self
    }

    /// Stops at the first candidate that scores at least this. Candidates are then judged one after the other.
    pub fn stop_at_score(mut self, score: f64) -> Self {
        self.stop_at_score = Some(score);
        self
    }

    bootstrap_options!();
    search_options!();

    /// What the candidates are bootstrapped from.
    fn choices(&self, engine: &Engine, rng: &Rng) -> Result<Vec<Choice>> {
        let (train, most) = (engine.train(), self.demos.max_bootstrapped);
        let in_order = Bootstrap::new(train.to_vec(), most);
        let mut choices = vec![Choice {
            name: "in order".into(),
            wish: in_order,
            rng: rng.fork("in order"),
            spread: false,
        }];
        for i in 0..self.num_candidates {
            let (rng, spread) = (rng.fork_index(i as u64), i % 2 == 1);
            let mut order = train.to_vec();
            rng.fork("order").shuffle(&mut order);
            if spread {
                self.spread(engine, &mut order)?;
            }
            let size = rng.fork("size").range(most.min(1)..most + 1);
            let name = format!("{} {i}", if spread { "spread" } else { "random" });
            choices.push(Choice { name, wish: Bootstrap::new(order, size), rng, spread });
        }
        Ok(choices)
    }

    /// Puts rows first that stand for half of the rows: which half, the order that they have decides.
    fn spread(&self, engine: &Engine, order: &mut Vec<usize>) -> Result<()> {
        let some = (order.len() / 2).min(MOST_COMPARED);
        let wanted = self.demos.max_labeled.max(self.demos.max_bootstrapped).saturating_mul(2);
        let text = |row: &usize| Ok(describe::row(&engine.record(*row)?, LONGEST));
        let texts: Vec<String> = order[..some].iter().map(text).collect::<Result<_>>()?;
        let first: Vec<usize> = representative(&texts, wanted).into_iter().map(|at| order[at]).collect();
        let known: HashSet<usize> = first.iter().copied().collect();
        let rest = order.iter().copied().filter(|row| !known.contains(row));
        *order = first.iter().copied().chain(rest).collect();
        Ok(())
    }
}

/// What a candidate is bootstrapped from.
struct Choice {
    name: String,
    wish: Bootstrap,
    rng: Rng,
    /// Whether the rows at the beginning are chosen to stand for the others.
    spread: bool,
}

/// Of how many rows those are chosen that stand for them.
const MOST_COMPARED: usize = 256;
/// How many characters of a field are looked at.
const LONGEST: usize = 1_000;

impl Optimizer for BootstrapFewShotWithRandomSearch {
    fn name(&self) -> &'static str {
        "BootstrapFewShotWithRandomSearch"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let wanted = self.demos.max_bootstrapped * (self.num_candidates + 1);
        let bootstrap = if self.demos.max_bootstrapped == 0 { 0 } else { shape.train };
        let candidates = self.num_candidates + 3;
        vec![
            PlannedStage::rollouts(
                "bootstrap",
                Amount::new(wanted.min(bootstrap), rounds(bootstrap, &self.attempts)),
            )
            .demos(self.demos.max_labeled),
            PlannedStage::rollouts(
                "evaluate",
                Amount::new(candidates * shape.val / 2, candidates * shape.val),
            )
            .demos(self.demos.max_labeled),
        ]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl BootstrapFewShotWithRandomSearch {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            let rng = engine.rng("candidates");
            let choices = self.choices(engine, &rng)?;

            engine.stage("bootstrap", engine.train().len());
            let teacher = Arc::new(self.demos.teacher(engine)?);
            let orders: Vec<Bootstrap> = choices.iter().map(|choice| choice.wish.clone()).collect();
            let found = engine.bootstrap(&teacher, &self.attempts, &orders).await?;
            engine.note(found.summary());

            let student = engine.parameters(CandidateId::STUDENT);
            let propose = |name: &str, parameters| engine.propose(name, [CandidateId::STUDENT], parameters);
            let bare = (*student).clone().without_demos();
            let mut candidates =
                vec![if bare == *student { CandidateId::STUDENT } else { propose("zero-shot", bare) }];
            let labels = LabeledFewShot::new().k(self.demos.max_labeled).show(engine, &student, &rng)?;
            candidates.push(propose("labels only", labels));
            for Choice { name, wish, rng, spread } in &choices {
                let shown = match spread {
                    true => self.demos.show_in_order(engine, &found, wish, rng)?,
                    false => self.demos.show(engine, &found, wish, rng)?,
                };
                candidates.push(propose(name, shown));
            }

            engine.stage("evaluate", candidates.len() * engine.val().len());
            // All at once keep the model busy to the end, but cannot tell when to stop.
            let at_once = if self.stop_at_score.is_some() { 1 } else { candidates.len() };
            for some in candidates.chunks(at_once) {
                engine.evaluate(some, engine.val()).await?;
                let enough =
                    |(_, best): (CandidateId, f64)| self.stop_at_score.is_some_and(|score| best >= score);
                if engine.best().is_some_and(enough) {
                    break;
                }
            }
            Ok(engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
        })
    }
}
