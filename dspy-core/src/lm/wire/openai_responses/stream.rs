//! An answer that arrives in pieces: what they add up to comes whole with the last event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::read::RawResponse;
use crate::{
    LmError, LmErrorKind,
    lm::{
        Delta, DeltaSink, Response,
        wire::{endpoint::Endpoint, failure::Reply, interface::Pieces},
    },
};

/// The answer as far as it has arrived.
#[derive(Default)]
pub(super) struct Partial {
    whole: Option<Response>,
    /// Which piece of the reasoning was last, so that those that follow are set apart as in the whole.
    thought: Option<(u64, u64)>,
}

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        if self.whole.is_some() || data == b"[DONE]" {
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        match &*event.kind {
            "response.output_text.delta" | "response.refusal.delta" => {
                let text = event.delta.unwrap_or_default();
                if !text.is_empty() {
                    sink(Delta::text(0, text.into_owned()));
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let at = (
                    event.output_index.unwrap_or(0),
                    event.summary_index.or(event.content_index).unwrap_or(0),
                );
                let mut reasoning = event.delta.unwrap_or_default().into_owned();
                if reasoning.is_empty() {
                    return Ok(());
                }
                if self.thought.replace(at).is_some_and(|last| last != at) {
                    reasoning.insert_str(0, "\n\n");
                }
                sink(Delta { reasoning, ..Delta::default() });
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let Some(raw) = event.response else {
                    return Err(endpoint.unreadable("it ends without a response"));
                };
                let response: RawResponse<'_> =
                    serde_json::from_str(raw.get()).map_err(|e| endpoint.unreadable(e))?;
                self.whole = Some(response.read(endpoint, data)?);
            }
            "error" => {
                return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data }));
            }
            _ if event.error.is_some() => {
                return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data }));
            }
            _ => {}
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.whole.is_some()
    }

    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError> {
        self.whole.ok_or_else(|| {
            LmError::new(LmErrorKind::Transport, endpoint.id(), "the answer broke off before its end")
        })
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    delta: Option<Cow<'a, str>>,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(default)]
    summary_index: Option<u64>,
    #[serde(default)]
    content_index: Option<u64>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Value>,
}
