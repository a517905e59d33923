//! Where clients find out whether anybody observes the work at hand, which only the context knows.

use std::sync::{Arc, OnceLock};

use super::{
    Request,
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
pub(crate) fn install(probes: Probes) {
    let _ = PROBES.set(probes);
}

pub(super) fn of_request(model: &str, request: &Request) -> Option<Arc<dyn Probe>> {
    (PROBES.get()?.request)(model, request)
}

pub(super) fn of_embedding(model: &str, texts: &[&str]) -> Option<Box<dyn EmbeddingProbe>> {
    (PROBES.get()?.embedding)(model, texts)
}
