//! Amazon Bedrock's `Converse` and `ConverseStream`.
//!
//! Source: AWS's reference of the Bedrock runtime, and the service model of its Python SDK.

mod body;
mod read;
mod stream;

use std::sync::Arc;

use reqwest::header::HeaderName;

use super::{
    endpoint::{Endpoint, Site, segment},
    eventstream::Messages,
    failure::Reply,
    frames::Frames,
    interface::{Pieces, Setup, Wire},
    signer::Signer,
    write::bytes_of,
};
use crate::{
    LmError, LmErrorKind,
    lm::{Request, Response},
    value::Part,
};

/// Where the protocol is spoken.
pub(super) fn site(setup: &Setup) -> Site {
    let model = segment(&setup.name);
    Site {
        stream_path: Some(format!("model/{model}/converse-stream")),
        id: Some(HeaderName::from_static("x-amzn-requestid")),
        signer: setup.signing.as_ref().map(|signing| Arc::new(Signer::new("bedrock", signing)) as _),
        refine,
        ..Site::bearer(format!("model/{model}/converse"))
    }
}

/// What the status does not tell.
fn refine(reply: &Reply<'_>, error: &mut LmError) {
    let says = |words: &str| error.message.to_lowercase().contains(words);
    error.kind = match reply.status {
        // The model failed, not the request.
        424 => LmErrorKind::Server,
        429 if says("per day") => LmErrorKind::Quota,
        400 if says("service quota") => LmErrorKind::Quota,
        _ => error.kind,
    };
}

/// The protocol for one model.
pub(super) struct Bedrock {
    setup: Setup,
}

impl Bedrock {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup }
    }
}

impl Wire for Bedrock {
    fn name(&self) -> &'static str {
        read::WIRE
    }

    fn own_parameters(&self) -> &'static [&'static str] {
        &["model", "modelId", "messages", "system", "stream", "api_key", "api_base", "base_url"]
    }

    fn body(&self, request: &Request, _: bool) -> Result<Vec<u8>, String> {
        body::body(&self.setup, request)
    }

    fn refuses(&self, part: &Part) -> Option<&'static str> {
        let held = bytes_of(part).is_some() || part.get("url").is_some_and(|url| url.starts_with("s3:"));
        match part.kind {
            "image" | "audio" | "file" if !held => {
                Some("Bedrock fetches media from s3 addresses only; send the bytes")
            }
            "image" | "audio" | "file" if body::format(part).is_none() => Some(
                "Bedrock has no name for this kind of medium; give it one of the media types that it takes",
            ),
            _ => None,
        }
    }

    fn several(&self) -> bool {
        false
    }

    fn response(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
        read::response(endpoint, body, &self.setup.name)
    }

    fn frames(&self) -> Frames {
        Frames::Messages(Messages::default())
    }

    fn pieces(&self) -> Box<dyn Pieces> {
        Box::new(stream::Partial::new(&self.setup.name))
    }

    fn renamed(&self, name: &str) -> Box<dyn Wire> {
        Box::new(Self::new(Setup { name: name.to_owned(), ..self.setup.clone() }))
    }
}
