//! What can be set.

use super::size;
use crate::{
    lm::LM,
    optimize::{Auto, SearchOptions, engine::search_options},
};

/// Chooses and chains the other optimizers: the one to begin with.
///
/// 1. It looks: the student runs on a few validation rows, which shows what a run takes, whether the metric says in words
///    what was wrong, and which scores are good: those above the middle. Where all are the same, those above 0 are.
/// 2. It makes demonstrations. Where rows hold all that the predictors give, from the rows; otherwise the program runs on
///    training rows, and what it did in the runs that the metric accepts is shown. Each call is shown the nearest
///    ([`KNNFewShot`](crate::optimize::KNNFewShot)), or all calls the same ones; these and the student race on validation rows.
/// 3. It improves the instructions of the best so far: by reflection ([`GEPA`](crate::optimize::GEPA)) where the metric gives
///    feedback, by [`MIPROv2`](crate::optimize::MIPROv2) otherwise.
/// 4. The best of those that were run on all validation rows is confirmed on rows that no choice was made by: the test
///    rows, or a part of the validation rows that is held back for it.
///
/// What was done in each step, why, and what it took stands in the notes of the report. How much is spent is told by
/// [`auto`](Self::auto), and by the [`budget`](Self::budget), of which enough is kept for the last step.
/// [`plan`](crate::optimize::Optimizer::plan) shows it before anything is asked.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::{lm::Budget, optimize::{Optimizer, Portfolio}};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, rows: Vec<Qa>) -> Result<()> {
///
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let optimizer = Portfolio::new().budget(Budget::calls(2_000));
/// println!("{}", optimizer.plan(&program, &rows)?);
/// let compiled = optimizer.compile(program, &rows, metric).await?;
/// println!("{}", compiled.report);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct Portfolio {
    size: Option<Auto>,
    pub(super) demos: usize,
    pub(super) nearest: bool,
    pub(super) search: SearchOptions,
}

impl Default for Portfolio {
    fn default() -> Self {
        Self {
            size: None,
            demos: 8,
            nearest: true,
            // Who is clearly behind is not worth further rows.
            search: SearchOptions { racing: Some(0.05), ..SearchOptions::default() },
        }
    }
}

impl Portfolio {
    /// A search with eight demonstrations for each call, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how often the program is run at most: 1,000 times for [`Auto::Light`], 3,000 for `Medium`, 9,000 for `Heavy`.
    /// Without it, the calls of the [`budget`](Self::budget) say how large the search is, and when they are not limited
    /// either, it is a light one.
    ///
    /// Candidates are judged by a fifth as many validation rows at most, and confirmed on a tenth as many.
    pub fn auto(mut self, size: Auto) -> Self {
        self.size = Some(size);
        self
    }

    /// Sets how many demonstrations a call is shown: 8 unless set. With 0, only instructions are improved.
    pub fn max_demos(mut self, n: usize) -> Self {
        self.demos = n;
        self
    }

    /// Sets whether calls may be shown the nearest demonstrations, each call others: they may unless set. The program
    /// then holds all of them, and prompts share less with one another, which some providers charge less for.
    pub fn nearest(mut self, yes: bool) -> Self {
        self.nearest = yes;
        self
    }

    /// Sets the model that writes instructions; without it, that of the settings.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    search_options!();

    /// How many runs, or calls when these are limited instead, there are at most.
    pub(super) fn runs(&self) -> usize {
        let calls = self.search.budget.max_calls().map(|calls| usize::try_from(calls).unwrap_or(usize::MAX));
        match (self.size, calls) {
            (Some(size), calls) => size::rollouts(size).min(calls.unwrap_or(usize::MAX)),
            (None, Some(calls)) => calls,
            (None, None) => size::rollouts(Auto::Light),
        }
    }
}
