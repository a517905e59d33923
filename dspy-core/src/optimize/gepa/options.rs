//! What can be set.

use std::{fmt, sync::Arc};

use super::{Auto, Component, Reflection, ReflectiveProposer, Selection, budget::Size, component::Selector};
use crate::{
    lm::{BoxFuture, LM},
    module::Module,
    optimize::{Engine, SearchOptions, Stop, engine::search_options},
};

/// Reflective evolution.
#[derive(Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct GEPA {
    pub(super) size: Size,
    pub(super) minibatch: usize,
    pub(super) proposals: usize,
    pub(super) selector: Selector,
    pub(super) descriptions: bool,
    pub(super) merges: usize,
    pub(super) skip_perfect_score: bool,
    pub(super) perfect_score: Option<f64>,
    pub(super) promotion: f64,
    pub cap: usize,
    pub scan: usize,
    pub known: f64,
    pub greedy: bool,
    pub(super) temperature: f64,
    pub(super) proposer: Arc<dyn Proposer>,
    pub(super) search: SearchOptions,
}

/// A module as a proposer, its type erased.
pub(super) trait Proposer: Send + Sync {
    fn ask<'a>(
        &'a self,
        engine: &'a Engine,
        reflection: Reflection,
        index: u64,
    ) -> BoxFuture<'a, Result<Option<String>, Stop>>;
}

struct Asked<M>(M, f64);

impl<M: Module<Input = Reflection, Output = String>> Proposer for Asked<M> {
    fn ask<'a>(
        &'a self,
        engine: &'a Engine,
        reflection: Reflection,
        index: u64,
    ) -> BoxFuture<'a, Result<Option<String>, Stop>> {
        Box::pin(engine.ask(&self.0, reflection, "reflection", index, self.1))
    }
}

impl Default for GEPA {
    fn default() -> Self {
        Self {
            size: Size::Auto(Auto::Light),
            minibatch: 8,
            proposals: 1,
            selector: Selector::RoundRobin,
            descriptions: false,
            merges: 5,
            skip_perfect_score: true,
            perfect_score: None,
            promotion: 0.1,
            cap: 64, scan: 3, known: 0.5, greedy: false,
            temperature: 1.0,
            proposer: Arc::new(Asked(ReflectiveProposer::default(), 1.0)),
            search: SearchOptions::default(),
        }
    }
}

impl GEPA {
    /// GEPA.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the size.
    pub fn auto(mut self, auto: Auto) -> Self {
        self.size = Size::Auto(auto);
        self
    }

    /// Sets how many metric calls.
    pub fn max_metric_calls(mut self, calls: usize) -> Self {
        self.size = Size::MetricCalls(calls);
        self
    }

    /// Sets full evals.
    pub fn max_full_evals(mut self, n: usize) -> Self {
        self.size = Size::FullEvals(n);
        self
    }

    /// Sets how many rows that go wrong a reflection shows: 8.
    pub fn minibatch(mut self, rows: usize) -> Self {
        self.minibatch = rows.max(1);
        self
    }

    /// Sets how many drafts.
    pub fn proposals(mut self, n: usize) -> Self {
        self.proposals = n.clamp(1, 1000);
        self
    }

    /// Improves all components at a time.
    pub fn all_components(mut self) -> Self {
        self.selector = Selector::All;
        self
    }

    /// Chooses.
    pub fn select_components(
        mut self,
        select: impl Fn(&Selection<'_>) -> Vec<Component> + Send + Sync + 'static,
    ) -> Self {
        self.selector = Selector::Own(Arc::new(select));
        self
    }

    /// Also descriptions.
    pub fn field_descriptions(mut self, on: bool) -> Self {
        self.descriptions = on;
        self
    }

    /// Merges.
    pub fn max_merges(mut self, n: usize) -> Self {
        self.merges = n;
        self
    }

    /// Skip.
    pub fn skip_perfect_score(mut self, on: bool) -> Self {
        self.skip_perfect_score = on;
        self
    }

    /// Perfect.
    pub fn perfect_score(mut self, score: f64) -> Self {
        self.perfect_score = Some(score);
        self
    }

    /// Promotion.
    pub fn promotion(mut self, error: f64) -> Self {
        self.promotion = error;
        self
    }

    /// Sets the proposer.
    pub fn proposer(mut self, module: impl Module<Input = Reflection, Output = String> + 'static) -> Self {
        self.proposer = Arc::new(Asked(module, self.temperature));
        self
    }

    /// Sets the model.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    search_options!();
}

impl fmt::Debug for GEPA {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GEPA").field("size", &self.size).field("search", &self.search).finish_non_exhaustive()
    }
}
