//! Vector stores behind HTTP.

mod chroma;
mod pinecone;
mod protocol;
mod qdrant;
pub(super) mod service;
mod weaviate;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::Value;

use self::{
    chroma::Chroma,
    pinecone::Pinecone,
    protocol::{ID, Protocol, TEXT},
    qdrant::Qdrant,
    service::Service,
    weaviate::Weaviate,
};
use super::{Passage, Retriever, observed, passage::numbered};
use crate::{
    Result, RetrievalError,
    lm::{
        BoxFuture, RetryPolicy,
        embed::{Embedder, InputType},
    },
};

/// How many passages are embedded before they are sent.
const CHUNK: usize = 4096;
/// How many passages a request has at most, and about how many bytes: Pinecone takes 2 MB.
const BATCH: (usize, usize) = (128, 1_500_000);

/// Passages in a vector store: Qdrant, Chroma, Weaviate or Pinecone, by its HTTP interface. Cheap to clone.
///
/// A score is the cosine of the angle between passage and query, where the collection compares so, as those that
/// [`create`](Self::create) makes do.
///
/// ```no_run
/// # async fn run(passages: Vec<dspy_core::retrieve::Passage>) -> dspy_core::Result<()> {
/// use dspy_core::{lm::embed::EmbeddingModel, retrieve::{Retriever, VectorStore}};
///
/// let model = EmbeddingModel::new("openai/text-embedding-3-small")?;
/// let store = VectorStore::qdrant("http://localhost:6333", "wiki").build(model)?;
/// store.create().await?;
/// store.upsert(passages).await?;
/// let best = store.search("Which river flows through Vienna?", 3).await?;
/// # let _ = best; Ok(()) }
/// ```
#[derive(Clone)]
pub struct VectorStore {
    inner: Arc<Inner>,
}

struct Inner {
    service: Service,
    protocol: Box<dyn Protocol>,
    embedder: Arc<dyn Embedder>,
    filter: Option<Value>,
}

/// Sets up a [`VectorStore`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct VectorStoreBuilder {
    name: String,
    url: String,
    protocol: Box<dyn Protocol>,
    key: Option<SecretString>,
    timeout: Option<Duration>,
    retry: RetryPolicy,
    filter: Option<Value>,
}

impl VectorStore {
    /// A collection of Qdrant (1.10 or later), at an address such as `http://localhost:6333`.
    pub fn qdrant(url: impl Into<String>, collection: impl Into<String>) -> VectorStoreBuilder {
        let collection = collection.into();
        let name = format!("Qdrant collection `{collection}`");
        VectorStoreBuilder::new(name, url.into(), Qdrant { collection })
    }

    /// A collection of Chroma (1.0 or later), at an address such as `http://localhost:8000`, of the default tenant and
    /// database. The metadata of its passages are texts, numbers and booleans.
    pub fn chroma(url: impl Into<String>, collection: impl Into<String>) -> VectorStoreBuilder {
        let collection = collection.into();
        let name = format!("Chroma collection `{collection}`");
        VectorStoreBuilder::new(name, url.into(), Chroma::new(collection))
    }

    /// As [`chroma`](Self::chroma), of this tenant and database.
    pub fn chroma_database(
        url: impl Into<String>,
        tenant: impl Into<String>,
        database: impl Into<String>,
        collection: impl Into<String>,
    ) -> VectorStoreBuilder {
        let collection = collection.into();
        let name = format!("Chroma collection `{collection}`");
        let mut chroma = Chroma::new(collection);
        (chroma.tenant, chroma.database) = (tenant.into(), database.into());
        VectorStoreBuilder::new(name, url.into(), chroma)
    }

    /// A collection of Weaviate, at an address such as `http://localhost:8080`. Its name begins with a capital letter.
    pub fn weaviate(url: impl Into<String>, collection: impl Into<String>) -> VectorStoreBuilder {
        let class = collection.into();
        let name = format!("Weaviate collection `{class}`");
        VectorStoreBuilder::new(name, url.into(), Weaviate { class })
    }

    /// A namespace of an index of Pinecone, at the index's own address, such as
    /// `https://wiki-abc123.svc.us-east-1.pinecone.io`. The index itself is made in Pinecone's console.
    pub fn pinecone(index_url: impl Into<String>, namespace: impl Into<String>) -> VectorStoreBuilder {
        let namespace = namespace.into();
        let name = format!("Pinecone namespace `{namespace}`");
        VectorStoreBuilder::new(name, index_url.into(), Pinecone { namespace })
    }

    /// Makes the collection, for the vectors of the embedder and with the cosine as nearness, unless it exists. The embedder
    /// is asked for one vector, because its length must be known.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the store refuses or cannot be reached,
    /// [`Error::Lm`](crate::Error::Lm) when the embedder fails.
    pub async fn create(&self) -> Result<()> {
        let Inner { service, protocol, embedder, .. } = &*self.inner;
        let dimension = embedder.embed_query("dimension").await?.len();
        protocol.create(service, dimension).await
    }

    /// Embeds passages and puts them into the store, in batches; those of the same id are replaced, but Chroma keeps
    /// metadata that the new passage does not have. The passages before a batch that fails are in the store.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn upsert<P: Into<Passage>>(&self, passages: impl IntoIterator<Item = P>) -> Result<()> {
        self.inner.upsert(&numbered(passages)).await
    }
}

impl Inner {
    async fn upsert(&self, passages: &[Passage]) -> Result<()> {
        if let Some(passage) =
            passages.iter().find(|p| p.metadata.contains_key(TEXT) || p.metadata.contains_key(ID))
        {
            let message = format!(
                "passage `{}` has metadata called `{TEXT}` or `{ID}`, which are the names of its own parts; rename it",
                passage.id
            );
            return Err(RetrievalError::new(self.service.name(), message).into());
        }
        for chunk in passages.chunks(CHUNK.min(self.embedder.max_batch()).max(1)) {
            let texts: Vec<&str> = chunk.iter().map(|p| p.text.as_str()).collect();
            let vectors = self.embedder.embed(&texts, InputType::Document).await?.vectors;
            if vectors.len() != chunk.len() {
                let (got, wanted) = (vectors.len(), chunk.len());
                let message = format!("the embedder returned {got} vectors for {wanted} texts");
                return Err(RetrievalError::new(self.service.name(), message).into());
            }
            let (mut passages, mut vectors) = (chunk, vectors.as_slice());
            while !passages.is_empty() {
                let n = batch(passages, vectors);
                let (texts, numbers) = (passages.split_at(n), vectors.split_at(n));
                self.protocol.upsert(&self.service, texts.0, numbers.0).await?;
                (passages, vectors) = (texts.1, numbers.1);
            }
        }
        Ok(())
    }
}

/// How many of the passages one request has; at least one.
fn batch(passages: &[Passage], vectors: &[Vec<f32>]) -> usize {
    let mut bytes = 0;
    let size = |(passage, vector): (&Passage, &Vec<f32>)| {
        // As JSON: a number of a vector has some twenty digits.
        passage.text.len() + 64 * passage.metadata.len() + 21 * vector.len() + 200
    };
    let fits = passages.iter().zip(vectors).map(size).take(BATCH.0).take_while(|size| {
        bytes += size;
        bytes <= BATCH.1
    });
    fits.count().max(1).min(passages.len())
}

impl Retriever for VectorStore {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search(
            "VectorStore",
            query,
            k,
            Box::pin(async move {
                // Some stores refuse to look for none.
                if k == 0 {
                    return Ok(Vec::new());
                }
                let Inner { service, protocol, embedder, filter } = &*self.inner;
                let vector = embedder.embed_query(query).await?;
                protocol.query(service, &vector, k, filter.as_ref()).await
            }),
        )
    }
}

impl VectorStoreBuilder {
    fn new(name: String, url: String, protocol: impl Protocol) -> Self {
        Self {
            name,
            url,
            protocol: Box::new(protocol),
            key: None,
            timeout: None,
            retry: RetryPolicy::default(),
            filter: None,
        }
    }

    /// Sets the key. It never appears in logs or errors.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets how long one request may take: 60 s unless set.
    pub fn timeout(mut self, t: Duration) -> Self {
        self.timeout = Some(t);
        self
    }

    /// Sets how requests are sent again when the store cannot be reached or fails.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Has only passages found that pass a filter in the store's own language: `filter` of Qdrant and Pinecone, `where`
    /// of Chroma. It speaks of the passages' metadata.
    pub fn filter(mut self, filter: impl Into<Value>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// The store, whose passages and queries are embedded by `embedder`. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the address or the key makes no sense.
    pub fn build(self, embedder: impl Embedder) -> Result<VectorStore> {
        let service = Service::new(service::Setup {
            name: self.name,
            url: self.url,
            key: self.key,
            key_header: self.protocol.key_header(),
            headers: self.protocol.headers(),
            timeout: self.timeout,
            retry: self.retry,
        })?;
        let embedder = Arc::new(embedder);
        let inner = Inner { service, protocol: self.protocol, embedder, filter: self.filter };
        Ok(VectorStore { inner: Arc::new(inner) })
    }
}

impl fmt::Debug for VectorStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorStore")
            .field("name", &self.inner.service.name())
            .field("embedder", &self.inner.embedder.id())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VectorStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorStoreBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}
