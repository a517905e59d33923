//! Anthropic's messages.
//!
//! Source: Anthropic's API reference, *Messages*, and the types of its Python SDK.

mod body;
mod read;
mod stream;

use reqwest::header::{HeaderName, HeaderValue};

use super::{
    endpoint::{Endpoint, Site},
    interface::{Pieces, Setup, Wire},
    write::bytes_of,
};
use crate::{
    LmError,
    lm::{Request, Response},
    value::Part,
};

/// Where the protocol is spoken.
pub(super) fn site() -> Site {
    Site {
        key: (HeaderName::from_static("x-api-key"), ""),
        headers: vec![(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"))],
        ..Site::bearer("messages")
    }
}

/// The protocol for one model.
pub(super) struct Anthropic {
    setup: Setup,
}

impl Anthropic {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup }
    }
}

impl Wire for Anthropic {
    fn name(&self) -> &'static str {
        read::WIRE
    }

    fn own_parameters(&self) -> &'static [&'static str] {
        &["model", "messages", "system", "stream", "api_key", "api_base", "base_url"]
    }

    fn body(&self, request: &Request, stream: bool) -> Result<Vec<u8>, String> {
        body::body(&self.setup, request, stream)
    }

    fn refuses(&self, part: &Part) -> Option<&'static str> {
        match part.kind {
            "image" if part.get("url").is_some_and(|url| url.starts_with("gs:")) => {
                Some("Anthropic fetches images from http and https addresses only; send the image's bytes")
            }
            "file" if part.get("file_id").is_some() || part.get("url").is_some() => None,
            "file" => match bytes_of(part) {
                Some((kind, _))
                    if kind == "application/pdf"
                        || kind.starts_with("text/")
                        || kind.starts_with("image/") =>
                {
                    None
                }
                _ => Some(
                    "Anthropic takes PDFs, texts and images as files; give the file one of these media types",
                ),
            },
            _ => None,
        }
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
