//! Where a model of a provider is asked, and with which key.

use secrecy::SecretString;

use super::provider::{Base, Endpoint};

/// Where a model is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) api_base: String,
    pub(super) key: Option<SecretString>,
    /// Whether it is the provider's own endpoint.
    pub(super) official: bool,
    /// Whether what the environment holds may be used there.
    pub(super) trusted: bool,
    /// The region, where the provider has some and it is known.
    pub(super) region: Option<String>,
}

/// What was set in code of the place of a model.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) api_base: Option<String>,
    pub(super) api_key: Option<SecretString>,
    pub(super) region: Option<String>,
    /// The region where neither that nor the environment names one.
    pub(super) last_region: Option<String>,
    /// Whether something else takes the place of a key.
    pub(super) keyless: bool,
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
        wanted: Wanted,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let Wanted { api_base, api_key, region, last_region, keyless } = wanted;
        let first = |vars: &[&str]| vars.iter().find_map(|var| env(var));
        let region = match &endpoint.api_base {
            Base::Regional(_, vars) => region.or_else(|| first(vars)).or(last_region),
            Base::At(_) | Base::Own(_) if region.is_some() => {
                return Err(format!("`{provider}` has no regions; leave `.region(..)` out"));
            }
            Base::At(_) | Base::Own(_) => None,
        };
        let own = match &endpoint.api_base {
            Base::At(base) => Some((*base).to_owned()),
            Base::Regional(base, _) => match &region {
                // It becomes part of the name of a host.
                Some(name) if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                    return Err(format!("`{name}` is not the name of a region"));
                }
                region => region.as_ref().map(|region| base.replace("{region}", region)),
            },
            Base::Own(_) => None,
        };
        let from_code = api_base.is_some();
        let base = api_base.or_else(|| first(endpoint.base_vars)).or_else(|| own.clone()).ok_or_else(
            || match &endpoint.api_base {
                Base::Regional(_, vars) => format!(
                    "`{provider}` is served by region: set it with `.region(..)`, in {} or in the profile",
                    vars.join(" or ")
                ),
                Base::At(_) | Base::Own(_) => format!(
                    "`{provider}` has no endpoint of its own: set it with `.api_base(..)` or in {}",
                    endpoint.base_vars.join(" or ")
                ),
            },
        )?;
        let mut api_base = base.trim_end_matches('/').to_owned();
        if path(&api_base).is_empty() {
            // Only a host was named: variables of other clients are, too.
            api_base.push_str(match &endpoint.api_base {
                Base::At(own) | Base::Regional(own, _) => path(own),
                Base::Own(path) => path,
            });
        }
        let official = own.as_deref() == Some(&*api_base);
        let trusted = official || !from_code;
        let of_env = || first(endpoint.key_vars).filter(|_| trusted && !keyless).map(SecretString::from);
        let key = api_key.or_else(of_env);
        let required = !keyless && official && api_base.starts_with("https://") && !endpoint.protocol.signs();
        if key.is_none() && required {
            return Err(format!(
                "there is no API key: set {} in the environment, or `{builder}::builder(..).api_key(..)`",
                endpoint.key_vars.join(" or ")
            ));
        }
        Ok(Self { api_base, key, official, trusted, region })
    }
}

/// What stands behind the host in an address, if it is one.
fn path(address: &str) -> &str {
    let host = address.find("://").map_or(address.len(), |at| at + 3);
    address[host..].find('/').map_or("", |at| &address[host + at..])
}
