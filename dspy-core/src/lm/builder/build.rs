//! From the settings to a client.

use std::sync::Arc;

use super::{LMBuilder, Source};
use crate::{
    LmError, LmErrorKind,
    lm::{
        Capabilities, LM, LanguageModel,
        aws::{self, Signing},
        client::Core,
        facts::{self, Facts},
        limiter::Limits,
        place::{Place, Wanted},
        provider::{self, Access, Endpoint, Protocol, Provider},
        wire::{self, Address, Setup},
    },
};

impl LMBuilder {
    /// The client, with variables of the environment as `env` gives them.
    pub(super) fn build_with_env(self, env: impl Fn(&str) -> Option<String>) -> Result<LM, LmError> {
        self.check().map_err(|message| self.wrong(message))?;
        let (model, timeout) = match &self.source {
            Source::Model(model) => {
                self.no_server("a model of your own").map_err(|message| self.wrong(message))?;
                (model.clone(), None)
            }
            Source::Named(id) => (self.find(id, env)?, Some(self.timeouts.total)),
        };
        let limits = Limits { timeout, ..self.limits };
        let core = Core::new(model, self.capabilities, self.retry, limits, self.cache);
        Ok(LM::assemble(core, self.options).with_deadline(self.deadline))
    }

    fn wrong(&self, message: String) -> LmError {
        LmError::new(LmErrorKind::Configuration, self.id(), message)
    }

    /// What makes no sense for any model.
    fn check(&self) -> Result<(), String> {
        let Limits { concurrency, requests_per_minute, tokens_per_minute, .. } = self.limits;
        for (name, none) in [
            ("concurrency", concurrency == Some(0)),
            ("requests_per_minute", requests_per_minute == Some(0.0)),
            ("tokens_per_minute", tokens_per_minute == Some(0.0)),
        ] {
            if none {
                return Err(format!("{name} of 0 would let no request through; set 1 or more"));
            }
        }
        for (name, value) in [("temperature", self.options.temperature), ("top_p", self.options.top_p)] {
            if value.is_some_and(|v| !v.is_finite() || v < 0.0) {
                return Err(format!("{name} must be a number from 0 up"));
            }
        }
        for setting in ["api_key", "api_base", "base_url", "headers"] {
            if self.options.extra.contains_key(setting) {
                return Err(format!(
                    "`{setting}` is a setting of the client and no parameter of requests; use the builder's method"
                ));
            }
        }
        let mut keys = [
            ("api_key", self.api_key.is_some()),
            ("aws_credentials", self.aws_credentials.is_some()),
            ("token_source", self.token_source.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name));
        match (keys.next(), keys.next()) {
            (Some(one), Some(other)) => Err(format!("either {one} or {other} is set, not both")),
            _ => Ok(()),
        }
    }

    /// That nothing is set which only a model behind a server has.
    fn no_server(&self, model: &str) -> Result<(), String> {
        if self.rollout_name.is_some() {
            let message =
                "rollout_parameter is for models behind a server; others see the draw in the request";
            return Err(message.into());
        }
        let set = [
            ("api_base", self.api_base.is_some()),
            ("api_key", self.api_key.is_some()),
            ("region", self.region.is_some()),
            ("aws_credentials", self.aws_credentials.is_some()),
            ("token_source", self.token_source.is_some()),
            ("header", !self.headers.is_empty()),
        ];
        match set.iter().find(|(_, set)| *set) {
            Some((name, _)) => {
                Err(format!("{name} is for models that are served elsewhere; {model} has none"))
            }
            None => Ok(()),
        }
    }

    /// The model `provider/name`.
    fn find(
        &self,
        id: &str,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Arc<dyn LanguageModel>, LmError> {
        let wrong = |message| self.wrong(message);
        let (provider, name) = split(id).map_err(wrong)?;
        match &provider.access {
            Access::InProcess => {
                self.no_server("a model in this process").map_err(wrong)?;
                in_process(id, name)
            }
            Access::Served(endpoint) => self.connect(provider.name, endpoint, name, env),
        }
    }

    /// The model of this name behind a server.
    fn connect(
        &self,
        provider: &'static str,
        endpoint: &Endpoint,
        name: &str,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Arc<dyn LanguageModel>, LmError> {
        let wrong = |message| self.wrong(message);
        let id = self.id();
        if let Some(problem) = facts::problem() {
            return Err(wrong(problem.to_owned()));
        }
        let facts = facts::of(id);
        let wanted = Wanted {
            api_base: self.api_base.clone(),
            api_key: self.api_key.clone(),
            region: self.region.clone().or_else(|| aws::region_of(name)),
            last_region: if endpoint.protocol.signs() { aws::region_of_profile(&env) } else { None },
            // What is said in code is what is meant.
            keyless: self.aws_credentials.is_some() || self.token_source.is_some(),
        };
        let place = Place::find(provider, endpoint, "LM", wanted, &env).map_err(wrong)?;
        let signing = match (endpoint.protocol.signs(), &self.aws_credentials) {
            (true, given) if place.key.is_none() && self.token_source.is_none() => {
                Some(Signing::find(&place, name, given.clone(), &env).map_err(wrong)?)
            }
            (false, Some(_)) => return Err(wrong(format!("`{provider}` does not take AWS's credentials"))),
            _ => None,
        };
        let protocol = match (endpoint.protocol, self.responses) {
            (protocol, false) => protocol,
            (Protocol::OpenAiChat, true) => Protocol::OpenAiResponses,
            (_, true) => return Err(wrong(format!("`{provider}` has no responses API"))),
        };
        let able = capabilities(provider, endpoint, &facts, &place);
        let mut timeouts = self.timeouts;
        timeouts.read = timeouts.read.min(timeouts.total);
        let address = Address {
            id: id.to_owned(),
            api_base: place.api_base,
            key: place.key,
            headers: self.headers.clone(),
            timeouts,
            signer: self.token_source.clone().map(|source| Arc::new(wire::Tokens::new(source)) as _),
        };
        let version_var = format!("{}_API_VERSION", provider.to_uppercase());
        let setup = Setup {
            name: name.to_owned(),
            max_completion_tokens: self
                .max_completion_tokens
                .or(facts.max_completion_tokens)
                .unwrap_or(false),
            facts,
            rollout_name: self.rollout_name.clone(),
            prompt_caching: self.prompt_caching,
            api_version: self.api_version.clone().or_else(|| env(&version_var)),
            signing,
        };
        let model = wire::connect(protocol, address, self.capabilities.unwrap_or(able), setup)?;
        match &self.rollout_name {
            Some(draw)
                if model.own_parameters().contains(&draw.as_str())
                    || self.options.extra.contains_key(draw) =>
            {
                Err(wrong(format!("`{draw}` cannot be the parameter of the draw: it is one already")))
            }
            _ => Ok(Arc::new(model)),
        }
    }
}

#[cfg(feature = "local")]
fn in_process(_: &str, path: &str) -> Result<Arc<dyn LanguageModel>, LmError> {
    Ok(Arc::new(crate::lm::LocalModel::shared(path)?))
}

#[cfg(not(feature = "local"))]
fn in_process(id: &str, _: &str) -> Result<Arc<dyn LanguageModel>, LmError> {
    let message = "models in this process need the feature `local`: `dspy = { features = [\"local\"] }`";
    Err(LmError::new(LmErrorKind::Configuration, id, message))
}

/// `provider/name` as its two parts.
fn split(id: &str) -> Result<(&'static Provider, &str), String> {
    let known = || format!("supported are {}", provider::names());
    let Some((prefix, name)) = id.split_once('/') else {
        return Err(format!("write the model as `provider/name`, as in `openai/{id}`; {}", known()));
    };
    let Some(found) = provider::find(prefix) else {
        return Err(format!(
            "the provider `{prefix}` is unknown; {}. A server that speaks OpenAI's protocol is reached with \
             `LM::builder(\"openai/{name}\").api_base(..)`",
            known()
        ));
    };
    if name.is_empty() {
        return Err(format!("the name of the model after `{prefix}/` is missing"));
    }
    Ok((found, name))
}

/// What a model can do at a place when the user says nothing.
fn capabilities(provider: &str, endpoint: &Endpoint, known: &Facts, place: &Place) -> Capabilities {
    match provider {
        // Whatever speaks the protocol is called so: of a server elsewhere no more is known than that.
        "openai" if !place.official => provider::server_capabilities(),
        _ => known.capabilities(endpoint.capabilities),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::Value;

    use super::*;
    use crate::lm::AwsCredentials;

    fn found(
        model: &str,
        base: Option<&str>,
        vars: &[(&str, &str)],
    ) -> Result<(Place, Capabilities), String> {
        let (provider, _) = split(model)?;
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let Access::Served(endpoint) = &provider.access else {
            return Err("runs in this process".into());
        };
        let wanted = Wanted { api_base: base.map(str::to_owned), ..Wanted::default() };
        let place = Place::find(provider.name, endpoint, "LM", wanted, env)?;
        let able = capabilities(provider.name, endpoint, &facts::of(model), &place);
        Ok((place, able))
    }

    #[test]
    fn a_model_has_the_capabilities_that_are_known_of_it() {
        let able = |model, base| found(model, base, &[("OPENAI_API_KEY", "k")]).unwrap().1;
        assert!(able("openai/gpt-4o", None).json_schema && able("openai/gpt-4o", None).logprobs);
        assert!(!able("openai/gpt-4-turbo", None).json_schema);
        assert!(!able("openai/o1-mini", None).json_schema);
        assert!(!able("openai/gpt-5-mini", None).logprobs);
        assert!(able("openai/o1-mini", Some("http://localhost:8000/v1")).json_schema, "another model");
    }

    fn key(place: &Place) -> Option<&str> {
        place.key.as_ref().map(ExposeSecret::expose_secret)
    }

    #[test]
    fn a_key_goes_only_where_the_environment_or_the_provider_says() {
        let vars = [("OPENAI_API_KEY", "k")];
        let (official, _) = found("openai/gpt-4o", None, &vars).unwrap();
        assert_eq!((official.api_base.as_str(), key(&official)), ("https://api.openai.com/v1", Some("k")));
        let (own, _) = found("openai/m", Some("http://localhost:30000/v1/"), &vars).unwrap();
        assert_eq!((own.api_base.as_str(), key(&own)), ("http://localhost:30000/v1", None));
        let (by_env, _) =
            found("openai/m", None, &[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://b/v1")]).unwrap();
        assert_eq!((by_env.api_base.as_str(), key(&by_env)), ("http://b/v1", Some("k")));
    }

    #[test]
    fn a_host_alone_has_the_path_of_the_provider() {
        let base = |model, base| found(model, Some(base), &[]).unwrap().0.api_base;
        for (model, host, expected) in [
            ("openai/m", "http://localhost:8000", "http://localhost:8000/v1"),
            ("openai/m", "http://localhost:8000/", "http://localhost:8000/v1"),
            ("openai/m", "http://localhost:8000/v1/", "http://localhost:8000/v1"),
            ("openai/m", "http://localhost:8000/api/v3", "http://localhost:8000/api/v3"),
            ("anthropic/m", "http://gateway", "http://gateway/v1"),
            ("gemini/m", "http://gateway", "http://gateway/v1beta"),
            ("cohere/m", "http://gateway", "http://gateway/v2"),
            ("ollama/m", "http://localhost:11434", "http://localhost:11434/v1"),
            ("hosted_vllm/m", "http://localhost:8000", "http://localhost:8000/v1"),
            ("databricks/m", "https://dbc.cloud", "https://dbc.cloud/serving-endpoints"),
            ("azure/m", "https://us.openai.azure.com/", "https://us.openai.azure.com"),
            ("perplexity/m", "http://gateway", "http://gateway"),
        ] {
            assert_eq!(base(model, host), expected, "{model}");
        }
        let vars = [("ANTHROPIC_BASE_URL", "https://api.anthropic.com"), ("ANTHROPIC_API_KEY", "k")];
        let (place, _) = found("anthropic/m", None, &vars).unwrap();
        assert_eq!((place.api_base.as_str(), place.official), ("https://api.anthropic.com/v1", true));
    }

    #[cfg(feature = "bedrock")]
    #[test]
    fn the_region_of_a_profile_counts_where_nothing_else_names_one() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        let text = "# mine\n[default]\nregion = eu-west-1\noutput=json\n\n[profile work]\nregion=ap-south-1\n[profile bare]\n";
        std::fs::write(&config, text).unwrap();
        let found = |more: &[(&str, &str)]| {
            let (provider, _) = split("bedrock/amazon.nova-lite-v1:0").unwrap();
            let Access::Served(endpoint) = &provider.access else { unreachable!() };
            let home = dir.path().to_str().unwrap();
            let mut vars = vec![("AWS_CONFIG_FILE", config.to_str().unwrap()), ("HOME", home)];
            vars.extend(more);
            let env = |name: &str| vars.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            let wanted = Wanted { last_region: aws::region_of_profile(env), ..Wanted::default() };
            Place::find(provider.name, endpoint, "LM", wanted, env)
        };
        let region = |more: &[(&str, &str)]| found(more).unwrap().region.unwrap_or_default();
        assert_eq!(region(&[]), "eu-west-1");
        assert_eq!(found(&[]).unwrap().api_base, "https://bedrock-runtime.eu-west-1.amazonaws.com");
        assert_eq!(region(&[("AWS_PROFILE", "work")]), "ap-south-1");
        assert_eq!(region(&[("AWS_PROFILE", "work"), ("AWS_REGION", "us-east-2")]), "us-east-2");
        for missing in [("AWS_PROFILE", "bare"), ("AWS_PROFILE", "nobody"), ("AWS_CONFIG_FILE", "/nowhere")] {
            let error = found(&[missing]).unwrap_err();
            assert!(error.contains("AWS_REGION") && error.contains("profile"), "{error}");
        }
        // The file of credentials may name it, too, as the usual place of both.
        std::fs::create_dir(dir.path().join(".aws")).unwrap();
        std::fs::write(dir.path().join(".aws/credentials"), "[bare]\nregion = sa-east-1\n").unwrap();
        assert_eq!(region(&[("AWS_PROFILE", "bare")]), "sa-east-1");
    }

    #[test]
    fn the_endpoint_of_a_region_is_found() {
        let at = |vars: &[_]| found("bedrock/amazon.nova-lite-v1:0", None, vars).map(|(place, _)| place);
        assert!(at(&[]).unwrap_err().contains("AWS_REGION"));
        let place = at(&[("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_BEARER_TOKEN_BEDROCK", "k")]).unwrap();
        assert_eq!(place.api_base, "https://bedrock-runtime.eu-west-1.amazonaws.com");
        assert_eq!((key(&place), place.official), (Some("k"), true));
        let vars = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "eu-west-1")];
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let signing = Signing::find(&at(&vars).unwrap(), "amazon.nova-lite-v1:0", None, env).unwrap();
        assert_eq!((&*signing.region, signing.credentials.is_some()), ("eu-west-1", true));
        let arn = "arn:aws:bedrock:eu-west-3:1:inference-profile/p";
        assert_eq!(aws::region_of(arn).as_deref(), Some("eu-west-3"));
        let (elsewhere, _) =
            found("bedrock/m", Some("https://bedrock-runtime.us-east-2.example"), &vars).unwrap();
        assert!(Signing::find(&elsewhere, "m", None, env).unwrap_err().contains("aws_credentials"));
        let given = Some(AwsCredentials::new("a", "b"));
        let region = |place| Signing::find(&place, "m", given, env).unwrap().region;
        assert_eq!(region(Place { region: None, ..elsewhere }), "us-east-2");
    }

    #[test]
    fn the_number_of_the_draw_is_sent_where_a_server_draws_by_it() {
        let body = |lm: &LM, rollout| {
            let mut request = crate::lm::Request::new(vec![crate::lm::Message::user("hi")]);
            request.rollout = rollout;
            let body = lm.request_body(request).unwrap();
            serde_json::from_slice::<Value>(&body).unwrap()
        };
        let server = || LM::builder("openai/m").api_base("http://localhost:1/v1");
        let lm = server().rollout_parameter("rollout_id").build().unwrap();
        assert_eq!((&body(&lm, 0)["rollout_id"], &body(&lm, 7)["rollout_id"]), (&0.into(), &7.into()));
        assert!(body(&server().build().unwrap(), 7).get("rollout_id").is_none());
        for refused in [
            server().rollout_parameter("model"),
            server().extra("draw", 1).rollout_parameter("draw"),
            LM::builder("local/m").rollout_parameter("draw"),
        ] {
            let error = refused.build().unwrap_err().to_string();
            assert!(error.contains("draw"), "{error}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_cure() {
        let message = |model, base| found(model, base, &[]).err().unwrap_or_default();
        assert!(message("gpt-4o", None).contains("`openai/gpt-4o`"));
        assert!(message("nowhere/m", None).contains("deepseek, fireworks_ai"));
        assert!(message("openai/", None).contains("missing"));
        assert!(message("openai/gpt-4o", None).contains("OPENAI_API_KEY"));
        assert!(message("hosted_vllm/m", None).contains("HOSTED_VLLM_API_BASE"));
        assert_eq!(message("ollama/llama3", None), "", "a local server needs no key");
    }
}
