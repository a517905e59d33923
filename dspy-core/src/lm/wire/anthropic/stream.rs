//! An answer that arrives in pieces.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::read::{self, RawBlock, RawCitation, RawUsage};
use crate::{
    LmError, LmErrorKind,
    lm::{
        Delta, DeltaSink, Response, call,
        wire::{answer::Answer, endpoint::Endpoint, failure::Reply, interface::Pieces},
    },
    value::Citation,
};

/// The answer as far as it has arrived.
#[derive(Default)]
pub(super) struct Partial {
    response: Response,
    blocks: Vec<PartialBlock>,
    usage: RawUsage,
    stop_reason: Option<String>,
    done: bool,
}

#[derive(Default)]
struct PartialBlock {
    kind: String,
    /// The text, the thinking, the arguments of a call, or what may not be read.
    content: String,
    /// The signature of thinking, or the id of a call.
    mark: String,
    name: String,
    citations: Vec<Citation>,
}

/// The most blocks of an answer: a bound on what a wrong index allocates.
const MAX_BLOCKS: usize = 4096;

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        if self.done {
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        if event.error.is_some() {
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data }));
        }
        if let Some(usage) = event.usage {
            self.usage = std::mem::take(&mut self.usage).updated(usage);
        }
        match &*event.kind {
            "message_start" => {
                let start = event.message.unwrap_or_default();
                self.response.id = start.id.unwrap_or_default().into_owned();
                self.response.model = start.model.unwrap_or_default().into_owned();
                self.usage = std::mem::take(&mut self.usage).updated(start.usage.unwrap_or_default());
            }
            "content_block_start" => {
                if let Some(start) = event.content_block {
                    let block = self.at(endpoint, event.index)?;
                    block.kind = start.kind.into_owned();
                    let content = start.text.or(start.thinking).or(start.data).unwrap_or_default();
                    let mark = start.id.or(start.signature).unwrap_or_default().into_owned();
                    (block.mark, block.name) = (mark, start.name.unwrap_or_default().into_owned());
                    block.push(&content, sink);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    let block = self.at(endpoint, event.index)?;
                    let more = delta.text.or(delta.thinking).or(delta.partial_json).unwrap_or_default();
                    block.push(&more, sink);
                    block.mark.push_str(&delta.signature.unwrap_or_default());
                    block.citations.extend(delta.citation.map(Citation::from));
                }
            }
            "message_delta" => {
                let reason = event.delta.and_then(|delta| delta.stop_reason);
                self.stop_reason = reason.map(Cow::into_owned).or_else(|| self.stop_reason.take());
            }
            "message_stop" => self.done = true,
            _ => {}
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.done
    }

    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError> {
        if !self.done && self.stop_reason.is_none() {
            let message = "the answer broke off before its end";
            return Err(LmError::new(LmErrorKind::Transport, endpoint.id(), message));
        }
        let thought = |b: &PartialBlock| matches!(&*b.kind, "thinking" | "redacted_thinking");
        let replay = self.blocks.iter().any(thought).then(|| {
            Value::from(self.blocks.iter().filter_map(PartialBlock::as_it_goes_back).collect::<Vec<_>>())
                .to_string()
        });
        let mut answer = Answer::default();
        for block in self.blocks {
            match &*block.kind {
                "text" => answer.add_text(&block.content, block.citations),
                "thinking" => answer.reasoning.push_str(&block.content),
                "tool_use" => answer.calls.push(call::tool_call(block.mark, block.name, &block.content)),
                _ => {}
            }
        }
        let choice = read::finish(answer, self.stop_reason.as_deref(), replay);
        Ok(Response { choices: vec![choice], usage: self.usage.usage(), ..self.response })
    }
}

impl Partial {
    fn at(&mut self, endpoint: &Endpoint, index: Option<usize>) -> Result<&mut PartialBlock, LmError> {
        let index = index.unwrap_or(0);
        if index >= MAX_BLOCKS {
            return Err(endpoint.unreadable("an index is too large"));
        }
        if index >= self.blocks.len() {
            self.blocks.resize_with(index + 1, PartialBlock::default);
        }
        Ok(&mut self.blocks[index])
    }
}

impl PartialBlock {
    fn push(&mut self, more: &str, sink: &mut DeltaSink<'_>) {
        if more.is_empty() {
            return;
        }
        self.content.push_str(more);
        match &*self.kind {
            "text" => sink(Delta::text(0, more)),
            "thinking" => sink(Delta { reasoning: more.to_owned(), ..Delta::default() }),
            _ => {}
        }
    }

    fn as_it_goes_back(&self) -> Option<Value> {
        let members = match &*self.kind {
            "text" if self.content.is_empty() => return None,
            "text" => vec![("text", json!(self.content))],
            "thinking" => vec![("thinking", json!(self.content)), ("signature", json!(self.mark))],
            "redacted_thinking" => vec![("data", json!(self.content))],
            "tool_use" => {
                let call = call::tool_call(String::new(), String::new(), &self.content);
                vec![("id", json!(self.mark)), ("name", json!(self.name)), ("input", json!(call.args))]
            }
            _ => return None,
        };
        Some(read::block(&self.kind, &members))
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Option<Start<'a>>,
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    content_block: Option<RawBlock<'a>>,
    #[serde(borrow, default)]
    delta: Option<RawDelta<'a>>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
struct Start<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<RawUsage>,
}

#[derive(Deserialize)]
struct RawDelta<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(default)]
    citation: Option<RawCitation>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
}
