//! Asking work to stop.

use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::{signal::ctrl_c, sync::watch};

use super::{Engine, Stop};
use crate::lm::BoxFuture;

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

impl Engine {
    /// Work that Ctrl-C ends, if the user wants that: the first time it begins nothing more, and what runs is waited for,
    /// because it is paid; the second time it is given up.
    pub(in crate::optimize) async fn interruptible<T>(
        &self,
        work: BoxFuture<'_, Result<T, Stop>>,
    ) -> Result<T, Stop> {
        if !self.options.stop_on_ctrl_c {
            return work.await;
        }
        let work = match select(work, Box::pin(ctrl_c())).await {
            Either::Left((ended, _)) => return ended,
            Either::Right((_, work)) => work,
        };
        self.options.cancellation.cancel();
        match select(work, Box::pin(ctrl_c())).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => Err(Stop::Cancelled),
        }
    }
}
