//! How a client of an embedding model is set up.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;

use super::{
    Embedder, EmbeddingModel,
    client::{Batch, Setup},
    provider,
};
use crate::{
    LmError, LmErrorKind,
    lm::{
        Cache, RetryPolicy,
        http::Timeouts,
        wire::{embeddings::EmbeddingApi, endpoint::Address},
    },
};

/// How many texts a request to a provider has unless set.
const BATCH: usize = 200;
/// How many requests are in flight unless set.
const CONCURRENCY: usize = 16;

/// Sets up an [`EmbeddingModel`]; see [`EmbeddingModel::builder`] and [`EmbeddingModel::wrap`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct EmbeddingModelBuilder {
    source: Source,
    api_base: Option<String>,
    api_key: Option<SecretString>,
    headers: Vec<(String, String)>,
    timeouts: Timeouts,
    dimensions: Option<usize>,
    batch: Option<usize>,
    batch_bytes: Option<usize>,
    retry: RetryPolicy,
    concurrency: usize,
    cache: Cache,
}

enum Source {
    Named(String),
    Own(Arc<dyn Embedder>),
}

impl EmbeddingModel {
    /// The model `provider/name` at its provider, with default settings: `openai/text-embedding-3-small`,
    /// `gemini/gemini-embedding-001`, `cohere/embed-v4.0`, `ollama/nomic-embed-text`. The key and the endpoint come from
    /// the provider's variables, as those of an [`LM`](crate::lm::LM).
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] when the provider is unknown or the key is missing.
    pub fn new(model: impl Into<String>) -> Result<Self, LmError> {
        Self::builder(model).build()
    }

    /// Sets up the model `provider/name`.
    pub fn builder(model: impl Into<String>) -> EmbeddingModelBuilder {
        EmbeddingModelBuilder::named(model.into())
    }

    /// Sets up a client of an embedder of one's own: in batches of its [`max_batch`](Embedder::max_batch), with retries
    /// and a cache in memory. Around another client it adds batches and a cache, and leaves retries and counting to that.
    pub fn wrap(embedder: impl Embedder) -> EmbeddingModelBuilder {
        EmbeddingModelBuilder::wrapped(Arc::new(embedder))
    }
}

impl EmbeddingModelBuilder {
    fn named(id: String) -> Self {
        Self::of(Source::Named(id), Cache::shared(), RetryPolicy::default())
    }

    /// The names of embedders of the user's own are not known to be unique: their cache is their own.
    fn wrapped(embedder: Arc<dyn Embedder>) -> Self {
        // A client has retried already.
        let retry = if embedder.is_client() { RetryPolicy::none() } else { RetryPolicy::default() };
        Self::of(Source::Own(embedder), Cache::private(), retry)
    }

    fn of(source: Source, cache: Cache, retry: RetryPolicy) -> Self {
        Self {
            source,
            api_base: None,
            api_key: None,
            headers: Vec::new(),
            timeouts: Timeouts::default(),
            dimensions: None,
            batch: None,
            batch_bytes: None,
            retry,
            concurrency: CONCURRENCY,
            cache,
        }
    }

    /// Sets the endpoint, as in `http://localhost:8000/v1`. No key from the environment is sent there; one that it needs
    /// is set with [`api_key`](Self::api_key).
    pub fn api_base(mut self, url: impl Into<String>) -> Self {
        self.api_base = Some(url.into());
        self
    }

    /// Sets the key. It never appears in logs, errors or caches.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Adds a header to every request. Its value is treated as a secret.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets how many numbers a vector has, for models whose vectors can be shortened.
    pub fn dimensions(mut self, n: usize) -> Self {
        self.dimensions = Some(n);
        self
    }

    /// Sets how many texts one request has at most: 200 unless set, and never more than the provider allows.
    pub fn batch_size(mut self, n: usize) -> Self {
        self.batch = Some(n);
        self
    }

    /// Sets how many bytes the texts of one request have together at most, for a provider that limits their tokens: a token
    /// has at least one byte. For OpenAI's protocol it is 300,000 unless set, OpenAI's own limit in tokens. A longer text is a
    /// request of its own.
    pub fn batch_bytes(mut self, n: usize) -> Self {
        self.batch_bytes = Some(n);
        self
    }

    /// Sets how many requests may be in flight at once: 16 unless set.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.concurrency = n;
        self
    }

    /// Sets how long one attempt may take in total (600 s).
    pub fn timeout(mut self, t: Duration) -> Self {
        self.timeouts.total = t;
        self
    }

    /// Sets how failed requests are retried.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the cache: [`Cache::shared`] unless set; for an embedder of your own, a cache in memory.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] when the provider is unknown, a key is missing, or a setting makes no sense; the
    /// message says what to do.
    pub fn build(self) -> Result<EmbeddingModel, LmError> {
        self.build_with_env(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
    }

    fn build_with_env(self, env: impl Fn(&str) -> Option<String>) -> Result<EmbeddingModel, LmError> {
        let id = self.id().to_owned();
        let wrong = |message: String| LmError::new(LmErrorKind::Configuration, &id, message);
        for (name, n) in [
            ("batch_size", self.batch),
            ("batch_bytes", self.batch_bytes),
            ("concurrency", Some(self.concurrency)),
            ("dimensions", self.dimensions),
        ] {
            if n == Some(0) {
                return Err(wrong(format!("{name} must be 1 or more")));
            }
        }
        let embedder = match self.source {
            Source::Own(embedder) => {
                let of_provider = self.api_base.is_some() || self.api_key.is_some();
                if of_provider || !self.headers.is_empty() || self.dimensions.is_some() {
                    let message = "api_base, api_key, header and dimensions are for models of a provider; an embedder \
                                   of your own has none of them";
                    return Err(wrong(message.into()));
                }
                embedder
            }
            Source::Named(_) => {
                let found = provider::locate(&id, self.api_base, self.api_key, env).map_err(wrong)?;
                let mut timeouts = self.timeouts;
                timeouts.read = timeouts.read.min(timeouts.total);
                let address = Address {
                    id: id.clone(),
                    api_base: found.place.api_base,
                    key: found.place.key,
                    headers: self.headers,
                    timeouts,
                    signer: None,
                };
                Arc::new(EmbeddingApi::new(found.protocol, address, found.name, self.dimensions)?)
            }
        };
        Ok(EmbeddingModel::assemble(Setup {
            batch: Batch {
                texts: self.batch.unwrap_or(BATCH),
                bytes: self.batch_bytes.unwrap_or(usize::MAX),
            },
            embedder,
            dimensions: self.dimensions,
            retry: self.retry,
            concurrency: self.concurrency,
            cache: self.cache,
        }))
    }

    fn id(&self) -> &str {
        match &self.source {
            Source::Named(id) => id,
            Source::Own(embedder) => embedder.id(),
        }
    }
}

impl fmt::Debug for EmbeddingModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingModelBuilder").field("model", &self.id()).finish_non_exhaustive()
    }
}
