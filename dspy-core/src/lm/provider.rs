//! Which providers are known, and what is peculiar to which models: data, not code.

use super::Capabilities;

/// A provider of models.
pub(crate) struct Provider {
    /// What is before the slash of `provider/model`.
    pub(crate) name: &'static str,
    /// How its models are reached.
    pub(crate) access: Access,
}

/// How the models of a provider are reached.
pub(crate) enum Access {
    /// Over HTTP, by OpenAI's chat protocol.
    OpenAiChat(Endpoint),
    /// They run in this process; the name of a model is the path of its files.
    InProcess,
}

/// Where a provider's protocol is served.
pub(crate) struct Endpoint {
    /// Its official endpoint; `None` where each user has their own.
    pub(crate) api_base: Option<&'static str>,
    /// Variables that name another endpoint, the first that is set counts.
    pub(crate) base_vars: &'static [&'static str],
    /// Variables that hold the key.
    pub(crate) key_vars: &'static [&'static str],
    /// What it can do when the model's row says nothing else.
    pub(crate) capabilities: Capabilities,
}

/// A server of open models: formats can be forced, tools depend on how it was started.
const SERVER: Capabilities = Capabilities::all().tools(false).reasoning(false);
const HOSTED: Capabilities = Capabilities::all().reasoning(false);

pub(crate) const PROVIDERS: &[Provider] = &[
    Provider {
        name: "openai",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.openai.com/v1"),
            base_vars: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
            key_vars: &["OPENAI_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "deepseek",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.deepseek.com/v1"),
            base_vars: &["DEEPSEEK_API_BASE"],
            key_vars: &["DEEPSEEK_API_KEY"],
            capabilities: HOSTED.json_schema(false),
        }),
    },
    Provider {
        name: "fireworks_ai",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.fireworks.ai/inference/v1"),
            base_vars: &["FIREWORKS_API_BASE"],
            key_vars: &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "groq",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.groq.com/openai/v1"),
            base_vars: &["GROQ_API_BASE"],
            key_vars: &["GROQ_API_KEY"],
            capabilities: HOSTED.json_schema(false),
        }),
    },
    Provider {
        name: "hosted_vllm",
        access: Access::OpenAiChat(Endpoint {
            api_base: None,
            base_vars: &["HOSTED_VLLM_API_BASE"],
            key_vars: &["HOSTED_VLLM_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider { name: "local", access: Access::InProcess },
    Provider {
        name: "mistral",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.mistral.ai/v1"),
            base_vars: &["MISTRAL_API_BASE"],
            key_vars: &["MISTRAL_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "ollama",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("http://localhost:11434/v1"),
            base_vars: &["OLLAMA_API_BASE"],
            key_vars: &["OLLAMA_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "ollama_chat",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("http://localhost:11434/v1"),
            base_vars: &["OLLAMA_API_BASE"],
            key_vars: &["OLLAMA_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "openrouter",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://openrouter.ai/api/v1"),
            base_vars: &["OPENROUTER_API_BASE"],
            key_vars: &["OPENROUTER_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "together_ai",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.together.xyz/v1"),
            base_vars: &["TOGETHERAI_API_BASE"],
            key_vars: &["TOGETHERAI_API_KEY", "TOGETHER_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "xai",
        access: Access::OpenAiChat(Endpoint {
            api_base: Some("https://api.x.ai/v1"),
            base_vars: &["XAI_API_BASE"],
            key_vars: &["XAI_API_KEY"],
            capabilities: HOSTED,
        }),
    },
];

/// The provider called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|p| p.name == name)
}

/// The names of all providers, to show.
pub(crate) fn names() -> String {
    PROVIDERS.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
}

/// What differs from the rule for models of OpenAI whose name begins so. The longest beginning counts.
struct Model {
    begins: &'static str,
    /// The tokens of the answer are limited by `max_completion_tokens`.
    reasoning: bool,
    json_schema: bool,
}

const OPENAI_MODELS: &[Model] = &[
    Model { begins: "gpt-3.5", reasoning: false, json_schema: false },
    Model { begins: "gpt-4-", reasoning: false, json_schema: false },
    Model { begins: "gpt-5", reasoning: true, json_schema: true },
    Model { begins: "gpt-5-chat", reasoning: false, json_schema: true },
    Model { begins: "o1", reasoning: true, json_schema: true },
    Model { begins: "o1-mini", reasoning: true, json_schema: false },
    Model { begins: "o3", reasoning: true, json_schema: true },
    Model { begins: "o4", reasoning: true, json_schema: true },
];

/// The parameter that limits the tokens of an answer, for a model at OpenAI's own endpoint.
pub(crate) fn max_tokens_name(model: &str) -> &'static str {
    if openai_model(model).is_some_and(|m| m.reasoning) { "max_completion_tokens" } else { "max_tokens" }
}

/// What a model at OpenAI's own endpoint can do.
pub(crate) fn openai_capabilities(model: &str) -> Capabilities {
    match openai_model(model) {
        None => HOSTED,
        Some(row) => HOSTED.json_schema(row.json_schema),
    }
}

/// What a server of open models can do.
pub(crate) const fn server_capabilities() -> Capabilities {
    SERVER
}

fn openai_model(model: &str) -> Option<&'static Model> {
    // Fine-tuned models are called `ft:gpt-4o-mini:...`.
    let model = model.strip_prefix("ft:").unwrap_or(model);
    OPENAI_MODELS.iter().filter(|m| model.starts_with(m.begins)).max_by_key(|m| m.begins.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_counts() {
        assert_eq!(max_tokens_name("gpt-4o-mini"), "max_tokens");
        assert_eq!(max_tokens_name("gpt-5-mini"), "max_completion_tokens");
        assert_eq!(max_tokens_name("gpt-5-chat-latest"), "max_tokens");
        assert_eq!(max_tokens_name("o3-mini"), "max_completion_tokens");
        assert!(openai_capabilities("gpt-4o").json_schema);
        assert!(!openai_capabilities("gpt-4-turbo").json_schema);
        assert!(!openai_capabilities("o1-mini").json_schema);
    }
}
