//! Requests to models.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Meter, Probe, Prompt, ToolSpec, private::is_secret};

/// Sampling options. A field that is `None` is left to the model's own default.
///
/// They can be set for a model, for a scope and for a predictor; a later one of these takes precedence.
///
/// ```
/// # use dspy_core::lm::Options;
/// let model = Options::new().temperature(0.0).seed(7);
/// let predictor = Options::new().temperature(0.7).max_tokens(200).extra("top_k", 40);
///
/// let request = model.overlaid(&predictor);
/// assert_eq!((request.temperature, request.seed), (Some(0.7), Some(7)));
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Options {
    /// Randomness of sampling; 0 is greedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling: the smallest set of tokens whose probability reaches this is sampled from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts at which generation stops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Seed of the provider's sampler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The number of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// How long a model that reasons may think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Asks for the log probabilities of the answer's tokens, and for those of this many of the likeliest tokens at each
    /// position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// Further parameters, passed to the provider unchanged.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// Headers of the request. They are part of the cache key, as far as their names are not those of secrets; their values
    /// are never shown nor saved.
    #[serde(skip)]
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for Options {
    /// Without the values of headers, nor those of further parameters whose names are those of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): (&String, &Value)| {
            (name.clone(), if is_secret(name) { "[redacted]".into() } else { value.clone() })
        };
        let extra: Map<String, Value> = self.extra.iter().map(shown).collect();
        f.debug_struct("Options")
            .field("temperature", &self.temperature)
            .field("top_p", &self.top_p)
            .field("max_tokens", &self.max_tokens)
            .field("stop", &self.stop)
            .field("seed", &self.seed)
            .field("n", &self.n)
            .field("reasoning_effort", &self.reasoning_effort)
            .field("logprobs", &self.logprobs)
            .field("extra", &extra)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// How long a model that reasons may think before it answers.
///
/// Providers have between two and seven levels, and some count tokens: the nearest that a model has is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// Little.
    Low,
    /// The middle.
    Medium,
    /// Much.
    High,
    /// More.
    XHigh,
    /// As much as the model can.
    Max,
}

impl ReasoningEffort {
    const ALL: [Self; 7] =
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// Its name: `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.as_str() == name)
    }
}

impl Options {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the temperature.
    #[must_use]
    pub fn temperature(mut self, t: f64) -> Self {
        self.temperature = Some(t);
        self
    }

    /// Sets nucleus sampling.
    #[must_use]
    pub fn top_p(mut self, p: f64) -> Self {
        self.top_p = Some(p);
        self
    }

    /// Sets the longest answer, in tokens.
    #[must_use]
    pub fn max_tokens(mut self, n: u32) -> Self {
        self.max_tokens = Some(n);
        self
    }

    /// Sets the texts at which generation stops.
    #[must_use]
    pub fn stop<T: Into<String>>(mut self, stop: impl IntoIterator<Item = T>) -> Self {
        self.stop = stop.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the seed of the provider's sampler.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the number of answers.
    #[must_use]
    pub fn n(mut self, n: u32) -> Self {
        self.n = Some(n);
        self
    }

    /// Sets how long a model that reasons may think.
    #[must_use]
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning_effort = Some(effort);
        self
    }

    /// Asks for the log probabilities of the answer's tokens, and of the `top` likeliest at each position.
    #[must_use]
    pub fn logprobs(mut self, top: u32) -> Self {
        self.logprobs = Some(top);
        self
    }

    /// Adds a header. See [`Options::headers`].
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Adds a parameter that is passed to the provider unchanged.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    /// These options, overridden by those that `over` sets.
    #[must_use]
    pub fn overlaid(&self, over: &Self) -> Self {
        let mut options = over.clone();
        options.fill_from(self);
        options
    }

    /// Sets from `defaults` what these options leave open: [`Options::overlaid`] in place, without copies where
    /// there is nothing to copy.
    pub fn fill_from(&mut self, defaults: &Self) {
        self.temperature = self.temperature.or(defaults.temperature);
        self.top_p = self.top_p.or(defaults.top_p);
        self.max_tokens = self.max_tokens.or(defaults.max_tokens);
        self.seed = self.seed.or(defaults.seed);
        self.n = self.n.or(defaults.n);
        self.reasoning_effort = self.reasoning_effort.or(defaults.reasoning_effort);
        self.logprobs = self.logprobs.or(defaults.logprobs);
        if self.stop.is_empty() && !defaults.stop.is_empty() {
            self.stop.clone_from(&defaults.stop);
        }
        for (name, value) in &defaults.extra {
            if !self.extra.contains_key(name) {
                self.extra.insert(name.clone(), value.clone());
            }
        }
        for (name, value) in &defaults.headers {
            if !self.headers.contains_key(name) {
                self.headers.insert(name.clone(), value.clone());
            }
        }
    }

    /// Whether no option is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The form of the answer that the provider enforces.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Free text.
    #[default]
    Text,
    /// One JSON object.
    JsonObject,
    /// One JSON value that satisfies a schema.
    JsonSchema {
        /// A name for the schema.
        name: String,
        /// The schema, in the provider's strict form.
        schema: Arc<Value>,
    },
}

/// Whether and which tools a model calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// As the model decides.
    #[default]
    Auto,
    /// No tool, although there are some.
    None,
    /// At least one tool.
    Required,
    /// The tool of this name.
    Tool(String),
}

/// One request to a model.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Request {
    /// The messages.
    pub prompt: Prompt,
    /// Sampling options, complete.
    pub options: Options,
    /// The form of the answer that the provider enforces.
    pub format: ResponseFormat,
    /// The tools that the model may call natively.
    pub tools: Vec<ToolSpec>,
    /// Whether and which of them it calls. Nothing is sent where there are no tools.
    pub tool_choice: ToolChoice,
    /// The number of the sample: equal requests with different rollouts have different cache keys.
    pub rollout: u64,
    /// Whether a cached answer may be used, and the answer is cached.
    pub cache: bool,
    /// What counts the request, and may refuse it.
    pub(crate) meter: Option<Arc<Meter>>,
    /// Who is told of what becomes of it.
    pub(crate) probe: Option<Arc<dyn Probe>>,
}

impl Request {
    /// A request of these messages, cached, with default options.
    pub fn new(prompt: impl Into<Prompt>) -> Self {
        Self {
            prompt: prompt.into(),
            options: Options::default(),
            format: ResponseFormat::default(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            rollout: 0,
            cache: true,
            meter: None,
            probe: None,
        }
    }
}
