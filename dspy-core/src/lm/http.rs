//! The HTTP clients of the process, shared by all models whose connections are set up alike.

use std::{
    error::Error as StdError,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, Url};

use crate::LmErrorKind;

/// How long one attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Timeouts {
    /// To connect: 10 s.
    pub connect: Duration,
    /// Without a byte from the server, from the request's end on: 600 s, because a model that thinks sends nothing until
    /// it has thought, and an attempt that is given up is paid all the same.
    pub read: Duration,
    /// Altogether, for one attempt: 600 s. A streamed answer has no such bound.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(600),
            total: Duration::from_secs(600),
        }
    }
}

/// How many ways of connecting have a client that is shared: each one holds connections.
const KINDS: usize = 32;

/// What makes two clients differ. Timeouts that are set for a client cost less than those of single requests.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    connect: Duration,
    read: Option<Duration>,
    total: Option<Duration>,
    tls: bool,
    loopback: bool,
}

impl Kind {
    fn of(url: &Url, connect: Duration) -> Self {
        let host = url.host_str().unwrap_or_default();
        Self {
            connect,
            read: None,
            total: None,
            tls: url.scheme() == "https",
            loopback: host == "localhost" || host == "[::1]" || host.starts_with("127."),
        }
    }
}

static CLIENTS: Mutex<Vec<(Kind, Client)>> = Mutex::new(Vec::new());

/// The client for an endpoint: made once for each way of connecting. Answers that are streamed have a client of their
/// own, because there is no bound to how long they may take altogether.
pub(crate) fn client(url: &Url, timeouts: &Timeouts, streamed: bool) -> Result<Client, String> {
    let kind = Kind {
        read: (streamed || timeouts.read < timeouts.total).then_some(timeouts.read),
        total: (!streamed).then_some(timeouts.total),
        ..Kind::of(url, timeouts.connect)
    };
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, client)) = clients.iter().find(|(k, _)| *k == kind) {
        return Ok(client.clone());
    }
    let client = build(kind)?;
    // Whoever uses the oldest one keeps it; it is only not shared any more.
    if clients.len() >= KINDS {
        clients.remove(0);
    }
    clients.push((kind, client.clone()));
    Ok(client)
}

fn build(kind: Kind) -> Result<Client, String> {
    builder(kind)?.build().map_err(|e| describe(&e))
}

/// A client for a thread of its own, where nothing is awaited.
#[cfg(feature = "otel")]
pub(crate) fn blocking_client(url: &Url, timeout: Duration) -> Result<reqwest::blocking::Client, String> {
    let kind = Kind::of(url, Timeouts::default().connect);
    let build = move || {
        let builder = reqwest::blocking::ClientBuilder::from(builder(kind)?).timeout(timeout);
        builder.build().map_err(|e| describe(&e))
    };
    // It must not be made where a runtime of tokio runs.
    let built = std::thread::spawn(build).join();
    built.unwrap_or_else(|_| Err("the thread that makes the HTTP client panicked".into()))
}

fn builder(kind: Kind) -> Result<reqwest::ClientBuilder, String> {
    let mut builder = Client::builder()
        .connect_timeout(kind.connect)
        .tcp_nodelay(true)
        .pool_max_idle_per_host(usize::MAX)
        // Over HTTP/2 all requests would share one connection and the server's limit of streams on it (often 100),
        // beyond which they queue unseen. Over HTTP/1.1 each has its own.
        .http1_only()
        // A redirect would carry the prompt, and maybe the key, to a place that nobody has configured.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("dspy-rust/", env!("CARGO_PKG_VERSION")));
    if let Some(read) = kind.read {
        builder = builder.read_timeout(read);
    }
    if let Some(total) = kind.total {
        builder = builder.timeout(total);
    }
    if kind.loopback {
        builder = builder.no_proxy();
    }
    tls(builder, kind.tls)
}

/// Gives the client its TLS settings here, so that no process-wide default provider is needed or changed.
#[cfg(feature = "tls")]
fn tls(builder: reqwest::ClientBuilder, used: bool) -> Result<reqwest::ClientBuilder, String> {
    use std::sync::Arc;

    use rustls::{ClientConfig, RootCertStore, crypto::ring};
    use rustls_platform_verifier::BuilderVerifierExt;

    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let mut config = if used {
        config.with_platform_verifier().map_err(|e| format!(
                "the system's root certificates cannot be loaded ({e}); install the package ca-certificates, or name a file of them in SSL_CERT_FILE"
            ))?
    } else {
        // Plain HTTP must also work where no certificates are installed.
        config.with_root_certificates(RootCertStore::empty())
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(builder.tls_backend_preconfigured(config))
}

#[cfg(not(feature = "tls"))]
fn tls(builder: reqwest::ClientBuilder, used: bool) -> Result<reqwest::ClientBuilder, String> {
    if used {
        return Err("https needs the feature `tls` of the crate `dspy`; it is not compiled in".into());
    }
    Ok(builder)
}

/// What a failed exchange is, and why it failed.
pub(crate) fn failure(error: reqwest::Error) -> (LmErrorKind, String) {
    let kind = if error.is_timeout() {
        LmErrorKind::Timeout
    } else if error.is_builder() {
        LmErrorKind::Configuration
    } else {
        LmErrorKind::Transport
    };
    // The address may hold what must not be seen.
    (kind, describe(&error.without_url()))
}

/// An error with its causes: the outermost alone says no more than that something failed.
fn describe(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let what = error.to_string();
        if !text.contains(&what) {
            let _ = write!(text, ": {what}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_shared_and_few_are_kept() {
        let url = Url::parse("http://127.0.0.1:1/v1").unwrap();
        for seconds in 1..200 {
            let timeouts = Timeouts { total: Duration::from_secs(seconds), ..Timeouts::default() };
            client(&url, &timeouts, false).unwrap();
            client(&url, &timeouts, true).unwrap();
            assert!(CLIENTS.lock().unwrap().len() <= KINDS);
        }
        // Those of equal timeouts are one.
        let last = Timeouts { total: Duration::from_secs(199), ..Timeouts::default() };
        let kinds =
            || CLIENTS.lock().unwrap().iter().filter(|(kind, _)| kind.total == Some(last.total)).count();
        client(&url, &last, false).unwrap();
        assert_eq!(kinds(), 1);
    }
}
