//! How a client is set up.

mod build;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::Value;

use super::{
    AwsCredentials, Cache, Capabilities, LM, LanguageModel, Options, ReasoningEffort, TokenSource,
    http::Timeouts, limiter::Limits, retry::RetryPolicy,
};
use crate::LmError;

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
    token_source: Option<Arc<dyn TokenSource>>,
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
    /// [`LmErrorKind::Configuration`](crate::LmErrorKind::Configuration) when the provider is unknown or the key is missing.
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

    /// The model's name, with its provider where it has one.
    fn id(&self) -> &str {
        match &self.source {
            Source::Named(id) => id,
            Source::Model(model) => model.id(),
        }
    }

    fn of(source: Source, concurrency: Option<usize>, cache: Cache) -> Self {
        Self {
            source,
            api_base: None,
            api_key: None,
            region: None,
            aws_credentials: None,
            token_source: None,
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
    /// is set with [`LMBuilder::api_key`]. An address that is only a host has the path of the provider's own endpoint.
    pub fn api_base(mut self, url: impl Into<String>) -> Self {
        self.api_base = Some(url.into());
        self
    }

    /// Sets the key. It never appears in logs, errors, caches or saved programs.
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sets what gives access tokens, which are sent in place of a key, as `Authorization: Bearer ...`: for Vertex AI, for
    /// Azure with Microsoft Entra ID, for Databricks with OAuth, and for gateways. A token is asked for when there is none,
    /// shortly before it expires, and once when the provider refuses it (401); all clones of the client share it.
    ///
    /// ```no_run
    /// # fn f() -> Result<(), dspy_core::LmError> {
    /// use std::{process::Command, time::Duration};
    ///
    /// use dspy_core::lm::{AccessToken, LM, TokenError};
    ///
    /// // As whoever is logged in with the command line tools of Google's cloud.
    /// let token = || async {
    ///     let ask = || Command::new("gcloud").args(["auth", "print-access-token"]).output();
    ///     let output = tokio::task::spawn_blocking(ask).await??;
    ///     let token = String::from_utf8(output.stdout)?;
    ///     Ok::<_, TokenError>(AccessToken::new(token.trim()).expires_in(Duration::from_secs(1800)))
    /// };
    /// let lm = LM::builder("vertex_ai/gemini-3.5-flash").token_source(token).build()?;
    /// # let _ = lm; Ok(()) }
    /// ```
    pub fn token_source(mut self, source: impl TokenSource) -> Self {
        self.token_source = Some(Arc::new(source));
        self
    }

    /// Sets the region in which the models of a provider that has regions are asked, such as `eu-west-1` for Bedrock. Without it,
    /// that of an ARN, of `AWS_REGION` or `AWS_DEFAULT_REGION`, or of the profile in the files of AWS's tools.
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
    /// The usage is that of the answer which is taken. Off by default; not done for streams, nor while requests have to wait.
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
    /// [`LmErrorKind::Configuration`](crate::LmErrorKind::Configuration) when the provider is unknown, a key is missing, or a setting makes no sense; the
    /// message says what to do.
    pub fn build(self) -> Result<LM, LmError> {
        self.build_with_env(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
    }
}

impl fmt::Debug for LMBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LMBuilder")
            .field("model", &self.id())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
