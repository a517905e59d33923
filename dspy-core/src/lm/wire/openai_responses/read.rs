//! The bytes of an answer as a [`Response`].

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    LmError,
    lm::{
        Choice, FinishReason, Replay, Response, TokenLogprob, ToolCall, Usage, call,
        wire::{endpoint::Endpoint, failure::Reply},
    },
    value::Citation,
};

/// The name of the protocol.
pub(super) const WIRE: &str = "openai_responses";

pub(super) fn response(endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
    let raw: RawResponse<'_> = serde_json::from_slice(body).map_err(|e| endpoint.unreadable(e))?;
    raw.read(endpoint, body)
}

#[derive(Deserialize)]
pub(super) struct RawResponse<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    output: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    incomplete_details: Option<RawIncomplete>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<Value>,
}

impl RawResponse<'_> {
    /// `body` is what an error is read from.
    pub(super) fn read(self, endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
        if let Some(error) = self.error.filter(|error| !error.is_null()) {
            let body = match error {
                // Of a response that failed, the error alone tells.
                Value::Object(_) => serde_json::json!({ "error": error }).to_string().into_bytes(),
                _ => body.to_vec(),
            };
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: &body }));
        }
        let Some(items) = self.output else { return Err(endpoint.unreadable("it has no output")) };
        let mut choice = Choice::default();
        let (mut refused, mut keep) = (false, false);
        let mut reasoning = Vec::new();
        for raw in &items {
            let item: RawItem<'_> = serde_json::from_str(raw.get()).map_err(|e| endpoint.unreadable(e))?;
            keep |= item.kind == "reasoning" && item.encrypted_content.is_some();
            match &*item.kind {
                "message" => {
                    for part in item.content.unwrap_or_default() {
                        choice.text.push_str(&part.text.unwrap_or_default());
                        if let Some(refusal) = part.refusal {
                            refused = true;
                            choice.text.push_str(&refusal);
                        }
                        choice
                            .logprobs
                            .extend(part.logprobs.unwrap_or_default().into_iter().map(TokenLogprob::from));
                        choice.citations.extend(
                            part.annotations
                                .unwrap_or_default()
                                .into_iter()
                                .filter_map(RawAnnotation::citation),
                        );
                    }
                }
                "reasoning" => {
                    let texts =
                        item.content.unwrap_or_default().into_iter().chain(item.summary.unwrap_or_default());
                    reasoning.extend(texts.filter_map(|part| part.text).map(Cow::into_owned));
                }
                "function_call" => choice.tool_calls.push(item.call()),
                _ => {}
            }
        }
        if keep {
            let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
            let json = format!("[{}]", items.join(","));
            choice.replay = Some(Replay { wire: WIRE.into(), json }.into());
        }
        choice.reasoning = Some(reasoning.join("\n\n")).filter(|text| !text.is_empty());
        let reason = self.incomplete_details.and_then(|details| details.reason);
        choice.finish = match (self.status.as_deref(), reason.as_deref()) {
            _ if refused => FinishReason::Refusal,
            (Some("incomplete"), Some("max_output_tokens")) => FinishReason::Length,
            (Some("incomplete"), Some("content_filter")) => FinishReason::ContentFilter,
            (Some("incomplete"), Some(other)) => FinishReason::Other(other.to_owned()),
            (Some(status @ ("incomplete" | "cancelled" | "queued" | "in_progress")), _) => {
                FinishReason::Other(status.to_owned())
            }
            _ if !choice.tool_calls.is_empty() => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        Ok(Response {
            id: self.id.unwrap_or_default().into_owned(),
            model: self.model.unwrap_or_default().into_owned(),
            choices: vec![choice],
            usage: self.usage.unwrap_or_default().usage(),
            ..Response::default()
        })
    }
}

#[derive(Deserialize)]
struct RawIncomplete {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct RawItem<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<Vec<RawPart<'a>>>,
    #[serde(borrow, default)]
    summary: Option<Vec<RawPart<'a>>>,
    #[serde(borrow, default)]
    encrypted_content: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    call_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    arguments: Option<Value>,
}

impl RawItem<'_> {
    fn call(self) -> ToolCall {
        let id = self.call_id.unwrap_or_default().into_owned();
        let name = self.name.unwrap_or_default().into_owned();
        call::tool_call(id, name, &call::arguments(self.arguments))
    }
}

#[derive(Deserialize)]
struct RawPart<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refusal: Option<Cow<'a, str>>,
    #[serde(default)]
    logprobs: Option<Vec<RawLogprob>>,
    #[serde(default)]
    annotations: Option<Vec<RawAnnotation>>,
}

#[derive(Deserialize)]
struct RawLogprob {
    #[serde(default)]
    token: String,
    #[serde(default)]
    logprob: f64,
    #[serde(default)]
    top_logprobs: Option<Vec<RawLogprob>>,
}

impl From<RawLogprob> for TokenLogprob {
    fn from(raw: RawLogprob) -> Self {
        let top = raw.top_logprobs.unwrap_or_default().into_iter().map(|t| (t.token, t.logprob)).collect();
        Self { token: raw.token, logprob: raw.logprob, top }
    }
}

/// What a piece of the text rests on: a page of the web, or a file.
#[derive(Deserialize)]
struct RawAnnotation {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    filename: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    start_index: Option<usize>,
    #[serde(default)]
    end_index: Option<usize>,
}

impl RawAnnotation {
    fn citation(self) -> Option<Citation> {
        if self.title.is_none() && self.filename.is_none() && self.url.is_none() {
            return None;
        }
        Some(Citation {
            document_title: self.title.or(self.filename),
            url: self.url,
            answer_start: self.start_index,
            answer_end: self.end_index,
            ..Citation::default()
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawUsage {
    input_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl RawUsage {
    fn usage(self) -> Usage {
        let input = self.input_tokens_details.unwrap_or_default();
        let mut usage = Usage::of_call(self.input_tokens.unwrap_or(0), self.output_tokens.unwrap_or(0));
        usage.cached_prompt_tokens = input.cached_tokens.unwrap_or(0);
        usage.cache_write_tokens = input.cache_write_tokens.unwrap_or(0);
        usage.reasoning_tokens = self.output_tokens_details.unwrap_or_default().reasoning_tokens.unwrap_or(0);
        usage
    }
}
