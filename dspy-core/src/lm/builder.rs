//! How a client is set up.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::Value;

use super::{
    AwsCredentials, Cache, Capabilities, LM, LanguageModel, Options, ReasoningEffort,
    aws::{self, Signing},
    client::Core,
    facts::{self, Facts},
    http::Timeouts,
    limiter::Limits,
    place::{Place, Wanted},
    provider::{self, Access, Endpoint, Protocol, Provider},
    retry::RetryPolicy,
    wire::{self, Address, Setup},
};
use crate::{LmError, LmErrorKind};

/// The default number of requests in flight to one model: below the number of files that most systems let
/// a process open.
const CONCURRENCY: usize = 512;

/// Sets up an [`LM`]; see [`LM::builder`] and [`LM::wrap`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct LMBuilder {
    source: Source,
    api_base: Option<String>,
    api_key: Option<SecretString>,
    region: Option<String>,
    aws_credentials: Option<AwsCredentials>,
    headers: Vec<(String, String)>,
    timeouts: Timeouts,
    capabilities: Option<Capabilities>,
    max_completion_tokens: Option<bool>,
    prompt_caching: bool,
    api_version: Option<String>,
    responses: bool,
    rollout_name: Option<String>,
    options: Options,
    retry: RetryPolicy,
    limits: Limits,
    deadline: Option<Duration>,
    cache: Cache,
}

enum Source {
    Named(String),
    Model(Arc<dyn LanguageModel>),
}

impl LM {
    /// The model `provider/name` at its provider, with default settings. The key comes from the provider's variable
    /// (`OPENAI_API_KEY`), the endpoint from `OPENAI_BASE_URL` or `OPENAI_API_BASE` if one of them is set.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] when the provider is unknown or the key is missing.
    pub fn new(model: impl Into<String>) -> Result<Self, LmError> {
        Self::builder(model).build()
    }

    /// Sets up the model `provider/name`.
    pub fn builder(model: impl Into<String>) -> LMBuilder {
        LMBuilder::named(model.into())
    }

    /// Sets up a client of a model of one's own; see [`LM::from_model`].
    pub fn wrap(model: impl LanguageModel) -> LMBuilder {
        LMBuilder::wrapped(Arc::new(model))
    }
}

impl LMBuilder {
    fn named(model: String) -> Self {
        Self::of(Source::Named(model), Some(CONCURRENCY), Cache::shared())
    }

    /// Models of the user's own have no connections that could run out; and their names are not known to be unique.
    fn wrapped(model: Arc<dyn LanguageModel>) -> Self {
        Self::of(Source::Model(model), None, Cache::private())
    }

    fn of(source: Source, concurrency: Option<usize>, cache: Cache) -> Self {
        Self {
            source,
            api_base: None,
            api_key: None,
            region: None,
            aws_credentials: None,
            headers: Vec::new(),
            timeouts: Timeouts::default(),
            capabilities: None,
            max_completion_tokens: None,
            prompt_caching: true,
            api_version: None,
            responses: false,
            rollout_name: None,
            options: Options::default(),
            retry: RetryPolicy::default(),
            limits: Limits { concurrency, ..Limits::default() },
            deadline: None,
            cache,
        }
    }

    /// Sets the endpoint, as in `http://localhost:8000/v1`. No key from the environment is sent there; one that it needs
    /// is set with [`LMBuilder::api_key`].
    pub fn api_base(mut self, url: impl Into<String>) -> Self {
        self.api_base = Some(url.into());
        self
    }

    /// Sets the key. It never appears in logs, errors, caches or saved programs.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets the region in which the models of a provider that has regions are asked, such as `eu-west-1` for Bedrock.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the credentials that requests to Bedrock are signed with. Without them, and without a key, they are those of
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or are found when the first request is sent:
    /// in the profile that `AWS_PROFILE` names, with single sign-on, or as those of the container or the machine.
    pub fn aws_credentials(mut self, credentials: AwsCredentials) -> Self {
        self.aws_credentials = Some(credentials);
        self
    }

    /// Adds a header to every request. Its value is never shown; it is part of the cache key, unless the name is that of a
    /// secret (`Authorization`, `Cookie`, `x-api-key`, names that end with `token`, `secret` and the like).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the temperature of requests that set none.
    pub fn temperature(mut self, t: f64) -> Self {
        self.options.temperature = Some(t);
        self
    }

    /// Sets nucleus sampling for requests that do not set it.
    pub fn top_p(mut self, p: f64) -> Self {
        self.options.top_p = Some(p);
        self
    }

    /// Sets the maximum length of an answer, in tokens, for requests that do not set it.
    pub fn max_tokens(mut self, n: u32) -> Self {
        self.options.max_tokens = Some(n);
        self
    }

    /// Sets the texts at which generation stops.
    pub fn stop<T: Into<String>>(mut self, stop: impl IntoIterator<Item = T>) -> Self {
        self.options = self.options.stop(stop);
        self
    }

    /// Sets the seed of the provider's sampler.
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Sets how many answers are sampled for requests that do not set it; the first that can be parsed is used.
    pub fn n(mut self, n: u32) -> Self {
        self.options.n = Some(n);
        self
    }

    /// Sets how long a model that reasons may think, for requests that do not set it.
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.options.reasoning_effort = Some(effort);
        self
    }

    /// Adds a parameter that is passed to the provider as it is.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options = self.options.extra(name, value);
        self
    }

    /// Sets all options of requests that do not set their own.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets how long connecting may take (10 s).
    pub fn connect_timeout(mut self, t: Duration) -> Self {
        self.timeouts.connect = t;
        self
    }

    /// Sets how long the server may be silent (600 s).
    pub fn read_timeout(mut self, t: Duration) -> Self {
        self.timeouts.read = t;
        self
    }

    /// Sets how long one attempt may take in total (600 s).
    pub fn timeout(mut self, t: Duration) -> Self {
        self.timeouts.total = t;
        self
    }

    /// Sets how many further attempts follow a failed one (4). What a rate limit refuses is no failure: see [`RetryPolicy`].
    pub fn retries(mut self, n: u32) -> Self {
        self.retry = self.retry.retries(n);
        self
    }

    /// Sets how failed requests are retried.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets how many requests may be in flight at once (512; without limit for a model of your own). Further ones wait.
    /// Each request in flight holds a connection, so a large number needs a matching `ulimit -n`. When the provider refuses
    /// requests because they are too many, fewer are sent at a time until it answers again.
    pub fn concurrency(mut self, n: usize) -> Self {
        self.limits.concurrency = Some(n);
        self
    }

    /// Sets how long a call may take altogether, with the wait for a place, pauses and repeated attempts; see
    /// [`LM::with_deadline`]. There is no such bound by default.
    pub fn deadline(mut self, t: Duration) -> Self {
        self.deadline = Some(t);
        self
    }

    /// Sends a request a second time when there is no answer after this time, and takes the answer that comes first, the
    /// other being broken off: against the few requests that take far longer than most. Such a request may be paid twice.
    /// Off by default; not done for streams, nor while requests have to wait.
    pub fn hedge_after(mut self, t: Duration) -> Self {
        self.limits.hedge = Some(t);
        self
    }

    /// Sets how many requests may begin in a minute, over all clones of the client. Further ones wait; they are spread
    /// evenly, and no more than a second's share begins at once. Attempts that are repeated count, too.
    pub fn requests_per_minute(mut self, n: u32) -> Self {
        self.limits.requests_per_minute = Some(n.into());
        self
    }

    /// Sets how many tokens, of prompts and answers together, the requests of a minute may take, over all clones of the
    /// client. Until it is answered, a request counts as many as those before it took on average.
    pub fn tokens_per_minute(mut self, n: u64) -> Self {
        self.limits.tokens_per_minute = Some(n as f64);
        self
    }

    /// Sets the cache ([`Cache::shared`]; for a model of your own, a cache in memory).
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }

    pub(super) fn use_cache(self, yes: bool) -> Self {
        if yes { self } else { self.cache(Cache::off()) }
    }

    /// Overrides what the model is known to support natively.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// Sets whether the parameter that limits an answer's tokens is called `max_completion_tokens`, as OpenAI's
    /// reasoning models want it, or `max_tokens`, where that is known better than here.
    pub fn max_completion_tokens(mut self, yes: bool) -> Self {
        self.max_completion_tokens = Some(yes);
        self
    }

    /// Sets whether a model of `openai`, or of a server that is called so, is reached by OpenAI's responses rather than by its
    /// chat completions (false). Reasoning is then part of the response, and goes back with its tool calls.
    pub fn responses_api(mut self, yes: bool) -> Self {
        self.responses = yes;
        self
    }

    /// Sets the version of the API that Azure wants for a deployment, such as `2024-10-21`. By default that of the variable
    /// `AZURE_API_VERSION`, and otherwise none: then the address without versions is used.
    pub fn api_version(mut self, version: impl Into<String>) -> Self {
        self.api_version = Some(version.into());
        self
    }

    /// Sets whether the end of what does not change from call to call (instructions and demonstrations) is marked for the
    /// provider's prompt cache, where that has to be asked for: with Anthropic and on Bedrock (true). What is marked costs more the
    /// first time and a tenth after that, for five minutes; providers pass over short prompts.
    pub fn prompt_caching(mut self, yes: bool) -> Self {
        self.prompt_caching = yes;
        self
    }

    /// Sends the number of the draw with every request, as a parameter of this name such as `rollout_id`. For servers that
    /// draw by it: what they answer then depends on the request alone, not on the order in which equal requests arrive.
    /// Without it the number is known to the cache only.
    pub fn rollout_parameter(mut self, name: impl Into<String>) -> Self {
        self.rollout_name = Some(name.into());
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`LmErrorKind::Configuration`] when the provider is unknown, a key is missing, or a setting makes no sense; the
    /// message says what to do.
    pub fn build(self) -> Result<LM, LmError> {
        self.build_with_env(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
    }

    fn build_with_env(self, env: impl Fn(&str) -> Option<String>) -> Result<LM, LmError> {
        let id = match &self.source {
            Source::Named(id) => id.clone(),
            Source::Model(model) => model.id().to_owned(),
        };
        let wrong = |message: String| LmError::new(LmErrorKind::Configuration, &id, message);
        let Limits { concurrency, requests_per_minute, tokens_per_minute, .. } = self.limits;
        for (name, none) in [
            ("concurrency", concurrency == Some(0)),
            ("requests_per_minute", requests_per_minute == Some(0.0)),
            ("tokens_per_minute", tokens_per_minute == Some(0.0)),
        ] {
            if none {
                return Err(wrong(format!("{name} of 0 would let no request through; set 1 or more")));
            }
        }
        for (name, value) in [("temperature", self.options.temperature), ("top_p", self.options.top_p)] {
            if value.is_some_and(|v| !v.is_finite() || v < 0.0) {
                return Err(wrong(format!("{name} must be a number from 0 up")));
            }
        }
        for setting in ["api_key", "api_base", "base_url", "headers"] {
            if self.options.extra.contains_key(setting) {
                let message =
                    "is a setting of the client and no parameter of requests; use the builder's method";
                return Err(wrong(format!("`{setting}` {message}")));
            }
        }
        if self.api_key.is_some() && self.aws_credentials.is_some() {
            return Err(wrong("either api_key or aws_credentials is set, not both".into()));
        }
        // What only models behind a server have.
        let reaches_out = self.api_base.is_some()
            || self.api_key.is_some()
            || self.region.is_some()
            || self.aws_credentials.is_some()
            || !self.headers.is_empty();
        let timeout = matches!(self.source, Source::Named(_)).then_some(self.timeouts.total);
        let draws_are_sent = self.rollout_name.is_some();
        let served = |served: bool| match draws_are_sent && !served {
            true => Err(wrong(
                "rollout_parameter is for models behind a server; others see the draw in the request".into(),
            )),
            false => Ok(()),
        };
        let model: Arc<dyn LanguageModel> = match self.source {
            Source::Model(model) => {
                served(false)?;
                if reaches_out {
                    let message = "api_base, api_key and header are for models of a provider; a model of your \
                                   own has none of them";
                    return Err(wrong(message.into()));
                }
                model
            }
            Source::Named(_) => {
                let (provider, name) = split(&id).map_err(wrong)?;
                match &provider.access {
                    Access::Served(endpoint) => {
                        served(true)?;
                        let known = facts::of(&id);
                        let version_var = format!("{}_API_VERSION", provider.name.to_uppercase());
                        let api_version = self.api_version.or_else(|| env(&version_var));
                        let wanted = Wanted {
                            api_base: self.api_base,
                            api_key: self.api_key,
                            region: self.region.or_else(|| aws::region_of(name)),
                        };
                        let mut place =
                            Place::find(provider.name, endpoint, "LM", wanted, &env).map_err(wrong)?;
                        if self.aws_credentials.is_some() {
                            // What is said in code is what is meant.
                            place.key = None;
                        }
                        let signing = match (endpoint.protocol.signs(), self.aws_credentials) {
                            (true, given) if place.key.is_none() => {
                                Some(Signing::find(&place, name, given, &env).map_err(wrong)?)
                            }
                            (false, Some(_)) => {
                                let message = format!("`{}` does not take AWS's credentials", provider.name);
                                return Err(wrong(message));
                            }
                            _ => None,
                        };
                        let able = capabilities(provider.name, endpoint, &known, &place);
                        let mut timeouts = self.timeouts;
                        timeouts.read = timeouts.read.min(timeouts.total);
                        let address = Address {
                            id: id.clone(),
                            api_base: place.api_base,
                            key: place.key,
                            headers: self.headers,
                            timeouts,
                        };
                        let protocol = match (endpoint.protocol, self.responses) {
                            (protocol, false) => protocol,
                            (Protocol::OpenAiChat, true) => Protocol::OpenAiResponses,
                            (_, true) => {
                                return Err(wrong(format!("`{}` has no responses API", provider.name)));
                            }
                        };
                        let capabilities = self.capabilities.unwrap_or(able);
                        let setup = Setup {
                            name: name.to_owned(),
                            max_completion_tokens: self
                                .max_completion_tokens
                                .or(known.max_completion_tokens)
                                .unwrap_or(false),
                            facts: known,
                            rollout_name: self.rollout_name.clone(),
                            prompt_caching: self.prompt_caching,
                            api_version,
                            signing,
                        };
                        let model = wire::connect(protocol, address, capabilities, setup)?;
                        if let Some(name) = &self.rollout_name
                            && (model.own_parameters().contains(&name.as_str())
                                || self.options.extra.contains_key(name))
                        {
                            return Err(wrong(format!(
                                "`{name}` cannot be the parameter of the draw: it is one already"
                            )));
                        }
                        Arc::new(model)
                    }
                    Access::InProcess => {
                        served(false)?;
                        if reaches_out {
                            let message = "api_base, api_key and header are for models that are served \
                                           elsewhere; a model in this process has none of them";
                            return Err(wrong(message.into()));
                        }
                        in_process(&id, name)?
                    }
                }
            }
        };
        let limits = Limits { timeout, ..self.limits };
        let core = Core::new(model, self.capabilities, self.retry, limits, self.cache);
        Ok(LM::assemble(core, self.options).with_deadline(self.deadline))
    }
}

#[cfg(feature = "local")]
fn in_process(_: &str, path: &str) -> Result<Arc<dyn LanguageModel>, LmError> {
    Ok(Arc::new(super::LocalModel::shared(path)?))
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

impl fmt::Debug for LMBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = match &self.source {
            Source::Named(id) => id,
            Source::Model(model) => model.id(),
        };
        f.debug_struct("LMBuilder")
            .field("model", &id)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

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
