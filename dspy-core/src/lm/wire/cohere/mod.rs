//! Cohere's chat, in its second version.
//!
//! Source: Cohere's API reference, *Chat (V2)*, and the types of its Python SDK.

mod body;
mod read;

use super::{
    endpoint::{Endpoint, Site},
    interface::{Pieces, Setup, Wire},
};
use crate::{
    LmError,
    lm::{Request, Response},
};

/// Where the protocol is spoken.
pub(super) fn site() -> Site {
    Site::bearer("chat")
}

/// The protocol for one model.
pub(super) struct Cohere {
    setup: Setup,
}

impl Cohere {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup }
    }
}

impl Wire for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn own_parameters(&self) -> &'static [&'static str] {
        &["model", "messages", "stream", "api_key", "api_base", "base_url"]
    }

    fn body(&self, request: &Request, stream: bool) -> Result<Vec<u8>, String> {
        Ok(body::body(&self.setup, request, stream))
    }

    fn several(&self) -> bool {
        false
    }

    fn response(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
        read::response(endpoint, body, &self.setup.name)
    }

    fn pieces(&self) -> Box<dyn Pieces> {
        Box::new(read::Partial::new(&self.setup.name))
    }

    fn renamed(&self, name: &str) -> Box<dyn Wire> {
        Box::new(Self::new(Setup { name: name.to_owned(), ..self.setup.clone() }))
    }
}
