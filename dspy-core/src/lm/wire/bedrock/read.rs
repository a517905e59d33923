//! The bytes of an answer as a [`Response`].

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    LmError,
    lm::{
        Choice, Response, Usage, call,
        wire::{answer::Answer, claude, endpoint::Endpoint, failure::Reply},
    },
    value::Citation,
};

/// The name of the protocol.
pub(super) const WIRE: &str = "bedrock";

pub(super) fn response(endpoint: &Endpoint, body: &[u8], model: &str) -> Result<Response, LmError> {
    let text = std::str::from_utf8(body).map_err(|e| endpoint.unreadable(e))?;
    let raw: RawResponse = serde_json::from_str(text).map_err(|e| endpoint.unreadable(e))?;
    let Some(message) = raw.output.and_then(|output| output.message) else {
        return Err(match raw.message {
            Some(_) => endpoint.refused(&Reply { status: 200, retry_after: None, body }),
            None => endpoint.unreadable("it has no message"),
        });
    };
    let mut answer = Answer::default();
    let mut thinks = false;
    for block in message.content {
        thinks |= block.reasoning_content.is_some();
        add(&mut answer, block);
    }
    let replay = match thinks {
        // Read once more for the very text of the blocks, which must go back as they are.
        true => {
            serde_json::from_str::<Whole<'_>>(text).ok().map(|w| w.output.message.content.get().to_owned())
        }
        false => None,
    };
    Ok(Response {
        model: model.to_owned(),
        choices: vec![finish(answer, raw.stop_reason.as_deref(), replay)],
        usage: raw.usage.unwrap_or_default().usage(),
        ..Response::default()
    })
}

/// Adds a block to an answer.
fn add(answer: &mut Answer, block: RawBlock) {
    answer.text.push_str(&block.text.unwrap_or_default());
    if let Some(RawThought { reasoning_text: Some(thought) }) = block.reasoning_content {
        answer.reasoning.push_str(&thought.text);
    }
    if let Some(tool) = block.tool_use {
        answer.calls.push(call::tool_call(tool.tool_use_id, tool.name, &call::arguments(tool.input)));
    }
    if let Some(cited) = block.citations_content {
        let text: String = cited.content.into_iter().filter_map(|piece| piece.text).collect();
        answer.add_text(&text, cited.citations.into_iter().map(Citation::from).collect());
    }
}

/// The whole answer.
pub(super) fn finish(answer: Answer, reason: Option<&str>, replay: Option<String>) -> Choice {
    let reason = claude::finish(reason, !answer.calls.is_empty());
    answer.finish(reason, WIRE, replay)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawResponse {
    #[serde(default)]
    output: Option<RawOutput>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<RawUsage>,
    /// What a refusal has in place of an output.
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct RawOutput {
    #[serde(default)]
    message: Option<RawMessage>,
}

#[derive(Deserialize)]
struct RawMessage {
    #[serde(default)]
    content: Vec<RawBlock>,
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    output: WholeOutput<'a>,
}

#[derive(Deserialize)]
struct WholeOutput<'a> {
    #[serde(borrow)]
    message: WholeMessage<'a>,
}

#[derive(Deserialize)]
struct WholeMessage<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

/// One of these members is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBlock {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    tool_use: Option<RawCall>,
    #[serde(default)]
    reasoning_content: Option<RawThought>,
    #[serde(default)]
    citations_content: Option<RawCited>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawCall {
    #[serde(default)]
    pub(super) tool_use_id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) input: Option<Value>,
}

/// Thinking, which is without a text where nobody may read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawThought {
    #[serde(default)]
    reasoning_text: Option<RawText>,
}

#[derive(Deserialize)]
struct RawText {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct RawCited {
    #[serde(default)]
    content: Vec<RawPiece>,
    #[serde(default)]
    citations: Vec<RawCitation>,
}

#[derive(Deserialize)]
struct RawPiece {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawCitation {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    source_content: Vec<RawPiece>,
    #[serde(default)]
    location: Option<RawLocation>,
}

/// One of these members is there.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawLocation {
    document_char: Option<RawPlace>,
    document_page: Option<RawPlace>,
    document_chunk: Option<RawPlace>,
    web: Option<RawSite>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawPlace {
    document_index: Option<usize>,
    start: Option<usize>,
    end: Option<usize>,
}

#[derive(Deserialize)]
struct RawSite {
    #[serde(default)]
    url: Option<String>,
}

impl From<RawCitation> for Citation {
    fn from(raw: RawCitation) -> Self {
        let location = raw.location.unwrap_or_default();
        let chars = location.document_char.unwrap_or_default();
        let other = location.document_page.or(location.document_chunk);
        Self {
            cited_text: raw.source_content.into_iter().filter_map(|piece| piece.text).collect(),
            document_index: other.map_or(chars.document_index, |place| place.document_index),
            document_title: raw.title,
            url: location.web.and_then(|site| site.url).or(raw.source),
            start: chars.start,
            end: chars.end,
            ..Self::default()
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RawUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}

impl RawUsage {
    /// The prompt's tokens are counted apart by where they came from.
    pub(super) fn usage(&self) -> Usage {
        let read = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_write_input_tokens.unwrap_or(0);
        let mut usage =
            Usage::of_call(self.input_tokens.unwrap_or(0) + read + written, self.output_tokens.unwrap_or(0));
        usage.cached_prompt_tokens = read;
        usage.cache_write_tokens = written;
        usage
    }
}
