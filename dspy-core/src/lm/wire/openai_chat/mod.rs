//! OpenAI's chat completions, which most servers of open models speak as well.
//!
//! Source: the API reference of OpenAI, *Chat Completions*.

mod body;
mod failure;
mod read;
mod stream;

use std::sync::Arc;

use reqwest::{
    Body, Client, Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use secrecy::{ExposeSecret, SecretString};

use self::failure::Reply;
use crate::{
    LmError, LmErrorKind,
    lm::{
        BoxFuture, Capabilities, DeltaSink, LanguageModel, Request, Response,
        http::{self, Timeouts},
        retry::parse_retry_after,
    },
};

/// The longest answer that is read, against servers that never end.
const MAX_ANSWER: usize = 64 << 20;

/// A model behind a chat completions endpoint.
pub(crate) struct OpenAiChat {
    id: String,
    api_base: String,
    url: Url,
    client: Client,
    headers: HeaderMap,
    key: Option<SecretString>,
    timeouts: Timeouts,
    capabilities: Capabilities,
    /// How every body begins: `{"model":"name"`.
    head: Arc<[u8]>,
    max_tokens_name: &'static str,
}

/// What a model behind a chat completions endpoint is made of.
pub(crate) struct Settings {
    /// `provider/name`
    pub(crate) id: String,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) api_base: String,
    pub(crate) key: Option<SecretString>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeouts: Timeouts,
    pub(crate) capabilities: Capabilities,
    pub(crate) max_tokens_name: &'static str,
}

impl OpenAiChat {
    pub(crate) fn new(s: Settings) -> Result<Self, LmError> {
        let wrong = |message: String| LmError::new(LmErrorKind::Configuration, &s.id, message);
        let url = endpoint(&s.api_base).map_err(wrong)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &s.key {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
                .map_err(|_| wrong("the API key has characters that no header can hold".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        for (name, value) in &s.headers {
            let header = HeaderName::try_from(name)
                .map_err(|_| wrong(format!("`{name}` is not the name of an HTTP header")))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| wrong(format!("the header `{name}` has a value that no header can hold")))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let client = http::client(&url, &s.timeouts).map_err(wrong)?;
        Ok(Self {
            head: body::head(&s.name).into(),
            api_base: s.api_base.trim_end_matches('/').to_owned(),
            id: s.id,
            url,
            client,
            headers,
            key: s.key,
            timeouts: s.timeouts,
            capabilities: s.capabilities,
            max_tokens_name: s.max_tokens_name,
        })
    }

    /// Sends a request and waits for the head of the answer; an answer that is not a success is an error.
    async fn send(&self, request: &Request, stream: bool) -> Result<reqwest::Response, LmError> {
        let body = body::body(self, request, stream)?;
        let mut message = reqwest::Request::new(Method::POST, self.url.clone());
        message.headers_mut().clone_from(&self.headers);
        *message.body_mut() = Some(Body::from(body));
        if !stream {
            *message.timeout_mut() = Some(self.timeouts.total);
        }
        let response = self.client.execute(message).await.map_err(|e| http::failure(&self.id, e))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let header = |name| response.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let retry_after = match header(HeaderName::from_static("retry-after-ms")) {
            Some(ms) => ms.trim().parse().ok().map(std::time::Duration::from_millis),
            None => {
                header(RETRY_AFTER).and_then(|value| parse_retry_after(value, std::time::SystemTime::now()))
            }
        };
        // The status alone tells enough if the explanation breaks off.
        let body = read_all(response, &self.id).await.unwrap_or_default();
        Err(self.refused(&Reply { status: status.as_u16(), retry_after, body: &body }))
    }

    fn refused(&self, reply: &Reply<'_>) -> LmError {
        let mut error = failure::classify(&self.id, reply);
        error.message = self.redacted(&error.message);
        if error.kind == LmErrorKind::Auth && self.key.is_none() {
            error.message.push_str("; no API key was sent, set one with `LM::builder(..).api_key(..)`");
        }
        error
    }

    /// An answer that is not what the protocol says.
    fn unreadable(&self, what: impl std::fmt::Display) -> LmError {
        let what = self.redacted(&what.to_string());
        LmError::new(LmErrorKind::InvalidResponse, &self.id, format!("the answer cannot be read: {what}"))
    }

    /// Takes the key out of what a server says: some repeat it.
    fn redacted(&self, message: &str) -> String {
        let secrets = self.key.iter().map(|key| key.expose_secret());
        let sensitive = self.headers.values().filter(|v| v.is_sensitive()).filter_map(|v| v.to_str().ok());
        let mut message = message.to_owned();
        // Very short values would blot out ordinary words.
        for secret in secrets.chain(sensitive).filter(|s| s.len() >= 6) {
            if message.contains(secret) {
                message = message.replace(secret, "[redacted]");
            }
        }
        message
    }
}

impl LanguageModel for OpenAiChat {
    fn id(&self) -> &str {
        &self.id
    }

    fn endpoint(&self) -> &str {
        &self.api_base
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn request_body(&self, request: &Request) -> Result<Vec<u8>, LmError> {
        body::body(self, request, false)
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let answer = read_all(self.send(request, false).await?, &self.id).await?;
            read::response(self, &answer)
        })
    }

    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let response = self.send(request, true).await?;
            stream::read(self, response, sink).await
        })
    }
}

async fn read_all(mut response: reqwest::Response, model: &str) -> Result<Vec<u8>, LmError> {
    let expected = response.content_length().unwrap_or(0).min(1 << 20) as usize;
    let mut all = Vec::with_capacity(expected);
    while let Some(chunk) = response.chunk().await.map_err(|e| http::failure(model, e))? {
        if all.len() + chunk.len() > MAX_ANSWER {
            return Err(LmError::new(
                LmErrorKind::InvalidResponse,
                model,
                "the answer is longer than 64 MiB",
            ));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// The address of the endpoint under `api_base`.
fn endpoint(api_base: &str) -> Result<Url, String> {
    let cure = "set it as in `http://localhost:8000/v1`";
    let base = api_base.trim_end_matches('/');
    let url = format!("{base}/chat/completions");
    let url = Url::parse(&url).map_err(|e| format!("the api_base is not a URL ({e}); {cure}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the api_base must begin with http:// or https://; {cure}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the api_base must not hold a user name or password; use api_key or header".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("the api_base must not have a query or fragment; {cure}"));
    }
    Ok(url)
}
