//! Where a model of a provider is asked, and with which key.

use secrecy::SecretString;

use super::provider::Endpoint;

/// Where a model is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) api_base: String,
    pub(super) key: Option<SecretString>,
    /// Whether it is the provider's own endpoint.
    pub(super) official: bool,
}

impl Place {
    /// The place of a provider's models: what was set in code, else what the environment says, else the provider's own
    /// endpoint. `builder` is the type whose methods set it, for what is said when something is missing.
    ///
    /// A key of the environment belongs to the place that the environment, or the provider, names: an endpoint that was
    /// chosen in code must not receive it.
    pub(super) fn find(
        provider: &str,
        endpoint: &Endpoint,
        builder: &str,
        api_base: Option<String>,
        api_key: Option<SecretString>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let from_code = api_base.is_some();
        let base = api_base
            .or_else(|| endpoint.base_vars.iter().find_map(|var| env(var)))
            .or_else(|| endpoint.api_base.map(str::to_owned))
            .ok_or_else(|| {
                format!(
                    "`{provider}` has no endpoint of its own: set it with `.api_base(..)` or in {}",
                    endpoint.base_vars.join(" or ")
                )
            })?;
        let api_base = base.trim_end_matches('/').to_owned();
        let official = endpoint.api_base == Some(&*api_base);
        let key = match api_key {
            Some(key) => Some(key),
            None if from_code && !official => None,
            None => endpoint.key_vars.iter().find_map(|var| env(var)).map(SecretString::from),
        };
        if key.is_none() && official && api_base.starts_with("https://") {
            return Err(format!(
                "there is no API key: set {} in the environment, or `{builder}::builder(..).api_key(..)`",
                endpoint.key_vars.join(" or ")
            ));
        }
        Ok(Self { api_base, key, official })
    }
}
