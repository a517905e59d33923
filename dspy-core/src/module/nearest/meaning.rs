//! Which texts mean most alike, by an embedding model.

use std::{fmt, sync::Arc};

use tokio::sync::OnceCell;

use crate::{
    Error, LmError, LmErrorKind, Result,
    lm::embed::{Embedder, InputType},
};

/// The embedding model that compares texts, and the vectors of a pool of texts once they are needed.
#[derive(Clone)]
pub(super) struct Meaning {
    id: Arc<str>,
    /// Who embeds: a program that was loaded has yet to be given it.
    embedder: Option<Arc<dyn Embedder>>,
    vectors: Arc<OnceCell<Vec<Vec<f32>>>>,
}

impl Meaning {
    pub(super) fn new(embedder: Arc<dyn Embedder>) -> Self {
        Self { id: embedder.id().into(), embedder: Some(embedder), vectors: Arc::default() }
    }

    /// By the model of this name, which is to be given later.
    pub(super) fn named(id: &str) -> Self {
        Self { id: id.into(), embedder: None, vectors: Arc::default() }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn embedder(&self) -> Option<&Arc<dyn Embedder>> {
        self.embedder.as_ref()
    }

    /// The places of the `k` nearest of the pool, the nearest first, without those that are excluded. The pool is embedded
    /// by the first call that needs it.
    pub(super) async fn nearest(
        &self,
        pool: impl FnOnce() -> Vec<String>,
        text: &str,
        k: usize,
        excluded: &[usize],
    ) -> Result<Vec<usize>> {
        let Some(embedder) = &self.embedder else {
            return Err(Error::Context(format!(
                "the demonstrations are chosen by the embedding model `{0}`, which a file does not hold: give it to the \
                 program with `set_embedder(EmbeddingModel::new(\"{0}\")?)`",
                self.id
            )));
        };
        let vectors = self.vectors.get_or_try_init(|| embed(&**embedder, pool())).await?;
        let query = unit(embedder.embed_query(text).await?);
        if let Some(other) = vectors.first().filter(|vector| vector.len() != query.len()) {
            let message = format!("a vector of {} numbers after one of {}", query.len(), other.len());
            return Err(LmError::new(LmErrorKind::InvalidResponse, &*self.id, message).into());
        }
        let nearness = |vector: &Vec<f32>| vector.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
        let mut scored: Vec<(usize, f32)> = vectors.iter().map(nearness).enumerate().collect();
        scored.retain(|(place, _)| !excluded.contains(place));
        scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(scored.into_iter().take(k).map(|(place, _)| place).collect())
    }
}

/// Inputs are compared with inputs, so all are embedded as queries.
async fn embed(embedder: &dyn Embedder, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(embedder.max_batch().max(1)) {
        let found = embedder.embed(batch, InputType::Query).await?.vectors;
        if found.len() != batch.len() {
            let message = format!("{} vectors for {} texts", found.len(), batch.len());
            return Err(LmError::new(LmErrorKind::InvalidResponse, embedder.id(), message).into());
        }
        vectors.extend(found.into_iter().map(unit));
    }
    Ok(vectors)
}

/// A vector of length one.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meaning")
            .field("embedder", &self.id)
            .field("given", &self.embedder.is_some())
            .finish_non_exhaustive()
    }
}
