//! What every embedding model is.

use std::{fmt, future::Future, sync::Arc};

use crate::{
    LmError, LmErrorKind,
    lm::{BoxFuture, Usage},
    quota::Quota,
};

/// What texts are embedded for. Models that were trained for search embed a question and the passage that answers it
/// differently, so that they lie close together; others pay no attention to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputType {
    /// Texts that are searched.
    Document,
    /// A text that others are searched for.
    Query,
}

/// The vectors of a batch of texts.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Embeddings {
    /// A vector for each text, in the order of the texts. All have the same dimension.
    pub vectors: Vec<Vec<f32>>,
    /// What was spent.
    pub usage: Usage,
    /// What the provider says is left of the account's limits.
    pub(crate) quota: Option<Quota>,
}

impl From<Vec<Vec<f32>>> for Embeddings {
    fn from(vectors: Vec<Vec<f32>>) -> Self {
        Self { vectors, ..Self::default() }
    }
}

impl Embeddings {
    /// Sets the usage.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }
}

/// A model that turns texts into vectors, near to each other where the texts mean alike.
///
/// [`EmbeddingModel`](super::EmbeddingModel) is the client of hosted models, and gives any other embedder batches, a cache
/// and retries. [`from_fn`] makes an embedder of an async function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an embedder",
    label = "cannot embed texts",
    note = "make one of a model's name: `EmbeddingModel::new(\"openai/text-embedding-3-small\")?`",
    note = "or of an async function: `embed::from_fn(\"own/model\", |texts, input| async move {{ .. }})`"
)]
pub trait Embedder: Send + Sync + 'static {
    /// The model's identifier, as `provider/name`: part of cache keys, and of saved indexes.
    fn id(&self) -> &str;

    /// Where it is served: part of cache keys, so that equal names at different places stay apart.
    fn endpoint(&self) -> &str {
        ""
    }

    /// How many texts one call of [`embed`](Self::embed) may have at most.
    fn max_batch(&self) -> usize {
        usize::MAX
    }

    /// How many bytes the texts of one call may have together at most. A longer text is a call of its own.
    fn max_batch_bytes(&self) -> usize {
        usize::MAX
    }

    /// Whether it retries, counts in budgets and usage, and tells observers by itself, as
    /// [`EmbeddingModel`](super::EmbeddingModel) does. A client around it leaves that to it. An embedder that passes its texts
    /// on to one that does, does so too.
    fn is_client(&self) -> bool {
        false
    }

    /// The vectors of texts, in their order.
    ///
    /// # Errors
    /// [`LmError`], whose kind decides whether the request is sent again.
    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>>;

    /// The vector of a text that others are searched for.
    ///
    /// # Errors
    /// Those of [`embed`](Self::embed).
    fn embed_query<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, LmError>> {
        Box::pin(async move {
            let mut vectors = self.embed(&[text], InputType::Query).await?.vectors;
            match (vectors.pop(), vectors.is_empty()) {
                (Some(vector), true) => Ok(vector),
                _ => {
                    let message = "the embedder did not return one vector for one text";
                    Err(LmError::new(LmErrorKind::InvalidResponse, self.id(), message))
                }
            }
        })
    }
}

impl<E: Embedder + ?Sized> Embedder for Arc<E> {
    fn id(&self) -> &str {
        (**self).id()
    }
    fn endpoint(&self) -> &str {
        (**self).endpoint()
    }
    fn max_batch(&self) -> usize {
        (**self).max_batch()
    }
    fn max_batch_bytes(&self) -> usize {
        (**self).max_batch_bytes()
    }
    fn is_client(&self) -> bool {
        (**self).is_client()
    }
    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>> {
        (**self).embed(texts, input)
    }
}

/// An embedder that is an async function; see [`from_fn`].
pub struct FnEmbedder<F> {
    id: String,
    function: F,
}

/// An async function as an embedder. `id` tells it from others in caches and saved indexes: change it whenever the
/// vectors change.
///
/// ```
/// # use dspy_core::lm::embed::{self, Embedder};
/// # async fn run() -> Result<(), dspy_core::LmError> {
/// let lengths = embed::from_fn("own/lengths", |texts: Vec<String>, _| async move {
///     Ok(texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect())
/// });
/// assert_eq!(lengths.embed_query("four").await?, [4.0, 1.0]);
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// ```
pub fn from_fn<F, R>(id: impl Into<String>, function: F) -> FnEmbedder<F>
where
    F: Fn(Vec<String>, InputType) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<Vec<f32>>, LmError>> + Send + 'static,
{
    FnEmbedder { id: id.into(), function }
}

impl<F, R> Embedder for FnEmbedder<F>
where
    F: Fn(Vec<String>, InputType) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<Vec<f32>>, LmError>> + Send + 'static,
{
    fn id(&self) -> &str {
        &self.id
    }

    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let vectors = (self.function)(texts, input);
        Box::pin(async move { Ok(vectors.await?.into()) })
    }
}

impl<F> fmt::Debug for FnEmbedder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnEmbedder").field("id", &self.id).finish_non_exhaustive()
    }
}
