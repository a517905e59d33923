//! Asking work to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Says that work is to stop; every clone says the same.
///
/// ```
/// # use dspy_core::optimize::Cancellation;
/// let stop = Cancellation::new();
/// let elsewhere = stop.clone();
/// elsewhere.cancel();
/// assert!(stop.is_cancelled());
/// ```
#[derive(Debug, Clone)]
pub struct Cancellation(Arc<watch::Sender<bool>>);

impl Default for Cancellation {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancellation {
    /// One that has not been used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says so, for good.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was said.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said.
    pub async fn cancelled(&self) {
        // The sender lives as long as `self`, so waiting ends with the change alone.
        let _ = self.0.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}
