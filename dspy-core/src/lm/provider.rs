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
    /// Over HTTP.
    Served(Endpoint),
    /// They run in this process; the name of a model is the path of its files.
    InProcess,
}

/// The protocols that are spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// The same, as Azure serves it.
    AzureChat,
    /// OpenAI's responses.
    OpenAiResponses,
    /// Anthropic's messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// The same, as Google's Vertex AI serves it.
    VertexGemini,
    /// Cohere's chat.
    Cohere,
    /// Amazon Bedrock's `Converse`.
    Bedrock,
}

impl Protocol {
    /// Whether requests may be signed in place of carrying a key.
    pub(crate) const fn signs(self) -> bool {
        matches!(self, Self::Bedrock)
    }
}

/// Where a provider's protocol is served.
pub(crate) struct Endpoint {
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// Its official endpoint.
    pub(crate) api_base: Base,
    /// Variables that name another endpoint, the first that is set counts.
    pub(crate) base_vars: &'static [&'static str],
    /// Variables that hold the key.
    pub(crate) key_vars: &'static [&'static str],
    /// What it can do when the model's row says nothing else.
    pub(crate) capabilities: Capabilities,
}

/// The official endpoint of a provider.
pub(crate) enum Base {
    /// One for all users.
    At(&'static str),
    /// One for each region, whose name stands in place of `{region}`; the first variable that is set names the user's.
    Regional(&'static str, &'static [&'static str]),
    /// Each user has their own, with this path unless they say another.
    Own(&'static str),
}

/// A server of open models: formats can be forced, tools depend on how it was started.
const SERVER: Capabilities = Capabilities::all().tools(false).reasoning(false).citations(false);
const HOSTED: Capabilities = Capabilities::all().reasoning(false).citations(false);

pub(crate) const PROVIDERS: &[Provider] = &[
    Provider {
        name: "anthropic",
        access: Access::Served(Endpoint {
            protocol: Protocol::Anthropic,
            api_base: Base::At("https://api.anthropic.com/v1"),
            base_vars: &["ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"],
            key_vars: &["ANTHROPIC_API_KEY"],
            capabilities: HOSTED.json_object(false).audio(false).logprobs(false).citations(true),
        }),
    },
    Provider {
        name: "openai",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.openai.com/v1"),
            base_vars: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
            key_vars: &["OPENAI_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "azure",
        access: Access::Served(Endpoint {
            protocol: Protocol::AzureChat,
            api_base: Base::Own(""),
            base_vars: &["AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"],
            key_vars: &["AZURE_API_KEY", "AZURE_OPENAI_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "bedrock",
        access: Access::Served(Endpoint {
            protocol: Protocol::Bedrock,
            api_base: Base::Regional(
                "https://bedrock-runtime.{region}.amazonaws.com",
                &["AWS_REGION", "AWS_DEFAULT_REGION"],
            ),
            base_vars: &["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_BEDROCK_RUNTIME_ENDPOINT"],
            key_vars: &["AWS_BEARER_TOKEN_BEDROCK"],
            capabilities: HOSTED.json_object(false).json_schema(false).audio(false).logprobs(false),
        }),
    },
    Provider {
        name: "cerebras",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.cerebras.ai/v1"),
            base_vars: &["CEREBRAS_API_BASE"],
            key_vars: &["CEREBRAS_API_KEY"],
            capabilities: HOSTED.images(false).audio(false).files(false),
        }),
    },
    Provider {
        name: "cohere",
        access: Access::Served(Endpoint {
            protocol: Protocol::Cohere,
            api_base: Base::At("https://api.cohere.com/v2"),
            base_vars: &["COHERE_API_BASE"],
            key_vars: &["COHERE_API_KEY", "CO_API_KEY"],
            capabilities: HOSTED.audio(false).files(false),
        }),
    },
    Provider {
        name: "databricks",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::Own("/serving-endpoints"),
            base_vars: &["DATABRICKS_API_BASE"],
            key_vars: &["DATABRICKS_API_KEY", "DATABRICKS_TOKEN"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "deepseek",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.deepseek.com/v1"),
            base_vars: &["DEEPSEEK_API_BASE"],
            key_vars: &["DEEPSEEK_API_KEY"],
            capabilities: HOSTED.json_schema(false),
        }),
    },
    Provider {
        name: "fireworks_ai",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.fireworks.ai/inference/v1"),
            base_vars: &["FIREWORKS_API_BASE"],
            key_vars: &["FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "gemini",
        access: Access::Served(Endpoint {
            protocol: Protocol::Gemini,
            api_base: Base::At("https://generativelanguage.googleapis.com/v1beta"),
            base_vars: &["GEMINI_API_BASE"],
            key_vars: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "groq",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.groq.com/openai/v1"),
            base_vars: &["GROQ_API_BASE"],
            key_vars: &["GROQ_API_KEY"],
            capabilities: HOSTED.json_schema(false),
        }),
    },
    Provider {
        name: "hosted_vllm",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::Own("/v1"),
            base_vars: &["HOSTED_VLLM_API_BASE"],
            key_vars: &["HOSTED_VLLM_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "llamacpp",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("http://localhost:8080/v1"),
            base_vars: &["LLAMACPP_API_BASE"],
            key_vars: &["LLAMACPP_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "lm_studio",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("http://localhost:1234/v1"),
            base_vars: &["LM_STUDIO_API_BASE"],
            key_vars: &["LM_STUDIO_API_KEY"],
            capabilities: SERVER.json_object(false),
        }),
    },
    Provider { name: "local", access: Access::InProcess },
    Provider {
        name: "mistral",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.mistral.ai/v1"),
            base_vars: &["MISTRAL_API_BASE"],
            key_vars: &["MISTRAL_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "ollama",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("http://localhost:11434/v1"),
            base_vars: &["OLLAMA_API_BASE"],
            key_vars: &["OLLAMA_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "ollama_chat",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("http://localhost:11434/v1"),
            base_vars: &["OLLAMA_API_BASE"],
            key_vars: &["OLLAMA_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "openrouter",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://openrouter.ai/api/v1"),
            base_vars: &["OPENROUTER_API_BASE"],
            key_vars: &["OPENROUTER_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "perplexity",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.perplexity.ai"),
            base_vars: &["PERPLEXITY_API_BASE"],
            key_vars: &["PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"],
            capabilities: HOSTED.json_object(false).tools(false).logprobs(false),
        }),
    },
    Provider {
        name: "sglang",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("http://localhost:30000/v1"),
            base_vars: &["SGLANG_API_BASE"],
            key_vars: &["SGLANG_API_KEY"],
            capabilities: SERVER,
        }),
    },
    Provider {
        name: "together_ai",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.together.xyz/v1"),
            base_vars: &["TOGETHERAI_API_BASE"],
            key_vars: &["TOGETHERAI_API_KEY", "TOGETHER_API_KEY"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "vertex_ai",
        access: Access::Served(Endpoint {
            protocol: Protocol::VertexGemini,
            api_base: Base::Own(""),
            base_vars: &["VERTEXAI_API_BASE"],
            key_vars: &["VERTEXAI_ACCESS_TOKEN"],
            capabilities: HOSTED,
        }),
    },
    Provider {
        name: "xai",
        access: Access::Served(Endpoint {
            protocol: Protocol::OpenAiChat,
            api_base: Base::At("https://api.x.ai/v1"),
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

/// What a server of open models can do.
pub(crate) const fn server_capabilities() -> Capabilities {
    SERVER
}

/// The name of a provider in OpenTelemetry's semantic conventions, where it has another one there.
pub(crate) fn well_known(name: &str) -> &str {
    match name {
        "azure" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        "vertex_ai" => "gcp.vertex_ai",
        name => name,
    }
}
