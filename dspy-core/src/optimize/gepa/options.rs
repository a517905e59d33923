//! What can be set.

use std::{fmt, future::Future, sync::Arc};

use super::{
    Component, Reflection, ReflectiveProposer, Selection,
    budget::Size,
    component::Selector,
    proposer::{FromFn, Proposer},
};
use crate::{
    Result,
    lm::LM,
    module::Module,
    optimize::{Auto, SearchOptions, engine::search_options},
};

/// Reflective evolution: a model reads what went wrong and why, rewrites the instruction of a predictor, and the program
/// with the new instruction is kept if it does better (Agrawal et al. 2025, "GEPA: Reflective Prompt Evolution Can
/// Outperform Reinforcement Learning").
///
/// It lives on what the metric says in words: return [`Score::feedback`](crate::evaluate::Score::feedback), and
/// [`feedback_for`](crate::evaluate::Score::feedback_for) where a program has several predictors and it is known which of
/// them was wrong. An answer that could not be read is feedback too.
///
/// Each step
/// 1. draws a parent from the Pareto front: of the candidates that are the best on some validation row and are not
///    dominated, each as likely as it has such rows;
/// 2. runs the parent on training rows until [`minibatch`](Self::minibatch) of them go wrong, and lets the proposer
///    rewrite one component (or [all](Self::all_components)) with these runs and their feedback before its eyes,
///    [twice](Self::proposals);
/// 3. runs the children on the same rows and at most as many that went well, and gives up all but the best, and that one
///    too unless it scores more than its parent;
/// 4. lets the child race the leader on validation rows, on 16, 32 and at most [`race_rows`](Self::race_rows) of them:
///    it is given up when it falls behind, and leads when it is ahead at the end, or earlier when a test proves it
///    better.
///
/// Now and then two candidates that improved different components are merged. At the end the leader is run on all
/// validation rows, and so are its rivals as far as the metric calls reach; the best of those that were run on all is
/// what the compile gives.
///
/// The search is limited in metric calls, runs of the program on a row, which are never exceeded:
/// [`auto`](Self::auto), [`max_metric_calls`](Self::max_metric_calls), [`max_full_evals`](Self::max_full_evals). Calls of
/// the proposer come on top, [`proposals`](Self::proposals) for each component and step.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, evaluate::Score, lm::LM, module::Module};
/// use dspy_core::optimize::{GEPA, Optimizer};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String, because: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, train: Vec<Qa>, dev: Vec<Qa>) -> Result<()> {
///
/// let metric = |gold: &Qa, answer: &String| match gold.answer == *answer {
///     true => Score::new(1.0),
///     false => Score::new(0.0).feedback(format!("{} was expected: {}", gold.answer, gold.because)),
/// };
/// let gepa = GEPA::new().max_metric_calls(600).prompt_model(LM::new("openai/gpt-5")?);
/// let compiled = gepa.compile(program, (&train, &dev), metric).await?;
/// println!("{}", compiled.report);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct GEPA {
    pub(super) size: Size,
    pub(super) minibatch: usize,
    pub(super) proposals: usize,
    pub(super) selector: Selector,
    pub(super) greedy: bool,
    pub(super) descriptions: bool,
    pub(super) tool_words: bool,
    pub(super) merges: usize,
    pub(super) race_rows: usize,
    pub(super) skip_perfect_score: bool,
    pub(super) perfect_score: Option<f64>,
    pub(super) temperature: f64,
    pub(super) proposer: Arc<dyn Proposer>,
    pub(super) search: SearchOptions,
}

impl Default for GEPA {
    fn default() -> Self {
        Self {
            size: Size::Auto(Auto::Light),
            minibatch: 8,
            proposals: 2,
            selector: Selector::RoundRobin,
            greedy: false,
            descriptions: false,
            tool_words: false,
            merges: 5,
            race_rows: 64,
            skip_perfect_score: true,
            perfect_score: None,
            temperature: 1.0,
            proposer: Arc::new(ReflectiveProposer::default()),
            search: SearchOptions::default(),
        }
    }
}

impl GEPA {
    /// A light search of the instructions of one predictor after the other.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how large the search is: [`Auto::Light`] unless set. With `c` components, `v` validation rows and `n` of 6,
    /// 12 or 18 candidates, `N = max(4 c log2 n, 1.5 n)` trials, rounded down, make
    /// `v + 5 n + 35 N + ((N + 1) / 5 + 1) v` metric calls.
    pub fn auto(mut self, auto: Auto) -> Self {
        self.size = Size::Auto(auto);
        self
    }

    /// Sets how many metric calls the search may make: runs of the program on a row. Instead of [`auto`](Self::auto).
    /// When they do not allow to judge candidates by all validation rows, a third of them goes into validation rows.
    pub fn max_metric_calls(mut self, calls: usize) -> Self {
        self.size = Size::MetricCalls(calls);
        self
    }

    /// Sets the metric calls in passes over all training and validation rows. Instead of [`auto`](Self::auto).
    pub fn max_full_evals(mut self, passes: usize) -> Self {
        self.size = Size::FullEvals(passes);
        self
    }

    /// Sets on how many rows that went wrong a proposal is made: 8 unless set. Up to three times as many are run to find
    /// them.
    pub fn minibatch(mut self, rows: usize) -> Self {
        self.minibatch = rows.max(1);
        self
    }

    /// Sets how many proposals are made from the same rows, at the same time: 2 unless set. The one that does best on
    /// these rows races the leader.
    pub fn proposals(mut self, n: usize) -> Self {
        self.proposals = n.clamp(1, 256);
        self
    }

    /// Improves all components in every step, instead of one after the other.
    pub fn all_components(mut self) -> Self {
        self.selector = Selector::All;
        self
    }

    /// Chooses the components of every step with a function of one's own, instead of one after the other. It must depend
    /// on nothing but its argument.
    pub fn select_components(
        mut self,
        select: impl Fn(&Selection<'_>) -> Vec<Component> + Send + Sync + 'static,
    ) -> Self {
        self.selector = Selector::Own(Arc::new(select));
        self
    }

    /// Always improves the leader, instead of drawing parents from the Pareto front.
    pub fn improve_leader(mut self) -> Self {
        self.greedy = true;
        self
    }

    /// Sets whether the descriptions of the fields are components too. They are not.
    pub fn field_descriptions(mut self, on: bool) -> Self {
        self.descriptions = on;
        self
    }

    /// Sets whether the words of tools are components too: of each tool of an agent, its name, its description and what is
    /// said of its arguments, which are rewritten together. They are not.
    pub fn tool_words(mut self, on: bool) -> Self {
        self.tool_words = on;
        self
    }

    /// Sets how many pairs of candidates are merged at most: 5 unless set.
    pub fn max_merges(mut self, n: usize) -> Self {
        self.merges = n;
        self
    }

    /// Sets on how many validation rows a child is compared with the leader at most before it leads: 64 unless set. The
    /// result of the search is run on all of them in any case.
    pub fn race_rows(mut self, rows: usize) -> Self {
        self.race_rows = rows.max(1);
        self
    }

    /// Sets whether rows with a [perfect score](Self::perfect_score) are left out of reflections. They are.
    pub fn skip_perfect_score(mut self, on: bool) -> Self {
        self.skip_perfect_score = on;
        self
    }

    /// Sets the score from which on nothing is wrong with a row. Without it, that is 1, unless the metric has given more
    /// than 1: then no score is perfect, and a reflection shows the rows with the lowest.
    pub fn perfect_score(mut self, score: f64) -> Self {
        self.perfect_score = Some(score);
        self
    }

    /// Sets the module that writes new texts: [`ReflectiveProposer`] unless set. One of your own can be given any text of
    /// the program to improve: look at [`Reflection::component`]. An empty answer is no proposal.
    pub fn proposer(mut self, module: impl Module<Input = Reflection, Output = String> + 'static) -> Self {
        self.proposer = Arc::new(module);
        self
    }

    /// Writes new texts with a function. Models that it asks are those of the settings, or the
    /// [`prompt_model`](Self::prompt_model).
    pub fn propose_with<F, Fut>(self, propose: F) -> Self
    where
        F: Fn(Reflection) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String>> + Send + 'static,
    {
        self.proposer(FromFn(propose))
    }

    /// Sets the temperature of the proposer: 1 unless set.
    pub fn proposer_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the model of the proposer, which should be a strong one; without it, that of the settings.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    search_options!();
}

impl fmt::Debug for GEPA {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GEPA")
            .field("size", &self.size)
            .field("minibatch", &self.minibatch)
            .field("selector", &self.selector)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}
