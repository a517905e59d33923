//! What counts the spending of the running task.
//!
//! A request to a language model carries the meter of its work. An embedder is called without a request, from any code
//! of a program, so it asks here. Which task runs is known to a module further down, which hands in how to find out.

use std::sync::{Arc, OnceLock};

use super::{Meter, Usage};

/// Adds up usage by model.
pub(crate) trait Counts: Send + Sync {
    fn count(&self, model: &Arc<str>, usage: Usage);
}

/// What counts the spending of a task.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) meter: Option<Arc<Meter>>,
    pub(crate) usage: Option<Arc<dyn Counts>>,
}

static CURRENT: OnceLock<fn() -> Ledger> = OnceLock::new();

/// Hands in how the ledger of the running task is found: the first one stays.
pub(crate) fn provide(current: fn() -> Ledger) {
    CURRENT.get_or_init(|| current);
}

/// The ledger of the running task.
pub(super) fn current() -> Ledger {
    CURRENT.get().map_or_else(Ledger::default, |current| current())
}
