//! Where spans are sent to, and how.

use std::{
    collections::{BTreeMap, HashMap},
    env, fmt,
    sync::Arc,
    time::Duration,
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{sending::Sending, spans::Spans};
use crate::{
    Error, Result,
    context::{
        configure,
        observe::{Event, Observer},
    },
    lm::{blocking_client, genai},
};

/// Where spans are sent unless something else is said.
const DEFAULT: &str = "http://localhost:4318";

/// How long one request may take unless something else is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How many spans may wait to be sent: those of a compile come faster than the SDK's 2,048 allow.
const QUEUE: usize = 65_536;

/// How an [`Exporter`] is set up. What is not set is read from OpenTelemetry's environment variables:
/// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`,
/// `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`,
/// `OTEL_SDK_DISABLED`. The protocol is `http/protobuf`.
///
/// ```no_run
/// # fn main() -> dspy_core::Result<()> {
/// // To an MLflow server, with all that is said.
/// let _otel = dspy_core::otel::Otlp::new()
///     .endpoint("http://127.0.0.1:5000/v1/traces")
///     .header("x-mlflow-experiment-id", "0")
///     .service_name("answers")
///     .content(true)
///     .install()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is sent until it is installed"]
pub struct Otlp {
    endpoint: Option<String>,
    headers: BTreeMap<String, SecretString>,
    service: Option<String>,
    content: Option<bool>,
    timeout: Option<Duration>,
}

impl Otlp {
    /// As the environment says; to `http://localhost:4318/v1/traces` when it says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the whole address that spans are sent to, such as `http://127.0.0.1:4318/v1/traces`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Adds a header to every request, such as `authorization` or `x-mlflow-experiment-id`. Its value is treated as a
    /// secret.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Names the program (`service.name`).
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// Sets whether spans contain what is said: messages, answers, inputs, outputs, arguments, queries, passages and the
    /// words of errors. They do not unless it is set here or in the environment, see
    /// [`capture_content`](crate::lm::capture_content). Keys of models are never in them.
    pub fn content(mut self, on: bool) -> Self {
        self.content = Some(on);
        self
    }

    /// Sets how long one request to the server may take: 10 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The exporter, for [`Settings::observer`](crate::context::Settings::observer): so it can observe one scope.
    ///
    /// # Errors
    /// [`Error::Other`] when the address or a header is none, or the client cannot be made. Whether the server is there
    /// is not asked.
    pub fn build(self) -> Result<Exporter> {
        let url = self.url()?;
        self.checked_protocol()?;
        let millis = |name| Some(Duration::from_millis(set(name)?.trim().parse().ok()?));
        let timeout = (self.timeout)
            .or_else(|| millis("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"))
            .or_else(|| millis("OTEL_EXPORTER_OTLP_TIMEOUT"))
            .unwrap_or(TIMEOUT);
        let client = blocking_client(&url, timeout).map_err(Error::other)?;
        let mut sending =
            SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_http_client(client);
        sending = sending.with_headers(self.checked_headers()?);
        if let Some(endpoint) = self.endpoint {
            sending = sending.with_endpoint(endpoint);
        }
        if let Some(timeout) = self.timeout {
            sending = sending.with_timeout(timeout);
        }
        let sending = sending.build().map_err(|e| Error::other(format!("spans cannot be sent: {e}")))?;
        let mut batches = BatchConfigBuilder::default();
        if env::var_os("OTEL_BSP_MAX_QUEUE_SIZE").is_none() {
            batches = batches.with_max_queue_size(QUEUE);
        }
        let sending = Sending::new(sending, url.host_str().unwrap_or_default());
        let processor = BatchSpanProcessor::builder(sending).with_batch_config(batches.build()).build();
        let mut resource = Resource::builder();
        if let Some(service) = self.service {
            resource = resource.with_service_name(service);
        }
        let mut provider = SdkTracerProvider::builder().with_resource(resource.build());
        if !set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            provider = provider.with_span_processor(processor);
        }
        let provider = provider.build();
        let content = self.content.unwrap_or_else(genai::captures_content);
        let spans = Spans::new(provider.tracer("dspy"), content);
        Ok(Exporter(Arc::new(Inner { spans, provider })))
    }

    /// Sends what the whole process does. What waits is sent when the guard is dropped.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn install(self) -> Result<Guard> {
        let exporter = self.build()?;
        let observer = exporter.clone();
        configure(|c| c.observer(observer));
        Ok(Guard(exporter))
    }

    fn url(&self) -> Result<Url> {
        let url = (self.endpoint.clone())
            .or_else(|| set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
            .or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"))
            .unwrap_or_else(|| DEFAULT.to_owned());
        let parsed = Url::parse(&url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        parsed.ok_or_else(|| {
            Error::other(format!(
                "`{url}` is no address that spans can be sent to; give one such as `http://localhost:4318/v1/traces`"
            ))
        })
    }

    /// The environment may ask for a protocol that is not spoken here, and then names a port of that.
    fn checked_protocol(&self) -> Result<()> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
        let asked = names.into_iter().find_map(|name| Some((name, set(name)?)));
        match asked.filter(|(_, protocol)| self.endpoint.is_none() && protocol.trim() != "http/protobuf") {
            Some((name, protocol)) => Err(Error::other(format!(
                "spans are sent by `http/protobuf` (port 4318 of a collector), but {name} asks for `{}`; set it, and the \
                 endpoint, to that, or give the address with `Otlp::endpoint`",
                protocol.trim()
            ))),
            None => Ok(()),
        }
    }

    fn checked_headers(&self) -> Result<HashMap<String, String>> {
        let mut headers = HashMap::new();
        for (name, value) in &self.headers {
            let value = value.expose_secret();
            if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err() {
                return Err(Error::other(format!(
                    "the header `{name}` of the exporter of spans has a name or a value that HTTP does not allow"
                )));
            }
            headers.insert(name.clone(), value.to_owned());
        }
        Ok(headers)
    }
}

/// A variable of the environment that is not empty.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Sends what it observes as spans, in batches from a thread of its own. Cheap to clone.
///
/// When the server cannot be reached, spans are lost, and nothing else happens: it is said once on standard error, OpenTelemetry's
/// SDK tells of it as events of `tracing`, and [`flush`](Self::flush) says so.
#[derive(Clone)]
pub struct Exporter(Arc<Inner>);

struct Inner {
    spans: Spans,
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Sends what waits, and waits until it is sent. It blocks the thread for as long as that takes, a few seconds at most.
    ///
    /// # Errors
    /// [`Error::Other`] when it could not be sent.
    pub fn flush(&self) -> Result<()> {
        self.0.provider.force_flush().map_err(|e| Error::other(format!("spans could not be sent: {e}")))
    }
}

impl Observer for Exporter {
    fn observe(&self, event: &Event<'_>) {
        self.0.spans.observe(event);
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

/// Sends what waits when it is dropped: hold it as long as the program runs.
#[derive(Debug)]
#[must_use = "what waits is sent when it is dropped, so keep it: `let _otel = ...`"]
pub struct Guard(Exporter);

impl Guard {
    /// The exporter.
    pub fn exporter(&self) -> &Exporter {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.0.flush() {
            tracing::warn!(%error, "the last spans were lost");
        }
    }
}
