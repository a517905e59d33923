//! Google's `generateContent`, as the Gemini API has it.
//!
//! Source: Google's API reference, *Generating content*, and the types of its Python SDK.

mod body;
mod read;

use std::time::Duration;

use reqwest::header::HeaderName;
use serde_json::Value;

use super::{
    endpoint::{Endpoint, Site, segment},
    failure::Reply,
    interface::{Pieces, Setup, Wire},
};
use crate::{
    LmError, LmErrorKind,
    lm::{Request, Response},
    value::Part,
};

/// Where the protocol is spoken.
pub(super) fn site(setup: &Setup) -> Site {
    // Tuned models have names with their kind in them.
    let model = match setup.name.split_once('/') {
        Some((kind, name)) => format!("{}/{}", segment(kind), segment(name)),
        None => format!("models/{}", segment(&setup.name)),
    };
    Site {
        stream_path: Some(format!("{model}:streamGenerateContent?alt=sse")),
        key: (HeaderName::from_static("x-goog-api-key"), ""),
        refine,
        ..Site::bearer(format!("{model}:generateContent"))
    }
}

/// Where Vertex AI speaks it: with an access token.
pub(super) fn vertex_site(setup: &Setup) -> Site {
    let Site { path, stream_path, .. } = site(setup);
    Site { stream_path, refine, ..Site::bearer(path) }
}

/// A wrong key is a wrong request here, and the time to wait stands in the body.
fn refine(reply: &Reply<'_>, error: &mut LmError) {
    let parsed: Option<Value> = serde_json::from_slice(reply.body).ok();
    let Some(details) =
        parsed.as_ref().and_then(|body| body.get(0).unwrap_or(body)["error"]["details"].as_array())
    else {
        return;
    };
    for detail in details {
        if detail["reason"] == "API_KEY_INVALID" {
            error.kind = LmErrorKind::Auth;
        }
        let delay =
            detail["retryDelay"].as_str().and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok());
        if let Some(delay) = delay.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            error.retry_after.get_or_insert(delay);
        }
    }
}

/// The protocol for one model.
pub(super) struct Gemini {
    setup: Setup,
}

impl Gemini {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup }
    }
}

impl Wire for Gemini {
    fn name(&self) -> &'static str {
        read::WIRE
    }

    fn own_parameters(&self) -> &'static [&'static str] {
        &["model", "contents", "systemInstruction", "stream", "api_key", "api_base", "base_url"]
    }

    fn body(&self, request: &Request, _: bool) -> Result<Vec<u8>, String> {
        Ok(body::body(&self.setup, request))
    }

    fn refuses(&self, part: &Part) -> Option<&'static str> {
        let opaque = part.kind == "file" && part.get("media_type") == Some("application/octet-stream");
        opaque.then_some(
            "the media type of a file is not known, and Gemini wants it; give it with the file's bytes",
        )
    }

    fn several(&self) -> bool {
        true
    }

    fn response(&self, endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
        read::response(endpoint, body)
    }

    fn pieces(&self) -> Box<dyn Pieces> {
        Box::new(read::Partial::default())
    }

    fn renamed(&self, name: &str) -> Box<dyn Wire> {
        Box::new(Self::new(Setup { name: name.to_owned(), ..self.setup.clone() }))
    }
}
