//! Chroma. Source: its REST API, version 2.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::{
    protocol::{Protocol, segment},
    service::Service,
};
use crate::{Result, RetrievalError, lm::BoxFuture, retrieve::Passage};

pub(super) struct Chroma {
    pub(super) collection: String,
    pub(super) tenant: String,
    pub(super) database: String,
    found: OnceCell<Collection>,
}

#[derive(Debug, Clone, Deserialize)]
struct Collection {
    id: String,
    #[serde(default)]
    configuration_json: Value,
}

/// A list for each of the queries, of which there is one.
#[derive(Deserialize)]
struct Found {
    ids: Vec<Vec<String>>,
    #[serde(default)]
    documents: Option<PerQuery<String>>,
    #[serde(default)]
    metadatas: Option<PerQuery<Map<String, Value>>>,
    #[serde(default)]
    distances: Option<PerQuery<f32>>,
}

/// For each query, what is known of each passage.
type PerQuery<T> = Vec<Vec<Option<T>>>;

impl Chroma {
    pub(super) fn new(collection: String) -> Self {
        let (tenant, database) = ("default_tenant".into(), "default_database".into());
        Self { collection, tenant, database, found: OnceCell::new() }
    }

    fn path(&self, rest: &str) -> String {
        let (tenant, database) = (segment(&self.tenant), segment(&self.database));
        format!("api/v2/tenants/{tenant}/databases/{database}/collections{rest}")
    }

    async fn collection(&self, service: &Service) -> Result<&Collection> {
        let ask = async || {
            let path = self.path(&format!("/{}", segment(&self.collection)));
            let found = service.find(&path, &[]).await?.ok_or_else(|| {
                RetrievalError::new(service.name(), "there is no such collection; make it with `create`")
            })?;
            serde_json::from_value(found).map_err(|e| service.unreadable(e))
        };
        self.found.get_or_try_init(ask).await
    }
}

impl Collection {
    /// The greater, the nearer: the cosine or the product where the collection has such distances.
    fn score(&self, distance: f32) -> f32 {
        let space = |kind| self.configuration_json.get(kind)?.get("space")?.as_str();
        match space("hnsw").or_else(|| space("spann")) {
            Some("cosine" | "ip") => 1.0 - distance,
            _ => -distance,
        }
    }
}

impl Protocol for Chroma {
    fn key_header(&self) -> (&'static str, &'static str) {
        ("x-chroma-token", "")
    }

    fn create<'a>(&'a self, service: &'a Service, _: usize) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let body = json!({
                "name": self.collection,
                "get_or_create": true,
                "configuration": { "hnsw": { "space": "cosine" } },
            });
            service.post(&self.path(""), &body).await.map(drop)
        })
    }

    fn upsert<'a>(
        &'a self,
        service: &'a Service,
        passages: &'a [Passage],
        vectors: &'a [Vec<f32>],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let id = &self.collection(service).await?.id;
            let ids: Vec<&str> = passages.iter().map(|p| p.id.as_str()).collect();
            let texts: Vec<&str> = passages.iter().map(|p| p.text.as_str()).collect();
            // Without metadata there must not be an object.
            let metadata =
                |p: &Passage| if p.metadata.is_empty() { Value::Null } else { p.metadata.clone().into() };
            let metadatas: Vec<Value> = passages.iter().map(metadata).collect();
            let body =
                json!({ "ids": ids, "embeddings": vectors, "documents": texts, "metadatas": metadatas });
            service.post(&self.path(&format!("/{id}/upsert")), &body).await.map(drop)
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
            let collection = self.collection(service).await?;
            let mut body = json!({
                "query_embeddings": [vector],
                "n_results": k,
                "include": ["documents", "metadatas", "distances"],
            });
            if let Some(filter) = filter {
                body["where"] = filter.clone();
            }
            let found = service.post(&self.path(&format!("/{}/query", collection.id)), &body).await?;
            let Found { ids, documents, metadatas, distances } =
                serde_json::from_value(found).map_err(|e| service.unreadable(e))?;
            let mut documents = first(documents);
            let mut metadatas = first(metadatas);
            let mut distances = first(distances);
            let passage = |id: String| {
                let text = documents.next().flatten().unwrap_or_default();
                let distance = distances.next().flatten().unwrap_or_default();
                let mut passage = Passage::new(text).id(id).score(collection.score(distance));
                passage.metadata = metadatas.next().flatten().unwrap_or_default();
                passage
            };
            Ok(first(Some(ids)).map(passage).collect())
        })
    }
}

fn first<T>(lists: Option<Vec<Vec<T>>>) -> impl Iterator<Item = T> {
    lists.into_iter().flatten().next().unwrap_or_default().into_iter()
}
