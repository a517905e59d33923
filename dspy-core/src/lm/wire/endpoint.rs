//! A place on the network that answers requests: what all protocols share.

use std::{borrow::Cow, collections::BTreeMap, ops::Deref, sync::Arc, time::SystemTime};

use reqwest::{
    Body, Client, Method, Url,
    header::{
        AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue, LOCATION,
        RETRY_AFTER,
    },
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    failure::{self, Reply},
    quota,
};
use crate::{
    LmError, LmErrorKind,
    error::{no_runtime, shorten},
    lm::{
        BoxFuture, Response,
        http::{self, Timeouts},
        private::redact,
        retry::{parse_retry_after, parse_retry_after_ms},
        time::parse_http_date,
    },
    quota::Quota,
};

/// The longest answer that is read, against servers that never end.
const MAX_ANSWER: usize = 64 << 20;
/// How much of what a server says goes into an error.
const MAX_MESSAGE: usize = 600;

/// Bytes as they came from the network, whatever holds them.
pub(crate) trait Bytes: Deref<Target = [u8]> + Default + Send {}

impl<B: Deref<Target = [u8]> + Default + Send> Bytes for B {}

/// Where a protocol is spoken under an address, and how.
pub(crate) struct Site {
    /// The path to which requests go, with a query where there is one.
    pub(super) path: String,
    /// Where requests for streamed answers go, if elsewhere.
    pub(super) stream_path: Option<String>,
    /// The header that carries the key, and what stands before the key in it.
    pub(super) key: (HeaderName, &'static str),
    /// Headers of every request.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The header of an answer that has its id, where the body has none.
    pub(super) id: Option<HeaderName>,
    /// What signs requests, where no key is sent.
    pub(super) signer: Option<Arc<dyn Sign>>,
    /// What a refusal means beyond what is alike everywhere.
    pub(super) refine: fn(&Reply<'_>, &mut LmError),
}

/// Signs requests.
pub(crate) trait Sign: Send + Sync {
    /// Adds the signature to a request that is about to be sent.
    fn sign<'a>(
        &'a self,
        request: &'a mut reqwest::Request,
    ) -> BoxFuture<'a, Result<(), (LmErrorKind, String)>>;

    /// The server does not accept the signature of a request; whether another one may help.
    fn refused<'a>(&'a self, signature: Option<&'a HeaderValue>) -> BoxFuture<'a, bool> {
        let _ = signature;
        Box::pin(std::future::ready(false))
    }

    /// Takes out of a text what the last signature has in it and nobody may see.
    fn redact(&self, text: &mut String);
}

impl Site {
    /// A path that takes the key in a header, with what stands before it.
    pub(crate) fn new(path: impl Into<String>, header: &'static str, before: &'static str) -> Self {
        Self { key: (HeaderName::from_static(header), before), ..Self::bearer(path) }
    }

    /// A path that takes the key as a bearer token.
    pub(super) fn bearer(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            stream_path: None,
            key: (AUTHORIZATION, "Bearer "),
            headers: Vec::new(),
            id: None,
            signer: None,
            refine: |_, _| {},
        }
    }
}

/// Where a model is served, and how it is reached.
pub(crate) struct Address {
    /// The model, as `provider/name`.
    pub(crate) id: String,
    pub(crate) api_base: String,
    pub(crate) key: Option<SecretString>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeouts: Timeouts,
    /// What signs requests, where that was chosen in code.
    pub(crate) signer: Option<Arc<dyn Sign>>,
}

/// What the head of an answer says of it.
pub(super) struct Head {
    /// Its id, where the body has none.
    pub(super) id: Option<String>,
    /// What is left of the account's limits.
    pub(super) quota: Option<Quota>,
}

impl Head {
    /// Adds it to the answer.
    pub(super) fn tell(self, response: &mut Response) {
        response.id = self.id.unwrap_or_else(|| std::mem::take(&mut response.id));
        response.quota = self.quota.map(Box::new);
    }
}

/// A place that answers requests.
#[derive(Clone)]
pub(crate) struct Endpoint {
    id: String,
    api_base: String,
    url: Url,
    stream_url: Url,
    client: Client,
    headers: HeaderMap,
    key: Option<SecretString>,
    id_header: Option<HeaderName>,
    signer: Option<Arc<dyn Sign>>,
    timeouts: Timeouts,
    refine: fn(&Reply<'_>, &mut LmError),
    /// Whether refusals are explained in the words of models.
    hints: bool,
}

impl Endpoint {
    /// The endpoint of a protocol under the address.
    pub(crate) fn new(address: Address, site: Site) -> Result<Self, LmError> {
        let Address { id, api_base, key, headers: own_headers, timeouts, signer } = address;
        let wrong = |message: String| LmError::new(LmErrorKind::Configuration, &id, message);
        let api_base = without_path(&api_base, &site.path).to_owned();
        let at = url(&api_base, &site.path).map_err(wrong)?;
        let stream_url = match &site.stream_path {
            Some(path) => url(&api_base, path).map_err(wrong)?,
            None => at.clone(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(site.headers);
        if let Some(key) = &key {
            let (name, before) = site.key;
            let value = secret(&format!("{before}{}", key.expose_secret()))
                .map_err(|_| wrong("the API key has characters that no header can hold".into()))?;
            headers.insert(name, value);
        }
        for (name, value) in &own_headers {
            let header = HeaderName::try_from(name)
                .map_err(|_| wrong(format!("`{name}` is not the name of an HTTP header")))?;
            let value = secret(value)
                .map_err(|_| wrong(format!("the header `{name}` has a value that no header can hold")))?;
            headers.insert(header, value);
        }
        let client = http::client(&at, &timeouts, false).map_err(wrong)?;
        Ok(Self {
            id,
            api_base,
            url: at,
            stream_url,
            client,
            headers,
            key,
            id_header: site.id,
            signer: signer.or(site.signer),
            timeouts,
            refine: site.refine,
            hints: true,
        })
    }

    /// The model, as `provider/name`.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What stands before the path in the address.
    pub(super) fn api_base(&self) -> &str {
        &self.api_base
    }

    /// The same place, for another model.
    pub(super) fn for_model(&self, id: String) -> Self {
        Self { id, ..self.clone() }
    }

    /// The same place, for a request that has these headers besides.
    pub(super) fn with_headers(&self, headers: &BTreeMap<String, String>) -> Result<Cow<'_, Self>, LmError> {
        if headers.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let mut place = self.clone();
        for (name, value) in headers {
            let wrong = |what: &str| {
                let message =
                    format!("the header `{name}` of the options has {what} that HTTP does not allow");
                LmError::new(LmErrorKind::InvalidRequest, &self.id, message)
            };
            let header = HeaderName::try_from(name).map_err(|_| wrong("a name"))?;
            let value = secret(value).map_err(|_| wrong("a value"))?;
            place.headers.insert(header, value);
        }
        Ok(Cow::Owned(place))
    }

    /// The same place, which is not one of a model: what a refusal may mean is left to others.
    pub(crate) fn without_hints(self) -> Self {
        Self { hints: false, ..self }
    }

    /// Sends a body and waits for the whole answer. What its head says comes with it.
    pub(super) async fn ask(&self, body: Vec<u8>) -> Result<(impl Bytes + use<>, Head), LmError> {
        let message = self.posting(&self.url, body);
        let reply = self.send_signed(&self.client, message).await?;
        let head = self.head(&reply);
        let answer = self.read_all(reply).await?;
        if failure::is_page(&answer) {
            return Err(self.page(&answer));
        }
        Ok((answer, head))
    }

    /// What the head of an answer says.
    pub(super) fn head(&self, reply: &reqwest::Response) -> Head {
        let id = self.id_header.as_ref().and_then(|name| reply.headers().get(name)?.to_str().ok());
        Head { id: id.map(str::to_owned), quota: quota::read(reply.headers()) }
    }

    /// Sends a request, signed if that is done here.
    async fn send_signed(
        &self,
        client: &Client,
        message: reqwest::Request,
    ) -> Result<reqwest::Response, LmError> {
        match &self.signer {
            None => self.send(client, message).await,
            // In a box, because most are not, and all would be larger.
            Some(signer) => Box::pin(self.sign_and_send(&**signer, client, message)).await,
        }
    }

    /// Signs a request and sends it; once more if the server does not accept the signature and another may help.
    async fn sign_and_send(
        &self,
        signer: &dyn Sign,
        client: &Client,
        mut message: reqwest::Request,
    ) -> Result<reqwest::Response, LmError> {
        let again = message.try_clone();
        self.sign(signer, &mut message).await?;
        let signature = message.headers().get(AUTHORIZATION).cloned();
        let error = match self.send(client, message).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        match again {
            Some(mut message) if error.status == Some(401) && signer.refused(signature.as_ref()).await => {
                self.sign(signer, &mut message).await?;
                self.send(client, message).await
            }
            _ => Err(error),
        }
    }

    async fn sign(&self, signer: &dyn Sign, message: &mut reqwest::Request) -> Result<(), LmError> {
        let signed = signer.sign(message).await;
        signed.map_err(|(kind, message)| LmError::new(kind, &self.id, self.shown(&message)))
    }

    /// A page for people where an answer should be.
    pub(super) fn page(&self, page: &[u8]) -> LmError {
        let title = failure::page_title(&String::from_utf8_lossy(page));
        self.unreadable(format!(
            "it is a page of HTML ({title}) and not the API's; a proxy may have sent it, or the api_base {} is wrong",
            self.api_base
        ))
    }

    /// Sends a body and waits for the head of the answer, whose rest may take as long as it likes.
    pub(super) async fn open(&self, body: Vec<u8>) -> Result<reqwest::Response, LmError> {
        let client = http::client(&self.url, &self.timeouts, true).map_err(|message| self.wrong(message))?;
        let message = self.posting(&self.stream_url, body);
        let reply = self.send_signed(&client, message).await?;
        let kind = reply.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/html") {
            return Err(self.page(&self.read_all(reply).await?));
        }
        Ok(reply)
    }

    /// Another request to the same place: to `path` under what stands before the path in the address. The body comes
    /// with its type.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<(HeaderValue, Vec<u8>)>,
    ) -> Result<impl Bytes + use<>, LmError> {
        let mut url = url(&self.api_base, path).map_err(|message| self.wrong(message))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut message = reqwest::Request::new(method, url);
        message.headers_mut().clone_from(&self.headers);
        message.headers_mut().remove(CONTENT_TYPE);
        if let Some((kind, body)) = body {
            message.headers_mut().insert(CONTENT_TYPE, kind);
            *message.body_mut() = Some(Body::from(body));
        }
        let reply = self.send_signed(&self.client, message).await?;
        self.read_all(reply).await
    }

    fn posting(&self, url: &Url, body: Vec<u8>) -> reqwest::Request {
        let mut message = reqwest::Request::new(Method::POST, url.clone());
        message.headers_mut().clone_from(&self.headers);
        *message.body_mut() = Some(Body::from(body));
        message
    }

    /// An answer that is not a success is an error.
    fn send<'a>(
        &'a self,
        client: &Client,
        message: reqwest::Request,
    ) -> impl Future<Output = Result<reqwest::Response, LmError>> + use<'a> {
        let sent = match tokio::runtime::Handle::try_current() {
            Ok(_) => Ok(client.execute(message)),
            Err(_) => Err(self.wrong(no_runtime("Requests to a provider"))),
        };
        async move {
            let reply = sent?.await.map_err(|e| self.failed(e))?;
            if reply.status().is_success() {
                return Ok(reply);
            }
            // In a box, because it is rare and would make every request larger.
            Err(Box::pin(self.refusal(reply)).await)
        }
    }

    async fn refusal(&self, reply: reqwest::Response) -> LmError {
        let status = reply.status().as_u16();
        let header = |name| reply.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        // A date is by the server's clock, which need not be this one.
        let now = || header(DATE).and_then(parse_http_date).unwrap_or_else(SystemTime::now);
        let retry_after = header(HeaderName::from_static("retry-after-ms"))
            .and_then(parse_retry_after_ms)
            .or_else(|| header(RETRY_AFTER).and_then(|value| parse_retry_after(value, now())));
        let quota = quota::read(reply.headers()).map(Box::new);
        let elsewhere = header(LOCATION).filter(|_| (300..400).contains(&status)).map(str::to_owned);
        // The status alone tells enough if the explanation breaks off.
        let body = self.read_all(reply).await.unwrap_or_default();
        let mut error = self.refused(&Reply { status, retry_after, body: &body });
        error.quota = quota;
        if let Some(elsewhere) = elsewhere {
            // Following it could carry prompt and key to a place that nobody has configured.
            error.message = self.shown(&format!(
                "the server redirects to {elsewhere}, which is not followed; if that is the right place, set api_base to it"
            ));
        }
        error
    }

    pub(super) async fn read_all(&self, mut reply: reqwest::Response) -> Result<impl Bytes + use<>, LmError> {
        // A length that was announced is not exceeded.
        let too_long = || self.unreadable("it is longer than 64 MiB");
        match reply.content_length() {
            Some(length) if length <= MAX_ANSWER as u64 => {
                return reply.bytes().await.map_err(|e| self.failed(e));
            }
            Some(_) => return Err(too_long()),
            None => {}
        }
        let mut all = Vec::new();
        while let Some(chunk) = self.next(&mut reply).await? {
            if all.len() + chunk.len() > MAX_ANSWER {
                return Err(too_long());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }

    /// The next bytes of an answer, or its end.
    pub(super) async fn next(
        &self,
        reply: &mut reqwest::Response,
    ) -> Result<Option<impl Bytes + use<>>, LmError> {
        reply.chunk().await.map_err(|e| self.failed(e))
    }

    /// A setting that makes no sense.
    fn wrong(&self, message: String) -> LmError {
        LmError::new(LmErrorKind::Configuration, &self.id, message)
    }

    /// An exchange that did not come about.
    fn failed(&self, error: reqwest::Error) -> LmError {
        let (kind, message) = http::failure(error);
        LmError::new(kind, &self.id, format!("{} (at {})", self.shown(&message), self.api_base))
    }

    /// A refusal, whatever its status.
    pub(super) fn refused(&self, reply: &Reply<'_>) -> LmError {
        let mut error = failure::classify(&self.id, reply);
        (self.refine)(reply, &mut error);
        error.message = self.shown(&error.message);
        if !self.hints {
            return error;
        }
        if error.kind == LmErrorKind::Auth && self.key.is_none() && self.signer.is_none() {
            error.message.push_str("; no API key was sent, set one with `LM::builder(..).api_key(..)`");
        }
        if error.kind == LmErrorKind::NotFound {
            error.message.push_str(&format!("; check the model's name and the api_base {}", self.api_base));
        }
        error
    }

    /// An answer that is not what the protocol says.
    pub(crate) fn unreadable(&self, what: impl std::fmt::Display) -> LmError {
        let what = self.shown(&what.to_string());
        LmError::new(LmErrorKind::InvalidResponse, &self.id, format!("the answer cannot be read: {what}"))
    }

    /// What a server says, as it may be shown: shortened, and without the secrets that some repeat. First the one, then
    /// the other, so that no half of a secret is left.
    fn shown(&self, message: &str) -> String {
        let secrets = self.key.iter().map(|key| key.expose_secret());
        let sensitive = self.headers.values().filter(|v| v.is_sensitive()).filter_map(|v| v.to_str().ok());
        let mut message = message.to_owned();
        redact(&mut message, secrets.chain(sensitive));
        if let Some(signer) = &self.signer {
            signer.redact(&mut message);
        }
        shorten(&message, MAX_MESSAGE).into_owned()
    }
}

/// A value that is not shown.
fn secret(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A name as one segment of a path, or as the value in a query.
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// An address without what is the same at its end and at the beginning of the path that follows, so that the whole
/// address of the path is understood, too.
fn without_path<'a>(api_base: &'a str, path: &str) -> &'a str {
    let base = api_base.trim_end_matches('/');
    let host = base.find("://").map_or(base.len(), |at| at + 3);
    let path = path.split('?').next().unwrap_or_default();
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let ends: Vec<usize> = ends.filter(|end| *end > 0).collect();
    let shorter = |end: &usize| base[host..].strip_suffix(&path[..*end])?.strip_suffix('/').map(str::len);
    ends.iter().rev().find_map(shorter).map_or(base, |rest| base[..host + rest].trim_end_matches('/'))
}

/// The address of `path` under `api_base`.
fn url(api_base: &str, path: &str) -> Result<Url, String> {
    let cure = "set it as in `http://localhost:8000/v1`";
    let base = api_base.trim_end_matches('/');
    let url = format!("{base}/{path}");
    let url = Url::parse(&url).map_err(|e| format!("the api_base is not a URL ({e}); {cure}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the api_base must begin with http:// or https://; {cure}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the api_base must not hold a user name or password; use api_key or header".into());
    }
    if base.contains(['?', '#']) {
        return Err(format!("the api_base must not have a query or fragment; {cure}"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::without_path;

    #[test]
    fn the_whole_address_of_a_path_is_understood() {
        let (chat, azure) = ("chat/completions", "openai/v1/chat/completions");
        for (base, path, expected) in [
            ("https://x/v1", chat, "https://x/v1"),
            ("https://x/v1/", chat, "https://x/v1"),
            ("https://x/v1/chat/completions", chat, "https://x/v1"),
            ("https://x/v1/chat/completions/", chat, "https://x/v1"),
            ("https://x", azure, "https://x"),
            ("https://x/openai", azure, "https://x"),
            ("https://x/openai/v1/", azure, "https://x"),
            (
                "https://x/openai/deployments/m",
                "openai/deployments/m/chat/completions?api-version=1",
                "https://x",
            ),
            ("http://chat", "chat", "http://chat"),
            ("http://x/v2/chat", "chat", "http://x/v2"),
            ("http://x/prechat", "chat", "http://x/prechat"),
            ("http://x:1/", "", "http://x:1"),
            ("nowhere", chat, "nowhere"),
        ] {
            assert_eq!(without_path(base, path), expected, "{base} {path}");
        }
    }
}
