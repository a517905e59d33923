//! Failed searches.

/// A failed search, or an index that could not be built, saved or loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{retriever}{}: {message}", .status.map(|s| format!(" (HTTP {s})")).unwrap_or_default())]
#[non_exhaustive]
pub struct RetrievalError {
    /// What was searched: the kind of the index or store, and its name or file.
    pub retriever: String,
    /// The HTTP status of a store's refusal.
    pub status: Option<u16>,
    /// Whether the same may succeed later: the store was not reached, is overloaded or failed itself.
    pub retryable: bool,
    /// What is wrong and what to do.
    pub message: String,
}

impl RetrievalError {
    /// An error of a retriever that will not go away by itself.
    pub fn new(retriever: impl Into<String>, message: impl Into<String>) -> Self {
        Self { retriever: retriever.into(), status: None, retryable: false, message: message.into() }
    }

    /// Sets whether the same may succeed later.
    #[must_use]
    pub fn retryable(mut self, yes: bool) -> Self {
        self.retryable = yes;
        self
    }
}
