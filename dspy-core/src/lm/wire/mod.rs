//! The protocols of providers: a request becomes bytes, bytes become a response, and nothing else happens here.
//!
//! A protocol is a [`LanguageModel`](super::LanguageModel) around an [`Endpoint`](endpoint::Endpoint), which sends the
//! bytes, reads refusals and keeps the secrets.

pub(super) mod embeddings;
pub(super) mod endpoint;
mod failure;
pub(super) mod openai_chat;
pub(super) mod openai_tuning;
mod sse;
