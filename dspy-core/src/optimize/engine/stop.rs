//! Why a search ends before its own end.

use crate::Error;

/// Why a search ends before its own end. An optimizer hands it on with `?`; what the engine was asked to do is not done.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Stop {
    /// The budget does not allow more: the compile ends with the best program so far.
    Budget(String),
    /// The user asked for an end: the compile ends with the best program so far.
    Cancelled,
    /// The compile fails.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
