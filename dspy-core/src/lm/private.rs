//! Names of what must not be shown, stored or hashed.

/// How the names of settings and headers end that hold secrets.
const SECRETS: &[&str] = &[
    "access_key",
    "access_key_id",
    "access_token",
    "ad_token",
    "api_key",
    "api_token",
    "apikey",
    "auth",
    "auth_token",
    "authorization",
    "bearer_token",
    "cookie",
    "credential",
    "credentials",
    "hf_token",
    "password",
    "private_key",
    "secret",
    "secret_key",
    "security_token",
    "session_token",
];

/// Whether a header of this name holds a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    let last = name.rsplit(['-', '_']).next().unwrap_or(name).to_ascii_lowercase();
    is_secret(name) || ["key", "token", "secret", "password", "signature"].contains(&&*last)
}

/// Takes out of a text what headers hold: as a whole, and each word by itself behind the name of a scheme, as in
/// `Bearer ...` and `AWS4-HMAC-SHA256 Credential=..., Signature=...`.
pub(super) fn redact<'a>(text: &mut String, values: impl Iterator<Item = &'a str>) {
    for value in values {
        let words = value.split([' ', ',']).skip(1);
        // Very short values would blot out ordinary words.
        for secret in std::iter::once(value).chain(words).filter(|secret| secret.len() >= 6) {
            if text.contains(secret) {
                *text = text.replace(secret, "[redacted]");
            }
        }
    }
}

/// Whether a setting of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    name == "token" || ends_with(&name, SECRETS)
}

/// Whether a name, in lower case with underscores, is one of these or ends with one as its last words.
pub(super) fn ends_with(name: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}
