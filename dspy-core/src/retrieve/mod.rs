//! Retrieval: passages for a query.
//!
//! | | finds | |
//! | --- | --- | --- |
//! | [`Bm25`] | the words of the query | in memory |
//! | [`DenseIndex`] | the meaning of the query, by an [`Embedder`](crate::lm::embed::Embedder) | in memory, saved in a file |
//! | [`Hybrid`] | what several retrievers find | by reciprocal ranks |
//! | [`from_fn`] | what an async function finds | |
//!
//! All are a [`Retriever`]. [`Retrieve`] is a retriever as a module, [`Knn`] finds rows of data.

mod bm25;
mod dense;
mod embedded;
mod error;
mod hybrid;
mod knn;
mod module;
mod passage;
mod retriever;
mod saved;
mod vectors;
mod words;

pub use bm25::{Bm25, Bm25Builder};
pub use dense::{DenseIndex, DenseIndexBuilder};
pub use hybrid::Hybrid;
pub use knn::Knn;
pub use module::Retrieve;
pub use passage::Passage;
pub use retriever::{FnRetriever, Retriever, from_fn};
pub use vectors::{GraphOptions, Neighbour, VectorIndex};
