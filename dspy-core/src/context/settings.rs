//! Settings.

use std::sync::Arc;

use super::observe::{Observer, Observers};
use crate::{
    Error, Result,
    adapter::{Adapter, ChatAdapter},
    lm::{Budget, LM, Meter, Options},
    value::ReadOptions,
};

/// Settings of the process or of one task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The model of predictors without one.
    pub lm: Option<LM>,
    /// The adapter of predictors without one.
    pub adapter: Arc<dyn Adapter>,
    /// Sampling options: they override those of the model and are overridden by those of the predictor.
    pub options: Options,
    /// The number of the sample; see [`Request::rollout`](crate::lm::Request).
    pub rollout: u64,
    /// How many rows are in flight in batches, evaluations and compiles.
    pub concurrency: usize,
    /// Whether calls record their steps, for [`Prediction::trace`](crate::module::Prediction::trace).
    pub trace: bool,
    /// How many further requests one call may send to repair an answer that could not be parsed.
    pub repairs: u32,
    /// How often an answer may be corrected that a constraint of its signature or an assertion of the program does not
    /// accept.
    pub max_backtracks: usize,
    /// How leniently answers are parsed.
    pub reading: ReadOptions,
    /// Who is told of what happens.
    pub observers: Observers,
    /// What counts the requests of the work at hand.
    pub(crate) meter: Option<Arc<Meter>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lm: None,
            adapter: Arc::new(ChatAdapter::default()),
            options: Options::default(),
            rollout: 0,
            concurrency: 16,
            trace: true,
            repairs: 1,
            max_backtracks: 2,
            reading: ReadOptions::default(),
            observers: Observers::default(),
            meter: None,
        }
    }
}

impl Settings {
    /// Sets the model.
    #[must_use]
    pub fn lm(mut self, lm: impl Into<LM>) -> Self {
        self.lm = Some(lm.into());
        self
    }

    /// Sets the adapter.
    #[must_use]
    pub fn adapter(mut self, adapter: impl Adapter) -> Self {
        self.adapter = Arc::new(adapter);
        self
    }

    /// Sets sampling options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets the temperature, without changing the other sampling options.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.options = self.options.temperature(temperature);
        self
    }

    /// Sets the maximum number of tokens of an answer, without changing the other sampling options.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.options = self.options.max_tokens(tokens);
        self
    }

    /// Sets the number of the sample.
    #[must_use]
    pub fn rollout(mut self, rollout: u64) -> Self {
        self.rollout = rollout;
        self
    }

    /// Bounds what is spent in this scope, within the bounds of the scopes around it. A call that would exceed it is not
    /// sent ([`LmErrorKind::Budget`](crate::LmErrorKind::Budget)); embeddings count as answers do.
    ///
    /// ```
    /// # use dspy_core::lm::Budget;
    /// # async fn f(work: impl Future<Output = ()>) {
    /// dspy_core::with(|c| c.budget(Budget::usd(0.50)), work).await;
    /// # }
    /// ```
    #[must_use]
    pub fn budget(self, budget: Budget) -> Self {
        let outer = self.meter.clone();
        self.meter(Meter::new(budget, outer))
    }

    /// Counts the requests, and refuses those that are too many.
    pub(crate) fn meter(mut self, meter: Arc<Meter>) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Sets how many rows are in flight in batches, evaluations and compiles (at least one).
    #[must_use]
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// Sets whether calls record their steps.
    #[must_use]
    pub fn trace(mut self, on: bool) -> Self {
        self.trace = on;
        self
    }

    /// Sets how many further requests one call may send to repair an answer that could not be parsed.
    #[must_use]
    pub fn repairs(mut self, requests: u32) -> Self {
        self.repairs = requests;
        self
    }

    /// Sets how often an answer may be corrected that a constraint of its signature, `dspy::assert!` or `dspy::suggest!`
    /// does not accept: 2 unless set. With 0 they are only checked.
    #[must_use]
    pub fn max_backtracks(mut self, corrections: usize) -> Self {
        self.max_backtracks = corrections;
        self
    }

    /// Sets how leniently answers are parsed, such as [`ReadOptions::strict`].
    #[must_use]
    pub fn reading(mut self, options: ReadOptions) -> Self {
        self.reading = options;
        self
    }

    /// Adds an observer, which is told of what happens: see [`Observer`].
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers = self.observers.and(observer);
        self
    }

    /// Takes all observers away.
    #[must_use]
    pub fn no_observers(mut self) -> Self {
        self.observers = Observers::default();
        self
    }

    /// The model.
    ///
    /// # Errors
    /// [`Error::Context`] when none is set.
    pub fn require_lm(&self) -> Result<LM> {
        self.lm.clone().ok_or_else(|| {
            Error::Context(
                "no language model is configured; first say `let lm = LM::new(\"openai/gpt-4o-mini\")?; \
                 dspy::configure(|c| c.lm(lm));`, or give the program one with `set_lm`"
                    .into(),
            )
        })
    }
}
