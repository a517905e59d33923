//! An answer that arrives in pieces.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::read::{self, RawUsage, Text, or_default};
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
    usage: Option<RawUsage>,
    /// What a server names beside the answer, as it came last.
    sources: Vec<Citation>,
    done: bool,
}

#[derive(Default)]
struct PartialChoice {
    text: String,
    reasoning: String,
    refusal: String,
    calls: Vec<PartialCall>,
    finish: Option<String>,
    logprobs: Vec<TokenLogprob>,
    citations: Vec<Citation>,
}

#[derive(Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

/// The most answers, or calls of one answer, that a stream may speak of: a bound on what a wrong index allocates.
const MAX_INDEX: usize = 1024;

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        if event.error.is_some() {
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
        if event.usage.is_some() {
            self.usage = event.usage;
        }
        for raw in event.choices {
            let index = raw.index.unwrap_or(0);
            let choice =
                at(&mut self.choices, index).ok_or_else(|| endpoint.unreadable("an index is too large"))?;
            if let Some(reason) = raw.finish_reason {
                choice.finish = Some(reason.into_owned());
            }
            choice.logprobs.extend(read::logprobs(raw.logprobs));
            let delta = raw.delta.unwrap_or_default();
            for raw in delta.tool_calls.unwrap_or_default() {
                let next = raw.index.unwrap_or(choice.calls.len());
                let partial = at(&mut choice.calls, next)
                    .ok_or_else(|| endpoint.unreadable("an index is too large"))?;
                if let Some(id) = raw.id.filter(|_| partial.id.is_empty()) {
                    partial.id = id.into_owned();
                }
                if let Some(function) = raw.function {
                    partial.name.push_str(&function.name.unwrap_or_default());
                    partial.arguments.push_str(&call::arguments(function.arguments));
                }
            }
            choice.citations.extend(read::citations(delta.annotations));
            let (text, thought) = delta.content.unwrap_or_default().parted();
            let apart = delta.reasoning_content.or(delta.reasoning).map(Text::into_owned);
            let reasoning = apart.or(thought).unwrap_or_default();
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
        let ended = self.done || self.choices.iter().all(|c| c.finish.is_some());
        if !ended || self.choices.is_empty() {
            let message = "the answer broke off before its end";
            return Err(LmError::new(LmErrorKind::Transport, endpoint.id(), message));
        }
        let sources = self.sources;
        let choices = self.choices.into_iter().map(|mut c| {
            c.citations.extend(sources.iter().cloned());
            let tool_calls: Vec<_> =
                c.calls.into_iter().map(|c| call::tool_call(c.id, c.name, &c.arguments)).collect();
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
                ..Choice::default()
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
    usage: Option<RawUsage>,
    #[serde(default)]
    search_results: Option<Vec<read::RawSource>>,
    #[serde(default)]
    citations: Option<Vec<read::RawSource>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
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
    logprobs: Option<read::RawLogprobs>,
}

#[derive(Deserialize, Default)]
struct EventDelta<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<EventCall<'a>>>,
    #[serde(default)]
    annotations: Option<Vec<read::RawAnnotation>>,
}

#[derive(Deserialize)]
struct EventCall<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<EventFunction<'a>>,
}

#[derive(Deserialize)]
struct EventFunction<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<Value>,
}
