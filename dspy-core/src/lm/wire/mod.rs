//! The protocols of providers: a request becomes bytes, bytes become a response, and nothing else happens here.
//!
//! A [`Wire`](interface::Wire) is one protocol. It says where under an address it is spoken and how the key is sent ([`Site`](endpoint::Site)), writes
//! bodies, and reads answers, whole or in pieces. [`Served`] is a model that is reached by one: its
//! [`Endpoint`](endpoint::Endpoint) sends the bytes, reads refusals and keeps the secrets.

mod answer;
mod anthropic;
#[cfg(feature = "bedrock")]
mod bedrock;
mod cited;
mod claude;
mod cohere;
pub(super) mod embeddings;
pub(super) mod endpoint;
#[cfg(feature = "bedrock")]
mod eventstream;
mod failure;
mod frames;
mod gemini;
mod interface;
pub(super) mod openai_chat;
mod openai_responses;
pub(super) mod openai_tuning;
mod quota;
mod schema;
mod served;
#[cfg(feature = "bedrock")]
mod signer;
mod sse;
mod tokens;
mod write;

pub(super) use endpoint::Address;
use endpoint::Site;
pub(super) use interface::Setup;
use interface::Wire;
pub(super) use served::Served;
pub(super) use tokens::Tokens;

use super::{Capabilities, provider::Protocol};
use crate::LmError;

/// The model at an address, by a protocol, and what it can do.
pub(super) fn connect(
    protocol: Protocol,
    address: Address,
    capabilities: Capabilities,
    setup: Setup,
) -> Result<Served, LmError> {
    let (site, wire): (Site, Box<dyn Wire>) = match protocol {
        Protocol::Anthropic => (anthropic::site(), Box::new(anthropic::Anthropic::new(setup))),
        Protocol::AzureChat => {
            (openai_chat::azure_site(&setup), Box::new(openai_chat::OpenAiChat::new(setup)))
        }
        #[cfg(feature = "bedrock")]
        Protocol::Bedrock => (bedrock::site(&setup), Box::new(bedrock::Bedrock::new(setup))),
        #[cfg(not(feature = "bedrock"))]
        Protocol::Bedrock => {
            let message =
                "models of Bedrock need the feature `bedrock`: `dspy = { features = [\"bedrock\"] }`";
            return Err(LmError::new(crate::LmErrorKind::Configuration, address.id, message));
        }
        Protocol::Cohere => (cohere::site(), Box::new(cohere::Cohere::new(setup))),
        Protocol::Gemini => (gemini::site(&setup), Box::new(gemini::Gemini::new(setup))),
        Protocol::VertexGemini => (gemini::vertex_site(&setup), Box::new(gemini::Gemini::new(setup))),
        Protocol::OpenAiResponses => {
            (openai_responses::site(), Box::new(openai_responses::OpenAiResponses::new(setup)))
        }
        Protocol::OpenAiChat => (openai_chat::site(), Box::new(openai_chat::OpenAiChat::new(setup))),
    };
    Served::new(address, site, capabilities, wire)
}
