//! Responses of models.

use std::{
    fmt,
    ops::{Add, AddAssign},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Message, Replay, ToolCall};
use crate::{LmErrorKind, quota::Quota, value::Citation};

/// Why generation ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The answer is complete.
    #[default]
    Stop,
    /// The token limit cut the answer off.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// The provider's filter withheld the answer.
    ContentFilter,
    /// The model declined to answer.
    Refusal,
    /// Another reason, in the provider's words.
    Other(String),
}

/// One answer of a response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Choice {
    /// The text.
    pub text: String,
    /// Reasoning content that the provider returns separately from the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Native tool calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    #[serde(default)]
    pub finish: FinishReason,
    /// The log probabilities of the tokens, if they were requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<TokenLogprob>,
    /// The places of documents that the text rests on, where the provider names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// What the provider wants back with this answer when the conversation goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Arc<Replay>>,
}

/// The log probability of a token of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability, before the temperature.
    pub logprob: f64,
    /// The most likely tokens at its position with their log probabilities, as many as were requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<(String, f64)>,
}

impl Choice {
    /// A complete answer of this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The answer as a message of the conversation, with its tool calls, so that their results can follow.
    pub fn to_message(&self) -> Message {
        Message {
            tool_calls: self.tool_calls.clone(),
            replay: self.replay.clone(),
            ..Message::assistant(self.text.as_str())
        }
    }
}

/// A model's response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Response {
    /// The provider's id of the response.
    #[serde(default)]
    pub id: String,
    /// The model that answered, in the provider's words.
    #[serde(default)]
    pub model: String,
    /// The answers: as many as were requested, at least one.
    pub choices: Vec<Choice>,
    /// The usage.
    #[serde(default)]
    pub usage: Usage,
    /// How long the provider took, in whole milliseconds; zero when it was not measured. A cached response keeps it.
    #[serde(default, with = "millis", skip_serializing_if = "Duration::is_zero")]
    pub latency: Duration,
    /// Which of several models answered, as `provider/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answered_by: Option<Arc<str>>,
    /// What the provider says is left of the account's limits. The client takes it out.
    #[serde(skip)]
    pub(crate) quota: Option<Box<Quota>>,
}

/// A duration as a number of milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(d: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

impl Response {
    /// Why there is no answer to read: all of them were withheld by the provider's filter, or are refusals.
    pub(crate) fn withheld(&self) -> Option<LmErrorKind> {
        let kind = |choice: &Choice| match choice.finish {
            FinishReason::ContentFilter => Some(LmErrorKind::ContentFilter),
            FinishReason::Refusal => Some(LmErrorKind::Refusal),
            _ => None,
        };
        let first = kind(self.choices.first()?)?;
        self.choices.iter().all(|choice| kind(choice).is_some()).then_some(first)
    }

    /// A response of one complete answer, for models written by hand.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(vec![Choice::text(text)])
    }

    /// A response of these answers.
    pub fn new(choices: Vec<Choice>) -> Self {
        Self { choices, usage: Usage { calls: 1, ..Usage::default() }, ..Self::default() }
    }

    /// Sets the usage.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }
}

/// Tokens and calls spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Requests that a model answered.
    pub calls: u64,
    /// Requests that a cache answered.
    pub cached_calls: u64,
    /// Answers of models that should have been kept on disk, and could not be (contained in `calls`).
    #[serde(skip_serializing_if = "is_zero")]
    pub unsaved_calls: u64,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// Prompt tokens that the provider had cached (contained in `prompt_tokens`).
    pub cached_prompt_tokens: u64,
    /// Prompt tokens that the provider wrote into its cache, where it charges for that (contained in `prompt_tokens`).
    pub cache_write_tokens: u64,
    /// Answer tokens spent on reasoning (contained in `completion_tokens`).
    pub reasoning_tokens: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Usage {
    /// One call of this many tokens.
    pub fn of_call(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self { calls: 1, prompt_tokens, completion_tokens, ..Self::default() }
    }

    /// Prompt and answer tokens together.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }
}

impl fmt::Display for Usage {
    /// `12 calls, 3 answers from the cache, 4567 tokens`, with the numbers of the fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, cached, tokens) = (self.calls, self.cached_calls, self.total_tokens());
        write!(f, "{calls} calls, {cached} answers from the cache, {tokens} tokens")?;
        match self.unsaved_calls {
            0 => Ok(()),
            n => write!(f, "; {n} answers could not be kept on disk"),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, o: Self) {
        self.calls += o.calls;
        self.cached_calls += o.cached_calls;
        self.unsaved_calls += o.unsaved_calls;
        self.prompt_tokens += o.prompt_tokens;
        self.completion_tokens += o.completion_tokens;
        self.cached_prompt_tokens += o.cached_prompt_tokens;
        self.cache_write_tokens += o.cache_write_tokens;
        self.reasoning_tokens += o.reasoning_tokens;
    }
}

impl Add for Usage {
    type Output = Self;
    fn add(mut self, o: Self) -> Self {
        self += o;
        self
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::default(), Add::add)
    }
}
