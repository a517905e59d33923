//! Retrieval: passages for a query.
//!
//! | | finds | where |
//! | --- | --- | --- |
//! | [`Bm25`] | the words of the query | in memory |
//! | `Tantivy` (feature `tantivy`) | the words of the query | in a folder on disk |
//! | [`DenseIndex`] | the meaning of the query, by an [`Embedder`](crate::lm::embed::Embedder) | in memory, saved in a file |
//! | [`Hybrid`] | what several retrievers find | by reciprocal ranks |
//! | [`VectorStore`] | the meaning of the query | in Qdrant, Chroma, Weaviate or Pinecone |
//! | `PgVector` (feature `pgvector`) | the meaning of the query | in PostgreSQL |
//! | [`Colbert`] | the meaning of the query, word by word | on a ColBERTv2 server |
//! | [`from_fn`] | what an async function finds | |
//!
//! All are a [`Retriever`]. [`Retrieve`] is a retriever as a module, [`Knn`] finds rows of data.

mod bm25;
mod colbert;
mod dense;
mod embedded;
mod error;
mod hybrid;
mod knn;
mod module;
mod observed;
mod passage;
#[cfg(feature = "pgvector")]
mod pgvector;
mod retriever;
mod saved;
mod store;
#[cfg(feature = "tantivy")]
mod tantivy;
mod vectors;
mod words;

pub use bm25::{Bm25, Bm25Builder};
pub use colbert::{Colbert, ColbertBuilder};
pub use dense::{DenseIndex, DenseIndexBuilder};
pub use hybrid::Hybrid;
pub use knn::Knn;
pub use module::Retrieve;
pub use passage::Passage;
#[cfg(feature = "pgvector")]
pub use pgvector::PgVector;
pub use retriever::{FnRetriever, Retriever, from_fn};
pub use store::{VectorStore, VectorStoreBuilder};
#[cfg(feature = "tantivy")]
pub use tantivy::Tantivy;
pub use vectors::{GraphOptions, Neighbour, VectorIndex};
