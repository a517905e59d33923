//! Whoever is told of a request while it is answered.

use std::{fmt, time::Duration};

use super::HistoryEntry;
use crate::LmError;

/// Is told of attempts that failed.
pub(crate) trait Retried: Send + Sync {
    /// An attempt failed, and another one is made after a while.
    fn retried(&self, error: &LmError, delay: Duration);
}

/// Is told of one request. One that is dropped before its end was given up.
pub(crate) trait Probe: Retried + fmt::Debug {
    /// The request has ended.
    fn ended(&self, entry: &HistoryEntry);
}
