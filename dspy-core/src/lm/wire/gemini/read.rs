//! The bytes of an answer, whole or in pieces, as a [`Response`]: the pieces have the form of whole answers.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::{
    LmError, LmErrorKind,
    lm::{
        Choice, Delta, DeltaSink, FinishReason, Replay, Response, TokenLogprob, ToolCall, Usage,
        wire::{cited, endpoint::Endpoint, failure::Reply, interface::Pieces},
    },
    value::Citation,
};

/// The name of the protocol.
pub(super) const WIRE: &str = "gemini";
/// How the ids of calls begin that came without one.
pub(super) const OWN_ID: &str = "unnamed_call_";

pub(super) fn response(endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
    let mut partial = Box::new(Partial::default());
    partial.take(endpoint, body, &mut |_| {})?;
    if partial.candidates.is_empty() {
        return Err(endpoint.unreadable("it has no candidates"));
    }
    // A whole answer is one that has ended, whatever it says.
    for candidate in &mut partial.candidates {
        candidate.finish.get_or_insert_default();
    }
    partial.finish(endpoint)
}

/// The answer as far as it has arrived.
#[derive(Default)]
pub(super) struct Partial {
    id: String,
    model: String,
    candidates: Vec<PartialChoice>,
    usage: RawUsage,
}

#[derive(Default)]
struct PartialChoice {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    /// The parts as they go back.
    parts: Vec<PartBack>,
    finish: Option<String>,
    logprobs: Vec<TokenLogprob>,
    citations: Vec<Citation>,
}

/// A part as it goes back.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct PartBack {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<CallBack>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Serialize)]
struct CallBack {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: String,
    args: Map<String, Value>,
}

/// The most answers that are read: a bound on what a wrong index allocates.
const MAX_INDEX: usize = 1024;

impl Pieces for Partial {
    fn take(&mut self, endpoint: &Endpoint, data: &[u8], sink: &mut DeltaSink<'_>) -> Result<(), LmError> {
        if data == b"[DONE]" {
            return Ok(());
        }
        let piece: RawResponse<'_> = serde_json::from_slice(data).map_err(|e| endpoint.unreadable(e))?;
        if piece.error.is_some() {
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body: data }));
        }
        if let Some(reason) = piece.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            let message = format!("the prompt was blocked by the provider's filter ({reason})");
            return Err(LmError::new(LmErrorKind::ContentFilter, endpoint.id(), message));
        }
        self.id = piece.response_id.map_or_else(|| std::mem::take(&mut self.id), Cow::into_owned);
        self.model = piece.model_version.map_or_else(|| std::mem::take(&mut self.model), Cow::into_owned);
        if let Some(usage) = piece.usage_metadata {
            self.usage = usage;
        }
        for (i, raw) in piece.candidates.unwrap_or_default().into_iter().enumerate() {
            let index = raw.index.unwrap_or(i);
            if index >= MAX_INDEX {
                return Err(endpoint.unreadable("an index is too large"));
            }
            if index >= self.candidates.len() {
                self.candidates.resize_with(index + 1, PartialChoice::default);
            }
            let delta = self.candidates[index].add(raw);
            if !delta.text.is_empty() || !delta.reasoning.is_empty() {
                sink(Delta { choice: index, ..delta });
            }
        }
        Ok(())
    }

    fn done(&self) -> bool {
        // Usage may follow the last piece.
        false
    }

    fn finish(self: Box<Self>, endpoint: &Endpoint) -> Result<Response, LmError> {
        if self.candidates.is_empty() || self.candidates.iter().any(|c| c.finish.is_none()) {
            let message = "the answer broke off before its end";
            return Err(LmError::new(LmErrorKind::Transport, endpoint.id(), message));
        }
        Ok(Response {
            id: self.id,
            model: self.model,
            choices: self.candidates.into_iter().map(PartialChoice::finish).collect(),
            usage: self.usage.usage(),
            ..Response::default()
        })
    }
}

impl PartialChoice {
    fn add(&mut self, raw: RawCandidate<'_>) -> Delta {
        let mut delta = Delta::default();
        for part in raw.content.and_then(|content| content.parts).unwrap_or_default() {
            let thought = part.thought.unwrap_or(false);
            if let Some(text) = &part.text {
                if thought { &mut delta.reasoning } else { &mut delta.text }.push_str(text);
            }
            if let Some(call) = &part.function_call {
                let name = call.name.clone().unwrap_or_default().into_owned();
                let mut made = ToolCall::new(name, call.args.clone().unwrap_or_default());
                let id = call.id.as_deref().filter(|id| !id.is_empty()).map(str::to_owned);
                // What answers the call must be able to name it.
                made.id = id.or_else(|| Some(format!("{OWN_ID}{}", self.calls.len())));
                self.calls.push(made);
            }
            self.keep(part, thought);
        }
        self.text.push_str(&delta.text);
        self.reasoning.push_str(&delta.reasoning);
        if let Some(reason) = raw.finish_reason {
            self.finish = Some(reason.into_owned());
        }
        if let Some(result) = raw.logprobs_result {
            self.logprobs.extend(result.tokens());
        }
        let citations = raw.citation_metadata.and_then(|metadata| metadata.citations).unwrap_or_default();
        self.citations.extend(citations.into_iter().map(|raw| Citation {
            document_title: raw.title,
            url: raw.uri,
            answer_start: raw.start_index,
            answer_end: raw.end_index,
            ..Citation::default()
        }));
        if let Some(grounding) = raw.grounding_metadata {
            self.citations.extend(grounding.citations());
        }
        delta
    }

    /// Texts that follow each other are one part, unless one is signed.
    fn keep(&mut self, part: RawPart<'_>, thought: bool) {
        let signature = part.thought_signature.map(Cow::into_owned);
        if part.function_call.is_none()
            && let Some(text) = &part.text
            && let Some(last) = self.parts.last_mut()
            && last.thought_signature.is_none()
            && last.function_call.is_none()
            && last.thought.unwrap_or(false) == thought
        {
            last.text.get_or_insert_default().push_str(text);
            last.thought_signature = signature;
            return;
        }
        let function_call = part.function_call.map(|call| CallBack {
            id: call.id.map(Cow::into_owned),
            name: call.name.unwrap_or_default().into_owned(),
            args: call.args.unwrap_or_default(),
        });
        self.parts.push(PartBack {
            text: part.text.map(Cow::into_owned),
            thought: thought.then_some(true),
            function_call,
            thought_signature: signature,
        });
    }

    fn finish(mut self) -> Choice {
        // Places are counted in bytes here.
        for citation in &mut self.citations {
            for place in [&mut citation.answer_start, &mut citation.answer_end] {
                *place = place.map(|byte| cited::characters(&self.text, byte));
            }
        }
        let signed = self.parts.iter().any(|part| part.thought_signature.is_some());
        let back = || {
            let parts: Vec<_> =
                self.parts.iter().filter(|p| p.thought.is_none() || p.thought_signature.is_some()).collect();
            serde_json::to_string(&parts).ok()
        };
        let replay = if signed { back() } else { None };
        Choice {
            finish: finish(self.finish.as_deref(), !self.calls.is_empty()),
            text: self.text,
            reasoning: Some(self.reasoning).filter(|r| !r.is_empty()),
            tool_calls: self.calls,
            logprobs: self.logprobs,
            citations: self.citations,
            replay: replay.map(|json| Replay { wire: WIRE.into(), json }.into()),
        }
    }
}

fn finish(reason: Option<&str>, calls: bool) -> FinishReason {
    match reason.unwrap_or_default() {
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
            FinishReason::ContentFilter
        }
        "" | "STOP" | "FINISH_REASON_UNSPECIFIED" if calls => FinishReason::ToolCalls,
        "" | "STOP" | "FINISH_REASON_UNSPECIFIED" => FinishReason::Stop,
        other => FinishReason::Other(other.to_owned()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawResponse<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<RawCandidate<'a>>>,
    #[serde(default)]
    prompt_feedback: Option<RawFeedback>,
    #[serde(default)]
    usage_metadata: Option<RawUsage>,
    #[serde(borrow, default)]
    model_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    response_id: Option<Cow<'a, str>>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFeedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCandidate<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow, default)]
    content: Option<RawContent<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    logprobs_result: Option<RawLogprobs>,
    #[serde(default)]
    citation_metadata: Option<RawCitations>,
    #[serde(default)]
    grounding_metadata: Option<RawGrounding>,
}

#[derive(Deserialize)]
struct RawContent<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<RawPart<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPart<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(borrow, default)]
    function_call: Option<RawCall<'a>>,
    #[serde(borrow, default)]
    thought_signature: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    args: Option<Map<String, Value>>,
}

/// What a search found, and what of the answer rests on it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawGrounding {
    grounding_chunks: Vec<RawFound>,
    grounding_supports: Vec<RawSupport>,
}

/// One of these members is there.
#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
struct RawFound {
    web: Option<RawSource>,
    retrieved_context: Option<RawSource>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
struct RawSource {
    uri: Option<String>,
    title: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawSupport {
    segment: RawSegment,
    grounding_chunk_indices: Vec<usize>,
}

/// In bytes; a beginning of 0 is not said.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawSegment {
    start_index: usize,
    end_index: Option<usize>,
}

impl RawGrounding {
    /// One for each part of the answer and each source of it.
    fn citations(self) -> Vec<Citation> {
        let mut citations = Vec::new();
        for support in &self.grounding_supports {
            for index in &support.grounding_chunk_indices {
                let Some(found) = self.grounding_chunks.get(*index).cloned() else { continue };
                let source = found.web.or(found.retrieved_context).unwrap_or_default();
                citations.push(Citation {
                    cited_text: source.text.unwrap_or_default(),
                    document_title: source.title,
                    url: source.uri,
                    answer_start: support.segment.end_index.map(|_| support.segment.start_index),
                    answer_end: support.segment.end_index,
                    ..Citation::default()
                });
            }
        }
        citations
    }
}

#[derive(Deserialize)]
struct RawCitations {
    #[serde(default)]
    citations: Option<Vec<RawCitation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCitation {
    #[serde(default)]
    start_index: Option<usize>,
    #[serde(default)]
    end_index: Option<usize>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLogprobs {
    #[serde(default)]
    chosen_candidates: Vec<RawLogprob>,
    #[serde(default)]
    top_candidates: Vec<RawTop>,
}

#[derive(Deserialize)]
struct RawTop {
    #[serde(default)]
    candidates: Vec<RawLogprob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLogprob {
    #[serde(default)]
    token: String,
    #[serde(default)]
    log_probability: f64,
}

impl RawLogprobs {
    fn tokens(self) -> impl Iterator<Item = TokenLogprob> {
        let tops = self.top_candidates.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        self.chosen_candidates.into_iter().zip(tops).map(|(chosen, top)| TokenLogprob {
            token: chosen.token,
            logprob: chosen.log_probability,
            top: top
                .map(|top| top.candidates.into_iter().map(|t| (t.token, t.log_probability)).collect())
                .unwrap_or_default(),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawUsage {
    prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
}

impl RawUsage {
    /// Thinking is counted apart from the answer, and paid as it is.
    fn usage(&self) -> Usage {
        let thoughts = self.thoughts_token_count.unwrap_or(0);
        let mut usage = Usage::of_call(
            self.prompt_token_count.unwrap_or(0) + self.tool_use_prompt_token_count.unwrap_or(0),
            self.candidates_token_count.unwrap_or(0) + thoughts,
        );
        usage.cached_prompt_tokens = self.cached_content_token_count.unwrap_or(0);
        usage.reasoning_tokens = thoughts;
        usage
    }
}
