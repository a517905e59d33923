//! Where the embedding models of providers are, and which protocol they speak.

use secrecy::SecretString;

use crate::lm::{
    place::{Place, Wanted},
    provider::{self, Access, Endpoint, Protocol as Spoken},
    wire::embeddings::Protocol,
};

/// Where a provider that has embedding models serves them, and in which protocol.
fn find(name: &str) -> Option<(&'static Endpoint, Protocol)> {
    let Access::Served(endpoint) = &provider::find(name)?.access else { return None };
    let protocol = match endpoint.protocol {
        Spoken::OpenAiChat => Protocol::OpenAi,
        Spoken::Gemini => Protocol::Gemini,
        Spoken::Cohere => Protocol::Cohere,
        Spoken::AzureChat
        | Spoken::VertexGemini
        | Spoken::OpenAiResponses
        | Spoken::Anthropic
        | Spoken::Bedrock => return None,
    };
    Some((endpoint, protocol))
}

/// An embedding model at its place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) protocol: Protocol,
    pub(super) name: String,
    pub(super) place: Place,
}

/// The place of `provider/name`.
pub(super) fn locate(
    id: &str,
    api_base: Option<String>,
    api_key: Option<SecretString>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Found, String> {
    let Some((prefix, name)) = id.split_once('/') else {
        return Err(format!("write the model as `provider/name`, as in `openai/{id}`"));
    };
    if prefix == "static" {
        return Err(
            "a static model has no provider: open its folder with `StaticModel::open`, of the feature \
                    `static-embeddings`"
                .into(),
        );
    }
    let Some((endpoint, protocol)) = find(prefix) else {
        let known = provider::PROVIDERS.iter().map(|p| p.name).filter(|name| find(name).is_some());
        return Err(format!(
            "there are no embedding models of the provider `{prefix}`; supported are {}. Another server of OpenAI's \
             protocol is reached with `EmbeddingModel::builder(\"openai/{name}\").api_base(..)`",
            known.collect::<Vec<_>>().join(", ")
        ));
    };
    if name.is_empty() {
        return Err(format!("the name of the model after `{prefix}/` is missing"));
    }
    let wanted = Wanted { api_base, api_key, ..Wanted::default() };
    let place = Place::find(prefix, endpoint, "EmbeddingModel", wanted, env)?;
    Ok(Found { protocol, name: name.to_owned(), place })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn found(id: &str, base: Option<&str>, vars: &[(&str, &str)]) -> Result<Found, String> {
        let env = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        locate(id, base.map(str::to_owned), None, env)
    }

    fn key(found: &Found) -> Option<&str> {
        found.place.key.as_ref().map(ExposeSecret::expose_secret)
    }

    #[test]
    fn a_key_goes_only_where_the_environment_or_the_provider_says() {
        let vars = [("COHERE_API_KEY", "k")];
        let official = found("cohere/embed-v4.0", None, &vars).unwrap();
        assert_eq!((official.protocol, key(&official)), (Protocol::Cohere, Some("k")));
        let own = found("cohere/embed-v4.0", Some("http://localhost:1/v2/"), &vars).unwrap();
        assert_eq!((own.place.api_base.as_str(), key(&own)), ("http://localhost:1/v2", None));
        let vars = [("GOOGLE_API_KEY", "k"), ("GEMINI_API_BASE", "http://b/x")];
        let by_env = found("gemini/gemini-embedding-001", None, &vars).unwrap();
        assert_eq!((by_env.place.api_base.as_str(), key(&by_env)), ("http://b/x", Some("k")));
    }

    #[test]
    fn every_provider_of_openais_protocol_has_embeddings() {
        let local = found("ollama/nomic-embed-text", None, &[]).unwrap();
        assert_eq!(
            (local.protocol, local.place.api_base.as_str()),
            (Protocol::OpenAi, "http://localhost:11434/v1")
        );
    }

    #[test]
    fn mistakes_are_named_with_their_cure() {
        let message = |id| found(id, None, &[]).err().unwrap_or_default();
        assert!(message("text-embedding-3-small").contains("`openai/text-embedding-3-small`"));
        let unknown = message("anthropic/m");
        let supported = unknown.split("supported are").nth(1).unwrap_or_default();
        assert!(["cohere", "gemini", "openai"].iter().all(|name| supported.contains(name)), "{unknown}");
        assert!(!supported.contains("anthropic"), "{unknown}");
        assert!(message("openai/").contains("missing"));
        assert!(message("static/models/m").contains("StaticModel::open"));
        assert!(message("cohere/embed-v4.0").contains("COHERE_API_KEY"));
    }
}
