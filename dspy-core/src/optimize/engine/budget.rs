//! How many failures a compile puts up with.

use std::sync::{Mutex, PoisonError};

use crate::{Error, Result, evaluate::Failure};

/// Counts the rows that failed because the model could not be reached. They say nothing about a candidate, so
/// they are no bad score, and a compile that goes on regardless would choose by chance.
pub(in crate::optimize) struct ErrorBudget {
    limit: Option<usize>,
    state: Mutex<(usize, Option<Error>)>,
}

impl ErrorBudget {
    pub(in crate::optimize) fn new(limit: Option<usize>) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Counts a failure. `false` when it was one too many.
    pub(in crate::optimize) fn allows(&self, failure: &Failure) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_infrastructure() {
            state.0 += 1;
            state.1.get_or_insert_with(|| failure.error().clone());
        }
        self.limit.is_none_or(|limit| state.0 <= limit)
    }

    /// How many failures were counted.
    pub(in crate::optimize) fn count(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// # Errors
    /// [`Error::Limit`] when there were too many.
    pub(in crate::optimize) fn check(&self) -> Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (&state.1, self.limit) {
            (Some(first), Some(limit)) if state.0 > limit => Err(Error::Limit(format!(
                "the compile was stopped because the model could not be reached for {} rows, more than `max_errors` \
                 allows ({limit}); what was answered is in the cache, so starting it again goes on from there. The \
                 first failure: {first}",
                state.0
            ))),
            _ => Ok(()),
        }
    }
}
