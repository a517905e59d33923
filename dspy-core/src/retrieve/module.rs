//! A retriever as a module.

use std::sync::Arc;

use dspy_macros::module;

use super::{Passage, Retriever};
use crate::{Result, module::Module};

/// A retriever as a module: takes a query, returns the `k` best passages. It calls no model and has nothing to learn.
///
/// In a program, a field `Arc<dyn Retriever>` does the same with less; this is for places that want a [`Module`], such as
/// an evaluation of the retrieval alone.
///
/// ```
/// # use dspy_core::{Result, module::Module, retrieve::{Bm25, Retrieve}};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let index = Bm25::new(["The Danube flows through Vienna.", "The Seine flows through Paris."]);
/// let p = Retrieve::new(index).k(1).call("Vienna").await?;
/// assert_eq!(p[0].id, "0");
/// # Result::<()>::Ok(()) }).unwrap();
/// ```
#[module]
pub struct Retrieve {
    retriever: Arc<dyn Retriever>,
    k: usize,
}

impl Retrieve {
    /// The three best passages of a retriever.
    pub fn new(retriever: impl Retriever) -> Self {
        Self { retriever: Arc::new(retriever), k: 3 }
    }

    /// Sets how many passages are returned: 3 unless set.
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }
}

impl Module for Retrieve {
    type Input = String;
    type Output = Vec<Passage>;

    async fn forward(&self, query: String) -> Result<Vec<Passage>> {
        self.retriever.search(&query, self.k).await
    }
}
