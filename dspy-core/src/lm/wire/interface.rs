//! What a protocol is.

use super::{endpoint::Endpoint, frames::Frames};
use crate::{
    LmError,
    lm::{DeltaSink, Request, Response, aws::Signing, facts::Facts},
    value::Part,
};

/// A provider's protocol, as one model is reached by it.
pub(crate) trait Wire: Send + Sync + 'static {
    /// The name of the protocol: part of the cache key.
    fn name(&self) -> &'static str;

    /// What is set by the client and cannot be an extra parameter.
    fn own_parameters(&self) -> &'static [&'static str];

    /// The body of a request whose extra parameters and media have been checked.
    ///
    /// # Errors
    /// What the protocol cannot express, in words that follow the model's name.
    fn body(&self, request: &Request, stream: bool) -> Result<Vec<u8>, String>;

    /// Why a part of a message cannot be sent, if it cannot.
    fn refuses(&self, part: &Part) -> Option<&'static str> {
        let _ = part;
        None
    }

    /// Whether one request can ask for several answers.
    fn several(&self) -> bool;

    /// Reads a whole answer.
    fn response(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError>;

    /// How the pieces of an answer are told apart on the way.
    fn frames(&self) -> Frames {
        Frames::sse()
    }

    /// Reads an answer that arrives in pieces.
    fn pieces(&self) -> Box<dyn Pieces>;

    /// The protocol for another model at the same place.
    fn renamed(&self, name: &str) -> Box<dyn Wire>;
}

/// An answer as far as it has arrived.
pub(crate) trait Pieces: Send {
    /// Takes the data of the next event.
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError>;

    /// Whether nothing more is to come.
    fn done(&self) -> bool;

    /// The answer, when the stream has ended.
    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError>;
}

/// What a protocol has to know of the model that is reached by it.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The model's name on the wire.
    pub(crate) name: String,
    /// What is known of it.
    pub(crate) facts: Facts,
    /// Whether the parameter that limits an answer's tokens is `max_completion_tokens`, where a protocol has both.
    pub(crate) max_completion_tokens: bool,
    /// The parameter that has the number of the draw.
    pub(crate) rollout_name: Option<String>,
    /// Whether the end of the constant prefix is marked for the provider's cache, where that has to be asked for.
    pub(crate) prompt_caching: bool,
    /// The version of the API, where a provider wants one.
    pub(crate) api_version: Option<String>,
    /// How requests are signed, where they are.
    #[cfg_attr(not(feature = "bedrock"), allow(dead_code))]
    pub(crate) signing: Option<Signing>,
}
