//! What can be set for every optimizer.

use std::{fmt, path::PathBuf, sync::Arc};

use super::Event;
use crate::{
    context::Context,
    lm::{Budget, LM},
    optimize::Cancellation,
};

/// Options that every optimizer has.
#[derive(Clone)]
#[non_exhaustive]
pub struct SearchOptions {
    /// The seed of all random decisions.
    pub seed: u64,
    /// How many rows run at a time; without it, the `concurrency` of the settings.
    pub concurrency: Option<usize>,
    /// How many rows may fail through no fault of the program before the compile fails.
    pub max_errors: Option<usize>,
    /// What a row counts that fails through the program's own fault; without it, 0.
    pub failure_score: Option<f64>,
    /// How much the compile may spend.
    pub budget: Budget,
    /// Whether a bar is shown.
    pub progress: bool,
    /// The probability with which racing may give up the best candidate; `None` for no racing.
    pub racing: Option<f64>,
    /// The model that proposes instructions; without it, that of the settings.
    pub prompt_model: Option<LM>,
    /// A file that gets every event as a line of JSON.
    pub log: Option<PathBuf>,
    /// Whether Ctrl-C ends the compile with the best program so far. The calls that have begun are waited for; pressed
    /// again, they are given up.
    pub stop_on_ctrl_c: bool,
    /// What ends the compile with the best program so far.
    pub cancellation: Cancellation,
    pub(crate) listeners: Vec<Listener>,
}

/// Who hears of every event.
pub(crate) type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            concurrency: None,
            max_errors: Some(10),
            failure_score: None,
            budget: Budget::unlimited(),
            progress: true,
            racing: None,
            prompt_model: None,
            log: None,
            stop_on_ctrl_c: false,
            cancellation: Cancellation::new(),
            listeners: Vec::new(),
        }
    }
}

impl SearchOptions {
    /// Adds someone who hears of every event.
    pub fn add_listener(&mut self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.listeners.push(Arc::new(listener));
    }

    pub(crate) fn places(&self) -> usize {
        self.concurrency.unwrap_or_else(|| Context::current().settings().concurrency).max(1)
    }
}

impl fmt::Debug for SearchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchOptions")
            .field("seed", &self.seed)
            .field("concurrency", &self.concurrency)
            .field("max_errors", &self.max_errors)
            .field("budget", &self.budget)
            .field("racing", &self.racing)
            .finish_non_exhaustive()
    }
}

/// The builder methods of [`SearchOptions`], for a struct with a field `search` of that type.
macro_rules! search_options {
    () => {
        /// Sets the seed of all random decisions: 0 unless set.
        pub fn seed(mut self, seed: u64) -> Self {
            self.search.seed = seed;
            self
        }

        /// Sets how many rows run at a time; without it, the `concurrency` of the settings. It changes the speed
        /// and nothing else.
        pub fn concurrency(mut self, rows: usize) -> Self {
            self.search.concurrency = Some(rows.max(1));
            self
        }

        /// Sets how many rows may fail through no fault of the program (the model could not be reached, the metric
        /// could not judge) in the whole compile before it fails: 10 unless set, `None` for any number. Rows that
        /// fail through the program's own fault are not counted here: they count in its score, see
        /// [`failure_score`](Self::failure_score).
        pub fn max_errors(mut self, errors: impl Into<Option<usize>>) -> Self {
            self.search.max_errors = errors.into();
            self
        }

        /// Sets what a row counts that fails through the program's own fault: 0 unless set. Where a metric gives scores
        /// below 0, it should be the lowest of them, because a program would gain by failing otherwise.
        pub fn failure_score(mut self, score: f64) -> Self {
            self.search.failure_score = Some(score);
            self
        }

        /// Sets how much the compile may spend: no limit unless set. A compile that reaches it ends with the best
        /// program so far, and its report says so.
        pub fn budget(mut self, budget: $crate::lm::Budget) -> Self {
            self.search.budget = budget;
            self
        }

        /// Sets whether a bar is shown, on a terminal and when the compile takes longer than a second. It is.
        pub fn progress(mut self, on: bool) -> Self {
            self.search.progress = on;
            self
        }

        /// Gives up candidates that a paired test on the rows so far rules out, instead of evaluating them on all
        /// rows. `error` is the probability with which a candidate that is as good as the leader may be ruled out by
        /// it, over all looks together, such as 0.05; `None` evaluates all on all rows. See
        /// [`ruled_out`](crate::evaluate::ruled_out).
        pub fn racing(mut self, error: impl Into<Option<f64>>) -> Self {
            self.search.racing = error.into();
            self
        }

        /// Calls a function with every event of the compile.
        pub fn on_event(
            mut self,
            listener: impl Fn(&$crate::optimize::Event) + Send + Sync + 'static,
        ) -> Self {
            self.search.add_listener(listener);
            self
        }

        /// Writes every event of the compile to a file, as one line of JSON each.
        pub fn log(mut self, path: impl Into<std::path::PathBuf>) -> Self {
            self.search.log = Some(path.into());
            self
        }

        /// Ends the compile with the best program so far when Ctrl-C is pressed. The calls that have begun are waited
        /// for; pressed again, they are given up.
        pub fn stop_on_ctrl_c(mut self) -> Self {
            self.search.stop_on_ctrl_c = true;
            self
        }

        /// Ends the compile with the best program so far when this says so.
        pub fn cancelled_by(mut self, cancellation: &$crate::optimize::Cancellation) -> Self {
            self.search.cancellation = cancellation.clone();
            self
        }
    };
}
pub(in crate::optimize) use search_options;
