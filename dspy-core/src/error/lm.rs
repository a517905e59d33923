//! Failed calls of models.

use std::{fmt, time::Duration};

use crate::quota::Quota;

/// Why a model call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LmErrorKind {
    /// No connection, a reset, a body that broke off.
    Transport,
    /// One of the timeouts passed.
    Timeout,
    /// The key is missing, wrong, or not allowed to do this (401, 403).
    Auth,
    /// The provider asks to slow down (429).
    RateLimit,
    /// The account has no credit left (429 with `insufficient_quota`); waiting does not help.
    Quota,
    /// The request is wrong (other 4xx).
    InvalidRequest,
    /// The prompt and the answer do not fit into the model's context window.
    ContextWindow,
    /// The provider's filter withheld the answer, or refused the prompt.
    ContentFilter,
    /// The model declined to answer, and the provider says so.
    Refusal,
    /// The model or the endpoint does not exist (404).
    NotFound,
    /// The provider failed (5xx, 408, 409).
    Server,
    /// The provider answered with something that is not its own protocol.
    InvalidResponse,
    /// The client was set up wrongly.
    Configuration,
    /// The request does not fit into the budget of the work that it belongs to; it was not sent.
    Budget,
    /// The cache has no answer where none may be asked for, or does not work where it must.
    Cache,
}

impl LmErrorKind {
    /// The kind in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::InvalidRequest => "invalid_request",
            Self::ContextWindow => "context_window",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::NotFound => "not_found",
            Self::Server => "server",
            Self::InvalidResponse => "invalid_response",
            Self::Configuration => "configuration",
            Self::Budget => "budget",
            Self::Cache => "cache",
        }
    }
}

impl fmt::Display for LmErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed model call.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{model}: {kind}{}: {message}{}",
    .status.map(|s| format!(" (HTTP {s})")).unwrap_or_default(),
    if *.attempts > 1 { format!(" (after {} attempts)", .attempts) } else { String::new() }
)]
#[non_exhaustive]
pub struct LmError {
    /// What happened.
    pub kind: LmErrorKind,
    /// The model, as `provider/name`.
    pub model: String,
    /// The HTTP status of a refusal.
    pub status: Option<u16>,
    /// How long the provider asked to wait.
    pub retry_after: Option<Duration>,
    /// The provider's message, shortened.
    pub message: String,
    /// How many times the request was sent.
    pub attempts: u32,
    /// What the provider says is left of the account's limits.
    pub(crate) quota: Option<Box<Quota>>,
}

impl LmError {
    /// An error of `kind` from `model`.
    pub fn new(kind: LmErrorKind, model: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            model: model.into(),
            status: None,
            retry_after: None,
            message: message.into(),
            attempts: 1,
            quota: None,
        }
    }

    /// Whether sending the same request again may succeed: transport faults, 408, 409, 429, 5xx and
    /// broken bodies; never another 4xx.
    pub fn retryable(&self) -> bool {
        matches!(
            self.kind,
            LmErrorKind::Transport
                | LmErrorKind::Timeout
                | LmErrorKind::RateLimit
                | LmErrorKind::Server
                | LmErrorKind::InvalidResponse
        )
    }
}
