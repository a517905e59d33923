//! How many failures a compile puts up with.

use std::sync::{Mutex, PoisonError};

use crate::{Error, Result, evaluate::Failure};

/// Counts the rows that failed through no fault of the program: the model could not be reached, or the metric
/// could not judge. They say nothing about a candidate, so they are no bad score, and a compile that goes on
/// regardless would choose by chance.
pub(super) struct ErrorBudget {
    limit: Option<usize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    count: usize,
    first: Option<Failure>,
    hopeless: Option<Error>,
}

/// The error of a compile in which no row told anything about the program.
pub(super) fn nothing_heard(first: &Failure) -> Error {
    let what = match first {
        Failure::Program(_) => "answered",
        Failure::Metric(_) => "judged",
    };
    Error::Limit(format!("no row could be {what}: {}", first.error()))
}

impl ErrorBudget {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Counts a failure. `false` when it was one too many.
    pub(super) fn allows(&self, failure: &Failure) -> bool {
        let mut state = self.lock();
        if failure.is_no_fault_of_the_program() {
            state.count += 1;
            state.first.get_or_insert_with(|| failure.clone());
        }
        if failure.is_hopeless() {
            state.hopeless.get_or_insert_with(|| failure.error().clone());
        }
        state.hopeless.is_none() && self.limit.is_none_or(|limit| state.count <= limit)
    }

    /// How many rows failed through no fault of the program.
    pub(super) fn count(&self) -> usize {
        self.lock().count
    }

    /// # Errors
    /// [`Error::Limit`] when there were too many; the failure itself when no other row can escape it.
    pub(super) fn check(&self) -> Result<()> {
        let state = self.lock();
        if let Some(error) = &state.hopeless {
            return Err(error.clone());
        }
        match (&state.first, self.limit) {
            (Some(first), Some(limit)) if state.count > limit => Err(Error::Limit(format!(
                "the compile was stopped because more rows failed through no fault of the program than `max_errors` \
                 allows ({limit}); what was answered is in the cache, so starting it again goes on from there. The \
                 first failure: {first}"
            ))),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
