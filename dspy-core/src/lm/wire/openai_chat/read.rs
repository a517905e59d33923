//! The bytes of an answer as a [`Response`], read into types and without a tree.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use serde_json::Value;

use crate::{
    LmError,
    lm::{
        Choice, FinishReason, Response, TokenLogprob, ToolCall, Usage, call,
        wire::{endpoint::Endpoint, failure::Reply},
    },
};

/// Reads a whole answer.
pub(super) fn response(endpoint: &Endpoint, body: &[u8]) -> Result<Response, LmError> {
    // Checked as a whole, which is faster than string by string.
    let text = std::str::from_utf8(body).map_err(|e| endpoint.unreadable(e))?;
    let completion: Completion<'_> = serde_json::from_str(text).map_err(|e| endpoint.unreadable(e))?;
    if completion.error.is_some() {
        // Some gateways report failures with the status of a success.
        return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body }));
    }
    if completion.choices.is_empty() {
        return Err(endpoint.unreadable("it has no choices"));
    }
    let mut choices = completion.choices;
    // Asked for several, servers may answer in any order.
    choices.sort_by_key(|(index, _)| *index);
    Ok(Response {
        id: completion.id.unwrap_or_default().into_owned(),
        model: completion.model.unwrap_or_default().into_owned(),
        choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        usage: usage(completion.usage),
        ..Response::default()
    })
}

fn choice(raw: RawChoice<'_>) -> (u64, Choice) {
    let message = raw.message.unwrap_or_default();
    let tool_calls: Vec<_> = message.tool_calls.unwrap_or_default().into_iter().map(tool_call).collect();
    let refused = message.content.as_deref().is_none_or(str::is_empty)
        && message.refusal.as_deref().is_some_and(|refusal| !refusal.is_empty());
    let finish = match refused {
        true => FinishReason::Refusal,
        false => finish(raw.finish_reason.as_deref(), !tool_calls.is_empty()),
    };
    let choice = Choice {
        text: match (message.content, message.refusal) {
            (Some(text), _) if !text.is_empty() => text.into_owned(),
            (_, refusal) => refusal.unwrap_or_default().into_owned(),
        },
        reasoning: [message.reasoning_content, message.reasoning]
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .map(Text::into_owned),
        tool_calls,
        finish,
        logprobs: logprobs(raw.logprobs).collect(),
        ..Choice::default()
    };
    (raw.index.unwrap_or(0), choice)
}

fn tool_call(raw: RawCall<'_>) -> ToolCall {
    let function = raw.function.unwrap_or_default();
    call::tool_call(
        raw.id.unwrap_or_default().into_owned(),
        function.name.unwrap_or_default().into_owned(),
        &call::arguments(function.arguments),
    )
}

/// Why an answer ended, in the protocol's words. A call is a call even where a server says "stop".
pub(super) fn finish(reason: Option<&str>, calls: bool) -> FinishReason {
    match reason {
        Some("length" | "max_tokens") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some("refusal") => FinishReason::Refusal,
        Some("tool_calls" | "function_call") => FinishReason::ToolCalls,
        None | Some("stop" | "") if calls => FinishReason::ToolCalls,
        None | Some("stop" | "eos" | "end_turn" | "") => FinishReason::Stop,
        Some(other) => FinishReason::Other(other.to_owned()),
    }
}

/// How likely the tokens of an answer, or of a piece of one, were.
pub(super) fn logprobs(raw: Option<RawLogprobs>) -> impl Iterator<Item = TokenLogprob> {
    let tokens = raw.and_then(|raw| raw.content).unwrap_or_default();
    tokens.into_iter().map(|raw| TokenLogprob {
        token: raw.token,
        logprob: raw.logprob,
        top: raw.top_logprobs.unwrap_or_default().into_iter().map(|t| (t.token, t.logprob)).collect(),
    })
}

pub(super) fn usage(raw: Option<RawUsage>) -> Usage {
    let raw = raw.unwrap_or_default();
    let prompt = raw.prompt_tokens_details.unwrap_or_default();
    Usage {
        calls: 1,
        cached_calls: 0,
        unsaved_calls: 0,
        prompt_tokens: raw.prompt_tokens.unwrap_or(0),
        completion_tokens: raw.completion_tokens.unwrap_or(0),
        cached_prompt_tokens: prompt.cached_tokens.or(raw.prompt_cache_hit_tokens).unwrap_or(0),
        cache_write_tokens: prompt.cache_write_tokens.unwrap_or(0),
        reasoning_tokens: raw.completion_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or(0),
    }
}

#[derive(Deserialize)]
struct Completion<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(default, deserialize_with = "choices")]
    choices: Vec<(u64, Choice)>,
    #[serde(default)]
    usage: Option<RawUsage>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawChoice<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    message: Option<RawMessage<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
    #[serde(default)]
    logprobs: Option<RawLogprobs>,
}

#[derive(Deserialize)]
pub(super) struct RawLogprobs {
    #[serde(default)]
    content: Option<Vec<RawLogprob>>,
}

#[derive(Deserialize)]
struct RawLogprob {
    token: String,
    logprob: f64,
    #[serde(default)]
    top_logprobs: Option<Vec<RawLogprob>>,
}

#[derive(Deserialize, Default)]
struct RawMessage<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<RawCall<'a>>>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<RawFunction<'a>>,
}

#[derive(Deserialize, Default)]
struct RawFunction<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize, Default)]
pub(super) struct RawUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached prompt tokens.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

/// The answers with their numbers, each taken for what it is as soon as it is read: what they are read into is large.
fn choices<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(u64, Choice)>, D::Error> {
    struct Choices;
    impl<'de> Visitor<'de> for Choices {
        type Value = Vec<(u64, Choice)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of answers")
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::with_capacity(1);
            while let Some(raw) = seq.next_element::<RawChoice<'de>>()? {
                all.push(choice(raw));
            }
            Ok(all)
        }
    }
    d.deserialize_any(Choices)
}

/// `null` as the default.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// Text in any of the forms in which servers send it: a string, a list of parts with `text` in them, or an object, whose
/// JSON is the text.
#[derive(Default)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    pub(super) fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, or a list of parts")
            }
            fn visit_borrowed_str<E: de::Error>(self, s: &'de str) -> Result<Self::Value, E> {
                Ok(Text(s.into()))
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Self::Value, E> {
                self.visit_string(s.to_owned())
            }
            fn visit_string<E: de::Error>(self, s: String) -> Result<Self::Value, E> {
                Ok(Text(s.into()))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut all = String::new();
                while let Some(part) = seq.next_element::<ContentPart>()? {
                    match part {
                        ContentPart::Plain(text) => all.push_str(&text),
                        ContentPart::Block { text } => all.push_str(&text.unwrap_or_default()),
                    }
                }
                Ok(Text(all.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let value = Value::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Text(value.to_string().into()))
            }
        }
        d.deserialize_any(TextVisitor)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ContentPart {
    Plain(String),
    Block {
        #[serde(default)]
        text: Option<String>,
    },
}
