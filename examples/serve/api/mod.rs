//! A model behind OpenAI's chat-completions protocol.
#![allow(unreachable_pub)]

mod error;
mod reply;
mod request;

use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use dspy::LM;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use error::ApiError;
use reply::{Events, Head};
use request::Chat;

/// The longest body of a request.
const MAX_BODY: usize = 64 << 20;

/// One model, and who may use it.
pub struct Service {
    lm: LM,
    name: String,
    key: Option<String>,
    /// Seconds since 1970.
    started: u64,
    answers: AtomicU64,
    random: RandomState,
}

impl Service {
    /// The model under the last part of its identifier.
    pub fn new(lm: LM) -> Self {
        let name = lm.id().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        Self { lm, name, key: None, started: now(), answers: AtomicU64::new(0), random: RandomState::new() }
    }

    /// Sets the name under which clients ask for the model.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the key that clients must show.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The name under which clients ask for the model.
    pub fn served_name(&self) -> &str {
        &self.name
    }

    /// Serves until `stop` is ready; answers that are under way then are finished.
    pub async fn run(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        axum::serve(listener, self.router()).with_graceful_shutdown(stop).await
    }

    fn router(self) -> Router {
        let service = Arc::new(self);
        Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/models", get(models))
            .route("/v1/models/{*name}", get(model))
            .layer(middleware::from_fn_with_state(service.clone(), check_key))
            .route("/health", get(|| async { json(StatusCode::OK, &json!({ "status": "ok" })) }))
            .fallback(nowhere)
            .method_not_allowed_fallback(wrong_method)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(service)
    }

    fn knows(&self, name: &str) -> Result<(), ApiError> {
        if name == self.name || name == self.lm.id() {
            return Ok(());
        }
        let message = format!("there is no model `{name}` here; the one that is served is `{}`", self.name);
        let error = ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", message);
        Err(error.code("model_not_found").about("model"))
    }

    fn head(&self, number: u64) -> Head {
        Head {
            id: format!("chatcmpl-{:x}-{number:x}", self.started),
            created: now(),
            model: self.name.clone(),
        }
    }

    fn entry(&self) -> Value {
        json!({ "id": self.name, "object": "model", "created": self.started, "owned_by": "dspy" })
    }
}

async fn chat(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    // A page in a browser cannot send this type without asking first, so no page can use a model that is served here.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        let message = "the header `content-type` must be `application/json`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", message));
    }
    let body =
        body.map_err(|e| ApiError::new(e.status(), "invalid_request_error", e.body_text().to_lowercase()))?;
    let mut asked = Chat::read(&body, service.lm.capabilities())?;
    service.knows(&asked.model)?;
    let number = service.answers.fetch_add(1, Relaxed);
    // Without a seed, every request is a draw of its own.
    asked.request.rollout = service.random.hash_one(number);
    let head = service.head(number);
    if !asked.stream {
        let answer = service.lm.generate(asked.request).await?;
        return Ok(json(StatusCode::OK, &head.completion(&answer.response)));
    }
    let events = Events::begin(head, service.lm.stream(asked.request), asked.include_usage).await?;
    let events = stream::unfold(events, |mut events| async move {
        let data = events.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(data)), events))
    });
    Ok(Sse::new(events).into_response())
}

async fn models(State(service): State<Arc<Service>>) -> Response {
    json(StatusCode::OK, &json!({ "object": "list", "data": [service.entry()] }))
}

async fn model(State(service): State<Arc<Service>>, Path(name): Path<String>) -> Result<Response, ApiError> {
    service.knows(&name)?;
    Ok(json(StatusCode::OK, &service.entry()))
}

async fn check_key(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(key) = &service.key {
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        let shown = shown.and_then(|v| v.split_once(' ')).filter(|(s, _)| s.eq_ignore_ascii_case("bearer"));
        if !shown.is_some_and(|(_, shown)| equal(shown.trim(), key)) {
            let message = "the header `authorization: Bearer KEY` is missing or holds the wrong key";
            return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
                .code("invalid_api_key"));
        }
    }
    Ok(next.run(request).await)
}

/// Compares in a time that does not tell where two keys differ.
fn equal(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

async fn nowhere(request: Request) -> ApiError {
    let message = format!("there is nothing at {}", request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
}

async fn wrong_method(request: Request) -> ApiError {
    let message = format!("{} is not allowed at {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message)
}

fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string())).into_response()
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|t| t.as_secs()).unwrap_or_default()
}
