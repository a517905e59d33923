//! The bytes of an answer as a [`Response`], read into types and without a tree.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use serde_json::Value;

use super::{
    loose::{Count, List, Number, Object, Word, WordOr},
    replay::{self, Beside},
};
use crate::{
    LmError,
    lm::{
        Choice, FinishReason, Response, TokenLogprob, ToolCall, Usage, call,
        wire::{endpoint::Endpoint, failure::Reply},
    },
    value::Citation,
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
        if completion.message.is_some() || completion.detail.is_some() {
            return Err(endpoint.refused(&Reply { status: 200, retry_after: None, body }));
        }
        return Err(endpoint.unreadable("it has no choices"));
    }
    let mut choices = completion.choices;
    let sources = found(completion.search_results, completion.citations);
    for (_, choice) in &mut choices {
        choice.citations.extend(sources.iter().cloned());
    }
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

/// The sources of an answer, where a server names them beside it: as what a search found, else as addresses.
pub(super) fn found(results: List<RawSource>, addresses: List<RawSource>) -> Vec<Citation> {
    let cited = |sources: List<RawSource>| sources.0.into_iter().filter_map(RawSource::cited).collect();
    let found: Vec<Citation> = cited(results);
    if found.is_empty() { cited(addresses) } else { found }
}

fn choice(raw: RawChoice<'_>) -> (u64, Choice) {
    let message = raw.message.unwrap_or_default();
    let (tool_calls, extras): (Vec<_>, Vec<_>) =
        message.tool_calls.unwrap_or_default().into_iter().map(tool_call).unzip();
    let refused = message.content.as_deref().is_none_or(str::is_empty)
        && message.refusal.as_deref().is_some_and(|refusal| !refusal.is_empty());
    let finish = match refused {
        true => FinishReason::Refusal,
        false => finish(raw.finish_reason.as_deref(), !tool_calls.is_empty()),
    };
    let (content, thought) = message.content.unwrap_or_default().parted();
    let beside = Beside {
        reasoning_content: message.reasoning_content.unwrap_or_default().into_owned(),
        reasoning_details: message.reasoning_details.0,
    };
    let replay = replay::replay(&content, &beside, &tool_calls, &extras);
    let apart =
        [Some(beside.reasoning_content), message.reasoning.map(Text::into_owned)].into_iter().flatten();
    let choice = Choice {
        text: match message.refusal {
            Some(refusal) if content.is_empty() => refusal.into_owned(),
            _ => content,
        },
        reasoning: apart.chain(thought).find(|text| !text.is_empty()),
        tool_calls,
        finish,
        logprobs: logprobs(raw.logprobs).collect(),
        citations: citations(message.annotations).collect(),
        replay,
    };
    (raw.index.unwrap_or(0), choice)
}

/// What the annotations of a text cite.
pub(super) fn citations(raw: List<Object<RawAnnotation>>) -> impl Iterator<Item = Citation> {
    raw.0.into_iter().filter_map(|annotation| annotation.0.url_citation.cited())
}

fn tool_call(raw: RawCall<'_>) -> (ToolCall, Option<Value>) {
    let function = raw.function.unwrap_or_default();
    let call = call::tool_call(
        raw.id.unwrap_or_default().into_owned(),
        function.name.unwrap_or_default().into_owned(),
        &call::arguments(function.arguments),
    );
    (call, raw.extra_content)
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
pub(super) fn logprobs(raw: Object<RawLogprobs>) -> impl Iterator<Item = TokenLogprob> {
    raw.0.content.0.into_iter().filter_map(|Object(raw)| {
        let top = raw.top_logprobs.0.into_iter();
        Some(TokenLogprob {
            token: raw.token.0.unwrap_or_default(),
            logprob: raw.logprob.0?,
            top: top.filter_map(|Object(t)| Some((t.token.0.unwrap_or_default(), t.logprob.0?))).collect(),
        })
    })
}

pub(super) fn usage(Object(raw): Object<RawUsage>) -> Usage {
    let prompt = raw.prompt_tokens_details.0;
    Usage {
        calls: 1,
        cached_calls: 0,
        unsaved_calls: 0,
        prompt_tokens: raw.prompt_tokens.0.unwrap_or(0),
        completion_tokens: raw.completion_tokens.0.unwrap_or(0),
        cached_prompt_tokens: prompt.cached_tokens.0.or(raw.prompt_cache_hit_tokens.0).unwrap_or(0),
        cache_write_tokens: prompt.cache_write_tokens.0.unwrap_or(0),
        reasoning_tokens: raw
            .completion_tokens_details
            .0
            .reasoning_tokens
            .0
            .or(raw.reasoning_tokens.0)
            .unwrap_or(0),
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
    usage: Object<RawUsage>,
    #[serde(default)]
    search_results: List<RawSource>,
    #[serde(default)]
    citations: List<RawSource>,
    #[serde(default)]
    error: Option<IgnoredAny>,
    /// What some say instead, beside nothing else.
    #[serde(default)]
    message: Option<IgnoredAny>,
    #[serde(default)]
    detail: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
pub(super) struct RawAnnotation {
    #[serde(default)]
    url_citation: RawSource,
}

/// A page of the web: its address alone, or with what is known of it.
#[derive(Default)]
pub(super) struct RawSource {
    url: Option<String>,
    title: Option<String>,
    snippet: Option<String>,
    start: Option<u64>,
    end: Option<u64>,
}

impl RawSource {
    fn cited(self) -> Option<Citation> {
        let place = |at: Option<u64>| at.and_then(|at| usize::try_from(at).ok());
        (self.url.is_some() || self.title.is_some() || self.snippet.is_some()).then(|| Citation {
            cited_text: self.snippet.unwrap_or_default(),
            document_title: self.title,
            url: self.url,
            answer_start: place(self.start),
            answer_end: place(self.end),
            ..Citation::default()
        })
    }
}

impl<'de> Deserialize<'de> for RawSource {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize, Default)]
        struct Known {
            #[serde(default)]
            url: Word,
            #[serde(default)]
            title: Word,
            #[serde(default)]
            snippet: Word,
            #[serde(default)]
            start_index: Count,
            #[serde(default)]
            end_index: Count,
        }
        Ok(match WordOr::<Known>::deserialize(d)? {
            WordOr::Word(url) => Self { url: Some(url), ..Self::default() },
            WordOr::Object(known) => Self {
                url: known.url.0,
                title: known.title.0,
                snippet: known.snippet.0,
                start: known.start_index.0,
                end: known.end_index.0,
            },
        })
    }
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
    logprobs: Object<RawLogprobs>,
}

#[derive(Deserialize, Default)]
pub(super) struct RawLogprobs {
    #[serde(default)]
    content: List<Object<RawLogprob>>,
}

#[derive(Deserialize, Default)]
struct RawLogprob {
    #[serde(default)]
    token: Word,
    #[serde(default)]
    logprob: Number,
    #[serde(default)]
    top_logprobs: List<Object<RawLogprob>>,
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
    #[serde(default)]
    reasoning_details: List<Value>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<RawCall<'a>>>,
    #[serde(default)]
    annotations: List<Object<RawAnnotation>>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<RawFunction<'a>>,
    #[serde(default)]
    extra_content: Option<Value>,
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
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    prompt_tokens_details: Object<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Object<CompletionDetails>,
    /// Where Perplexity has it.
    #[serde(default)]
    reasoning_tokens: Count,
    /// DeepSeek's name for cached prompt tokens.
    #[serde(default)]
    prompt_cache_hit_tokens: Count,
}

#[derive(Deserialize, Default)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    cache_write_tokens: Count,
}

#[derive(Deserialize, Default)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Count,
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

/// Text in any of the forms in which servers send it: a string, a list of parts with `text` in them, some of which may be
/// thinking, or an object, whose JSON is the text.
#[derive(Default)]
pub(super) struct Text<'a>(Cow<'a, str>, Option<String>);

impl Text<'_> {
    /// The text, and the thinking that came in the same list.
    pub(super) fn parted(self) -> (String, Option<String>) {
        (self.0.into_owned(), self.1)
    }

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
                Ok(Text(s.into(), None))
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Self::Value, E> {
                self.visit_string(s.to_owned())
            }
            fn visit_string<E: de::Error>(self, s: String) -> Result<Self::Value, E> {
                Ok(Text(s.into(), None))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_bool<E: de::Error>(self, b: bool) -> Result<Self::Value, E> {
                self.visit_string(b.to_string())
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Self::Value, E> {
                self.visit_string(n.to_string())
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
                self.visit_string(n.to_string())
            }
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<Self::Value, E> {
                self.visit_string(n.to_string())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let (mut all, mut thought) = (String::new(), String::new());
                while let Some(part) = seq.next_element::<ContentPart>()? {
                    match part {
                        ContentPart::Plain(text) => all.push_str(&text),
                        ContentPart::Block { text, summary, thinking } => {
                            all.push_str(&text.unwrap_or_default());
                            let thoughts = summary.into_iter().chain(thinking).flatten();
                            thought.extend(thoughts.filter_map(|part| part.text));
                        }
                    }
                }
                Ok(Text(all.into(), Some(thought).filter(|thought| !thought.is_empty())))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let value = Value::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Text(value.to_string().into(), None))
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
        /// The thinking of models behind Databricks.
        #[serde(default)]
        summary: Option<Vec<ThoughtPart>>,
        /// That of Mistral's.
        #[serde(default)]
        thinking: Option<Vec<ThoughtPart>>,
    },
}

#[derive(Deserialize)]
struct ThoughtPart {
    #[serde(default)]
    text: Option<String>,
}
