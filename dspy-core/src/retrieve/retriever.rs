//! What every retriever is.

use std::{fmt, future::Future, sync::Arc};

use super::{Passage, observed};
use crate::{Result, lm::BoxFuture};

/// Something that finds passages for a query: an index in this process, a vector store, a search engine.
///
/// `Arc<dyn Retriever>` is a plain field of a program:
///
/// ```
/// # use std::sync::Arc;
/// # use dspy_core::{Result, module::Module, predict::ChainOfThought, retrieve::Retriever};
/// # use dspy_macros::{module, signature};
/// /// Answer the question from the passages.
/// #[signature]
/// struct Answer {
///     #[input]
///     context: Vec<String>,
///     #[input]
///     question: String,
///     #[output]
///     answer: String,
/// }
///
/// #[module]
/// struct Rag {
///     answer: ChainOfThought<Answer>,
///     passages: Arc<dyn Retriever>,
/// }
///
/// impl Module for Rag {
///     type Input = String;
///     type Output = String;
///
///     async fn forward(&self, question: String) -> Result<String> {
///         let context = self.passages.texts(&question, 3).await?;
///         Ok(self.answer.call((context, question)).await?.into_inner().into_inner().answer)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a retriever",
    label = "cannot be searched",
    note = "use an index of `dspy::retrieve`, such as `Bm25::new(passages)`, implement `Retriever`, or make one of an async \
            function with `retrieve::from_fn`"
)]
pub trait Retriever: Send + Sync + 'static {
    /// At most `k` passages for a query, the best first, with their scores.
    ///
    /// # Errors
    /// [`Error::Retrieval`](crate::Error::Retrieval) when the search fails, [`Error::Lm`](crate::Error::Lm) when the query
    /// cannot be embedded.
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>>;

    /// The texts of at most `k` passages for a query, the best first.
    ///
    /// # Errors
    /// Those of [`search`](Self::search).
    fn texts<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move { Ok(self.search(query, k).await?.into_iter().map(|p| p.text).collect()) })
    }
}

impl<R: Retriever + ?Sized> Retriever for Arc<R> {
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        (**self).search(query, k)
    }
}

/// A retriever that is an async function; see [`from_fn`].
pub struct FnRetriever<F>(F);

/// An async function as a retriever, such as the client of a search engine.
///
/// ```
/// # use dspy_core::retrieve::{self, Passage, Retriever};
/// let echo = retrieve::from_fn(|query: String, k| async move { Ok(vec![Passage::new(query); k]) });
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert_eq!(echo.texts("two", 2).await?, ["two", "two"]);
/// # dspy_core::Result::<()>::Ok(()) }).unwrap();
/// ```
pub fn from_fn<F, R>(function: F) -> FnRetriever<F>
where
    F: Fn(String, usize) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<Passage>>> + Send + 'static,
{
    FnRetriever(function)
}

impl<F, R> Retriever for FnRetriever<F>
where
    F: Fn(String, usize) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Vec<Passage>>> + Send + 'static,
{
    fn search<'a>(&'a self, query: &'a str, k: usize) -> BoxFuture<'a, Result<Vec<Passage>>> {
        observed::search("function", query, k, Box::pin((self.0)(query.to_owned(), k)))
    }
}

impl<F> fmt::Debug for FnRetriever<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnRetriever")
    }
}
