//! Texts as vectors of an index.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{
    error::error,
    vectors::{GraphOptions, Neighbour, VectorIndex},
};
use crate::{
    Error, Result,
    lm::embed::{Embedder, InputType},
};

/// How many texts are embedded before their vectors are put away.
const CHUNK: usize = 16_384;
/// A search of so many products takes a thread of its own, because it would keep the tasks of the runtime waiting.
const LONG_SEARCH: usize = 1 << 20;

/// Vectors of texts, with what made them.
pub(super) struct Embedded {
    pub(super) embedder: Arc<dyn Embedder>,
    pub(super) vectors: Arc<VectorIndex>,
    /// A long scan uses all processors, so it is done one at a time.
    scans: Semaphore,
}

impl Embedded {
    pub(super) fn new(embedder: Arc<dyn Embedder>, vectors: VectorIndex) -> Self {
        Self { embedder, vectors: Arc::new(vectors), scans: Semaphore::new(1) }
    }

    /// Embeds texts, and builds the graph if there is to be one.
    pub(super) async fn build(
        embedder: Arc<dyn Embedder>,
        texts: &[&str],
        input: InputType,
        graph: Option<GraphOptions>,
    ) -> Result<Self> {
        let mut vectors = VectorIndex::empty();
        for chunk in texts.chunks(CHUNK.min(embedder.max_batch()).max(1)) {
            let found = embedder.embed(chunk, input).await?.vectors;
            if found.len() != chunk.len() {
                let (got, wanted, id) = (found.len(), chunk.len(), embedder.id());
                return Err(error(format!("the embedder `{id}` returned {got} vectors for {wanted} texts")));
            }
            vectors.reserve(texts.len(), found.first().map_or(0, Vec::len));
            vectors.extend(found)?;
        }
        if let Some(options) = graph {
            vectors = blocking(move || vectors.with_graph(options)).await?;
        }
        Ok(Self::new(embedder, vectors))
    }

    pub(super) async fn nearest(&self, text: &str, k: usize) -> Result<Vec<Neighbour>> {
        let query = self.embedder.embed_query(text).await?;
        if self.vectors.products(k) < LONG_SEARCH {
            return self.vectors.nearest(&query, k);
        }
        let _one = match self.vectors.scans(k) {
            true => Some(self.scans.acquire().await.map_err(|e| Error::Task(e.to_string()))?),
            false => None,
        };
        let vectors = self.vectors.clone();
        blocking(move || vectors.nearest(&query, k)).await?
    }
}

/// Computes something that takes long, on a thread for such things where there is a runtime.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(|e| Error::Task(e.to_string())),
        Err(_) => Ok(work()),
    }
}
