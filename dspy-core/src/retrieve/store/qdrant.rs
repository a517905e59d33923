//! Qdrant. Source: its REST API (v1.10 and later, for `points/query`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    protocol::{Protocol, from_payload, segment, to_payload, uuid},
    service::Service,
};
use crate::{Result, lm::BoxFuture, retrieve::Passage};

pub(super) struct Qdrant {
    pub(super) collection: String,
}

impl Qdrant {
    fn path(&self, rest: &str) -> String {
        format!("collections/{}{rest}", segment(&self.collection))
    }
}

#[derive(Deserialize)]
struct Found {
    result: Points,
}

#[derive(Deserialize)]
struct Points {
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    id: Value,
    score: f32,
    #[serde(default)]
    payload: Option<Map<String, Value>>,
}

impl Protocol for Qdrant {
    fn key_header(&self) -> (&'static str, &'static str) {
        ("api-key", "")
    }

    fn create<'a>(&'a self, service: &'a Service, dimension: usize) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if service.find(&self.path(""), &[]).await?.is_some() {
                return Ok(());
            }
            let body = json!({ "vectors": { "size": dimension, "distance": "Cosine" } });
            service.put(&self.path(""), &[], &body).await.map(drop)
        })
    }

    fn upsert<'a>(
        &'a self,
        service: &'a Service,
        passages: &'a [Passage],
        vectors: &'a [Vec<f32>],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let point = |(passage, vector): (&Passage, &Vec<f32>)| json!({ "id": uuid(&passage.id), "vector": vector, "payload": to_payload(passage) });
            let points: Vec<Value> = passages.iter().zip(vectors).map(point).collect();
            // Found by searches from its return on.
            let wait = [("wait", "true")];
            service.put(&self.path("/points"), &wait, &json!({ "points": points })).await.map(drop)
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
            let mut body = json!({ "query": vector, "limit": k, "with_payload": true });
            if let Some(filter) = filter {
                body["filter"] = filter.clone();
            }
            let found = service.post(&self.path("/points/query"), &body).await?;
            let found: Found = serde_json::from_value(found).map_err(|e| service.unreadable(e))?;
            let passage = |p: Point| from_payload(p.payload.unwrap_or_default(), &p.id, p.score);
            Ok(found.result.points.into_iter().map(passage).collect())
        })
    }
}
