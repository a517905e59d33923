//! The bytes of an answer as a [`Response`].

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    LmError,
    lm::{
        Choice, Response, Usage, call,
        wire::{answer::Answer, claude, endpoint::Endpoint, failure::Reply},
    },
    value::Citation,
};

/// The name of the protocol.
pub(super) const WIRE: &str = "anthropic";

pub(super) fn response(endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
    let text = std::str::from_utf8(body).map_err(|e| endpoint.unreadable(e))?;
    let message: RawMessage<'_> = serde_json::from_str(text).map_err(|e| endpoint.unreadable(e))?;
    if message.error.is_some() {
        return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body }));
    }
    let Some(blocks) = message.content else {
        return Err(endpoint.unreadable("it has no content"));
    };
    let mut answer = Answer::default();
    let mut keep = false;
    for block in blocks {
        keep |= block.is_thought();
        add(&mut answer, block);
    }
    let replay = match keep {
        // Read once more for the very text of the blocks, which must go back as they are.
        true => serde_json::from_str::<Blocks<'_>>(text).ok().map(|b| b.content.get().to_owned()),
        false => None,
    };
    Ok(Response {
        id: message.id.unwrap_or_default().into_owned(),
        model: message.model.unwrap_or_default().into_owned(),
        choices: vec![finish(answer, message.stop_reason.as_deref(), replay)],
        usage: message.usage.unwrap_or_default().usage(),
        ..Response::default()
    })
}

/// Adds a block to an answer.
pub(super) fn add(answer: &mut Answer, block: RawBlock<'_>) {
    match &*block.kind {
        "text" => {
            let citations = block.citations.unwrap_or_default().into_iter().map(Citation::from);
            answer.add_text(&block.text.unwrap_or_default(), citations.collect());
        }
        "thinking" => answer.reasoning.push_str(&block.thinking.unwrap_or_default()),
        "tool_use" => {
            let id = block.id.unwrap_or_default().into_owned();
            let name = block.name.unwrap_or_default().into_owned();
            answer.calls.push(call::tool_call(id, name, &call::arguments(block.input)));
        }
        // What the provider's own tools did is no part of the answer.
        _ => {}
    }
}

/// The whole answer.
pub(super) fn finish(answer: Answer, reason: Option<&str>, replay: Option<String>) -> Choice {
    let reason = claude::finish(reason, !answer.calls.is_empty());
    answer.finish(reason, WIRE, replay)
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<Vec<RawBlock<'a>>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Blocks<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
pub(super) struct RawBlock<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) signature: Option<Cow<'a, str>>,
    /// What a block of thinking holds that may not be read.
    #[serde(borrow, default)]
    pub(super) data: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) input: Option<Value>,
    #[serde(default)]
    pub(super) citations: Option<Vec<RawCitation>>,
}

impl RawBlock<'_> {
    /// Whether it is thinking, which must go back unchanged.
    pub(super) fn is_thought(&self) -> bool {
        matches!(&*self.kind, "thinking" | "redacted_thinking")
    }
}

/// A block as it goes back, put together from a stream.
pub(super) fn block(kind: &str, members: &[(&str, Value)]) -> Value {
    let mut block = Map::from_iter([("type".to_owned(), json!(kind))]);
    block.extend(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    block.into()
}

/// Where something stands: in characters, pages or blocks of a document, or on a page of the web.
#[derive(Deserialize)]
pub(super) struct RawCitation {
    #[serde(default)]
    cited_text: Option<String>,
    #[serde(default)]
    document_index: Option<usize>,
    #[serde(default, alias = "title")]
    document_title: Option<String>,
    #[serde(default, alias = "source")]
    url: Option<String>,
    #[serde(default)]
    start_char_index: Option<usize>,
    #[serde(default)]
    end_char_index: Option<usize>,
}

impl From<RawCitation> for Citation {
    fn from(raw: RawCitation) -> Self {
        Self {
            cited_text: raw.cited_text.unwrap_or_default(),
            document_index: raw.document_index,
            document_title: raw.document_title,
            url: raw.url,
            start: raw.start_char_index,
            end: raw.end_char_index,
            ..Self::default()
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

impl RawUsage {
    /// The same, with what a later event says in place of it.
    pub(super) fn updated(self, later: Self) -> Self {
        Self {
            input_tokens: later.input_tokens.or(self.input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(self.cache_creation_input_tokens),
            output_tokens_details: later.output_tokens_details.or(self.output_tokens_details),
        }
    }

    /// The prompt's tokens are counted apart by where they came from.
    pub(super) fn usage(&self) -> Usage {
        let read = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        let mut usage =
            Usage::of_call(self.input_tokens.unwrap_or(0) + read + written, self.output_tokens.unwrap_or(0));
        usage.cached_prompt_tokens = read;
        usage.cache_write_tokens = written;
        usage.reasoning_tokens =
            self.output_tokens_details.as_ref().and_then(|d| d.thinking_tokens).unwrap_or(0);
        usage
    }
}
