//! A client as it stands in a saved program.

use serde_json::{Map, Value, json};

use super::{LM, Options};
use crate::{Result, StateError};

/// Entries of a saved client that mean nothing here, or that the client sets itself.
const SILENT: &[&str] =
    &["_dspy_lm_class", "model", "model_type", "cache", "num_retries", "finetuning_model", "rollout_id"];

/// Entries that are not taken from a file, and why.
const REFUSED: &[(&str, &str)] = &[
    ("api_key", "a file holds no key"),
    ("api_base", "a file may not choose where a key is sent"),
    ("base_url", "a file may not choose where a key is sent"),
    ("api_version", "it belongs to an endpoint"),
    ("headers", "a file may not choose headers"),
    ("extra_headers", "a file may not choose headers"),
    ("model_list", "a file may not choose endpoints"),
    ("launch_kwargs", "nothing is launched here"),
    ("train_kwargs", "nothing is trained here"),
    ("engine", "there is one client"),
    ("prompt_cache", "there is one client"),
    ("use_developer_role", "there is one client"),
];

impl LM {
    /// The client as saved programs hold it, in DSPy's shape: model, options, and whether and how often it caches and
    /// repeats. Never the key, and not the endpoint, which a reader would not accept from a file.
    pub fn state(&self) -> Value {
        let mut state = Map::new();
        state.insert("_dspy_lm_class".into(), json!("dspy.clients.lm.LM"));
        state.insert("model".into(), json!(self.id()));
        state.insert("model_type".into(), json!("chat"));
        state.insert("cache".into(), json!(!self.cache().is_off()));
        state.insert("num_retries".into(), json!(self.retry_policy().max_retries()));
        let Options { temperature, top_p, max_tokens, stop, seed, n, extra } = self.options();
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
        // What would not be read from a file is not written to one either.
        for (name, value) in extra.iter().filter(|(name, _)| !is_refused(name)) {
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
        let wrong = |name: &str, expected: &str, found: &Value| {
            StateError::new(format!("expected {expected}, found {found}")).field(format!("lm.{name}"))
        };
        let Value::Object(entries) = state else {
            return Err(StateError::new(format!("expected an object, found {state}")).field("lm").into());
        };
        let model = match entries.get("model") {
            Some(Value::String(model)) => model,
            Some(other) => return Err(wrong("model", "`provider/name`", other).into()),
            None => return Err(StateError::new("the name of the model is missing").field("lm.model").into()),
        };
        if let Some(kind) = entries.get("model_type").filter(|kind| *kind != "chat") {
            tracing::warn!(%model, %kind, "the saved model is reached through chat completions here");
        }
        let mut builder = Self::builder(model.clone());
        if let Some(cache) = entries.get("cache") {
            builder =
                builder.use_cache(cache.as_bool().ok_or_else(|| wrong("cache", "true or false", cache))?);
        }
        if let Some(retries) = entries.get("num_retries") {
            let n = retries.as_u64().and_then(|n| n.try_into().ok());
            builder = builder.retries(n.ok_or_else(|| wrong("num_retries", "a number", retries))?);
        }
        let mut options = Options::default();
        for (name, value) in entries {
            if SILENT.contains(&name.as_str()) || value.is_null() {
                continue;
            }
            if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| refused == name) {
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
                "n" => options.n = Some(small()?),
                "stop" => options.stop = texts(value).ok_or_else(|| wrong(name, "texts", value))?,
                _ => options = options.extra(name.clone(), value.clone()),
            }
        }
        Ok(builder.options(options).build()?)
    }
}

fn is_refused(name: &str) -> bool {
    REFUSED.iter().any(|(refused, _)| *refused == name)
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
    use crate::Error;

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
                "_dspy_lm_class": "dspy.clients.lm.LM", "model": "ollama/llama3", "model_type": "chat",
                "cache": true, "num_retries": 7, "temperature": 0.5, "max_tokens": 100, "stop": ["END"], "top_k": 4
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
    fn a_wrong_entry_is_named() {
        let error = LM::from_state(&json!({"model": "ollama/m", "max_tokens": "many"})).unwrap_err();
        assert!(matches!(&error, Error::State(e) if e.field.as_deref() == Some("lm.max_tokens")), "{error}");
        assert!(LM::from_state(&json!({"cache": true})).unwrap_err().to_string().contains("missing"));
        assert!(LM::from_state(&json!("openai/x")).is_err());
    }
}
