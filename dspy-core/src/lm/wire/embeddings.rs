//! Embeddings: the protocols of OpenAI, Gemini and Cohere.
//!
//! Sources: the API references of OpenAI (*Create embeddings*), Google (*batchEmbedContents*) and Cohere (*Embed*, v2).

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoint::{Address, Endpoint, Site, segment};
use crate::{
    LmError, LmErrorKind,
    lm::{
        BoxFuture, Usage,
        embed::{Embedder, Embeddings, InputType},
    },
};

/// How a provider wants to be asked for embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    OpenAi,
    Gemini,
    Cohere,
}

/// An embedding model behind HTTP.
pub(crate) struct EmbeddingApi {
    protocol: Protocol,
    endpoint: Endpoint,
    model: String,
    dimensions: Option<usize>,
}

impl EmbeddingApi {
    /// The model of this name at the address; `dimensions` is how long its vectors are wished to be.
    pub(crate) fn new(
        protocol: Protocol,
        address: Address,
        model: String,
        dimensions: Option<usize>,
    ) -> Result<Self, LmError> {
        let site = match protocol {
            Protocol::OpenAi => Site::bearer("embeddings"),
            Protocol::Cohere => Site::bearer("embed"),
            Protocol::Gemini => Site {
                key: (HeaderName::from_static("x-goog-api-key"), ""),
                ..Site::bearer(format!("models/{}:batchEmbedContents", segment(&model)))
            },
        };
        let endpoint = Endpoint::new(address, site)?;
        Ok(Self { protocol, endpoint, model, dimensions })
    }

    fn body(&self, texts: &[&str], input: InputType) -> Value {
        let model = &self.model;
        let (mut body, dimensions) = match self.protocol {
            Protocol::OpenAi => (json!({ "model": model, "input": texts }), "dimensions"),
            Protocol::Cohere => {
                let input_type = match input {
                    InputType::Document => "search_document",
                    InputType::Query => "search_query",
                };
                let body = json!({
                    "model": model, "texts": texts, "input_type": input_type, "embedding_types": ["float"],
                });
                (body, "output_dimension")
            }
            Protocol::Gemini => {
                let task = match input {
                    InputType::Document => "RETRIEVAL_DOCUMENT",
                    InputType::Query => "RETRIEVAL_QUERY",
                };
                let request = |text: &&str| {
                    let mut request = json!({
                        "model": format!("models/{model}"),
                        "content": { "parts": [{ "text": text }] },
                        "taskType": task,
                    });
                    if let Some(n) = self.dimensions {
                        request["outputDimensionality"] = n.into();
                    }
                    request
                };
                return json!({ "requests": texts.iter().map(request).collect::<Vec<_>>() });
            }
        };
        if let Some(n) = self.dimensions {
            body[dimensions] = n.into();
        }
        body
    }

    fn read(&self, body: &[u8]) -> Result<Embeddings, serde_json::Error> {
        Ok(match self.protocol {
            Protocol::OpenAi => {
                let OpenAi { mut data, usage } = serde_json::from_slice(body)?;
                data.sort_by_key(|row| row.index);
                let vectors: Vec<_> = data.into_iter().map(|row| row.embedding.0).collect();
                let usage = Usage::of_call(usage.unwrap_or_default().prompt_tokens, 0);
                Embeddings::from(vectors).with_usage(usage)
            }
            Protocol::Cohere => {
                let Cohere { embeddings, meta } = serde_json::from_slice(body)?;
                let tokens = meta.and_then(|meta| meta.billed_units).map_or(0.0, |units| units.input_tokens);
                Embeddings::from(embeddings.float).with_usage(Usage::of_call(tokens.max(0.0) as u64, 0))
            }
            Protocol::Gemini => {
                let Gemini { embeddings, usage } = serde_json::from_slice(body)?;
                let vectors: Vec<_> = embeddings.into_iter().map(|row| row.values).collect();
                let tokens = usage.unwrap_or_default().prompt_token_count;
                Embeddings::from(vectors).with_usage(Usage::of_call(tokens, 0))
            }
        })
    }
}

impl Embedder for EmbeddingApi {
    fn id(&self) -> &str {
        self.endpoint.id()
    }

    fn endpoint(&self) -> &str {
        self.endpoint.api_base()
    }

    fn max_batch(&self) -> usize {
        match self.protocol {
            Protocol::OpenAi => 2048,
            Protocol::Gemini => 100,
            Protocol::Cohere => 96,
        }
    }

    /// OpenAI takes 300,000 tokens in a request, and a token has at least one byte.
    fn max_batch_bytes(&self) -> usize {
        match self.protocol {
            Protocol::OpenAi => 300_000,
            Protocol::Gemini | Protocol::Cohere => usize::MAX,
        }
    }

    fn embed<'a>(
        &'a self,
        texts: &'a [&'a str],
        input: InputType,
    ) -> BoxFuture<'a, Result<Embeddings, LmError>> {
        Box::pin(async move {
            let body = serde_json::to_vec(&self.body(texts, input))
                .map_err(|e| LmError::new(LmErrorKind::InvalidRequest, self.id(), e.to_string()))?;
            let (reply, head) = self.endpoint.ask(body).await?;
            let found = self.read(&reply).map_err(|e| self.endpoint.unreadable(e))?;
            Ok(Embeddings { quota: head.quota, ..found })
        })
    }
}

#[derive(Deserialize)]
struct OpenAi {
    data: Vec<OpenAiRow>,
    #[serde(default)]
    usage: Option<OpenAiUsage>,
}

#[derive(Deserialize)]
struct OpenAiRow {
    #[serde(default)]
    index: usize,
    embedding: Vector,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OpenAiUsage {
    prompt_tokens: u64,
}

/// A list of numbers, or Base64 of their bytes, which some gateways send unasked.
#[derive(Deserialize)]
#[serde(try_from = "Numbers")]
struct Vector(Vec<f32>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    List(Vec<f32>),
    Text(String),
}

impl TryFrom<Numbers> for Vector {
    type Error = String;

    fn try_from(numbers: Numbers) -> Result<Self, String> {
        match numbers {
            Numbers::List(list) => Ok(Self(list)),
            Numbers::Text(text) => from_base64(&text).map(Self).ok_or_else(|| {
                "an embedding is a text, but not Base64 of 32-bit numbers in little-endian order".to_owned()
            }),
        }
    }
}

/// A vector as Base64 of its numbers, 32 bits each in little-endian order.
pub(crate) fn to_base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}

/// The vector of such a text.
pub(crate) fn from_base64(text: &str) -> Option<Vec<f32>> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[derive(Deserialize)]
struct Gemini {
    embeddings: Vec<GeminiRow>,
    #[serde(default, rename = "usageMetadata")]
    usage: Option<GeminiUsage>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GeminiUsage {
    prompt_token_count: u64,
}

#[derive(Deserialize)]
struct GeminiRow {
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct Cohere {
    embeddings: CohereTypes,
    #[serde(default)]
    meta: Option<CohereMeta>,
}

#[derive(Deserialize)]
struct CohereTypes {
    float: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct CohereMeta {
    #[serde(default)]
    billed_units: Option<CohereUnits>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CohereUnits {
    input_tokens: f64,
}
