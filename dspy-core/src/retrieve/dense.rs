//! Search by meaning.

use std::{fmt, path::Path, sync::Arc};

use super::{
    Passage, Retriever,
    embedded::Embedded,
    observed,
    passage::numbered,
    saved,
    vectors::{GraphOptions, VectorIndex},
};
use crate::{
    Result, RetrievalError,
    lm::{
        BoxFuture,
        embed::{Embedder, InputType},
    },
};

/// Passages in memory, found by what they mean: those whose vectors point in the direction of the query's. A score is the
/// cosine of the angle, from -1 to 1. Cheap to clone.
///
/// A query is compared with all passages, unless there is a [graph](DenseIndexBuilder::graph) for many of them. Embed with
/// an [`EmbeddingModel`](crate::lm::embed::EmbeddingModel): it caches, so that an index which is built again pays only for
/// new passages.
///
/// ```no_run
/// # async fn run(passages: Vec<dspy_core::retrieve::Passage>) -> dspy_core::Result<()> {
/// use dspy_core::{lm::embed::EmbeddingModel, retrieve::{DenseIndex, Retriever}};
///
/// let model = EmbeddingModel::new("openai/text-embedding-3-small")?;
/// let index = DenseIndex::build(passages, model.clone()).await?;
/// let best = index.search("Which river flows through Vienna?", 3).await?;
///
/// index.save("passages.index")?;
/// let index = DenseIndex::load("passages.index", model)?;
/// # let _ = (best, index); Ok(()) }
/// ```
#[derive(Clone)]
pub struct DenseIndex {
    passages: Arc<Vec<Passage>>,
    embedded: Arc<Embedded>,
}

/// Sets up a [`DenseIndex`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct DenseIndexBuilder {
    embedder: Arc<dyn Embedder>,
    graph: Option<GraphOptions>,
}

impl DenseIndex {
    /// An index of passages that compares a query with all of them.
    ///
    /// # Errors
    /// [`Error::Lm`](crate::Error::Lm) when they cannot be embedded, [`Error::Retrieval`](crate::Error::Retrieval) when the
    /// vectors do not fit together.
    pub async fn build<P: Into<Passage>>(
        passages: impl IntoIterator<Item = P>,
        embedder: impl Embedder,
    ) -> Result<Self> {
        Self::builder(embedder).build(passages).await
    }

    /// Sets up an index.
    pub fn builder(embedder: impl Embedder) -> DenseIndexBuilder {
        DenseIndexBuilder { embedder: Arc::new(embedder), graph: None }
    }

    /// The passages.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// The vectors of the passages.
    pub fn vectors(&self) -> &VectorIndex {
        &self.embedded.vectors
    }

    /// Writes passages, vectors and graph to a file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) with the file and the reason.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        saved::save(path.as_ref(), self.embedded.embedder.id(), &self.passages, &self.embedded.vectors)
    }

    /// Reads an index. Queries are embedded by `embedder`, which must be the one that it was built with.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the file cannot be read, is no index or is damaged, or when it was
    /// built with another embedder.
    pub fn load(path: impl AsRef<Path>, embedder: impl Embedder) -> Result<Self> {
        let path = path.as_ref();
        let (id, passages, vectors) = saved::load(path)?;
        if id != embedder.id() {
            let own = embedder.id();
            return Err(RetrievalError::new(
                path.display().to_string(),
                format!(
                    "the index was built with the embedder `{id}`, not with `{own}`, whose vectors differ"
                ),
            )
            .into());
        }
        Ok(Self::assemble(passages, Embedded::new(Arc::new(embedder), vectors)))
    }

    fn assemble(passages: Vec<Passage>, embedded: Embedded) -> Self {
        Self { passages: Arc::new(passages), embedded: Arc::new(embedded) }
    }
}

impl DenseIndexBuilder {
    /// Has the nearest found by a graph that looks at some hundreds of the passages instead of all, and misses a few in a
    /// hundred: for more than some ten thousand passages.
    pub fn graph(mut self, options: GraphOptions) -> Self {
        self.graph = Some(options);
        self
    }

    /// Embeds the passages and builds the index.
    ///
    /// # Errors
    /// See [`DenseIndex::build`].
    pub async fn build<P: Into<Passage>>(self, passages: impl IntoIterator<Item = P>) -> Result<DenseIndex> {
        self.build_numbered(numbered(passages)).await
    }

    async fn build_numbered(self, passages: Vec<Passage>) -> Result<DenseIndex> {
        let texts: Vec<&str> = passages.iter().map(|p| p.text.as_str()).collect();
        let embedded = Embedded::build(self.embedder, &texts, InputType::Document, self.graph).await?;
        Ok(DenseIndex::assemble(passages, embedded))
    }
}

impl Retriever for DenseIndex {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search(
            "DenseIndex",
            query,
            k,
            Box::pin(async move {
                let nearest = self.embedded.nearest(query, k).await?.into_iter();
                Ok(nearest.filter_map(|n| Some(self.passages.get(n.place)?.clone().score(n.score))).collect())
            }),
        )
    }
}

impl fmt::Debug for DenseIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenseIndex")
            .field("passages", &self.passages.len())
            .field("embedder", &self.embedded.embedder.id())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DenseIndexBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenseIndexBuilder")
            .field("embedder", &self.embedder.id())
            .field("graph", &self.graph)
            .finish()
    }
}
