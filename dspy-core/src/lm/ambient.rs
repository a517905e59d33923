//! What surrounds a call: who observes the work at hand, and what counts its spending. Only the context knows, a module
//! further down, which hands in how to find out.
//!
//! A request to a language model carries the meter of its work. An embedder is called without a request, from any code
//! of a program, so it asks here.

use std::sync::{Arc, OnceLock};

use super::{
    Meter, Request, Usage,
    embed::Embeddings,
    probe::{Probe, Retried},
};
use crate::LmError;

/// Is told of the end of one call of an embedding model. One that is dropped before was given up.
pub(crate) trait EmbeddingProbe: Retried {
    /// The call has ended.
    fn ended(&self, model: &str, result: Result<&Embeddings, &LmError>);
}

type OfRequest = fn(&str, &Request) -> Option<Arc<dyn Probe>>;
type OfEmbedding = fn(&str, &[&str]) -> Option<Box<dyn EmbeddingProbe>>;

/// Who is told of what begins now; `None` where nobody observes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probes {
    pub(crate) request: OfRequest,
    pub(crate) embedding: OfEmbedding,
}

/// Empty as long as nobody has ever observed anything.
static PROBES: OnceLock<Probes> = OnceLock::new();

/// Sets them, once for the process.
pub(crate) fn install_probes(probes: Probes) {
    let _ = PROBES.set(probes);
}

pub(super) fn of_request(model: &str, request: &Request) -> Option<Arc<dyn Probe>> {
    (PROBES.get()?.request)(model, request)
}

pub(super) fn of_embedding(model: &str, texts: &[&str]) -> Option<Box<dyn EmbeddingProbe>> {
    (PROBES.get()?.embedding)(model, texts)
}

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

static LEDGER: OnceLock<fn() -> Ledger> = OnceLock::new();

/// Hands in how the ledger of the running task is found: the first one stays.
pub(crate) fn provide_ledger(current: fn() -> Ledger) {
    LEDGER.get_or_init(|| current);
}

/// The ledger of the running task.
pub(super) fn ledger() -> Ledger {
    LEDGER.get().map_or_else(Ledger::default, |current| current())
}
