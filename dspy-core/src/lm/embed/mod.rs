//! Embedding models: texts become vectors, near to each other where the texts mean alike.
//!
//! [`Embedder`] is one request; [`EmbeddingModel`] is the client around it, with batches, cache, limits and retries.

mod builder;
mod client;
mod embedder;
mod provider;
#[cfg(feature = "static-embeddings")]
mod static_model;

pub use builder::EmbeddingModelBuilder;
pub use client::EmbeddingModel;
pub use embedder::{Embedder, Embeddings, FnEmbedder, InputType, from_fn};
#[cfg(feature = "static-embeddings")]
pub use static_model::StaticModel;
