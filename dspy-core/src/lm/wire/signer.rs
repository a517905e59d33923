//! Signatures of requests to Amazon's services.
//!
//! Source: AWS's reference, *Signature Version 4 for API requests*; the signature itself, and the search for credentials,
//! are those of `reqsign`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, RequestSigner};
use reqsign_core::{
    Context, Error, ErrorKind, FileRead, HttpSend, OsEnv, ProvideCredential, Signer as Reqsign,
};
use reqwest::{
    Request, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::endpoint::{Sign, segment};
use crate::{
    LmErrorKind,
    lm::{
        BoxFuture,
        aws::{AwsCredentials, Signing},
        http::{self as clients, Timeouts},
        private::redact,
    },
};

/// How long a service that gives out credentials may take. Where there is none, its address does not answer.
const CREDENTIALS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    read: Duration::from_secs(10),
    total: Duration::from_secs(10),
};
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs requests to one service in one region.
pub(super) struct Signer {
    signer: Reqsign<Credential>,
    /// The token of the session and the signature of the last request: servers repeat both when they refuse.
    last: Mutex<Vec<SecretString>>,
}

impl Signer {
    pub(super) fn new(service: &str, signing: &Signing) -> Self {
        let provider = match &signing.credentials {
            Some(given) => Provider::Given(given.clone()),
            // Commands that a profile names are not run.
            None => {
                Provider::Found(DefaultCredentialProvider::builder().no_env().no_process().build().into())
            }
        };
        let context = Context::new().with_env(OsEnv).with_file_read(Files).with_http_send(Web);
        let signer = Reqsign::new(context, provider, RequestSigner::new(service, &signing.region));
        Self { signer, last: Mutex::default() }
    }

    async fn add(&self, request: &mut Request) -> Result<(), Error> {
        let mut head = head(request)?;
        self.signer.sign(&mut head, None).await?;
        let mut last = Vec::new();
        for (name, value) in &head.headers {
            if *name == HOST {
                continue;
            }
            let mut value = value.clone();
            if *name == AUTHORIZATION || *name == SESSION_TOKEN {
                value.set_sensitive(true);
                last.extend(value.to_str().ok().map(SecretString::from));
            }
            request.headers_mut().insert(name, value);
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        Ok(())
    }
}

/// What is signed of a request: its address, its type and its body. Other headers may change on the way.
fn head(request: &Request) -> Result<http::request::Parts, Error> {
    let invalid = |e: &dyn fmt::Display| Error::request_invalid(format!("the request cannot be signed: {e}"));
    let url = request.url();
    // Signatures are made of paths that are encoded a second time, for all services but S3. What signs decodes a path and
    // encodes it once, so it is given the one that it has to arrive at.
    let path: Vec<_> = url.path().split('/').map(|part| segment(&segment(&decoded(part)))).collect();
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let hash: String = Sha256::digest(request.body().and_then(|body| body.as_bytes()).unwrap_or_default())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut head = http::Request::builder()
        .method(request.method())
        .uri(format!("{scheme}://{host}{port}{}", path.join("/")))
        .header(CONTENT_HASH, hash);
    if let Some(kind) = request.headers().get(CONTENT_TYPE) {
        head = head.header(CONTENT_TYPE, kind);
    }
    Ok(head.body(()).map_err(|e| invalid(&e))?.into_parts().0)
}

/// A part of a path without its encoding.
fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = part.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Sign for Signer {
    fn sign<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), (LmErrorKind, String)>> {
        Box::pin(async move {
            self.add(request).await.map_err(|error| {
                let kind = match error.kind() {
                    ErrorKind::RateLimited => LmErrorKind::RateLimit,
                    _ if error.is_retryable() => LmErrorKind::Transport,
                    _ => LmErrorKind::Configuration,
                };
                let message = format!(
                    "the request cannot be signed ({error}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE \
                     or AWS_BEARER_TOKEN_BEDROCK, or `LM::builder(..).aws_credentials(..)`"
                );
                (kind, message)
            })
        })
    }

    fn redact(&self, text: &mut String) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        redact(text, last.iter().map(|secret| secret.expose_secret()));
    }
}

/// Where credentials come from.
enum Provider {
    Given(AwsCredentials),
    Found(Arc<DefaultCredentialProvider>),
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("credentials")
    }
}

impl ProvideCredential for Provider {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>, Error> {
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        match self {
            Self::Given(given) => Ok(Some(Credential {
                access_key_id: text(&given.access_key_id),
                secret_access_key: text(&given.secret_access_key),
                session_token: given.session_token.as_ref().map(text),
                expires_in: None,
            })),
            Self::Found(chain) => chain.provide_credential(context).await,
        }
    }
}

/// The files of profiles.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>, Error> {
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        read.map_err(|e| Error::unexpected(e.to_string()))?.map_err(|e| Error::unexpected(e.to_string()))
    }
}

/// The services that give out credentials.
#[derive(Debug)]
struct Web;

impl HttpSend for Web {
    async fn http_send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, Error> {
        let failed = |message: String| Error::unexpected(message).set_retryable(true);
        let url = Url::parse(&request.uri().to_string()).map_err(|e| failed(e.to_string()))?;
        let client = clients::client(&url, &CREDENTIALS, false).map_err(failed)?;
        let request = Request::try_from(request).map_err(|e| failed(clients::failure(e).1))?;
        let reply = client.execute(request).await.map_err(|e| failed(clients::failure(e).1))?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = reply.bytes().await.map_err(|e| failed(clients::failure(e).1))?;
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
