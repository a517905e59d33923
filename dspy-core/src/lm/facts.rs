//! What is known of models: limits, prices, and what differs from their provider's other models.
//!
//! The facts are data with a date, in a file that is part of the library ([`date`]); a file of the user's own is laid over
//! it with [`load`], or by naming it in the variable `DSPY_MODELS` (if that cannot be read, no model of a provider is set up):
//!
//! ```json
//! {
//!   "models": {
//!     "openai/gpt-4o-mini": { "price": { "input": 0.15, "output": 0.6, "cached_input": 0.075 } },
//!     "hosted_vllm/our-model": { "context": 32768, "json_schema": true }
//!   }
//! }
//! ```
//!
//! An entry also stands for the versions of its model (`gpt-4o-mini-2024-07-18`, `claude-opus-4-5@20251101`). Other models whose
//! names begin like it (`gpt-4o-mini-audio-preview`) have its peculiarities, but neither its limits nor its price.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::Path,
    sync::{LazyLock, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};

use super::{Capabilities, Usage};
use crate::{LmError, LmErrorKind};

/// What is known of a model; nothing where a field is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Facts {
    /// The longest prompt, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// The longest answer, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Whether it takes `temperature` and `top_p`. To a model that does not, they are not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<bool>,
    /// How it is told how long to think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Whether the parameter that limits an answer is called `max_completion_tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<bool>,
    /// See [`Capabilities::json_schema`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<bool>,
    /// See [`Capabilities::tools`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<bool>,
    /// See [`Capabilities::images`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<bool>,
    /// See [`Capabilities::audio`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    /// See [`Capabilities::files`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<bool>,
    /// See [`Capabilities::logprobs`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// See [`Capabilities::citations`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citations: Option<bool>,
    /// Whether the end of a constant prefix can be marked for the provider's prompt cache, where not all models of a
    /// provider have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_caching: Option<bool>,
}

/// How a model is told how long to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Thinking {
    /// By a word for the effort.
    Effort,
    /// By a number of tokens.
    Budget,
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Price {
    /// Tokens of prompts.
    pub input: f64,
    /// Tokens of answers.
    pub output: f64,
    /// Tokens of prompts that the provider had cached; those of `input` where it is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Tokens of prompts that the provider wrote into its cache; those of `input` where it is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
}

impl Price {
    /// A price in US dollars for a million tokens of prompts and a million tokens of answers.
    pub fn per_million(input: f64, output: f64) -> Self {
        Self { input, output, cached_input: None, cache_write: None }
    }

    /// Sets the price of prompt tokens that the provider had cached.
    #[must_use]
    pub fn cached_input(mut self, price: f64) -> Self {
        self.cached_input = Some(price);
        self
    }

    /// Sets the price of prompt tokens that the provider wrote into its cache.
    #[must_use]
    pub fn cache_write(mut self, price: f64) -> Self {
        self.cache_write = Some(price);
        self
    }

    /// What this usage costs, in US dollars.
    pub fn of(&self, usage: &Usage) -> f64 {
        let read = usage.cached_prompt_tokens.min(usage.prompt_tokens);
        let written = usage.cache_write_tokens.min(usage.prompt_tokens - read);
        let parts = [
            (usage.prompt_tokens - read - written, self.input),
            (read, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (usage.completion_tokens, self.output),
        ];
        parts.iter().map(|(tokens, price)| *tokens as f64 * price).sum::<f64>() / 1e6
    }
}

impl Facts {
    /// These facts, where they say nothing those of `under`.
    fn over(self, under: Self) -> Self {
        Self {
            context: self.context.or(under.context),
            max_output: self.max_output.or(under.max_output),
            price: self.price.or(under.price),
            sampling: self.sampling.or(under.sampling),
            thinking: self.thinking.or(under.thinking),
            max_completion_tokens: self.max_completion_tokens.or(under.max_completion_tokens),
            json_schema: self.json_schema.or(under.json_schema),
            tools: self.tools.or(under.tools),
            images: self.images.or(under.images),
            audio: self.audio.or(under.audio),
            files: self.files.or(under.files),
            logprobs: self.logprobs.or(under.logprobs),
            citations: self.citations.or(under.citations),
            prompt_caching: self.prompt_caching.or(under.prompt_caching),
        }
    }

    /// What a model can do of which these facts are known, and otherwise `default`.
    pub(super) fn capabilities(&self, default: Capabilities) -> Capabilities {
        let mut able = default;
        for (known, able) in [
            (self.json_schema, &mut able.json_schema),
            (self.tools, &mut able.tools),
            (self.images, &mut able.images),
            (self.audio, &mut able.audio),
            (self.files, &mut able.files),
            (self.logprobs, &mut able.logprobs),
            (self.citations, &mut able.citations),
        ] {
            *able = known.unwrap_or(*able);
        }
        able
    }
}

/// Facts by the model's identifier, or what it begins with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    date: String,
    models: BTreeMap<String, Facts>,
}

impl Table {
    fn find(&self, model: &str) -> Facts {
        // All names that `model` begins with are among those before it in the order of names.
        let first_byte = model.get(..1).unwrap_or_default();
        for (name, facts) in self.models.range(first_byte.to_owned()..=model.to_owned()).rev() {
            let Some(rest) = model.strip_prefix(name.as_str()) else { continue };
            if is_version(rest) {
                return *facts;
            }
            return Facts { context: None, max_output: None, price: None, ..*facts };
        }
        Facts::default()
    }
}

/// Whether what follows a model's name tells one version of it.
fn is_version(rest: &str) -> bool {
    // Bedrock ends with its own count of versions: `-20251001-v1:0`.
    let rest = rest.rsplit_once("-v").filter(|(_, n)| n.bytes().all(is_count)).map_or(rest, |(rest, _)| rest);
    let Some(version) = rest.strip_prefix(['-', '@', ':']) else { return rest.is_empty() };
    version == "latest" || version.len() >= 3 && version.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

fn is_count(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b':'
}

/// The name under which a model is known: without what says where a provider serves it.
fn known_name(model: &str) -> Cow<'_, str> {
    // Models of one provider that another serves under the same names.
    if let Some(name) = model.strip_prefix("azure/") {
        return format!("openai/{name}").into();
    }
    if let Some(name) = model.strip_prefix("vertex_ai/") {
        return format!("gemini/{name}").into();
    }
    let Some(name) = model.strip_prefix("bedrock/") else { return model.into() };
    // The profile of an ARN, and the regions between which a profile chooses, as in `us.amazon.nova-lite-v1:0`.
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let name =
        name.split_once('.').filter(|(first, _)| REGIONS.contains(first)).map_or(name, |(_, name)| name);
    format!("bedrock/{name}").into()
}

/// How the names of Bedrock's profiles begin that choose between regions.
const REGIONS: &[&str] = &["apac", "au", "ca", "eu", "global", "jp", "us", "us-gov"];

/// The facts that come with the library.
static BUILT_IN: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// Those of the file that the environment names, or what is wrong with it.
static NAMED: LazyLock<Result<Option<Table>, String>> = LazyLock::new(|| {
    let path = std::env::var_os("DSPY_MODELS").filter(|path| !path.is_empty());
    path.map(|path| read(Path::new(&path))).transpose().map_err(|message| {
        tracing::warn!(message, "the file named in DSPY_MODELS is passed over");
        format!("the file of facts that DSPY_MODELS names cannot be used: {message}")
    })
});

/// What is wrong with the file that the environment names.
pub(super) fn problem() -> Option<&'static str> {
    NAMED.as_ref().err().map(String::as_str)
}

/// Those of the user, the last loaded last.
static OWN: LazyLock<RwLock<Vec<Table>>> =
    LazyLock::new(|| RwLock::new(NAMED.iter().flatten().cloned().collect()));

/// What is known of the model `provider/name`.
///
/// ```
/// let facts = dspy_core::lm::facts::of("openai/gpt-4o-mini");
/// assert!(facts.context.is_some() && facts.price.is_some());
/// ```
pub fn of(model: &str) -> Facts {
    let name = known_name(model);
    let own = OWN.read().unwrap_or_else(PoisonError::into_inner);
    let known = BUILT_IN.find(&name);
    own.iter().fold(known, |known, table| table.find(model).over(table.find(&name)).over(known))
}

/// The day on which the facts that come with the library were looked up, as `2026-11-21`.
pub fn date() -> &'static str {
    &BUILT_IN.date
}

/// Lays the facts of a JSON file over those that are known, for the models that are set up from now on and for all costs.
///
/// # Errors
/// [`LmErrorKind::Configuration`] when the file cannot be read or is not of the form shown in [this module](self).
pub fn load(path: impl AsRef<Path>) -> Result<(), LmError> {
    let table =
        read(path.as_ref()).map_err(|message| LmError::new(LmErrorKind::Configuration, "facts", message))?;
    OWN.write().unwrap_or_else(PoisonError::into_inner).push(table);
    Ok(())
}

fn read(path: &Path) -> Result<Table, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    let table: Table =
        serde_json::from_str(&text).map_err(|e| format!("{shown} holds no facts of models: {e}"))?;
    for (name, facts) in &table.models {
        if !name.contains('/') {
            return Err(format!("{shown} names the model `{name}`; models are named `provider/model`"));
        }
        let Some(Price { input, output, cached_input, cache_write }) = facts.price else { continue };
        let prices = [Some(input), Some(output), cached_input, cache_write];
        if let Some(wrong) = prices.into_iter().flatten().find(|price| *price < 0.0) {
            return Err(format!(
                "{shown} has a price of {wrong} for `{name}`; a price is a number from 0 up"
            ));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_comes_along_can_be_read() {
        assert!(BUILT_IN.models.len() > 40);
        assert_eq!(date().len(), "2026-11-21".len());
        for (name, facts) in &BUILT_IN.models {
            assert!(name.contains('/'), "{name}");
            if let Some(price) = facts.price {
                assert!(price.cached_input.is_none_or(|cached| cached <= price.input), "{name}");
                // Vectors are no tokens.
                assert!(price.output >= price.input || price.output == 0.0, "{name}");
            }
        }
    }

    #[test]
    fn versions_have_all_facts_and_relatives_only_the_peculiarities() {
        let mini = of("openai/gpt-4o-mini");
        assert_eq!(of("openai/gpt-4o-mini-2024-07-18"), mini);
        assert_eq!(of("azure/gpt-4o-mini"), mini);
        assert_eq!(of("vertex_ai/gemini-2.5-flash"), of("gemini/gemini-2.5-flash"));
        let claude = of("bedrock/anthropic.claude-haiku-4-5");
        assert_eq!((claude.max_output, claude.citations), (Some(64_000), Some(true)));
        for name in [
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "arn:aws:bedrock:eu-west-3:1:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
        ] {
            assert_eq!(of(&format!("bedrock/{name}")), claude, "{name}");
        }
        assert_eq!(of("openai/o3-mini-new").max_completion_tokens, Some(true));
        assert_eq!(of("openai/o3-mini-new").price, None);
        assert_eq!(of("openai/gpt-5-chat-latest").max_completion_tokens, Some(false));
        assert_eq!(of("nowhere/m"), Facts::default());
        assert_eq!(of(""), Facts::default());
        assert_eq!(of("é"), Facts::default());
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.json");
        for (content, parts) in [
            ("", &["EOF"][..]),
            ("[]", &["models.json", "line 1"]),
            (r#"{"models": {"own/m": {"context": "long"}}}"#, &["\"long\"", "line 1"]),
            (r#"{"models": {"own/m": {"contxt": 1}}}"#, &["contxt", "context"]),
            (r#"{"models": {"own/m": {"price": {"input": 1}}}}"#, &["output"]),
            (
                r#"{"models": {"own/m": {"price": {"input": -1, "output": 2}}}}"#,
                &["own/m", "-1", "from 0 up"],
            ),
            (r#"{"models": {"m": {"context": 1}}}"#, &["`m`", "provider/model"]),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(
                error.contains("models.json") && parts.iter().all(|part| error.contains(part)),
                "{error}"
            );
        }
        assert!(load(folder.path().join("none")).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn what_the_provider_had_cached_has_its_own_price() {
        let price = Price::per_million(10.0, 20.0).cached_input(1.0).cache_write(12.0);
        let mut usage = Usage::of_call(1000, 100);
        assert!((price.of(&usage) - 0.012).abs() < 1e-12);
        usage.cached_prompt_tokens = 600;
        usage.cache_write_tokens = 300;
        assert!((price.of(&usage) - (100.0 * 10.0 + 600.0 + 300.0 * 12.0 + 2000.0) / 1e6).abs() < 1e-12);
    }
}
