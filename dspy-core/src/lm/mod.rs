//! Language models: requests, responses, and the standard client.

mod client;
mod message;
mod model;
mod request;
mod response;

pub use crate::value::{ToolCall, ToolSpec};
pub use client::{Answer, LM};
pub use message::{Message, Role};
pub use model::{BoxFuture, Capabilities, LanguageModel};
pub use request::{Options, Prefix, Prompt, Request, ResponseFormat};
pub use response::{Choice, FinishReason, Response, Usage};
