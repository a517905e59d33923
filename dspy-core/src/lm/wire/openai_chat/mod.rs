//! OpenAI's chat completions, which most servers of open models speak as well.
//!
//! Source: the API reference of OpenAI, *Chat Completions*.

mod body;
mod read;
mod stream;

pub(crate) use body::OWN_PARAMETERS;
use reqwest::header::AUTHORIZATION;

use super::endpoint::{Address, Endpoint};
use crate::{
    LmError,
    lm::{BoxFuture, Capabilities, DeltaSink, LanguageModel, Message, Request, Response, ToolSpec},
};

/// Writes one message as the protocol has it.
pub(crate) fn write_chat_message(out: &mut Vec<u8>, message: &Message) {
    body::message(out, message);
}

/// Writes the member `tools` of an object that has others before it; nothing without tools.
pub(crate) fn write_chat_tools(out: &mut Vec<u8>, tools: &[ToolSpec]) {
    body::tools(out, tools);
}

/// A model behind a chat completions endpoint.
pub(crate) struct OpenAiChat {
    endpoint: Endpoint,
    capabilities: Capabilities,
    /// How every body begins: `{"model":"name"`.
    head: Box<[u8]>,
    max_tokens_name: &'static str,
    /// The parameter that has the number of the draw.
    rollout_name: Option<String>,
}

impl OpenAiChat {
    /// The model that is called `name` on the wire. `max_tokens_name` is the parameter that limits the tokens of an
    /// answer.
    pub(crate) fn new(
        address: Address,
        name: &str,
        capabilities: Capabilities,
        max_tokens_name: &'static str,
    ) -> Result<Self, LmError> {
        let endpoint = Endpoint::new(address, "chat/completions", (AUTHORIZATION, "Bearer "))?;
        Ok(Self {
            endpoint,
            capabilities,
            head: body::head(name).into(),
            max_tokens_name,
            rollout_name: None,
        })
    }

    /// The same, which sends the number of the draw under this name.
    pub(crate) fn with_rollout_name(mut self, name: Option<String>) -> Self {
        self.rollout_name = name;
        self
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The model that is called `name` on the wire, made from this one, at the same place.
    pub(crate) fn renamed(&self, id: String, name: &str) -> Self {
        Self {
            endpoint: self.endpoint.for_model(id),
            capabilities: self.capabilities,
            head: body::head(name).into(),
            max_tokens_name: self.max_tokens_name,
            rollout_name: self.rollout_name.clone(),
        }
    }
}

impl LanguageModel for OpenAiChat {
    fn id(&self) -> &str {
        self.endpoint.id()
    }

    fn endpoint(&self) -> &str {
        self.endpoint.api_base()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn request_body(&self, request: &Request) -> Result<Vec<u8>, LmError> {
        body::body(self, request, false)
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let answer = self.endpoint.ask(body::body(self, request, false)?).await?;
            read::response(&self.endpoint, &answer)
        })
    }

    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let reply = self.endpoint.open(body::body(self, request, true)?).await?;
            stream::read(&self.endpoint, reply, sink).await
        })
    }
}
