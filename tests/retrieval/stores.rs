//! Vector stores: what they are asked, against a server that answers as their documentation says; and Chroma and
//! PostgreSQL with pgvector themselves, where `DSPY_CHROMA_URL` and `DSPY_PGVECTOR` name running ones.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use dspy::{
    Error,
    lm::RetryPolicy,
    prelude::*,
    retrieve::{Colbert, VectorStore, VectorStoreBuilder},
};
use serde_json::{Value, json};

use crate::{
    letters,
    server::{Call, Reply, Server},
    vector,
};

fn fast() -> RetryPolicy {
    RetryPolicy::new().retries(2).base(Duration::from_millis(1))
}

fn url(server: &Server) -> String {
    server.api_base().trim_end_matches("/v1").to_owned()
}

/// A server that answers by method and path, and 404 to everything else.
async fn answering(routes: Vec<(&'static str, Value)>) -> Server {
    Server::start(move |call| {
        let asked = format!("{} {}", call.method, call.path);
        match routes.iter().find(|(route, _)| *route == asked) {
            Some((_, answer)) => Reply::json(200, answer),
            None => Reply::json(404, &json!({"error": "not found"})),
        }
    })
    .await
}

fn lines(calls: &[Call]) -> Vec<String> {
    calls.iter().map(|call| format!("{} {}", call.method, call.path)).collect()
}

fn passages() -> Vec<Passage> {
    vec![Passage::new("aaa").id("a").metadata("year", 1843), Passage::new("eee").id("e")]
}

fn ids(found: &[Passage]) -> Vec<(&str, &str)> {
    found.iter().map(|p| (p.id.as_str(), p.text.as_str())).collect()
}

#[tokio::test]
async fn qdrant_is_asked_as_documented() {
    let points = json!([
        {"id": "0b4f…", "version": 1, "score": 0.9, "payload": {"text": "aaa", "passage_id": "a", "year": 1843}},
        {"id": 7, "version": 1, "score": 0.5, "payload": {"text": "of others"}},
    ]);
    let server = answering(vec![
        ("PUT /collections/my%20wiki", json!({"result": true, "status": "ok", "time": 0.1})),
        (
            "PUT /collections/my%20wiki/points?wait=true",
            json!({"result": {"operation_id": 0, "status": "completed"}}),
        ),
        ("POST /collections/my%20wiki/points/query", json!({"result": {"points": points}, "status": "ok"})),
    ])
    .await;
    let filter = json!({"must": [{"key": "year", "match": {"value": 1843}}]});
    let store = VectorStore::qdrant(url(&server), "my wiki").api_key("secret-key").filter(filter.clone());
    let store = store.build(letters()).unwrap();
    store.create().await.unwrap();
    store.upsert(passages()).await.unwrap();
    let found = store.search("a", 2).await.unwrap();
    assert_eq!(ids(&found), [("a", "aaa"), ("7", "of others")]);
    assert_eq!((found[0].score, &found[0].metadata), (0.9, &passages()[0].metadata));

    let calls = server.calls();
    assert_eq!(
        lines(&calls),
        [
            "GET /collections/my%20wiki",
            "PUT /collections/my%20wiki",
            "PUT /collections/my%20wiki/points?wait=true",
            "POST /collections/my%20wiki/points/query"
        ]
    );
    assert!(calls.iter().all(|call| call.header("api-key") == Some("secret-key")));
    assert_eq!(calls[1].json(), json!({"vectors": {"size": 10, "distance": "Cosine"}}));
    let first = &calls[2].json()["points"][0];
    assert_eq!(first["payload"], json!({"year": 1843, "text": "aaa", "passage_id": "a"}));
    assert_eq!((first["id"].as_str().unwrap().len(), &first["vector"]), (36, &json!(vector("aaa"))));
    assert_eq!(
        calls[3].json(),
        json!({"query": vector("a"), "limit": 2, "with_payload": true, "filter": filter})
    );
}

#[tokio::test]
async fn pinecone_is_asked_as_documented() {
    let server = answering(vec![
        ("POST /vectors/upsert", json!({"upsertedCount": 2})),
        (
            "POST /query",
            json!({"matches": [{"id": "a", "score": 0.8, "values": [],
                "metadata": {"text": "aaa", "passage_id": "a", "year": 1843}}], "namespace": "n"}),
        ),
    ])
    .await;
    let store = VectorStore::pinecone(url(&server), "n").api_key("secret-key").build(letters()).unwrap();
    store.create().await.unwrap();
    store.upsert(passages()).await.unwrap();
    let found = store.search("a", 3).await.unwrap();
    assert_eq!((ids(&found), found[0].score), (vec![("a", "aaa")], 0.8));
    let calls = server.calls();
    assert_eq!(
        (calls[0].header("api-key"), calls[0].header("x-pinecone-api-version")),
        (Some("secret-key"), Some("2025-04"))
    );
    let record = json!({"id": "e", "values": vector("eee"), "metadata": {"text": "eee", "passage_id": "e"}});
    assert_eq!((&calls[0].json()["vectors"][1], &calls[0].json()["namespace"]), (&record, &json!("n")));
    assert_eq!(
        calls[1].json(),
        json!({"vector": vector("a"), "topK": 3, "includeMetadata": true, "namespace": "n"})
    );
}

#[tokio::test]
async fn weaviate_is_asked_as_documented() {
    let row = json!({"text": "aaa", "passage_id": "a", "metadata": "{\"year\":1843}",
        "_additional": {"id": "0b4f", "distance": 0.25}});
    let server = answering(vec![
        ("POST /v1/schema", json!({"class": "Wiki"})),
        (
            "POST /v1/batch/objects",
            json!([{"result": {"status": "SUCCESS"}}, {"result": {"status": "SUCCESS"}}]),
        ),
        ("POST /v1/graphql", json!({"data": {"Get": {"Wiki": [row]}}})),
    ])
    .await;
    let store = VectorStore::weaviate(url(&server), "Wiki").api_key("secret-key").build(letters()).unwrap();
    store.create().await.unwrap();
    store.upsert(passages()).await.unwrap();
    let found = store.search("a", 3).await.unwrap();
    assert_eq!(
        (ids(&found), found[0].score, &found[0].metadata),
        (vec![("a", "aaa")], 0.75, &passages()[0].metadata)
    );
    let calls = server.calls();
    assert_eq!(lines(&calls)[..2], ["GET /v1/schema/Wiki", "POST /v1/schema"]);
    assert_eq!(calls[0].header("authorization"), Some("Bearer secret-key"));
    assert_eq!(
        calls[2].json()["objects"][1]["properties"],
        json!({"text": "eee", "passage_id": "e", "metadata": "{}"})
    );
    let query = calls[3].json()["query"].as_str().unwrap().to_owned();
    assert!(query.contains("Wiki(limit: 3, nearVector: { vector: [1.0,0.0"), "{query}");

    // A name that would be read as a part of the query never gets there.
    let store = VectorStore::weaviate(url(&server), "Wiki(limit: 1) { x } }").build(letters()).unwrap();
    assert!(store.search("a", 1).await.unwrap_err().to_string().contains("capital letter"));
    // A batch answers 200 whatever happened to its objects.
    let failed = json!([{"properties": {"passage_id": "a"}, "result": {"status": "FAILED",
        "errors": {"error": [{"message": "vector lengths don't match"}]}}}]);
    let server = answering(vec![("POST /v1/batch/objects", failed)]).await;
    let store = VectorStore::weaviate(url(&server), "Wiki").build(letters()).unwrap();
    let error = store.upsert(passages()).await.unwrap_err().to_string();
    assert!(error.contains("passage `a` was refused: vector lengths"), "{error}");
}

#[tokio::test]
async fn colbert_is_asked_as_documented() {
    let row = |pid: u32, rank: u32| json!({"text": format!("Title | text {pid}"), "pid": pid, "rank": rank, "score": 20.5, "prob": 0.4});
    let topk = json!({"query": "x", "topk": [row(31, 1), row(32, 2), row(33, 3)]});
    let server = answering(vec![("GET /api/search?query=Who+wrote+%22%C3%9Ctopia%22%3F&k=2", topk)]).await;
    let colbert = Colbert::new(format!("{}/api/search", url(&server))).unwrap();
    let found = colbert.search("Who wrote \"Ütopia\"?", 2).await.unwrap();
    assert_eq!(ids(&found), [("31", "Title | text 31"), ("32", "Title | text 32")]);
    assert_eq!((found[0].score, &found[0].metadata["rank"]), (20.5, &json!(1)));
    assert!(colbert.search("other", 2).await.unwrap_err().to_string().contains("no such path"));
    assert!(Colbert::new("localhost").unwrap_err().to_string().contains("api/search"));
}

#[tokio::test]
async fn faults_of_a_store_are_told_and_tried_again() {
    let store = |server: &Server| VectorStore::qdrant(url(server), "w").retry(fast());
    let found = json!({"result": {"points": []}});
    let server =
        Server::replying(vec![Reply::error(503, "loading"), Reply::Reset, Reply::json(200, &found)]).await;
    assert!(store(&server).build(letters()).unwrap().search("a", 1).await.unwrap().is_empty());
    assert_eq!(server.count(), 3);

    let error = async |reply: Reply, of: fn(VectorStoreBuilder) -> VectorStoreBuilder| {
        let server = Server::replying(vec![reply]).await;
        let store = of(store(&server)).build(letters()).unwrap();
        match store.search("a", 1).await.unwrap_err() {
            Error::Retrieval(error) => *error,
            other => panic!("{other}"),
        }
    };
    let down = error(Reply::error(500, "disk full"), |b| b).await;
    assert_eq!((down.retryable, down.status), (true, Some(500)));
    assert_eq!(down.to_string(), "Qdrant collection `w` (HTTP 500): disk full (after 3 attempts)");
    let refused =
        error(Reply::json(400, &json!({"status": {"error": "Wrong input: Vector dimension"}})), |b| b).await;
    assert!(!refused.retryable && refused.to_string().contains("Vector dimension"), "{refused}");
    let key = error(Reply::error(401, "bad secret-key"), |b| b.api_key("secret-key")).await.to_string();
    assert!(!key.contains("secret-key") && !key.contains("LM::"), "{key}");
    let none = error(Reply::error(403, "no"), |b| b).await.to_string();
    assert!(none.contains("set one with `api_key`"), "{none}");
    let missing = error(Reply::error(404, "Not found: Collection `w`"), |b| b).await.to_string();
    assert!(missing.contains("which `create` makes"), "{missing}");
    let strange = error(Reply::json(200, &json!({"result": 3})), |b| b).await.to_string();
    assert!(strange.contains("cannot be read"), "{strange}");

    let address = VectorStore::qdrant("localhost:6333", "w").build(letters()).unwrap_err().to_string();
    assert!(address.contains("http://"), "{address}");
    let store = VectorStore::qdrant("http://127.0.0.1:9", "w").build(letters()).unwrap();
    let own = store.upsert([Passage::new("x").metadata("text", "y")]).await.unwrap_err().to_string();
    assert!(own.contains("rename it"), "{own}");
}

#[tokio::test]
async fn many_passages_go_out_in_requests_of_a_size_that_stores_take() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let server = Server::start(move |call| {
        seen.lock().unwrap().push((call.json()["vectors"].as_array().unwrap().len(), call.body.len()));
        Reply::json(200, &json!({"upsertedCount": 1}))
    })
    .await;
    let store = VectorStore::pinecone(url(&server), "").build(letters()).unwrap();
    let long = "x".repeat(100_000);
    store.upsert((0..300).map(|i| if i < 40 { long.clone() } else { format!("text {i}") })).await.unwrap();
    let sizes = sizes.lock().unwrap().clone();
    assert_eq!(sizes.iter().map(|(n, _)| n).sum::<usize>(), 300);
    assert!(sizes.iter().all(|(n, bytes)| *n <= 128 && *bytes < 2_000_000), "{sizes:?}");
}

/// What every store has to do, whichever it is.
async fn round_trip(store: &dyn Retriever, upsert: impl AsyncFn(Vec<Passage>)) {
    let many = || {
        (0..300)
            .map(|i| {
                // No two have the same direction: graphs of near neighbours do badly on copies.
                let rest = ["r".repeat(i % 5), "s".repeat(i / 5 % 5), "t".repeat(i / 25 % 4)].concat();
                let text = format!("{} {rest} {i}", ["a", "e", "i"][i / 100].repeat(12));
                Passage::new(text).id(format!("p'{i}\"")).metadata("i", i).metadata("name", "Zoë \"\\ 'x'")
            })
            .collect::<Vec<_>>()
    };
    upsert(many()).await;
    // A second time, so that all are replaced and none is there twice.
    upsert(many()).await;
    let found = store.search("eeee", 20).await.unwrap();
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|p| p.text.starts_with("eeee")), "{found:?}");
    assert!(found.windows(2).all(|w| w[0].score >= w[1].score));
    assert!(found[0].score > 0.9 && found[0].score <= 1.0001, "{}", found[0].score);
    let i = found[0].metadata["i"].as_u64().unwrap();
    assert_eq!(
        (found[0].id.as_str(), &found[0].metadata["name"]),
        (&*format!("p'{i}\""), &json!("Zoë \"\\ 'x'"))
    );
    upsert(vec![Passage::new("uuuu").id(&found[0].id)]).await;
    let replaced = store.search("uuuu", 1).await.unwrap();
    assert_eq!((replaced[0].id.as_str(), replaced[0].text.as_str()), (found[0].id.as_str(), "uuuu"));
    assert!(store.search("uuuu", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn chroma_itself() {
    let Ok(url) = std::env::var("DSPY_CHROMA_URL") else {
        println!("skipped: DSPY_CHROMA_URL is not set to a Chroma server (`chroma run --port 8000`)");
        return;
    };
    let collection = format!("dspy-test-{}", std::process::id());
    let store = VectorStore::chroma(&url, &collection).build(letters()).unwrap();
    let missing = store.search("a", 1).await.unwrap_err().to_string();
    assert!(missing.contains("make it with `create`"), "{missing}");
    store.create().await.unwrap();
    store.create().await.unwrap();
    round_trip(&store, async |passages| store.upsert(passages).await.unwrap()).await;
    let filtered = VectorStore::chroma(&url, &collection).filter(json!({"i": {"$lt": 6}}));
    let found = filtered.build(letters()).unwrap().search("iiii", 10).await.unwrap();
    assert!(found.iter().all(|p| p.metadata["i"].as_u64().unwrap() < 6), "{found:?}");
    let nested = Passage::new("x").metadata("deep", json!({"a": 1}));
    let refused = store.upsert([nested]).await.unwrap_err();
    assert!(matches!(&refused, Error::Retrieval(e) if !e.retryable && e.status.is_some()), "{refused}");
}

#[cfg(feature = "pgvector")]
#[tokio::test]
async fn pgvector_itself() {
    use dspy::retrieve::PgVector;

    let wrong =
        PgVector::new("host=x password=secret-word port=none", "t", letters()).unwrap_err().to_string();
    assert!(wrong.contains("connection string") && !wrong.contains("secret-word"), "{wrong}");
    let down = PgVector::new("host=127.0.0.1 port=9 user=x", "t", letters()).unwrap();
    let error = down.search("a", 1).await.unwrap_err();
    assert!(matches!(&error, Error::Retrieval(e) if e.retryable), "{error}");

    let Ok(connection) = std::env::var("DSPY_PGVECTOR") else {
        println!("skipped: DSPY_PGVECTOR is not set to a connection string of a PostgreSQL with pgvector");
        return;
    };
    let name = format!("public.a \"table\" {}", std::process::id());
    let table = PgVector::new(&connection, &name, letters()).unwrap();
    let missing = table.search("a", 1).await.unwrap_err().to_string();
    assert!(missing.contains("does not exist") && missing.contains("`create` makes"), "{missing}");
    table.create().await.unwrap();
    table.create().await.unwrap();
    round_trip(&table, async |passages| table.upsert(passages).await.unwrap()).await;
    // Of one id, the last counts; metadata may be of any depth.
    let twice = ["ttt", "nnn"].map(|text| Passage::new(text).id("twice").metadata("deep", json!({"a": [1]})));
    table.upsert(twice).await.unwrap();
    let found = table.search("nnn", 1).await.unwrap();
    assert_eq!((found[0].text.as_str(), &found[0].metadata["deep"]), ("nnn", &json!({"a": [1]})));
    // More than a search of pgvector looks at unless it is told to.
    let many = PgVector::new(&connection, format!("many_{}", std::process::id()), letters()).unwrap();
    many.create().await.unwrap();
    let digit = |letter: &str, i: usize| letter.repeat(i % 6);
    let text = |i: usize| {
        [("a", 1), ("e", 6), ("i", 36), ("o", 216), ("u", 1296)].map(|(l, n)| digit(l, i / n)).concat()
    };
    many.upsert((1..6000).map(text)).await.unwrap();
    for k in [300, 5, 60, 900] {
        let found = many.search("aaae", k).await.unwrap();
        assert_eq!(found.len(), k);
        assert!(found.windows(2).all(|w| w[0].score >= w[1].score));
    }
    // Many at once over one connection, as programs search.
    let all = (0..100).map(|_| table.search("eeee", 3));
    for found in futures_util::future::join_all(all).await {
        assert_eq!(found.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn chroma_is_asked_as_documented() {
    let base = "/api/v2/tenants/default_tenant/databases/default_database/collections";
    let server = Server::start(move |call| {
        let path = call.path.strip_prefix(base).unwrap();
        Reply::json(
            200,
            &match (call.method.as_str(), path) {
                ("GET", "/wiki") => json!({"id": "c1", "configuration_json": {"hnsw": {"space": "l2"}}}),
                ("POST", "/c1/query") => {
                    json!({"ids": [["a"]], "documents": [["aaa"]], "metadatas": [[null]],
                "distances": [[0.25]], "embeddings": null, "include": []})
                }
                ("POST", "" | "/c1/upsert") => json!({}),
                other => panic!("{other:?}"),
            },
        )
    })
    .await;
    let store = VectorStore::chroma(url(&server), "wiki").api_key("secret-key").build(letters()).unwrap();
    store.upsert(passages()).await.unwrap();
    let found = store.search("a", 2).await.unwrap();
    assert_eq!((ids(&found), found[0].score), (vec![("a", "aaa")], -0.25), "the nearer, the greater");
    store.search("a", 2).await.unwrap();
    assert_eq!(server.count(), 4, "the collection is looked up once");
    let calls = server.calls();
    assert_eq!(calls[1].header("x-chroma-token"), Some("secret-key"));
    assert_eq!(
        calls[1].json(),
        json!({"ids": ["a", "e"], "embeddings": [vector("aaa"), vector("eee")], "documents": ["aaa", "eee"],
            "metadatas": [{"year": 1843}, null]})
    );
}
