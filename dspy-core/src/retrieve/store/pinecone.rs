//! Pinecone. Source: its data plane API of 2025-04.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    protocol::{Protocol, from_payload, to_payload},
    service::Service,
};
use crate::{Result, lm::BoxFuture, retrieve::Passage};

pub(super) struct Pinecone {
    pub(super) namespace: String,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    matches: Vec<Match>,
}

#[derive(Deserialize)]
struct Match {
    id: Value,
    #[serde(default)]
    score: f32,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

impl Protocol for Pinecone {
    fn key_header(&self) -> (&'static str, &'static str) {
        ("api-key", "")
    }

    fn headers(&self) -> Vec<(String, String)> {
        vec![("x-pinecone-api-version".into(), "2025-04".into())]
    }

    /// The index is made in Pinecone's console, the namespace by the first passage.
    fn create<'a>(&'a self, _: &'a Service, _: usize) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn upsert<'a>(
        &'a self,
        service: &'a Service,
        passages: &'a [Passage],
        vectors: &'a [Vec<f32>],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let record = |(passage, vector): (&Passage, &Vec<f32>)| json!({ "id": passage.id, "values": vector, "metadata": to_payload(passage) });
            let records: Vec<Value> = passages.iter().zip(vectors).map(record).collect();
            let body = json!({ "vectors": records, "namespace": self.namespace });
            service.post("vectors/upsert", &body).await.map(drop)
        })
    }

    fn query<'a>(
        &'a self,
        service: &'a Service,
        vector: &'a [f32],
        k: usize,
        filter: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Vec<Passage>>> {
        Box::pin(async move {
            let mut body = json!({
                "vector": vector, "topK": k, "includeMetadata": true, "namespace": self.namespace,
            });
            if let Some(filter) = filter {
                body["filter"] = filter.clone();
            }
            let found = service.post("query", &body).await?;
            let found: Found = serde_json::from_value(found).map_err(|e| service.unreadable(e))?;
            let passage = |m: Match| from_payload(m.metadata.unwrap_or_default(), &m.id, m.score);
            Ok(found.matches.into_iter().map(passage).collect())
        })
    }
}
