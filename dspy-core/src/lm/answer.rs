//! What a client answers.

use std::sync::Arc;

use super::{Response, Usage};

/// A model's answer, and whether it was paid for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The response.
    pub response: Arc<Response>,
    /// Whether it came from a cache or was shared with an equal request in flight.
    pub cached: bool,
}

impl Answer {
    /// What this answer cost: the provider's own count, or one cached call that cost nothing.
    pub fn usage(&self) -> Usage {
        if self.cached { Usage { cached_calls: 1, ..Usage::default() } } else { self.response.usage }
    }
}
