//! The server of a store, over HTTP.

use std::time::Duration;

use reqwest::{Method, header::HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    Error, LmError, LmErrorKind, Result, RetrievalError,
    lm::{Address, Endpoint, RetryPolicy, Site, Timeouts},
};

/// How long one request may take unless set.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where a store is, and how it is reached.
pub(crate) struct Setup {
    /// The kind and the name of the store, for people.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) key: Option<SecretString>,
    /// The header that carries the key, and what stands before the key in it.
    pub(crate) key_header: (&'static str, &'static str),
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
}

/// A server that takes and gives JSON.
pub(crate) struct Service {
    name: String,
    endpoint: Endpoint,
    has_key: bool,
    retry: RetryPolicy,
}

impl Service {
    pub(crate) fn new(setup: Setup) -> Result<Self> {
        let Setup { name, url, key, key_header: (header, before), headers, timeout, retry } = setup;
        let total = timeout.unwrap_or(TIMEOUT);
        let timeouts = Timeouts { read: total, total, ..Timeouts::default() };
        let has_key = key.is_some();
        let address = Address { id: name.clone(), api_base: url, key, headers, timeouts, signer: None };
        let endpoint = Endpoint::new(address, Site::new("", header, before))
            .map_err(|e| RetrievalError::new(&name, e.message.replace("api_base", "address")))?
            .without_hints();
        Ok(Self { name, endpoint, has_key, retry })
    }

    /// The store, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An answer that is not as the store's interface says.
    pub(crate) fn unreadable(&self, what: impl std::fmt::Display) -> Error {
        RetrievalError::new(&self.name, format!("the answer cannot be read: {what}")).into()
    }

    /// Sends a request, and again when the store is out of order for a while. `None` when there is no such thing there.
    pub(crate) async fn find(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Value>> {
        match self.attempts(Method::GET, path, query, None).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == LmErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.attempts(Method::POST, path, &[], Some(body)).await.map_err(|e| self.failed(&e))
    }

    pub(crate) async fn put(&self, path: &str, query: &[(&str, &str)], body: &Value) -> Result<Value> {
        self.attempts(Method::PUT, path, query, Some(body)).await.map_err(|e| self.failed(&e))
    }

    async fn attempts(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, LmError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut error = match self.once(method.clone(), path, query, body).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            error.attempts = attempts;
            match self.retry.delay(attempts, &error) {
                Some(delay) if tokio::runtime::Handle::try_current().is_ok() => {
                    tokio::time::sleep(delay).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, LmError> {
        let body =
            body.map(|body| (HeaderValue::from_static("application/json"), body.to_string().into_bytes()));
        let reply = self.endpoint.exchange(method, path, query, body).await?;
        if reply.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply).map_err(|e| self.endpoint.unreadable(e))
    }

    fn failed(&self, error: &LmError) -> Error {
        let mut failed = RetrievalError::new(&self.name, &error.message).retryable(error.retryable());
        failed.status = error.status;
        match error.kind {
            LmErrorKind::Auth if !self.has_key => {
                failed.message.push_str("; no API key was sent, set one with `api_key`");
            }
            LmErrorKind::NotFound => failed.message.push_str(
                "; check the address and the name of the collection, which `create` makes if it does not exist",
            ),
            _ => {}
        }
        if error.attempts > 1 {
            failed.message.push_str(&format!(" (after {} attempts)", error.attempts));
        }
        failed.into()
    }
}
