//! OpenAI's chat completions, which most servers of open models speak as well.
//!
//! Source: the API reference of OpenAI, *Chat Completions*.

mod body;
mod calls;
mod loose;
mod read;
mod replay;
mod stream;

use reqwest::header::HeaderName;

use self::body::Form;
use super::{
    endpoint::{Endpoint, Site, segment},
    interface::{Pieces, Setup, Wire},
};
use crate::{
    LmError,
    lm::{Message, Request, Response, ToolSpec},
};

/// Writes one message as the protocol has it.
pub(crate) fn write_chat_message(out: &mut Vec<u8>, message: &Message) {
    body::message(out, message);
}

/// Writes the member `tools` of an object that has others before it; nothing without tools.
pub(crate) fn write_chat_tools(out: &mut Vec<u8>, tools: &[ToolSpec]) {
    body::tools(out, tools);
}

/// Where the protocol is spoken.
pub(super) fn site() -> Site {
    Site::bearer("chat/completions")
}

/// Where Azure speaks it: for a deployment where a version of the API is given, otherwise at its newer address, which
/// has none.
pub(super) fn azure_site(setup: &Setup) -> Site {
    let path = match &setup.api_version {
        Some(version) => {
            let (name, version) = (segment(&setup.name), segment(version));
            format!("openai/deployments/{name}/chat/completions?api-version={version}")
        }
        None => "openai/v1/chat/completions".to_owned(),
    };
    Site { key: (HeaderName::from_static("api-key"), ""), ..Site::bearer(path) }
}

/// The protocol for one model.
pub(super) struct OpenAiChat {
    setup: Setup,
    form: Form,
}

impl OpenAiChat {
    pub(super) fn new(setup: Setup) -> Self {
        Self { form: Form::new(&setup), setup }
    }
}

impl Wire for OpenAiChat {
    fn name(&self) -> &'static str {
        replay::WIRE
    }

    fn own_parameters(&self) -> &'static [&'static str] {
        &["model", "messages", "stream", "api_key", "api_base", "base_url"]
    }

    fn body(&self, request: &Request, stream: bool) -> Result<Vec<u8>, String> {
        Ok(body::body(&self.form, request, stream))
    }

    fn several(&self) -> bool {
        true
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
