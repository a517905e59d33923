//! What can be set.

use std::{fmt, sync::Arc};

use super::{
    proposers::{
        Asked, Describe, DescribeData, DescribeDataInput, DescribeDataOutput, DescribeModule,
        DescribeModuleInput, DescribeModuleOutput, DescribeProgram, DescribeProgramInput,
        DescribeProgramOutput, ProposeInstruction, ProposeInstructionInput, ProposeInstructionOutput,
    },
    size::{Size, Wanted, val_rows},
};
use crate::{
    Error, Result,
    data::Rng,
    lm::LM,
    module::Module,
    optimize::{
        Attempts, Auto, Engine, Rows, SearchOptions,
        bootstrap::{DemoOptions, bootstrap_options},
        engine::search_options,
    },
    predict::Predict,
};

/// Searches for the instructions and the demonstrations of all predictors together (Opsahl-Ong et al. 2024, "Optimizing
/// Instructions and Demonstrations for Multi-Stage Language Model Programs").
///
/// 1. A teacher, the program itself unless another is given, runs on train rows. Runs that the metric accepts become
///    demonstrations; of these, several sets are made for each predictor.
/// 2. A prompt model proposes instructions for each predictor. It is shown what is observed in the data, the source of
///    the program, what each module does, rows that went wrong and rows that went well, a tip, and, once there are some,
///    earlier attempts with their scores.
/// 3. Combinations of an instruction and a set for every predictor are tried on a minibatch of the validation rows; which
///    to try next is told by a tree-structured Parzen estimator ([`Tpe`](crate::optimize::Tpe)). Every few trials the
///    best combination so far is evaluated on all validation rows; twice, the prompt model is asked again, with what failed.
///
/// Only what was evaluated on all validation rows can be chosen. All trials run on the same minibatch, so that what is
/// compared is compared on the same rows; a trial that is clearly behind the leader ends before the minibatch does; and
/// a full evaluation runs on those rows alone that the candidate has no score on.
///
/// Without validation rows, four fifths of the train rows are held back for it, at most 1000 of them, chosen by the
/// seed.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::{lm::Budget, optimize::{Auto, MIPROv2, Optimizer}};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
///
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let optimizer = MIPROv2::auto(Auto::Light).seed(7).budget(Budget::usd(2.0));
/// let compiled = optimizer.compile(program, &trainset, metric).await?;
/// println!("{}", compiled.report);
/// compiled.program.save("qa.json")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct MIPROv2 {
    pub(super) wanted: Wanted,
    pub(super) demos: DemoOptions,
    pub(super) attempts: Attempts,
    pub(super) minibatch: Option<usize>,
    pub(super) full_eval_every: usize,
    pub(super) temperature: f64,
    pub(super) data_aware: bool,
    pub(super) program_aware: bool,
    pub(super) tips: bool,
    pub(super) describe_data: Arc<dyn Describe<DescribeDataInput, DescribeDataOutput>>,
    pub(super) describe_program: Arc<dyn Describe<DescribeProgramInput, DescribeProgramOutput>>,
    pub(super) describe_module: Arc<dyn Describe<DescribeModuleInput, DescribeModuleOutput>>,
    pub(super) proposer: Arc<dyn Describe<ProposeInstructionInput, ProposeInstructionOutput>>,
    pub(super) search: SearchOptions,
}

/// The rows of a trial, unless set.
const MINIBATCH: usize = 25;
/// How many train rows are held back for validation at most.
pub(super) const MOST_HELD_BACK: usize = 1000;

impl Default for MIPROv2 {
    fn default() -> Self {
        Self::sized(Wanted::Auto(Auto::Light))
    }
}

impl MIPROv2 {
    fn sized(wanted: Wanted) -> Self {
        Self {
            wanted,
            demos: DemoOptions { max_bootstrapped: 8, max_labeled: 16 },
            attempts: Attempts::default(),
            minibatch: None,
            full_eval_every: 5,
            temperature: 1.0,
            data_aware: true,
            program_aware: true,
            tips: true,
            describe_data: Arc::new(Asked(Predict::<DescribeData>::new())),
            describe_program: Arc::new(Asked(Predict::<DescribeProgram>::new())),
            describe_module: Arc::new(Asked(Predict::<DescribeModule>::new())),
            proposer: Arc::new(Asked(Predict::<ProposeInstruction>::new())),
            search: SearchOptions::default(),
        }
    }

    /// A search of a size that suits most tasks:
    ///
    /// | | instructions, demonstration sets | without demonstrations: instructions | validation rows at most | trials with 1, 2, 5 predictors | without demonstrations |
    /// | --- | --- | --- | --- | --- | --- |
    /// | `Light` | 3, 6 | 6 | 100 | 10, 20, 51 | 9, 10, 25 |
    /// | `Medium` | 6, 12 | 12 | 300 | 18, 28, 71 | 18, 18, 35 |
    /// | `Heavy` | 9, 18 | 18 | 1000 | 27, 33, 83 | 27, 27, 41 |
    ///
    /// The present instruction and the demonstrations that a predictor has are among them.
    pub fn auto(auto: Auto) -> Self {
        Self::sized(Wanted::Auto(auto))
    }

    /// A search over so many instructions and as many demonstration sets for each predictor, in so many trials. All
    /// validation rows are used.
    pub fn new(num_candidates: usize, num_trials: usize) -> Self {
        Self::sized(Wanted::Explicit { candidates: num_candidates, trials: num_trials })
    }

    /// Searches for instructions alone. Demonstrations that predictors have stay.
    pub fn zero_shot(mut self) -> Self {
        self.demos = DemoOptions { max_bootstrapped: 0, max_labeled: 0 };
        self
    }

    /// Sets on how many validation rows a combination is tried: 25 unless set, and all when there are no more than 50.
    /// With all of them, every trial is a full evaluation.
    pub fn minibatch(mut self, rows: usize) -> Self {
        self.minibatch = Some(rows);
        self
    }

    /// Sets after how many trials the best combination so far is evaluated on all validation rows: 5 unless set.
    pub fn full_eval_every(mut self, trials: usize) -> Self {
        self.full_eval_every = trials.max(1);
        self
    }

    /// Sets the model that describes and proposes; without it, that of the settings.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    /// Sets the temperature at which the prompt model is asked: 1 unless set.
    pub fn proposal_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets whether proposals are given what is observed in the data. They are.
    pub fn data_aware(mut self, on: bool) -> Self {
        self.data_aware = on;
        self
    }

    /// Sets whether proposals are given the source of the program and descriptions of it. They are, when it has a
    /// source: see [`Module::source`].
    pub fn program_aware(mut self, on: bool) -> Self {
        self.program_aware = on;
        self
    }

    /// Sets whether proposals are given a tip for their style. They are.
    pub fn tips(mut self, on: bool) -> Self {
        self.tips = on;
        self
    }

    /// Sets what proposes instructions, such as a compiled or changed [`Predict<ProposeInstruction>`](ProposeInstruction).
    pub fn proposer(
        mut self,
        module: impl Module<Input = ProposeInstructionInput, Output = ProposeInstructionOutput> + 'static,
    ) -> Self {
        self.proposer = Arc::new(Asked(module));
        self
    }

    /// Sets what describes the data.
    pub fn data_describer(
        mut self,
        module: impl Module<Input = DescribeDataInput, Output = DescribeDataOutput> + 'static,
    ) -> Self {
        self.describe_data = Arc::new(Asked(module));
        self
    }

    /// Sets what describes the program.
    pub fn program_describer(
        mut self,
        module: impl Module<Input = DescribeProgramInput, Output = DescribeProgramOutput> + 'static,
    ) -> Self {
        self.describe_program = Arc::new(Asked(module));
        self
    }

    /// Sets what describes a module of the program.
    pub fn module_describer(
        mut self,
        module: impl Module<Input = DescribeModuleInput, Output = DescribeModuleOutput> + 'static,
    ) -> Self {
        self.describe_module = Arc::new(Asked(module));
        self
    }

    bootstrap_options!();
    search_options!();

    /// Whether instructions alone are searched for.
    pub(super) fn is_zero_shot(&self) -> bool {
        self.demos.max_bootstrapped == 0 && self.demos.max_labeled == 0
    }

    /// The rows of a trial, of so many validation rows.
    pub(super) fn minibatch_of(&self, val: usize) -> usize {
        match self.minibatch {
            Some(rows) => rows.min(val),
            None if val <= 50 => val,
            None => MINIBATCH,
        }
    }

    /// The train rows that are held back when there are no validation rows, and those of the validation rows that are
    /// used.
    pub(super) fn divide(&self, mut rows: Rows) -> Result<Rows> {
        let rng = Rng::new(self.search.seed).fork("rows");
        if rows.judged_by_train() {
            let n = rows.train.len();
            if n < 2 {
                return Err(Error::other(
                    "MIPROv2 holds rows back for validation when there are none: give at least two rows",
                ));
            }
            let held_back = (n * 4 / 5).clamp(1, MOST_HELD_BACK);
            rng.fork("held back").shuffle(&mut rows.train);
            rows.val = rows.train.split_off(n - held_back);
            rows.train.sort_unstable();
            rows.val.sort_unstable();
        }
        if let Wanted::Auto(auto) = self.wanted {
            let chosen = rng.fork("val").sample(rows.val.len(), val_rows(auto));
            rows.val = chosen.into_iter().map(|i| rows.val[i]).collect();
        }
        if self.minibatch == Some(0) || self.minibatch.is_some_and(|n| n > rows.val.len()) {
            return Err(Error::other(format!(
                "a minibatch has at least one row and at most as many as candidates are judged by, which are {}",
                rows.val.len()
            )));
        }
        Ok(rows)
    }

    /// # Errors
    /// When there is nothing to choose from.
    pub(super) fn size_for(&self, engine: &Engine) -> Result<Size> {
        if engine.predictors().is_empty() {
            return Err(Error::other("the program has no predictors: there is nothing to optimize"));
        }
        self.wanted.size(engine.predictors().len(), self.is_zero_shot())
    }
}

impl fmt::Debug for MIPROv2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MIPROv2")
            .field("wanted", &self.wanted)
            .field("demos", &self.demos)
            .field("attempts", &self.attempts)
            .field("minibatch", &self.minibatch)
            .field("full_eval_every", &self.full_eval_every)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}
