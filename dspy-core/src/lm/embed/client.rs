//! The client: batches, cache, limits and retries around an [`Embedder`].

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::{Embedder, Embeddings, InputType};
use crate::{
    LmError, LmErrorKind,
    lm::{
        BoxFuture, Cache, Response, RetryPolicy, Usage,
        attempts::Attempts,
        cache::{Asking, Key},
        limiter::{Limiter, Limits},
        wire::embeddings::{from_base64, to_base64},
    },
};

/// Part of every cache key; changed whenever what is cached changes its form.
const FORMAT: &str = "dspy embedding 1";

/// A client of an embedding model, with batches, a cache, limits and retries. It is cheap to clone.
///
/// Each text is cached by itself: whatever batch it comes in, it is paid for once. A text that occurs several times in a
/// call is sent once. When a request fails for good, those in flight are finished and kept, so that a second try pays
/// only for the rest.
///
/// ```no_run
/// # async fn run() -> Result<(), dspy_core::LmError> {
/// use dspy_core::lm::embed::EmbeddingModel;
///
/// let model = EmbeddingModel::new("openai/text-embedding-3-small")?;
/// let vectors = model.embed_documents(&["a cat", "a dog"]).await?;
/// assert_eq!(model.dimension(), Some(vectors[0].len()));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EmbeddingModel {
    core: Arc<Core>,
}

struct Core {
    embedder: Arc<dyn Embedder>,
    batch: usize,
    wish: Option<usize>,
    retry: RetryPolicy,
    concurrency: usize,
    limiter: Limiter,
    cache: Cache,
    /// The dimension of the vectors, or 0 as long as it is not known.
    dimension: AtomicUsize,
    usage: Mutex<Usage>,
}

/// How a client is set up.
pub(super) struct Setup {
    pub(super) embedder: Arc<dyn Embedder>,
    pub(super) batch: usize,
    pub(super) dimensions: Option<usize>,
    pub(super) retry: RetryPolicy,
    pub(super) concurrency: usize,
    pub(super) cache: Cache,
}

impl EmbeddingModel {
    pub(super) fn assemble(setup: Setup) -> Self {
        let Setup { embedder, batch, dimensions, retry, concurrency, cache } = setup;
        let core = Core {
            batch: batch.min(embedder.max_batch()).max(1),
            embedder,
            wish: dimensions,
            retry,
            concurrency,
            limiter: Limiter::new(Limits { concurrency: Some(concurrency), ..Limits::default() }),
            cache,
            dimension: AtomicUsize::new(0),
            usage: Mutex::default(),
        };
        Self { core: Arc::new(core) }
    }

    /// How many numbers the model's vectors have, once it has returned some.
    pub fn dimension(&self) -> Option<usize> {
        Some(self.core.dimension.load(Relaxed)).filter(|n| *n > 0)
    }

    /// The usage of all clones of this client so far: requests, texts from the cache as `cached_calls`, and tokens where
    /// the provider counts them.
    pub fn usage(&self) -> Usage {
        *self.core.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vectors of texts that are searched, in their order.
    ///
    /// # Errors
    /// [`LmError`] after the last attempt of a batch.
    pub async fn embed_documents<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<f32>>, LmError> {
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        Ok(self.embed(&texts, InputType::Document).await?.vectors)
    }
}

impl Embedder for EmbeddingModel {
    fn id(&self) -> &str {
        self.core.embedder.id()
    }

    fn endpoint(&self) -> &str {
        self.core.embedder.endpoint()
    }

    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>> {
        let span = tracing::info_span!(
            "embeddings",
            gen_ai.operation.name = "embeddings",
            gen_ai.request.model = self.id(),
            dspy.texts = texts.len(),
        );
        Box::pin(self.core.embed(texts, input).instrument(span))
    }
}

impl Core {
    async fn embed(&self, texts: &[&str], input: InputType) -> Result<Embeddings, LmError> {
        // Each different text, and the places where it stands.
        let mut distinct: Vec<&str> = Vec::new();
        let mut at: HashMap<&str, usize> = HashMap::new();
        let places: Vec<usize> = texts
            .iter()
            .map(|text| {
                *at.entry(text).or_insert_with(|| {
                    distinct.push(text);
                    distinct.len() - 1
                })
            })
            .collect();
        let keys: Vec<Key> = distinct.iter().map(|text| self.key(text, input)).collect();
        let mut vectors: Vec<Option<Vec<f32>>> = join_all(keys.iter().map(|key| self.find(key))).await;
        let mut usage = Usage {
            cached_calls: vectors.iter().filter(|vector| vector.is_some()).count() as u64,
            ..Usage::default()
        };
        let missing: Vec<usize> = (0..distinct.len()).filter(|i| vectors[*i].is_none()).collect();
        let outcome = self.ask(&missing, &distinct, &keys, input, &mut vectors, &mut usage).await;
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) += usage;
        outcome?;
        let vector = |place: &usize| vectors.get(*place).cloned().flatten();
        let all: Option<Vec<_>> = places.iter().map(vector).collect();
        let vectors = all.ok_or_else(|| self.invalid("a text was left without a vector".into()))?;
        Ok(Embeddings::from(vectors).with_usage(usage))
    }

    /// Asks for the vectors that are missing. After a failure no further batch is begun, but those in flight end.
    async fn ask(
        &self,
        missing: &[usize],
        texts: &[&str],
        keys: &[Key],
        input: InputType,
        vectors: &mut [Option<Vec<f32>>],
        usage: &mut Usage,
    ) -> Result<(), LmError> {
        let how = self.asking();
        if !missing.is_empty() && self.cache.store().is_some() && !how.mode.asks() {
            return Err(how.missing());
        }
        let mut batches = missing.chunks(self.batch);
        let mut flying = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while failure.is_none() && flying.len() < self.concurrency {
                let Some(batch) = batches.next() else { break };
                flying.push(async move {
                    let chosen: Vec<&str> = batch.iter().map(|i| texts[*i]).collect();
                    let mut result = self.attempts(&chosen, input).await;
                    if let Ok(found) = &mut result {
                        let kept = batch.iter().zip(&found.vectors);
                        let kept = join_all(kept.map(|(i, vector)| self.keep(&keys[*i], vector))).await;
                        match kept.into_iter().collect::<Result<Vec<bool>, _>>() {
                            Ok(kept) => found.usage.unsaved_calls = u64::from(kept.contains(&false)),
                            Err(error) => result = Err(error),
                        }
                    }
                    (batch, result)
                });
            }
            match flying.next().await {
                None => return failure.map_or(Ok(()), Err),
                Some((_, Err(error))) => failure = failure.or(Some(error)),
                Some((batch, Ok(found))) => {
                    *usage += found.usage;
                    for (i, vector) in batch.iter().zip(found.vectors) {
                        vectors[*i] = Some(vector);
                    }
                }
            }
        }
    }

    /// Sends a batch until it is answered or there is no hope.
    async fn attempts(&self, texts: &[&str], input: InputType) -> Result<Embeddings, LmError> {
        let bytes = || texts.iter().map(|text| text.len()).sum();
        let mut attempts = Attempts::new(self.embedder.id(), &self.limiter, &self.retry);
        loop {
            let place = attempts.begin(bytes).await?;
            match self.embedder.embed(texts, input).await.and_then(|found| self.checked(texts, found)) {
                Ok(found) => {
                    place.answered(&found.usage, found.quota.as_ref());
                    return Ok(found);
                }
                Err(error) => attempts.failed(place, error, true).await?,
            }
        }
    }

    /// One vector for each text, all of one dimension, of ordinary numbers.
    fn checked(&self, texts: &[&str], found: Embeddings) -> Result<Embeddings, LmError> {
        let vectors = &found.vectors;
        if vectors.len() != texts.len() {
            let (got, wanted) = (vectors.len(), texts.len());
            return Err(self.invalid(format!("{got} vectors were returned for {wanted} texts")));
        }
        for vector in vectors {
            if vector.is_empty() || vector.iter().any(|x| !x.is_finite()) {
                return Err(self.invalid("a vector is empty, or has an element that is no number".into()));
            }
            let known = self.dimension.load(Relaxed);
            if known == 0 {
                self.dimension.store(vector.len(), Relaxed);
            } else if known != vector.len() {
                let n = vector.len();
                return Err(self.invalid(format!("a vector has {n} numbers where others have {known}")));
            }
        }
        Ok(found)
    }

    fn invalid(&self, message: String) -> LmError {
        LmError::new(LmErrorKind::InvalidResponse, self.embedder.id(), message)
    }

    fn key(&self, text: &str, input: InputType) -> Key {
        let mut hash = Sha256::new();
        for part in [FORMAT, self.embedder.id(), self.embedder.endpoint(), text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update((self.wish.unwrap_or(0) as u64).to_le_bytes());
        hash.update([match input {
            InputType::Document => 0,
            InputType::Query => 1,
        }]);
        Key(hash.finalize().into())
    }

    async fn find(&self, key: &Key) -> Option<Vec<f32>> {
        let store = self.cache.store().filter(|_| self.asking().mode.reads())?;
        let response = store.find(key).await?;
        let vector = from_base64(&response.choices.first()?.text)?;
        // What does not fit is asked for anew.
        let known = self.dimension.load(Relaxed);
        if vector.is_empty() || (known > 0 && vector.len() != known) {
            return None;
        }
        if known == 0 {
            self.dimension.store(vector.len(), Relaxed);
        }
        Some(vector)
    }

    /// Keeps a vector. `false` when it should be on disk, and is not.
    async fn keep(&self, key: &Key, vector: &[f32]) -> Result<bool, LmError> {
        match self.cache.store() {
            Some(store) => {
                store.keep(key, &Arc::new(Response::text(to_base64(vector))), &self.asking()).await
            }
            None => Ok(true),
        }
    }

    fn asking(&self) -> Asking<'_> {
        self.cache.asking(self.embedder.id(), std::ptr::from_ref(self).addr(), Duration::MAX)
    }
}

impl fmt::Debug for EmbeddingModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingModel")
            .field("id", &self.id())
            .field("endpoint", &self.endpoint())
            .field("dimension", &self.dimension())
            .finish_non_exhaustive()
    }
}
