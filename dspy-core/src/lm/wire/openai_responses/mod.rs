//! OpenAI's responses.
//!
//! Source: the API reference of OpenAI, *Responses*, and the types of its Python SDK.

mod body;
mod read;
mod stream;

use super::{
    endpoint::{Endpoint, Site},
    interface::{Pieces, Setup, Wire},
};
use crate::{
    LmError,
    lm::{Request, Response},
    value::Part,
};

/// Where the protocol is spoken.
pub(super) fn site() -> Site {
    Site::bearer("responses")
}

/// The protocol for one model.
pub(super) struct OpenAiResponses {
    setup: Setup,
}

impl OpenAiResponses {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup }
    }
}

impl Wire for OpenAiResponses {
    fn name(&self) -> &'static str {
        read::WIRE
    }

    fn own_parameters(&self) -> &'static [&'static str] {
        &["model", "input", "stream", "background", "api_key", "api_base", "base_url"]
    }

    fn body(&self, request: &Request, stream: bool) -> Result<Vec<u8>, String> {
        Ok(body::body(&self.setup, request, stream))
    }

    fn refuses(&self, part: &Part) -> Option<&'static str> {
        (part.kind == "audio").then_some("OpenAI's responses take no sound; use its chat completions")
    }

    fn several(&self) -> bool {
        false
    }

    fn response(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
        read::response(endpoint, body)
    }

    fn pieces(&self) -> Box<dyn Pieces> {
        Box::new(stream::Partial::default())
    }

    fn renamed(&self, name: &str) -> Box<dyn Wire> {
        Box::new(Self::new(Setup { name: name.to_owned(), ..self.setup.clone() }))
    }
}
