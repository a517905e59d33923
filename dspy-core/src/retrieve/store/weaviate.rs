//! Weaviate. Source: its REST API (schema, batches of objects) and its GraphQL API (search).

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    protocol::{ID, Protocol, TEXT, segment, uuid},
    service::Service,
};
use crate::{Error, Result, RetrievalError, lm::BoxFuture, retrieve::Passage};

/// The property with the metadata, as JSON: a class has fixed properties.
const METADATA: &str = "metadata";

pub(super) struct Weaviate {
    pub(super) class: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Value>,
}

impl Weaviate {
    /// The name goes into a query, where it cannot be quoted.
    fn checked(&self, service: &Service) -> Result<&str> {
        let mut letters = self.class.chars();
        let named = letters.next().is_some_and(|c| c.is_ascii_uppercase())
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if named {
            return Ok(&self.class);
        }
        let message = "the name of a collection begins with a capital letter and has letters, digits and `_`";
        Err(RetrievalError::new(service.name(), message).into())
    }
}

impl Protocol for Weaviate {
    fn key_header(&self) -> (&'static str, &'static str) {
        ("authorization", "Bearer ")
    }

    fn create<'a>(&'a self, service: &'a Service, _: usize) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let class = self.checked(service)?;
            if service.find(&format!("v1/schema/{}", segment(class)), &[]).await?.is_some() {
                return Ok(());
            }
            let property = |name: &str, tokens: &str| json!({ "name": name, "dataType": ["text"], "tokenization": tokens });
            let body = json!({
                "class": class,
                "vectorizer": "none",
                "vectorIndexConfig": { "distance": "cosine" },
                "properties": [property(TEXT, "word"), property(ID, "field"), property(METADATA, "field")],
            });
            service.post("v1/schema", &body).await.map(drop)
        })
    }

    fn upsert<'a>(
        &'a self,
        service: &'a Service,
        passages: &'a [Passage],
        vectors: &'a [Vec<f32>],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let class = self.checked(service)?;
            let object = |(passage, vector): (&Passage, &Vec<f32>)| {
                let metadata = Value::from(passage.metadata.clone()).to_string();
                json!({
                    "class": class,
                    "id": uuid(&passage.id),
                    "vector": vector,
                    "properties": { TEXT: passage.text, ID: passage.id, METADATA: metadata },
                })
            };
            let objects: Vec<Value> = passages.iter().zip(vectors).map(object).collect();
            let done = service.post("v1/batch/objects", &json!({ "objects": objects })).await?;
            // A success that may hold failures of single objects.
            for object in done.as_array().into_iter().flatten() {
                let errors = object.pointer("/result/errors/error").and_then(Value::as_array);
                if let Some(error) = errors.into_iter().flatten().next() {
                    let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
                    let id =
                        object.pointer("/properties/passage_id").and_then(Value::as_str).unwrap_or_default();
                    return Err(refused(service, &format!("passage `{id}` was refused: {message}")));
                }
            }
            Ok(())
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
            let class = self.checked(service)?;
            if filter.is_some() {
                return Err(refused(service, "filters are not supported for Weaviate"));
            }
            let vector = json!(vector);
            let query = format!(
                "{{ Get {{ {class}(limit: {k}, nearVector: {{ vector: {vector} }}) \
                 {{ {TEXT} {ID} {METADATA} _additional {{ id distance }} }} }} }}"
            );
            let answer = service.post("v1/graphql", &json!({ "query": query })).await?;
            let answer: Answer = serde_json::from_value(answer).map_err(|e| service.unreadable(e))?;
            if let Some(error) = answer.errors.first() {
                let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(refused(service, message));
            }
            let rows = answer.data.pointer(&format!("/Get/{class}")).and_then(Value::as_array);
            let rows = rows.ok_or_else(|| service.unreadable("it has no results"))?;
            Ok(rows.iter().map(passage).collect())
        })
    }
}

fn passage(row: &Value) -> Passage {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let distance = row.pointer("/_additional/distance").and_then(Value::as_f64).unwrap_or(1.0);
    let own = row.pointer("/_additional/id").and_then(Value::as_str);
    let mut passage = Passage::new(text(TEXT).unwrap_or_default())
        .id(text(ID).or(own).unwrap_or_default())
        .score((1.0 - distance) as f32);
    passage.metadata = text(METADATA).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    passage
}

fn refused(service: &Service, message: &str) -> Error {
    RetrievalError::new(service.name(), message).into()
}
