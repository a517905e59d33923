//! The client: batches, cache, limits and retries around an [`Embedder`].

use std::{
    collections::HashMap,
    fmt,
    ops::Range,
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
        ambient::{self, Ledger},
        attempts::Attempts,
        budget::{Admitted, Asked, Meter},
        cache::{Asking, Key},
        limiter::{Limiter, Limits},
        probe::Retried,
        spans,
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
    batch: Batch,
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

/// What a request has at most. A text that is longer is a request of its own.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    pub(super) texts: usize,
    pub(super) bytes: usize,
}

impl Batch {
    /// Divides texts of these lengths into requests.
    fn divide(self, lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = Vec::new();
        let mut bytes = 0_usize;
        for (i, length) in lengths.enumerate() {
            bytes = bytes.saturating_add(length);
            match all.last_mut() {
                Some(last) if last.len() < self.texts && bytes <= self.bytes => last.end = i + 1,
                _ => {
                    all.push(i..i + 1);
                    bytes = length;
                }
            }
        }
        all
    }
}

/// The texts of a call, each once.
struct Texts<'a> {
    distinct: Vec<&'a str>,
    /// Which of them stands at each place of the call.
    places: Vec<usize>,
}

impl<'a> Texts<'a> {
    fn new(texts: &[&'a str]) -> Self {
        let mut distinct: Vec<&str> = Vec::new();
        let mut at: HashMap<&str, usize> = HashMap::new();
        let place = |text: &&'a str| {
            *at.entry(text).or_insert_with(|| {
                distinct.push(text);
                distinct.len() - 1
            })
        };
        let places = texts.iter().map(place).collect();
        Self { distinct, places }
    }

    /// Which texts of a refused request a provider may have refused: its answer often does not say.
    fn suspects(&self, refused: &[usize]) -> String {
        let number = |i: usize| self.places.iter().position(|place| *place == i).map_or(0, |at| at + 1);
        if let Some(empty) = refused.iter().find(|i| self.distinct[**i].trim().is_empty()) {
            return format!("text {} of the call is empty, which providers refuse", number(*empty));
        }
        let longest = refused.iter().max_by_key(|i| self.distinct[**i].len());
        longest.map_or_else(String::new, |i| {
            let bytes = self.distinct[*i].len();
            format!("the longest text of the request is text {} of the call, with {bytes} bytes", number(*i))
        })
    }
}

/// What one call asks for.
#[derive(Clone, Copy)]
struct Work<'a> {
    texts: &'a Texts<'a>,
    /// Of the texts that the budget allows.
    keys: &'a [Key],
    input: InputType,
    probe: Option<&'a dyn Retried>,
}

/// How a client is set up.
pub(super) struct Setup {
    pub(super) embedder: Arc<dyn Embedder>,
    pub(super) batch: Batch,
    pub(super) dimensions: Option<usize>,
    pub(super) retry: RetryPolicy,
    pub(super) concurrency: usize,
    pub(super) cache: Cache,
}

impl EmbeddingModel {
    pub(super) fn assemble(setup: Setup) -> Self {
        let Setup { embedder, batch, dimensions, retry, concurrency, cache } = setup;
        let core = Core {
            batch: Batch {
                texts: batch.texts.min(embedder.max_batch()).max(1),
                bytes: batch.bytes.min(embedder.max_batch_bytes()),
            },
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

    fn is_client(&self) -> bool {
        true
    }

    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>> {
        Box::pin(async move {
            // A client within this one tells of what it does.
            if self.core.embedder.is_client() {
                return self.core.embed(texts, input, None).await;
            }
            let span = spans::embeddings(self.id(), texts.len());
            let probe = ambient::of_embedding(self.id(), texts);
            let retried = probe.as_deref().map(|probe| probe as &dyn Retried);
            let result = self.core.embed(texts, input, retried).instrument(span.clone()).await;
            spans::embedded(&span, result.as_ref());
            if let Some(probe) = probe {
                probe.ended(self.id(), result.as_ref());
            }
            result
        })
    }
}

impl Core {
    async fn embed(
        &self,
        texts: &[&str],
        input: InputType,
        probe: Option<&dyn Retried>,
    ) -> Result<Embeddings, LmError> {
        let texts = Texts::new(texts);
        let distinct = &texts.distinct[..];
        let keys: Vec<Key> = distinct.iter().map(|text| self.key(text, input)).collect();
        // A client within this one counts by itself.
        let ledger = if self.embedder.is_client() { Ledger::default() } else { ambient::ledger() };
        let batches = self.batch.divide(distinct.iter().map(|text| text.len()));
        let (admitted, refusal) = self.admit(ledger.meter.as_ref(), distinct, &keys, &batches);
        // What the budget allows is asked for and kept, so that it need not be paid again.
        let allowed = match (&refusal, admitted.len().checked_sub(1)) {
            (None, _) => keys.len(),
            (Some(_), None) => 0,
            (Some(_), Some(last)) => batches[last].end,
        };
        let keys = &keys[..allowed];
        let mut found: Vec<Option<Embedded>> = join_all(keys.iter().map(|key| self.find(key))).await;
        let mut usage = Usage {
            cached_calls: found.iter().filter(|found| found.is_some()).count() as u64,
            ..Usage::default()
        };
        let work = Work { texts: &texts, keys, input, probe };
        let outcome = self.ask(work, &mut found, &mut usage).await;
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) += usage;
        if let Some(counts) = &ledger.usage {
            counts.count(&self.id, usage);
        }
        for (admitted, batch) in admitted.into_iter().zip(batches) {
            let tokens = found[batch].iter().flatten().map(|found| found.tokens).sum();
            admitted.settle(&self.id, &Usage::of_call(tokens, 0));
        }
        outcome?;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let vector = |place: &usize| Some(found.get(*place)?.as_ref()?.vector.clone());
        let all: Option<Vec<_>> = texts.places.iter().map(vector).collect();
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
        batches: &[Range<usize>],
    ) -> (Vec<Admitted>, Option<LmError>) {
        let mut admitted = Vec::new();
        let Some(meter) = meter else { return (admitted, None) };
        for batch in batches {
            let mut hash = Sha256::new();
            keys[batch.clone()].iter().for_each(|key| hash.update(key.0));
            let bytes = texts[batch.clone()].iter().map(|text| text.len()).sum();
            let key = Key(hash.finalize().into());
            let models = std::slice::from_ref(&self.id);
            match meter.admit(&self.id, models, Some(&key), Asked::Vectors { bytes }) {
                Ok(one) => admitted.push(one),
                Err(refusal) => return (admitted, Some(refusal)),
            }
        }
        (admitted, None)
    }

    /// Asks for the vectors that are missing. After a failure no further batch is begun, but those in flight end.
    async fn ask(
        &self,
        work: Work<'_>,
        found: &mut [Option<Embedded>],
        usage: &mut Usage,
    ) -> Result<(), LmError> {
        let texts = &work.texts.distinct[..];
        let missing: Vec<usize> = (0..found.len()).filter(|i| found[*i].is_none()).collect();
        let how = self.asking(missing.first().map_or("", |i| texts[*i]));
        if !missing.is_empty() && self.cache.store().is_some() && !how.mode.asks() {
            return Err(how.missing());
        }
        let batches = self.batch.divide(missing.iter().map(|i| texts[*i].len()));
        let mut batches = batches.into_iter().map(|batch| &missing[batch]);
        let mut flying = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while failure.is_none() && flying.len() < self.concurrency {
                let Some(batch) = batches.next() else { break };
                flying.push(async move {
                    let chosen: Vec<&str> = batch.iter().map(|i| texts[*i]).collect();
                    let mut result = self.attempts(&chosen, work.input, work.probe).await;
                    let mut embedded = Vec::new();
                    if let Ok(answer) = &mut result {
                        let vectors = std::mem::take(&mut answer.vectors);
                        embedded = shared(vectors, &chosen, answer.usage.total_tokens());
                        let kept = batch.iter().zip(&embedded);
                        let kept = join_all(kept.map(|(i, one)| self.keep(&work.keys[*i], one))).await;
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
                Some((batch, _, Err(mut error))) => {
                    if matches!(error.kind, LmErrorKind::InvalidRequest | LmErrorKind::ContextWindow) {
                        error.message = format!("{}; {}", error.message, work.texts.suspects(batch));
                    }
                    failure = failure.or(Some(error));
                }
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
    async fn attempts(
        &self,
        texts: &[&str],
        input: InputType,
        probe: Option<&dyn Retried>,
    ) -> Result<Embeddings, LmError> {
        let bytes = || texts.iter().map(|text| text.len()).sum();
        let mut attempts = Attempts::new(self.embedder.id(), &self.limiter, &self.retry, probe);
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
                // Asked again, it would be the same, and be paid again.
                return Err(LmError::new(
                    LmErrorKind::Configuration,
                    self.embedder.id(),
                    format!(
                        "a vector has {n} numbers where others have {known}: another model than before answers to this \
                         name. Set `dimensions` if the model offers several, or have all texts embedded again, as with \
                         `.cache(Cache::shared().refresh())`"
                    ),
                ));
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
        let store = self.cache.store().filter(|_| self.asking("").mode.reads())?;
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
                store.keep(key, &Arc::new(response), &self.asking("")).await
            }
            None => Ok(true),
        }
    }

    fn asking<'a>(&'a self, asked: &'a str) -> Asking<'a> {
        self.cache.asking(self.embedder.id(), asked, std::ptr::from_ref(self).addr(), Duration::MAX)
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
