//! A client as it stands in a saved program.

use std::any::Any;

use serde_json::{Map, Value, json};

use super::{
    BoxFuture, LM, LMBuilder, LanguageModel, Options, ReasoningEffort, Request, Response,
    private::{ends_with, is_secret},
    route::Route,
};
use crate::{Error, LmError, Result, StateError};

/// The name of the protocol that DSPy's clients call `responses`.
const RESPONSES: &str = "openai_responses";

/// Entries that the client is set up with, and those of DSPy's clients (2.6 to 3.4) that mean nothing here.
const SILENT: &[&str] = &[
    "_dspy_lm_class",
    "model",
    "model_type",
    MODELS,
    "cache",
    "num_retries",
    "cache_in_memory",
    "callbacks",
    "provider",
    "finetuning_model",
    "rollout_id",
];

/// The entry with the models of a client of several.
const MODELS: &str = "models";

/// How often a file may have a request repeated, and how many answers it may ask for: a file is not trusted to spend
/// without a bound.
const MAX_RETRIES: u32 = 1000;
const MAX_ANSWERS: u32 = 1024;

/// Entries of DSPy's clients, and of LiteLLM below them, that are no parameters of a request.
const FOREIGN: &[(&str, &[&str])] = &[
    ("nothing is launched here", &["launch_kwargs"]),
    ("nothing is trained here", &["train_kwargs"]),
    ("there is one client", &["engine", "async_engine", "prompt_cache", "use_developer_role", "client"]),
    (
        "it belongs to an endpoint",
        &["api_version", "api_type", "organization", "deployment_id", "region_name"],
    ),
    (
        "it is a setting of LiteLLM",
        &[
            "additional_drop_params",
            "allowed_openai_params",
            "caching",
            "caching_groups",
            "context_window_fallback_dict",
            "custom_llm_provider",
            "custom_prompt_dict",
            "drop_params",
            "fallbacks",
            "force_timeout",
            "input_cost_per_token",
            "logger_fn",
            "max_retries",
            "mock_response",
            "mock_timeout",
            "model_info",
            "no-log",
            "output_cost_per_token",
            "request_timeout",
            "retry_policy",
            "retry_strategy",
            "ssl_verify",
            "stream_timeout",
            "timeout",
            "verbose",
        ],
    ),
];

/// How the names of entries end that say where requests go.
const ENDPOINTS: &[&str] = &[
    "api_base",
    "base_url",
    "endpoint",
    "endpoint_url",
    "headers",
    "host",
    "hostname",
    "model_list",
    "proxy",
];

impl LM {
    /// The client as saved programs hold it, in DSPy's shape: model, options, and whether and how often it caches and
    /// repeats. Never the key, and not the endpoint, which a reader would not accept from a file. A client of several models
    /// holds theirs under `models`, which DSPy does not know.
    pub fn state(&self) -> Value {
        let unavailable = (self.model() as &dyn Any).downcast_ref::<Unavailable>();
        let mut state = Map::new();
        if let Some(saved) = unavailable {
            state.clone_from(&saved.entries);
            if *self.options() == saved.options {
                return state.into();
            }
        }
        // Without a name of a class: DSPy up to 3.1 would take it for a parameter of requests, and later ones take the
        // state for that of their own client.
        state.insert("model".into(), json!(self.id()));
        let responses = self.model().variant().starts_with(RESPONSES);
        state.entry("model_type").or_insert_with(|| json!(if responses { "responses" } else { "chat" }));
        state.insert("cache".into(), json!(!self.cache().is_off()));
        state.insert("num_retries".into(), json!(self.retry_policy().max_retries()));
        if let Some(route) = (self.model() as &dyn Any).downcast_ref::<Route>() {
            state.insert(MODELS.into(), route.models().iter().map(Self::state).collect());
        }
        let Options {
            temperature, top_p, max_tokens, stop, seed, n, reasoning_effort, logprobs, extra, ..
        } = self.options();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                state.insert(name.into(), value);
            }
        };
        set("temperature", temperature.map(Value::from));
        set("max_tokens", max_tokens.map(Value::from));
        set("top_p", top_p.map(Value::from));
        set("stop", (!stop.is_empty()).then(|| json!(stop)));
        set("seed", seed.map(Value::from));
        set("n", n.map(Value::from));
        set("reasoning_effort", reasoning_effort.map(|effort| effort.as_str().into()));
        set("logprobs", logprobs.map(|_| true.into()));
        set("top_logprobs", logprobs.filter(|top| *top > 0).map(Value::from));
        // What would not be read from a file is not written to one either.
        for (name, value) in extra.iter().filter(|(name, _)| refusal(name).is_none()) {
            set(name, Some(value.clone()));
        }
        state.into()
    }

    /// The client that a saved program holds. Its key comes from the environment; an endpoint in the file is passed
    /// over with a warning, so that no file points a key at another host.
    ///
    /// # Errors
    /// [`StateError`] when an entry has the wrong type, [`LmError`](crate::LmError) when the model cannot be set up.
    pub fn from_state(state: &Value) -> Result<Self> {
        let saved = Saved::read(state)?;
        if let Some(several) = saved.several(Self::from_state)? {
            return Ok(several);
        }
        Ok(saved.set_up(Self::builder(&saved.model)).build()?)
    }

    /// As [`from_state`](Self::from_state), but a model that cannot be set up here, such as one of another provider or
    /// without a key, becomes a client whose every call says why, and which is saved again as it was.
    ///
    /// # Errors
    /// [`StateError`] when an entry has the wrong type, or a value that no client can have.
    pub(crate) fn restored(state: &Value) -> Result<Self> {
        let saved = Saved::read(state)?;
        if let Some(several) = saved.several(Self::restored)? {
            return Ok(several);
        }
        let error = match saved.set_up(Self::builder(&saved.model)).build() {
            Ok(lm) => return Ok(lm),
            Err(error) => error,
        };
        tracing::warn!(model = saved.model, %error, "the model that the file names cannot be set up here");
        let mut entries = saved.entries.clone();
        make_public(&mut entries);
        let options = saved.options.clone();
        let model = Unavailable { id: saved.model.clone(), error, entries, options };
        let built = saved.set_up(Self::wrap(model)).build();
        Ok(built.map_err(|e| StateError::new(e.message).field("lm"))?)
    }
}

/// A client in a saved program.
struct Saved<'a> {
    entries: &'a Map<String, Value>,
    model: String,
    cache: bool,
    retries: Option<u32>,
    options: Options,
    responses: bool,
}

impl<'a> Saved<'a> {
    fn read(state: &'a Value) -> Result<Self> {
        let wrong = |name: &str, expected: &str, found: &Value| {
            StateError::new(format!("expected {expected}, found {found}")).field(format!("lm.{name}"))
        };
        let Value::Object(entries) = state else {
            return Err(StateError::new(format!("expected an object, found {state}")).field("lm").into());
        };
        let model = match entries.get("model") {
            Some(Value::String(model)) => model.clone(),
            Some(other) => return Err(wrong("model", "`provider/name`", other).into()),
            None => return Err(StateError::new("the name of the model is missing").field("lm.model").into()),
        };
        let kind = entries.get("model_type");
        let responses = kind.is_some_and(|kind| kind == "responses") && model.starts_with("openai/");
        if let Some(kind) = kind.filter(|kind| *kind != "chat" && !responses) {
            tracing::warn!(%model, %kind, "the saved model is reached through chat completions here");
        }
        let cache = match entries.get("cache") {
            None => true,
            Some(cache) => cache.as_bool().ok_or_else(|| wrong("cache", "true or false", cache))?,
        };
        let retries = match entries.get("num_retries") {
            None => None,
            Some(retries) => {
                let n = retries.as_u64().and_then(|n| n.try_into().ok()).filter(|n| *n <= MAX_RETRIES);
                let expected = format!("a number up to {MAX_RETRIES}");
                Some(n.ok_or_else(|| wrong("num_retries", &expected, retries))?)
            }
        };
        let mut options = Options::default();
        for (name, value) in entries {
            if SILENT.contains(&name.as_str()) || value.is_null() {
                continue;
            }
            if let Some(why) = refusal(name) {
                let empty = value.as_object().is_some_and(Map::is_empty);
                if !empty {
                    tracing::warn!(%model, entry = %name, why, "an entry of the saved model is not taken");
                }
                continue;
            }
            let number = || value.as_u64().ok_or_else(|| wrong(name, "a whole number", value));
            let small = || number()?.try_into().map_err(|_| wrong(name, "a smaller number", value));
            let float = || value.as_f64().ok_or_else(|| wrong(name, "a number", value));
            match name.as_str() {
                "temperature" => options.temperature = Some(float()?),
                "top_p" => options.top_p = Some(float()?),
                // Reasoning models have it under its other name.
                "max_tokens" | "max_completion_tokens" => options.max_tokens = Some(small()?),
                "seed" => options.seed = Some(number()?),
                "n" => {
                    let n = Some(small()?).filter(|n| *n <= MAX_ANSWERS);
                    let expected = format!("a number up to {MAX_ANSWERS}");
                    options.n = Some(n.ok_or_else(|| wrong(name, &expected, value))?);
                }
                "reasoning_effort" if value.as_str().is_some_and(|e| ReasoningEffort::named(e).is_some()) => {
                    options.reasoning_effort = value.as_str().and_then(ReasoningEffort::named);
                }
                "logprobs" if value.is_boolean() => {
                    let top = entries.get("top_logprobs").and_then(Value::as_u64).unwrap_or(0);
                    options.logprobs = (*value == true).then(|| top.try_into().unwrap_or(u32::MAX));
                }
                "top_logprobs" if entries.get("logprobs").is_some_and(Value::is_boolean) => {}
                "stop" => options.stop = texts(value).ok_or_else(|| wrong(name, "texts", value))?,
                _ => options = options.extra(name.clone(), value.clone()),
            }
        }
        Ok(Self { entries, model, cache, retries, options, responses })
    }

    /// The client of several models that this is, each set up by `restore`, if it is one.
    fn several(&self, restore: fn(&Value) -> Result<LM>) -> Result<Option<LM>> {
        let wrong = |message: String| StateError::new(message).field(format!("lm.{MODELS}"));
        let Some(models) = self.entries.get(MODELS) else { return Ok(None) };
        let Value::Array(models) = models else {
            return Err(wrong(format!("expected a list of models, found {models}")).into());
        };
        let one = |(i, state): (usize, &Value)| {
            restore(state).map_err(|error| match error {
                Error::State(mut error) => {
                    let field = error.field.as_deref().unwrap_or("lm");
                    error.field = Some(field.replacen("lm", &format!("lm.{MODELS}[{i}]"), 1));
                    Error::State(error)
                }
                other => other,
            })
        };
        let models = models.iter().enumerate().map(one).collect::<Result<Vec<_>>>()?;
        match Route::restored(&self.model, models) {
            Some(Ok(lm)) => Ok(Some(lm.with_options(&self.options))),
            Some(Err(error)) => Err(wrong(error.message).into()),
            None => {
                let model = &self.model;
                let message =
                    format!("`{model}` is neither `fallback(..)` nor `round-robin(..)`, and has models");
                Err(wrong(message).into())
            }
        }
    }

    fn set_up(&self, builder: LMBuilder) -> LMBuilder {
        let builder =
            builder.use_cache(self.cache).options(self.options.clone()).responses_api(self.responses);
        match self.retries {
            Some(retries) => builder.retries(retries),
            None => builder,
        }
    }
}

/// A model that a file names and that cannot be set up here: every call says why.
struct Unavailable {
    id: String,
    error: LmError,
    /// What the file says of it, less secrets and endpoints.
    entries: Map<String, Value>,
    /// The options among them.
    options: Options,
}

impl LanguageModel for Unavailable {
    fn id(&self) -> &str {
        &self.id
    }

    fn generate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(std::future::ready(Err(self.error.clone())))
    }
}

/// Why an entry is not taken from a file, if it is not.
fn refusal(name: &str) -> Option<&'static str> {
    let foreign = || FOREIGN.iter().find(|(_, names)| names.contains(&name)).map(|(why, _)| *why);
    private(name)
        .or_else(foreign)
        .or_else(|| name.starts_with("litellm_").then_some("it is a setting of LiteLLM"))
}

/// Why an entry must neither be taken from a file nor be written to one, if so.
fn private(name: &str) -> Option<&'static str> {
    if is_secret(name) {
        return Some("a file holds no key");
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    ends_with(&name, ENDPOINTS).then_some("a file may not choose where a key is sent")
}

/// Takes out what must not be in a file, however deep.
fn make_public(entries: &mut Map<String, Value>) {
    fn inside(value: &mut Value) {
        match value {
            Value::Object(entries) => make_public(entries),
            Value::Array(items) => items.iter_mut().for_each(inside),
            _ => {}
        }
    }
    entries.retain(|name, _| private(name).is_none());
    entries.values_mut().for_each(inside);
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => several.iter().map(|s| s.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::Cache;

    #[test]
    fn a_client_comes_back_from_its_state() {
        let lm = LM::builder("ollama/llama3")
            .api_key("sk-very-secret")
            .temperature(0.5)
            .max_tokens(100)
            .stop(["END"])
            .extra("top_k", 4)
            .retries(7)
            .build()
            .unwrap();
        let state = lm.state();
        assert_eq!(
            state,
            json!({
                "model": "ollama/llama3", "model_type": "chat", "cache": true, "num_retries": 7, "temperature": 0.5, "max_tokens": 100, "stop": ["END"], "top_k": 4
            })
        );
        let back = LM::from_state(&state).unwrap();
        assert_eq!(back.state(), state);
        assert!(!format!("{lm:?}{state}").contains("very-secret"));
    }

    #[test]
    fn a_file_of_dspy_is_read_but_chooses_no_endpoint() {
        let lm = LM::from_state(&json!({
            "_dspy_lm_class": "dspy.clients.lm.LM", "model": "ollama/llama3", "model_type": "chat", "cache": false,
            "num_retries": 3, "temperature": null, "max_tokens": 4000, "api_base": "http://evil.example/v1",
            "finetuning_model": null, "launch_kwargs": {}, "train_kwargs": {}, "stop": "X"
        }))
        .unwrap();
        assert_eq!(lm.model().endpoint(), "http://localhost:11434/v1");
        assert!(lm.cache().is_off());
        assert_eq!(lm.options(), &Options::new().max_tokens(4000).stop(["X"]));
    }

    #[test]
    fn only_parameters_of_requests_become_parameters() {
        // The entries of 2.6, 3.0, 3.1 and 3.4, and what people give to LiteLLM through them.
        let state = json!({
            "_dspy_lm_class": "dspy.clients.lm.LM", "model": "ollama/llama3", "model_type": "responses",
            "cache": true, "cache_in_memory": true, "num_retries": 3, "finetuning_model": null,
            "launch_kwargs": {"port": 1}, "train_kwargs": {"n": 1}, "engine": "litellm",
            "async_engine": {"class": "x.Y"}, "prompt_cache": {"ttl": 1}, "use_developer_role": true, "rollout_id": 7,
            "provider": "x", "callbacks": [], "drop_params": true, "timeout": 10, "litellm_metadata": {},
            "api_key": "k", "API-KEY": "k", "azure_ad_token": "k", "aws_secret_access_key": "k", "token": "k",
            "vertex_credentials": "k", "api_base": "http://x", "s3_endpoint_url": "http://x", "extra_headers": {"a": "k"},
            "model_list": ["http://x"], "api_version": "1",
            "temperature": 0.5, "max_completion_tokens": 9, "top_k": 4, "reasoning_effort": "low",
            "prompt_cache_key": "p", "stop_token_ids": [1], "metadata": {"a": "b"}
        });
        let lm = LM::from_state(&state).unwrap();
        let options = Options::new()
            .temperature(0.5)
            .max_tokens(9)
            .extra("top_k", 4)
            .reasoning_effort(ReasoningEffort::Low);
        let options = options.extra("prompt_cache_key", "p").extra("stop_token_ids", json!([1]));
        assert_eq!(lm.options(), &options.extra("metadata", json!({"a": "b"})));
        let state = lm.with_options(&Options::new().logprobs(3)).state();
        assert_eq!((&state["reasoning_effort"], &state["top_logprobs"]), (&json!("low"), &json!(3)));
        assert_eq!(LM::from_state(&state).unwrap().options().logprobs, Some(3));
        let secret = lm.with_options(&Options::new().extra("aws_session_token", "k"));
        assert!(!secret.state().to_string().contains("\"k\""));
    }

    #[test]
    fn a_model_that_cannot_be_set_up_is_saved_as_it_was() {
        let state = json!({
            "_dspy_lm_class": "dspy.clients.lm.LM", "model": "nobody/knows", "model_type": "responses", "cache": false,
            "num_retries": 3, "temperature": null, "max_tokens": 4000, "stop": "X", "top_k": 4,
            "finetuning_model": "nobody/base", "launch_kwargs": {"port": 1, "hf_token": "s", "x": [{"api_base": "s"}]},
            "api_key": "s", "base_url": "s", "timeout": 3
        });
        let lm = LM::restored(&state).unwrap();
        let mut kept = state.clone();
        for gone in ["api_key", "base_url"] {
            kept.as_object_mut().unwrap().shift_remove(gone);
        }
        kept["launch_kwargs"] = json!({"port": 1, "x": [{}]});
        assert_eq!(lm.state(), kept);
        assert_eq!(LM::restored(&lm.state()).unwrap().state(), kept);
        assert_eq!((lm.cache().is_off(), lm.retry_policy().max_retries()), (true, 3));
        // What is changed here counts, and the rest stays.
        let changed = lm.with_options(&Options::new().temperature(0.5)).state();
        (kept["temperature"], kept["stop"]) = (json!(0.5), json!(["X"]));
        assert_eq!(changed, kept);
        let wrong = LM::restored(&json!({"model": "nobody/knows", "temperature": -1})).unwrap_err();
        assert!(matches!(&wrong, Error::State(e) if e.field.as_deref() == Some("lm")), "{wrong}");
    }

    #[test]
    fn a_client_of_several_models_comes_back_with_all_of_them() {
        let first = LM::builder("ollama/llama3").api_base("http://a.example/v1").api_key("sk-secret-one");
        let first = first.temperature(0.5).retries(1).cache(Cache::off()).build().unwrap();
        let second = LM::builder("ollama/qwen3").cache(Cache::off()).build().unwrap();
        let both = LM::round_robin([first.clone(), second.clone()]).unwrap();
        let lm = LM::fallback([both, second]).unwrap().with_options(&Options::new().max_tokens(9));
        let state = lm.state();
        assert_eq!(state["model"], "fallback(round-robin(ollama/llama3, ollama/qwen3), ollama/qwen3)");
        assert_eq!(state["models"][0]["models"][0]["temperature"], 0.5);
        assert!(!state.to_string().contains("secret") && !state.to_string().contains("a.example"));
        for restored in [LM::from_state(&state).unwrap(), LM::restored(&state).unwrap()] {
            assert_eq!(restored.id(), lm.id());
            assert_eq!(restored.state(), state);
        }
        // One that cannot be set up here stays what it was, beside those that can.
        let mut foreign = state.clone();
        foreign["models"][1] = json!({"model": "nobody/knows", "temperature": 0.1});
        assert!(LM::from_state(&foreign).is_err());
        assert_eq!(LM::restored(&foreign).unwrap().state()["models"][1], foreign["models"][1]);
        for (models, field) in [
            (json!([]), "lm.models"),
            (json!({}), "lm.models"),
            (json!([{"model": "ollama/m"}, {"model": "ollama/m", "n": -1}]), "lm.models[1].n"),
            (json!([{"model": "x(y)", "models": []}]), "lm.models[0].models"),
        ] {
            let state = json!({"model": "fallback(a, b)", "models": models});
            let error = LM::restored(&state).unwrap_err();
            assert!(matches!(&error, Error::State(e) if e.field.as_deref() == Some(field)), "{error:#?}");
        }
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let error = LM::from_state(&json!({"model": "ollama/m", "max_tokens": "many"})).unwrap_err();
        assert!(matches!(&error, Error::State(e) if e.field.as_deref() == Some("lm.max_tokens")), "{error}");
        for (entry, field) in [("num_retries", "lm.num_retries"), ("n", "lm.n")] {
            let error = LM::from_state(&json!({"model": "ollama/m", entry: u32::MAX})).unwrap_err();
            assert!(matches!(&error, Error::State(e) if e.field.as_deref() == Some(field)), "{error}");
        }
        assert!(LM::from_state(&json!({"cache": true})).unwrap_err().to_string().contains("missing"));
        assert!(LM::from_state(&json!("openai/x")).is_err());
    }
}
