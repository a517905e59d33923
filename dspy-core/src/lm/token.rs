//! Access tokens that expire.

use std::{error::Error, time::Duration};

use secrecy::SecretString;

use super::BoxFuture;

/// A token that a provider takes in place of a key, and how long it is valid.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub(super) secret: SecretString,
    pub(super) lifetime: Option<Duration>,
}

impl AccessToken {
    /// A token that is used until the provider refuses it.
    pub fn new(token: impl Into<SecretString>) -> Self {
        Self { secret: token.into(), lifetime: None }
    }

    /// Sets for how long it is valid from now on, as `expires_in` says in the answers of OAuth servers. Another one is
    /// asked for shortly before.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }
}

impl From<String> for AccessToken {
    fn from(token: String) -> Self {
        Self::new(token)
    }
}

impl From<&str> for AccessToken {
    fn from(token: &str) -> Self {
        Self::new(token)
    }
}

/// Why there is no token. An [`LmError`](crate::LmError) keeps its kind; anything else counts as
/// [`Transport`](crate::LmErrorKind::Transport), which is tried again.
pub type TokenError = Box<dyn Error + Send + Sync>;

/// Gives tokens; see [`LMBuilder::token_source`](super::LMBuilder::token_source). An async closure is one.
pub trait TokenSource: Send + Sync + 'static {
    /// A fresh token. It is kept until shortly before it expires, and only asked for again then, or when the provider
    /// refuses it.
    ///
    /// # Errors
    /// Why there is none.
    fn token(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>>;
}

impl<F, Fut, T, E> TokenSource for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Into<AccessToken>,
    E: Into<TokenError>,
{
    fn token(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        Box::pin(async move { self().await.map(Into::into).map_err(Into::into) })
    }
}
