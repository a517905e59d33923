//! The bytes of an answer, whole or in pieces, as a [`Response`].

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::{
    LmError, LmErrorKind,
    lm::{
        Choice, Delta, DeltaSink, FinishReason, Response, TokenLogprob, Usage, call,
        wire::{endpoint::Endpoint, failure::Reply, interface::Pieces},
    },
    value::Citation,
};

pub(super) fn response(endpoint: &Endpoint, body: &[u8], model: &str) -> Result<Response, LmError> {
    let raw: RawResponse<'_> = serde_json::from_slice(body).map_err(|e| endpoint.unreadable(e))?;
    let Some(message) = raw.message else { return Err(endpoint.unreadable("it has no message")) };
    let message = match message {
        RawMessage::Answer(message) => message,
        // Refusals have their text where answers have their message.
        RawMessage::Refusal(_) => {
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body }));
        }
    };
    let mut answer = Answer::default();
    for content in message.content.unwrap_or_default() {
        answer.text.push_str(&content.text.unwrap_or_default());
        answer.reasoning.push_str(&content.thinking.unwrap_or_default());
    }
    answer.reasoning.push_str(&message.tool_plan.unwrap_or_default());
    for raw in message.tool_calls.unwrap_or_default() {
        answer.calls.push(PartialCall::from(raw));
    }
    answer
        .citations
        .extend(message.citations.unwrap_or_default().into_iter().flat_map(RawCitation::citations));
    answer.logprobs.extend(raw.logprobs.unwrap_or_default().into_iter().map(TokenLogprob::from));
    answer.finish(
        endpoint,
        raw.id.as_deref().unwrap_or_default(),
        model,
        raw.finish_reason.as_deref(),
        raw.usage,
    )
}

/// The answer as far as it has arrived.
pub(super) struct Partial {
    model: String,
    id: String,
    answer: Answer,
    finish: Option<String>,
    usage: Option<RawUsage>,
}

#[derive(Default)]
struct Answer {
    text: String,
    reasoning: String,
    calls: Vec<PartialCall>,
    citations: Vec<Citation>,
    logprobs: Vec<TokenLogprob>,
}

#[derive(Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

/// The most calls of an answer: a bound on what a wrong index allocates.
const MAX_INDEX: usize = 1024;

impl Answer {
    fn finish(
        self,
        endpoint: &Endpoint,
        id: &str,
        model: &str,
        reason: Option<&str>,
        usage: Option<RawUsage>,
    ) -> Result<Response, LmError> {
        let tool_calls: Vec<_> =
            self.calls.into_iter().map(|c| call::tool_call(c.id, c.name, &c.arguments)).collect();
        let finish = match reason {
            Some("MAX_TOKENS") => FinishReason::Length,
            Some("TOOL_CALL") => FinishReason::ToolCalls,
            Some(failed @ ("ERROR" | "TIMEOUT")) => {
                let message = format!("the answer ended with {failed}");
                return Err(LmError::new(LmErrorKind::Server, endpoint.id(), message));
            }
            None | Some("COMPLETE" | "STOP_SEQUENCE") if !tool_calls.is_empty() => FinishReason::ToolCalls,
            None | Some("COMPLETE" | "STOP_SEQUENCE") => FinishReason::Stop,
            Some(other) => FinishReason::Other(other.to_owned()),
        };
        let choice = Choice {
            text: self.text,
            reasoning: Some(self.reasoning).filter(|r| !r.is_empty()),
            tool_calls,
            finish,
            logprobs: self.logprobs,
            citations: self.citations,
            ..Choice::default()
        };
        Ok(Response {
            id: id.to_owned(),
            model: model.to_owned(),
            choices: vec![choice],
            usage: usage.unwrap_or_default().usage(),
            ..Response::default()
        })
    }
}

impl Partial {
    pub(super) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            id: String::new(),
            answer: Answer::default(),
            finish: None,
            usage: None,
        }
    }

    fn call(&mut self, endpoint: &Endpoint, index: usize) -> Result<&mut PartialCall, LmError> {
        if index >= MAX_INDEX {
            return Err(endpoint.unreadable("an index is too large"));
        }
        if index >= self.answer.calls.len() {
            self.answer.calls.resize_with(index + 1, PartialCall::default);
        }
        Ok(&mut self.answer.calls[index])
    }
}

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        if self.finish.is_some() || data == b"[DONE]" {
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        let delta = event.delta.unwrap_or_default();
        if event.kind.is_empty() || event.error.is_some() || delta.error.is_some() {
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data }));
        }
        if let Some(id) = event.id {
            self.id = id.into_owned();
        }
        let message = delta.message.unwrap_or_default();
        match &*event.kind {
            "content-start" | "content-delta" | "tool-plan-delta" => {
                let content = message.content.and_then(OneOrMany::one).unwrap_or_default();
                let text = content.text.unwrap_or_default();
                let reasoning = content.thinking.or(message.tool_plan).unwrap_or_default();
                self.answer.text.push_str(&text);
                self.answer.reasoning.push_str(&reasoning);
                self.answer.logprobs.extend(event.logprobs.map(TokenLogprob::from));
                if !text.is_empty() || !reasoning.is_empty() {
                    sink(Delta { choice: 0, text: text.into_owned(), reasoning: reasoning.into_owned() });
                }
            }
            "tool-call-start" | "tool-call-delta" => {
                if let Some(raw) = message.tool_calls.and_then(OneOrMany::one) {
                    let more = PartialCall::from(raw);
                    let call = self.call(endpoint, event.index.unwrap_or(0))?;
                    call.id.push_str(&more.id);
                    call.name.push_str(&more.name);
                    call.arguments.push_str(&more.arguments);
                }
            }
            "citation-start" => {
                let citation = message.citations.and_then(OneOrMany::one);
                self.answer.citations.extend(citation.into_iter().flat_map(RawCitation::citations));
            }
            "message-end" => {
                self.finish = Some(delta.finish_reason.unwrap_or_default().into_owned());
                self.usage = delta.usage;
            }
            _ => {}
        }
        Ok(())
    }

    fn done(&self) -> bool {
        self.finish.is_some()
    }

    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError> {
        let Some(reason) = self.finish else {
            let message = "the answer broke off before its end";
            return Err(LmError::new(LmErrorKind::Transport, endpoint.id(), message));
        };
        let reason = Some(&*reason).filter(|reason| !reason.is_empty());
        self.answer.finish(endpoint, &self.id, &self.model, reason, self.usage)
    }
}

#[derive(Deserialize)]
struct RawResponse<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<RawMessage<'a>>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    logprobs: Option<Vec<RawLogprob>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawMessage<'a> {
    #[serde(borrow)]
    Answer(RawAnswer<'a>),
    Refusal(IgnoredAny),
}

#[derive(Deserialize)]
struct RawAnswer<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<RawContent<'a>>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<RawCall<'a>>>,
    #[serde(borrow, default)]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(default)]
    citations: Option<Vec<RawCitation>>,
}

#[derive(Deserialize, Default)]
struct RawContent<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function: Option<RawFunction<'a>>,
}

#[derive(Deserialize, Default)]
struct RawFunction<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    arguments: Option<Value>,
}

impl From<RawCall<'_>> for PartialCall {
    fn from(raw: RawCall<'_>) -> Self {
        let function = raw.function.unwrap_or_default();
        Self {
            id: raw.id.unwrap_or_default().into_owned(),
            name: function.name.unwrap_or_default().into_owned(),
            arguments: call::arguments(function.arguments),
        }
    }
}

/// Where the words of the answer stand that rest on sources.
#[derive(Deserialize)]
struct RawCitation {
    #[serde(default)]
    start: Option<usize>,
    #[serde(default)]
    end: Option<usize>,
    #[serde(default)]
    sources: Option<Vec<RawSource>>,
}

#[derive(Deserialize)]
struct RawSource {
    #[serde(default)]
    id: Option<String>,
    /// What was given as a document: texts by their names.
    #[serde(default)]
    document: Option<Map<String, Value>>,
}

impl RawCitation {
    /// One for each source.
    fn citations(self) -> impl Iterator<Item = Citation> {
        let (answer_start, answer_end) = (self.start, self.end);
        self.sources.unwrap_or_default().into_iter().map(move |source| {
            let document = source.document.unwrap_or_default();
            let text = |names: &[&str]| {
                names.iter().find_map(|name| document.get(*name)?.as_str()).map(str::to_owned)
            };
            Citation {
                cited_text: text(&["snippet", "text"]).unwrap_or_default(),
                document_title: text(&["title"]).or(source.id),
                url: text(&["url"]),
                answer_start,
                answer_end,
                ..Citation::default()
            }
        })
    }
}

/// A piece of the text, of one token or several.
#[derive(Deserialize)]
struct RawLogprob {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    logprobs: Option<Vec<f64>>,
}

impl From<RawLogprob> for TokenLogprob {
    fn from(raw: RawLogprob) -> Self {
        let logprob = raw.logprobs.unwrap_or_default().iter().sum();
        Self { token: raw.text.unwrap_or_default(), logprob, top: Vec::new() }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawUsage {
    tokens: Option<RawTokens>,
    cached_tokens: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawTokens {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
}

impl RawUsage {
    fn usage(self) -> Usage {
        let tokens = self.tokens.unwrap_or_default();
        let mut usage = Usage::of_call(whole(tokens.input_tokens), whole(tokens.output_tokens));
        usage.cached_prompt_tokens = whole(self.cached_tokens);
        usage
    }
}

/// A number of tokens, which comes as a fraction.
fn whole(tokens: Option<f64>) -> u64 {
    tokens.filter(|n| n.is_finite() && *n > 0.0).map_or(0, |n| n as u64)
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    delta: Option<EventDelta<'a>>,
    #[serde(default)]
    logprobs: Option<RawLogprob>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
struct EventDelta<'a> {
    #[serde(borrow, default)]
    message: Option<EventMessage<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

/// Its members are lists where nothing is in them.
#[derive(Deserialize, Default)]
struct EventMessage<'a> {
    #[serde(borrow, default)]
    content: Option<OneOrMany<RawContent<'a>>>,
    #[serde(borrow, default)]
    tool_calls: Option<OneOrMany<RawCall<'a>>>,
    #[serde(borrow, default)]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(default)]
    citations: Option<OneOrMany<RawCitation>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn one(self) -> Option<T> {
        match self {
            Self::One(one) => Some(one),
            Self::Many(many) => many.into_iter().next(),
        }
    }
}
