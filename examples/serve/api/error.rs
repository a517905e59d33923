//! Failures in the form that OpenAI gives them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use dspy::{LmError, LmErrorKind};
use serde_json::{Value, json};

/// A refusal: its HTTP status and what its body says.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
    /// Seconds.
    retry_after: Option<u64>,
}

impl ApiError {
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, code: None, param: None, message: message.into(), retry_after: None }
    }

    /// A request that is wrong.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// A parameter whose value is wrong.
    pub fn parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::bad(message).about(name).code("invalid_value")
    }

    /// Names the parameter at fault.
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.param = Some(name.into());
        self
    }

    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub fn body(&self) -> Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        } })
    }
}

impl From<LmError> for ApiError {
    fn from(e: LmError) -> Self {
        let message = e.message.clone();
        let wrong = |message| Self::bad(message);
        let failed =
            |status, kind, message: String| Self::new(status, kind, format!("{}: {message}", e.model));
        let mut error = match e.kind {
            LmErrorKind::InvalidRequest => wrong(message),
            LmErrorKind::ContextWindow => wrong(message).code("context_length_exceeded"),
            LmErrorKind::RateLimit => {
                failed(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message).code("rate_limit_exceeded")
            }
            LmErrorKind::Quota => failed(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", message)
                .code("insufficient_quota"),
            LmErrorKind::Timeout => failed(StatusCode::GATEWAY_TIMEOUT, "server_error", message),
            // What a provider behind this server refuses is not the fault of its client.
            LmErrorKind::Auth
            | LmErrorKind::NotFound
            | LmErrorKind::Transport
            | LmErrorKind::InvalidResponse => failed(StatusCode::BAD_GATEWAY, "server_error", message),
            _ => failed(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message),
        };
        error.retry_after = e.retry_after.map(|t| t.as_secs().max(1));
        error
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut reply = super::json(self.status, &self.body());
        let headers = reply.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        reply
    }
}
