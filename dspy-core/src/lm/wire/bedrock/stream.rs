//! An answer that arrives in pieces.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

use super::read::{self, RawCall, RawCitation, RawUsage};
use crate::{
    LmError, LmErrorKind,
    lm::{
        Delta, DeltaSink, Response, call,
        wire::{answer::Answer, endpoint::Endpoint, failure::Reply, interface::Pieces},
    },
    value::Citation,
};

/// The answer as far as it has arrived.
pub(super) struct Partial {
    model: String,
    blocks: Vec<Block>,
    usage: RawUsage,
    stop_reason: Option<String>,
    /// What is counted comes after the end of the answer.
    done: bool,
}

#[derive(Default)]
struct Block {
    text: String,
    thought: String,
    signature: String,
    /// Thinking that nobody may read.
    redacted: String,
    call: Option<(String, String)>,
    arguments: String,
    citations: Vec<Citation>,
}

/// The most blocks of an answer: a bound on what a wrong index allocates.
const MAX_BLOCKS: usize = 4096;

impl Partial {
    pub(super) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            blocks: Vec::new(),
            usage: RawUsage::default(),
            stop_reason: None,
            done: false,
        }
    }

    fn at(&mut self, endpoint: &Endpoint, index: usize) -> Result<&mut Block, LmError> {
        if index >= MAX_BLOCKS {
            return Err(endpoint.unreadable("an index is too large"));
        }
        if index >= self.blocks.len() {
            self.blocks.resize_with(index + 1, Block::default);
        }
        Ok(&mut self.blocks[index])
    }
}

/// The status with which an exception would have come before the stream began.
fn status_of(exception: &str) -> u16 {
    match exception {
        "validationException" => 400,
        "accessDeniedException" => 403,
        "resourceNotFoundException" => 404,
        "modelTimeoutException" => 408,
        "modelErrorException" | "modelStreamErrorException" => 424,
        "throttlingException" | "modelNotReadyException" => 429,
        "serviceUnavailableException" => 503,
        _ => 500,
    }
}

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        let event: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        let Some((name, payload)) = event.first_key_value() else { return Ok(()) };
        match &**name {
            "contentBlockStart" => {
                let event: Start = read(endpoint, payload)?;
                if let Some(call) = event.start.tool_use {
                    self.at(endpoint, event.content_block_index)?.call = Some((call.tool_use_id, call.name));
                }
            }
            "contentBlockDelta" => {
                let event: Piece = read(endpoint, payload)?;
                let block = self.at(endpoint, event.content_block_index)?;
                block.push(event.delta, sink);
            }
            "messageStop" => self.stop_reason = Some(read::<Stop>(endpoint, payload)?.stop_reason),
            "metadata" => {
                self.usage = read::<Metadata>(endpoint, payload)?.usage;
                self.done = true;
            }
            "error" => return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data })),
            exception if exception.ends_with("Exception") => {
                let body = payload.get().as_bytes();
                let status = status_of(exception);
                return Err(endpoint.refused(&Reply { status, retry_after: None, body }));
            }
            _ => {}
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.done
    }

    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError> {
        let Some(reason) = self.stop_reason else {
            let message = "the answer broke off before its end";
            return Err(LmError::new(LmErrorKind::Transport, endpoint.id(), message));
        };
        let thinks = self.blocks.iter().any(|b| !b.thought.is_empty() || !b.redacted.is_empty());
        let replay = thinks.then(|| {
            let blocks = self.blocks.iter().filter_map(Block::as_it_goes_back);
            Value::from(blocks.collect::<Vec<_>>()).to_string()
        });
        let mut answer = Answer::default();
        for block in self.blocks {
            answer.add_text(&block.text, block.citations);
            answer.reasoning.push_str(&block.thought);
            if let Some((id, name)) = block.call {
                answer.calls.push(call::tool_call(id, name, &block.arguments));
            }
        }
        let choice = read::finish(answer, Some(&*reason), replay);
        let usage = self.usage.usage();
        Ok(Response { model: self.model, choices: vec![choice], usage, ..Response::default() })
    }
}

impl Block {
    fn push(&mut self, delta: RawDelta, sink: &mut DeltaSink<'_>) {
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            self.text.push_str(&text);
            sink(Delta::text(0, &*text));
        }
        if let Some(call) = delta.tool_use {
            self.arguments.push_str(&call::arguments(call.input));
        }
        if let Some(thought) = delta.reasoning_content {
            self.signature.push_str(&thought.signature.unwrap_or_default());
            self.redacted.push_str(&thought.redacted_content.unwrap_or_default());
            if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
                self.thought.push_str(&text);
                sink(Delta { reasoning: text, ..Delta::default() });
            }
        }
        self.citations.extend(delta.citation.map(Citation::from));
    }

    fn as_it_goes_back(&self) -> Option<Value> {
        if let Some((id, name)) = &self.call {
            let call = call::tool_call(String::new(), String::new(), &self.arguments);
            return Some(json!({"toolUse": {"toolUseId": id, "name": name, "input": call.args}}));
        }
        if !self.redacted.is_empty() {
            return Some(json!({"reasoningContent": {"redactedContent": self.redacted}}));
        }
        if !self.thought.is_empty() {
            let mut thought = json!({"text": self.thought});
            if !self.signature.is_empty() {
                thought["signature"] = json!(self.signature);
            }
            return Some(json!({"reasoningContent": {"reasoningText": thought}}));
        }
        (!self.text.is_empty()).then(|| json!({"text": self.text}))
    }
}

fn read<T: DeserializeOwned>(endpoint: &Endpoint, payload: &RawValue) -> Result<T, LmError> {
    serde_json::from_str(payload.get()).map_err(|e| endpoint.unreadable(e))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    #[serde(default)]
    start: RawStart,
    #[serde(default)]
    content_block_index: usize,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawStart {
    tool_use: Option<RawCall>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    #[serde(default)]
    delta: RawDelta,
    #[serde(default)]
    content_block_index: usize,
}

/// One of these members is there.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawDelta {
    text: Option<String>,
    tool_use: Option<RawCall>,
    reasoning_content: Option<RawThought>,
    citation: Option<RawCitation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawThought {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    signature: Option<String>,
    #[serde(default)]
    redacted_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stop {
    stop_reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    usage: RawUsage,
}
