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
        budget::{Admitted, Asked, Meter},
        cache::{Asking, Key},
        ledger,
        limiter::{Limiter, Limits},
        probes, spans,
        wire::embeddings::{from_base64, to_base64},
    },
};

/// Part of every cache key; changed whenever what is cached changes its form.
const FORMAT: &str = "dspy embedding 1";

/// A client of an embedding model, with batches, a cache, limits and retries. It is cheap to clone.
///
/// Each text is cached by itself: whatever batch it comes in, it is paid for once. A text that occurs several times in a
/// call is sent once. Requests count in the budget and in the usage of the call of a program in which they are made. When a
/// request fails for good, those in flight are finished and kept, so that a second try pays
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
    id: Arc<str>,
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

/// The vector of a text, and its part of the tokens that its batch took.
struct Embedded {
    vector: Vec<f32>,
    tokens: u64,
}

/// Vectors with their shares of the tokens, by the lengths of the texts.
fn shared(vectors: Vec<Vec<f32>>, texts: &[&str], tokens: u64) -> Vec<Embedded> {
    let weight = |text: &&str| text.len() as u128 + 1;
    let all: u128 = texts.iter().map(weight).sum();
    let (mut upto, mut given) = (0, 0);
    let share = |(vector, text): (Vec<f32>, &&str)| {
        upto += weight(text);
        let before = std::mem::replace(&mut given, (u128::from(tokens) * upto / all.max(1)) as u64);
        Embedded { vector, tokens: given - before }
    };
    vectors.into_iter().zip(texts).map(share).collect()
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
            id: embedder.id().into(),
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
        Box::pin(async move {
            let span = spans::embeddings(self.id(), texts.len());
            let probe = probes::of_embedding(self.id(), texts);
            let result = self.core.embed(texts, input).instrument(span.clone()).await;
            spans::embedded(&span, result.as_ref());
            if let Some(probe) = probe {
                probe.ended(self.id(), result.as_ref());
            }
            result
        })
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
        let ledger = ledger::current();
        let (admitted, refusal) = self.admit(ledger.meter.as_ref(), &distinct, &keys);
        // What the budget allows is asked for and kept, so that it need not be paid again.
        let keys = if refusal.is_some() { &keys[..admitted.len() * self.batch] } else { &keys[..] };
        let mut found: Vec<Option<Embedded>> = join_all(keys.iter().map(|key| self.find(key))).await;
        let mut usage = Usage {
            cached_calls: found.iter().filter(|found| found.is_some()).count() as u64,
            ..Usage::default()
        };
        let missing: Vec<usize> = (0..keys.len()).filter(|i| found[*i].is_none()).collect();
        let outcome = self.ask(&missing, &distinct, keys, input, &mut found, &mut usage).await;
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) += usage;
        if let Some(counts) = &ledger.usage {
            counts.count(&self.id, usage);
        }
        for (admitted, batch) in admitted.into_iter().zip(found.chunks(self.batch)) {
            let tokens = batch.iter().flatten().map(|found| found.tokens).sum();
            admitted.settle(&self.id, &Usage::of_call(tokens, 0));
        }
        outcome?;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let vector = |place: &usize| Some(found.get(*place)?.as_ref()?.vector.clone());
        let all: Option<Vec<_>> = places.iter().map(vector).collect();
        let vectors = all.ok_or_else(|| self.invalid("a text was left without a vector".into()))?;
        Ok(Embeddings::from(vectors).with_usage(usage))
    }

    /// Asks the meter for one batch after the other, until one is refused. A batch is so many of the texts, whether they are
    /// in the cache or not: work that was stopped and is started again ends where it would have ended.
    fn admit(
        &self,
        meter: Option<&Arc<Meter>>,
        texts: &[&str],
        keys: &[Key],
    ) -> (Vec<Admitted>, Option<LmError>) {
        let mut admitted = Vec::new();
        let Some(meter) = meter else { return (admitted, None) };
        for (texts, keys) in texts.chunks(self.batch).zip(keys.chunks(self.batch)) {
            let mut batch = Sha256::new();
            keys.iter().for_each(|key| batch.update(key.0));
            let bytes = texts.iter().map(|text| text.len()).sum();
            match meter.admit(
                &self.id,
                std::slice::from_ref(&self.id),
                Some(&Key(batch.finalize().into())),
                Asked::Vectors { bytes },
            ) {
                Ok(one) => admitted.push(one),
                Err(refusal) => return (admitted, Some(refusal)),
            }
        }
        (admitted, None)
    }

    /// Asks for the vectors that are missing. After a failure no further batch is begun, but those in flight end.
    async fn ask(
        &self,
        missing: &[usize],
        texts: &[&str],
        keys: &[Key],
        input: InputType,
        found: &mut [Option<Embedded>],
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
                    let mut embedded = Vec::new();
                    if let Ok(answer) = &mut result {
                        let vectors = std::mem::take(&mut answer.vectors);
                        embedded = shared(vectors, &chosen, answer.usage.total_tokens());
                        let kept = batch.iter().zip(&embedded);
                        let kept = join_all(kept.map(|(i, one)| self.keep(&keys[*i], one))).await;
                        match kept.into_iter().collect::<Result<Vec<bool>, _>>() {
                            Ok(kept) => answer.usage.unsaved_calls = u64::from(kept.contains(&false)),
                            Err(error) => result = Err(error),
                        }
                    }
                    (batch, embedded, result)
                });
            }
            match flying.next().await {
                None => return failure.map_or(Ok(()), Err),
                Some((_, _, Err(error))) => failure = failure.or(Some(error)),
                Some((batch, embedded, Ok(answer))) => {
                    *usage += answer.usage;
                    for (i, one) in batch.iter().zip(embedded) {
                        found[*i] = Some(one);
                    }
                }
            }
        }
    }

    /// Sends a batch until it is answered or there is no hope.
    async fn attempts(&self, texts: &[&str], input: InputType) -> Result<Embeddings, LmError> {
        let bytes = || texts.iter().map(|text| text.len()).sum();
        let mut attempts = Attempts::new(self.embedder.id(), &self.limiter, &self.retry, None);
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

    async fn find(&self, key: &Key) -> Option<Embedded> {
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
        Some(Embedded { vector, tokens: response.usage.prompt_tokens })
    }

    /// Keeps a vector. `false` when it should be on disk, and is not.
    async fn keep(&self, key: &Key, found: &Embedded) -> Result<bool, LmError> {
        match self.cache.store() {
            Some(store) => {
                let response = Response::text(to_base64(&found.vector));
                let response = response.with_usage(Usage::of_call(found.tokens, 0));
                store.keep(key, &Arc::new(response), &self.asking()).await
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
