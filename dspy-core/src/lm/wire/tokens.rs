//! Requests that carry a token which expires.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    Request,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::endpoint::Sign;
use crate::{
    LmError, LmErrorKind,
    lm::{AccessToken, BoxFuture, TokenError, TokenSource},
};

/// How long a source may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long before its end a token is replaced, at most: clocks differ, and requests take their time.
const AHEAD: Duration = Duration::from_secs(300);
/// How many tokens are remembered to be kept out of messages.
const REMEMBERED: usize = 4;

/// The tokens of a client: one is asked for at a time, and kept as long as it is good.
pub(crate) struct Tokens {
    source: Arc<dyn TokenSource>,
    held: tokio::sync::Mutex<Option<Held>>,
    /// Servers repeat what they refuse.
    seen: Mutex<VecDeque<SecretString>>,
}

struct Held {
    secret: SecretString,
    /// When another is asked for, and when it ends.
    until: Option<(Instant, Instant)>,
}

impl Held {
    fn new(token: AccessToken, now: Instant) -> Self {
        let until = token.lifetime.map(|lifetime| {
            let ahead = (lifetime / 10).min(AHEAD);
            (now + (lifetime - ahead), now + lifetime)
        });
        Self { secret: token.secret, until }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.until.is_none_or(|(renewal, _)| now < renewal)
    }

    fn is_valid(&self, now: Instant) -> bool {
        self.until.is_none_or(|(_, end)| now < end)
    }
}

impl Tokens {
    pub(crate) fn new(source: Arc<dyn TokenSource>) -> Self {
        Self { source, held: tokio::sync::Mutex::default(), seen: Mutex::default() }
    }

    /// The token of now.
    async fn current(&self) -> Result<SecretString, (LmErrorKind, String)> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.is_fresh(Instant::now())) {
            return Ok(token.secret.clone());
        }
        let asked = tokio::time::timeout(PATIENCE, self.source.token()).await;
        let now = Instant::now();
        let failure = match asked {
            Ok(Ok(token)) => {
                let token = Held::new(token, now);
                let secret = token.secret.clone();
                *held = Some(token);
                self.remember(&secret);
                return Ok(secret);
            }
            Ok(Err(error)) => failure(&error),
            Err(_) => (LmErrorKind::Timeout, format!("it gave none in {PATIENCE:?}")),
        };
        match held.as_ref().filter(|token| token.is_valid(now)) {
            // It was to be replaced before its time.
            Some(token) => Ok(token.secret.clone()),
            None => {
                let (kind, message) = failure;
                Err((kind, format!("the token source has no token: {message}")))
            }
        }
    }

    fn remember(&self, secret: &SecretString) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(secret.clone());
    }
}

fn failure(error: &TokenError) -> (LmErrorKind, String) {
    match error.downcast_ref::<LmError>() {
        Some(error) => (error.kind, error.message.clone()),
        None => (LmErrorKind::Transport, error.to_string()),
    }
}

fn header(secret: &SecretString) -> String {
    format!("Bearer {}", secret.expose_secret())
}

impl Sign for Tokens {
    fn sign<'a>(&'a self, request: &'a mut Request) -> BoxFuture<'a, Result<(), (LmErrorKind, String)>> {
        Box::pin(async move {
            let secret = self.current().await?;
            let mut value = HeaderValue::try_from(header(&secret)).map_err(|_| {
                let message = "the token source gave a token with characters that no header can hold";
                (LmErrorKind::Configuration, message.to_owned())
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    fn refused<'a>(&'a self, signature: Option<&'a HeaderValue>) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let mut held = self.held.lock().await;
            // Another request may have had it replaced in the meantime.
            if held
                .as_ref()
                .is_some_and(|token| signature.is_some_and(|sent| *sent == *header(&token.secret)))
            {
                *held = None;
            }
            true
        })
    }

    fn redact(&self, text: &mut String) {
        for secret in self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let secret = secret.expose_secret();
            if secret.len() >= 6 && text.contains(secret) {
                *text = text.replace(secret, "[redacted]");
            }
        }
    }
}
