//! An answer that arrives in pieces.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    calls::{CallPiece, PartialCalls},
    loose::{List, Object},
    read::{self, RawUsage, Text, or_default},
    replay::{self, Beside},
};
use crate::{
    LmError, LmErrorKind,
    lm::{
        Choice, Delta, DeltaSink, FinishReason, Response, TokenLogprob, call,
        wire::{endpoint::Endpoint, failure::Reply, interface::Pieces},
    },
    value::Citation,
};

/// The answer as far as it has arrived.
#[derive(Default)]
pub(super) struct Partial {
    response: Response,
    choices: Vec<PartialChoice>,
    usage: Object<RawUsage>,
    /// What a server names beside the answer, as it came last.
    sources: Vec<Citation>,
    done: bool,
}

#[derive(Default)]
struct PartialChoice {
    text: String,
    reasoning: String,
    beside: Beside,
    refusal: String,
    calls: PartialCalls,
    finish: Option<String>,
    logprobs: Vec<TokenLogprob>,
    citations: Vec<Citation>,
    /// Whether the stream has spoken of it.
    seen: bool,
}

/// The most answers, or calls of one answer, that a stream may speak of: a bound on what a wrong index allocates.
const MAX_INDEX: usize = 1024;

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        if self.done {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        if event.error.is_some()
            || event.choices.is_empty() && (event.message.is_some() || event.detail.is_some())
        {
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data }));
        }
        if let Some(id) = event.id.filter(|_| self.response.id.is_empty()) {
            self.response.id = id.into_owned();
        }
        if let Some(name) = event.model.filter(|_| self.response.model.is_empty()) {
            self.response.model = name.into_owned();
        }
        let sources = read::found(event.search_results, event.citations);
        if !sources.is_empty() {
            self.sources = sources;
        }
        if let Some(usage) = event.usage {
            self.usage = usage;
        }
        for raw in event.choices {
            let index = raw.index.unwrap_or(0);
            let choice =
                at(&mut self.choices, index).ok_or_else(|| endpoint.unreadable("an index is too large"))?;
            choice.seen = true;
            if let Some(reason) = raw.finish_reason {
                choice.finish = Some(reason.into_owned());
            }
            choice.logprobs.extend(read::logprobs(raw.logprobs));
            let delta = raw.delta.unwrap_or_default();
            for raw in delta.tool_calls.unwrap_or_default() {
                let function = raw.function.unwrap_or_default();
                let piece = CallPiece {
                    index: raw.index,
                    id: raw.id.unwrap_or_default().into_owned(),
                    name: function.name.unwrap_or_default().into_owned(),
                    arguments: call::arguments(function.arguments),
                    extra: raw.extra_content,
                };
                if !choice.calls.take(piece) {
                    return Err(endpoint.unreadable("it calls too many tools"));
                }
            }
            choice.citations.extend(read::citations(delta.annotations));
            let (text, thought) = delta.content.unwrap_or_default().parted();
            choice.beside.reasoning_content.push_str(delta.reasoning_content.as_deref().unwrap_or_default());
            choice.beside.reasoning_details.extend(delta.reasoning_details.0);
            let apart =
                [delta.reasoning_content, delta.reasoning].into_iter().flatten().map(Text::into_owned);
            let reasoning = apart.chain(thought).find(|text| !text.is_empty()).unwrap_or_default();
            if let Some(refusal) = delta.refusal.filter(|refusal| !refusal.is_empty()) {
                choice.refusal.push_str(&refusal);
            }
            choice.text.push_str(&text);
            choice.reasoning.push_str(&reasoning);
            if !text.is_empty() || !reasoning.is_empty() {
                sink(Delta { choice: index, text, reasoning });
            }
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.done
    }

    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError> {
        let mut choices: Vec<PartialChoice> = self.choices;
        choices.retain(|choice| choice.seen);
        let ended = self.done || choices.iter().all(|c| c.finish.is_some());
        if !ended || choices.is_empty() {
            let message = "the answer broke off before its end";
            return Err(LmError::new(LmErrorKind::Transport, endpoint.id(), message));
        }
        let sources = self.sources;
        let choices = choices.into_iter().map(|mut c| {
            c.citations.extend(sources.iter().cloned());
            let (tool_calls, extras) = c.calls.finish();
            let replay = replay::replay(&c.text, &c.beside, &tool_calls, &extras);
            let refused = c.text.is_empty() && !c.refusal.is_empty();
            let finish = match refused {
                true => FinishReason::Refusal,
                false => read::finish(c.finish.as_deref(), !tool_calls.is_empty()),
            };
            Choice {
                finish,
                text: if refused { c.refusal } else { c.text },
                reasoning: Some(c.reasoning).filter(|r| !r.is_empty()),
                tool_calls,
                logprobs: c.logprobs,
                citations: c.citations,
                replay,
            }
        });
        Ok(Response { choices: choices.collect(), usage: read::usage(self.usage), ..self.response })
    }
}

/// The item at `index`, which grows the list as far as needed.
fn at<T: Default>(items: &mut Vec<T>, index: usize) -> Option<&mut T> {
    if index >= MAX_INDEX {
        return None;
    }
    if index >= items.len() {
        items.resize_with(index + 1, T::default);
    }
    items.get_mut(index)
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    choices: Vec<EventChoice<'a>>,
    #[serde(default)]
    usage: Option<Object<RawUsage>>,
    #[serde(default)]
    search_results: List<read::RawSource>,
    #[serde(default)]
    citations: List<read::RawSource>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    /// What some say instead, beside nothing else.
    #[serde(default)]
    message: Option<IgnoredAny>,
    #[serde(default)]
    detail: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct EventChoice<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    delta: Option<EventDelta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
    #[serde(default)]
    logprobs: Object<read::RawLogprobs>,
}

#[derive(Deserialize, Default)]
struct EventDelta<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Text<'a>>,
    #[serde(default)]
    reasoning_details: List<Value>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<EventCall<'a>>>,
    #[serde(default)]
    annotations: List<Object<read::RawAnnotation>>,
}

#[derive(Deserialize)]
struct EventCall<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<EventFunction<'a>>,
    #[serde(default)]
    extra_content: Option<Value>,
}

#[derive(Deserialize, Default)]
struct EventFunction<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<Value>,
}
