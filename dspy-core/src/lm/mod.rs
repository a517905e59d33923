//! Language models: requests, responses, and the standard client.
//!
//! A request passes, in this order, the cache (memory, then disk), the flight that equal requests share, the limit of
//! requests in flight, the retry loop, and the wire: the provider's protocol over HTTP. [`LM`] is all of it; a
//! [`LanguageModel`] is the last part alone.

mod account;
mod allowances;
mod ambient;
mod answer;
mod attempts;
mod aws;
mod budget;
mod builder;
mod cache;
mod call;
mod capabilities;
mod client;
pub mod embed;
pub mod facts;
pub(crate) mod genai;
pub mod history;
mod http;
mod inspection;
mod limiter;
#[cfg(feature = "local")]
mod local;
mod message;
mod model;
mod place;
mod prefix;
mod private;
mod probe;
mod provider;
mod rate;
mod replay;
mod request;
mod response;
mod retry;
mod route;
mod several;
mod spans;
mod state;
mod stream;
mod stub;
mod time;
mod token;
mod tuned;
mod wire;

pub use crate::value::{ToolCall, ToolSpec};
pub(crate) use ambient::{Counts, EmbeddingProbe, Ledger, Probes, install_probes, provide_ledger};
pub use answer::Answer;
pub use aws::AwsCredentials;
pub(crate) use budget::Meter;
pub use budget::{Budget, Spent};
pub use builder::LMBuilder;
pub use cache::{Cache, CacheStats};
pub use capabilities::Capabilities;
pub use client::LM;
pub use facts::Price;
pub use genai::capture_content;
pub use history::HistoryEntry;
pub(crate) use http::Timeouts;
#[cfg(feature = "otel")]
pub(crate) use http::blocking_client;
#[cfg(feature = "mcp")]
pub(crate) use http::client as http_client;
pub use inspection::{Inspection, inspect_history};
#[cfg(feature = "local")]
pub use local::LocalModel;
#[cfg(feature = "local")]
pub(crate) use local::{lm_error, texts};
pub use message::{Message, Role};
pub use model::{BoxFuture, Delta, DeltaSink, LanguageModel};
pub use prefix::{Prefix, Prompt};
pub(crate) use probe::{Probe, Retried};
pub use replay::Replay;
pub use request::{Options, ReasoningEffort, Request, ResponseFormat, ToolChoice};
pub use response::{Choice, FinishReason, Response, TokenLogprob, Usage};
pub use retry::RetryPolicy;
pub use stream::{ResponseStream, StreamEvent};
pub use stub::{StubModel, StubResponse};
pub use token::{AccessToken, TokenError, TokenSource};
pub(crate) use wire::endpoint::{Address, Endpoint, Site};
pub(crate) use wire::openai_chat::{write_chat_message, write_chat_tools};
pub(crate) use wire::openai_tuning::{RemoteJob, TuningApi, TuningEvent};
