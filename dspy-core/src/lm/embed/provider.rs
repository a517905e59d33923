//! Where the embedding models of providers are, and which protocol they speak.

use secrecy::SecretString;

use crate::lm::{
    provider::{self, Access, Protocol as Spoken},
    wire::embeddings::Protocol,
};

/// A provider of embedding models.
#[derive(Debug, Clone, Copy)]
struct Row {
    name: &'static str,
    protocol: Protocol,
    api_base: Option<&'static str>,
    base_vars: &'static [&'static str],
    key_vars: &'static [&'static str],
}

/// Those whose protocol for embeddings is their own.
const OWN: &[Row] = &[
    Row {
        name: "gemini",
        protocol: Protocol::Gemini,
        api_base: Some("https://generativelanguage.googleapis.com/v1beta"),
        base_vars: &["GEMINI_API_BASE"],
        key_vars: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    },
    Row {
        name: "cohere",
        protocol: Protocol::Cohere,
        api_base: Some("https://api.cohere.com/v2"),
        base_vars: &["COHERE_API_BASE"],
        key_vars: &["COHERE_API_KEY", "CO_API_KEY"],
    },
];

fn find(name: &str) -> Option<Row> {
    if let Some(row) = OWN.iter().find(|row| row.name == name) {
        return Some(*row);
    }
    let provider = provider::find(name)?;
    match &provider.access {
        Access::Served(endpoint) if endpoint.protocol == Spoken::OpenAiChat => Some(Row {
            name: provider.name,
            protocol: Protocol::OpenAi,
            api_base: endpoint.api_base,
            base_vars: endpoint.base_vars,
            key_vars: endpoint.key_vars,
        }),
        _ => None,
    }
}

/// Where a model is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) protocol: Protocol,
    pub(super) name: String,
    pub(super) api_base: String,
    pub(super) key: Option<SecretString>,
}

/// The place of `provider/name`. A key of the environment is sent only where the environment or the provider says, and
/// never to an address that was chosen in code.
pub(super) fn place(
    id: &str,
    api_base: Option<String>,
    api_key: Option<SecretString>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Place, String> {
    let Some((prefix, name)) = id.split_once('/') else {
        return Err(format!("write the model as `provider/name`, as in `openai/{id}`"));
    };
    let Some(row) = find(prefix) else {
        return Err(format!(
            "there are no embedding models of the provider `{prefix}`; supported are gemini, cohere, and those that \
             speak OpenAI's protocol: {}. Another server of that protocol is reached with \
             `EmbeddingModel::builder(\"openai/{name}\").api_base(..)`",
            provider::names()
        ));
    };
    if name.is_empty() {
        return Err(format!("the name of the model after `{prefix}/` is missing"));
    }
    let from_code = api_base.is_some();
    let base = api_base
        .or_else(|| row.base_vars.iter().find_map(|var| env(var)))
        .or_else(|| row.api_base.map(str::to_owned))
        .ok_or_else(|| {
            format!(
                "`{prefix}` has no endpoint of its own: set it with `.api_base(..)` or in {}",
                row.base_vars.join(" or ")
            )
        })?;
    let base = base.trim_end_matches('/').to_owned();
    let official = row.api_base == Some(&*base);
    let key = match api_key {
        Some(key) => Some(key),
        None if from_code && !official => None,
        None => row.key_vars.iter().find_map(|var| env(var)).map(SecretString::from),
    };
    if key.is_none() && official && base.starts_with("https://") {
        return Err(format!(
            "there is no API key: set {} in the environment, or `EmbeddingModel::builder(..).api_key(..)`",
            row.key_vars.join(" or ")
        ));
    }
    Ok(Place { protocol: row.protocol, name: name.to_owned(), api_base: base, key })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn found(id: &str, base: Option<&str>, vars: &[(&str, &str)]) -> Result<Place, String> {
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        place(id, base.map(str::to_owned), None, env)
    }

    fn key(place: &Place) -> Option<&str> {
        place.key.as_ref().map(ExposeSecret::expose_secret)
    }

    #[test]
    fn a_key_goes_only_where_the_environment_or_the_provider_says() {
        let vars = [("COHERE_API_KEY", "k")];
        let official = found("cohere/embed-v4.0", None, &vars).unwrap();
        assert_eq!((official.protocol, key(&official)), (Protocol::Cohere, Some("k")));
        let own = found("cohere/embed-v4.0", Some("http://localhost:1/v2/"), &vars).unwrap();
        assert_eq!((own.api_base.as_str(), key(&own)), ("http://localhost:1/v2", None));
        let vars = [("GOOGLE_API_KEY", "k"), ("GEMINI_API_BASE", "http://b")];
        let by_env = found("gemini/gemini-embedding-001", None, &vars).unwrap();
        assert_eq!((by_env.api_base.as_str(), key(&by_env)), ("http://b", Some("k")));
    }

    #[test]
    fn every_provider_of_openais_protocol_has_embeddings() {
        let local = found("ollama/nomic-embed-text", None, &[]).unwrap();
        assert_eq!(
            (local.protocol, local.api_base.as_str()),
            (Protocol::OpenAi, "http://localhost:11434/v1")
        );
    }

    #[test]
    fn mistakes_are_named_with_their_cure() {
        let message = |id| found(id, None, &[]).err().unwrap_or_default();
        assert!(message("text-embedding-3-small").contains("`openai/text-embedding-3-small`"));
        assert!(message("nowhere/m").contains("gemini, cohere"));
        assert!(message("openai/").contains("missing"));
        assert!(message("cohere/embed-v4.0").contains("COHERE_API_KEY"));
    }
}
