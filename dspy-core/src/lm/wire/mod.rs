//! The protocols of providers: a request becomes bytes, bytes become a response, and nothing else happens here.

pub(super) mod openai_chat;
mod sse;
