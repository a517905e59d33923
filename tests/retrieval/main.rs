//! Embedding models and retrievers: over a real local server, and in memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod batches;
#[path = "../../dspy-core/tests/support/mod.rs"]
mod server;
#[cfg(feature = "static-embeddings")]
mod static_model;
mod stores;
#[cfg(feature = "tantivy")]
mod tantivy;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{
    Error, LmErrorKind,
    lm::{
        Cache, RetryPolicy,
        embed::{self, InputType},
    },
    prelude::*,
    retrieve::{self, Bm25, DenseIndex, GraphOptions, Hybrid, Knn, Retrieve},
};
use serde_json::{Value, json};
use server::{Call, Reply, Server};

/// A vector that tells what a text is: how often each of some letters stands in it.
fn vector(text: &str) -> Vec<f32> {
    let mut vector: Vec<f32> = "aeiourstn".chars().map(|c| text.matches(c).count() as f32).collect();
    vector.push(0.5);
    vector
}

fn letters() -> impl Embedder {
    embed::from_fn("own/letters", |texts: Vec<String>, _| async move {
        Ok(texts.iter().map(|text| vector(text)).collect())
    })
}

fn openai(call: &Call) -> Reply {
    let input: Vec<String> = serde_json::from_value(call.json()["input"].clone()).unwrap();
    let mut data: Vec<Value> = input
        .iter()
        .enumerate()
        .map(|(i, text)| json!({"object": "embedding", "index": i, "embedding": vector(text)}))
        .collect();
    // The order of the rows is theirs to choose.
    data.reverse();
    Reply::json(200, &json!({"data": data, "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}))
}

fn model(server: &Server) -> dspy::lm::embed::EmbeddingModelBuilder {
    EmbeddingModel::builder("openai/m")
        .api_base(server.api_base())
        .cache(Cache::memory(1000))
        .retry(RetryPolicy::new().base(Duration::from_millis(1)).max_retry_after(Duration::from_millis(1)))
}

fn texts(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("text {i} {}", "ae".repeat(i % 7))).collect()
}

#[tokio::test]
async fn texts_go_out_in_batches_and_come_back_in_order() {
    let server = Server::start(openai).await;
    let model = model(&server).batch_size(16).api_key("sk-secret").dimensions(10).build().unwrap();
    assert_eq!(model.dimension(), None);
    let mut all = texts(100);
    all.push(all[3].clone());
    let vectors = model.embed_documents(&all).await.unwrap();
    assert_eq!(vectors, all.iter().map(|t| vector(t)).collect::<Vec<_>>());
    assert_eq!(model.dimension(), Some(10));
    assert_eq!(server.count(), 7, "100 different texts, 16 at a time");
    let sent: Vec<Value> =
        server.calls().iter().flat_map(|c| c.json()["input"].as_array().unwrap().clone()).collect();
    assert_eq!(sent.len(), 100);
    let call = server.last();
    assert_eq!(
        (call.path.as_str(), call.header("authorization")),
        ("/v1/embeddings", Some("Bearer sk-secret"))
    );
    assert_eq!((&call.json()["model"], &call.json()["dimensions"]), (&json!("m"), &json!(10)));
    let usage = model.usage();
    assert_eq!((usage.calls, usage.cached_calls, usage.prompt_tokens), (7, 0, 21));
}

#[tokio::test]
async fn a_text_is_paid_for_once() {
    let server = Server::start(openai).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || model(&server).cache(Cache::disk(folder.path())).batch_size(8).build().unwrap();
    let all = texts(24);
    let first = open();
    first.embed_documents(&all[..10]).await.unwrap();
    assert_eq!(server.count(), 2);
    // Another handle, as of another process, and another division into batches.
    let second = open();
    let vectors = second.embed_documents(&all).await.unwrap();
    assert_eq!(server.count(), 4, "14 texts were new");
    assert_eq!(vectors[5], vector(&all[5]));
    assert_eq!((second.usage().cached_calls, second.dimension()), (10, Some(10)));
    // A query is no document, and other dimensions are other vectors.
    second.embed_query(&all[0]).await.unwrap();
    assert_eq!(server.count(), 5);
    let shorter = model(&server).cache(second_cache(&folder)).dimensions(4).build().unwrap();
    shorter.embed_documents(&all[..1]).await.unwrap();
    assert_eq!(server.count(), 6);
}

fn second_cache(folder: &tempfile::TempDir) -> Cache {
    Cache::disk(folder.path())
}

#[tokio::test]
async fn faults_are_retried_and_what_was_paid_is_kept() {
    let server = Server::start(|call| match call.number {
        0 => Reply::error(503, "busy"),
        1 => Reply::error(429, "slow down").with_header("retry-after", "7"),
        2 => Reply::Reset,
        3 => Reply::text(200, "<html>"),
        _ => openai(call),
    })
    .await;
    let model_ = model(&server).build().unwrap();
    assert_eq!(model_.embed_documents(&["a"]).await.unwrap(), [vector("a")]);
    assert_eq!(server.count(), 5);

    // The third batch is refused for good.
    let server = Server::start(|call| match call.json()["input"][0].as_str() {
        Some(text) if text.starts_with("text 4 ") => Reply::error(400, "no such text"),
        _ => openai(call),
    })
    .await;
    let model_ = model(&server).batch_size(2).concurrency(1).build().unwrap();
    let error = model_.embed_documents(&texts(10)).await.unwrap_err();
    assert_eq!((error.kind, error.status), (LmErrorKind::InvalidRequest, Some(400)));
    assert!(error.to_string().contains("no such text"), "{error}");
    assert_eq!(server.count(), 3, "no further batch is begun");
    model_.embed_documents(&texts(4)).await.unwrap();
    assert_eq!(server.count(), 3, "the two before it are kept");
}

#[tokio::test]
async fn answers_that_are_no_vectors_are_errors() {
    let row = |v: Value| json!({"data": [{"index": 0, "embedding": v}]});
    for (body, words) in [
        (json!({"data": []}), "0 vectors were returned for 1 texts"),
        (row(json!([])), "a vector is empty"),
        (row(json!(["x"])), "cannot be read"),
        (row(json!("AAAA")), "Base64"),
        (json!({"vectors": [[1.0]]}), "cannot be read"),
    ] {
        let server = Server::replying(vec![Reply::json(200, &body)]).await;
        let model = model(&server).retry(RetryPolicy::none()).build().unwrap();
        let error = model.embed_query("a").await.unwrap_err();
        assert_eq!(error.kind, LmErrorKind::InvalidResponse);
        assert!(error.to_string().contains(words), "{error}");
    }
    // 1.0 and 2.0 in Base64, as the gateways write it.
    let server = Server::replying(vec![Reply::json(200, &row(json!("AACAPwAAAEA=")))]).await;
    assert_eq!(model(&server).build().unwrap().embed_query("a").await.unwrap(), [1.0, 2.0]);
}

#[tokio::test]
async fn gemini_and_cohere_are_asked_in_their_own_words() {
    let server = Server::start(|call| {
        let requests = call.json()["requests"].as_array().unwrap().clone();
        let rows: Vec<Value> = requests
            .iter()
            .map(|r| json!({"values": vector(r["content"]["parts"][0]["text"].as_str().unwrap())}))
            .collect();
        Reply::json(200, &json!({ "embeddings": rows, "usageMetadata": {"promptTokenCount": 4} }))
    })
    .await;
    let of = |id: &str| {
        EmbeddingModel::builder(id).api_base(server.api_base()).api_key("k-123456").cache(Cache::off())
    };
    let gemini = of("gemini/gemini-embedding-001").dimensions(10).build().unwrap();
    assert_eq!(gemini.embed_documents(&["ab", "cd"]).await.unwrap(), [vector("ab"), vector("cd")]);
    gemini.embed_documents(&texts(150)).await.unwrap();
    assert_eq!(server.count(), 3, "100 at a time are allowed");
    assert_eq!(gemini.usage().prompt_tokens, 12);
    gemini.embed_query("q").await.unwrap();
    let call = server.last();
    assert_eq!(call.path, "/v1/models/gemini-embedding-001:batchEmbedContents");
    assert_eq!((call.header("x-goog-api-key"), call.header("authorization")), (Some("k-123456"), None));
    assert_eq!(
        call.json(),
        json!({"requests": [{
            "model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": "q"}]},
            "taskType": "RETRIEVAL_QUERY",
            "outputDimensionality": 10,
        }]})
    );

    let server = Server::start(|call| {
        let texts: Vec<String> = serde_json::from_value(call.json()["texts"].clone()).unwrap();
        let rows: Vec<_> = texts.iter().map(|t| vector(t)).collect();
        let meta = json!({"billed_units": {"input_tokens": 5}});
        Reply::json(200, &json!({"id": "x", "embeddings": {"float": rows}, "meta": meta}))
    })
    .await;
    let cohere = EmbeddingModel::builder("cohere/embed-v4.0").api_base(server.api_base()).cache(Cache::off());
    let cohere = cohere.dimensions(256).build().unwrap();
    let vectors = cohere.embed(&["ab"], InputType::Document).await.unwrap();
    assert_eq!((vectors.vectors, vectors.usage.prompt_tokens), (vec![vector("ab")], 5));
    assert_eq!(
        server.last().json(),
        json!({"model": "embed-v4.0", "texts": ["ab"], "input_type": "search_document",
            "embedding_types": ["float"], "output_dimension": 256})
    );
    cohere.embed_query("q").await.unwrap();
    assert_eq!(server.last().json()["input_type"], "search_query");
}

#[tokio::test]
async fn embeddings_count_in_budgets_and_in_usage() {
    use dspy::{
        context::{Context, Recorder},
        lm::{Budget, Price},
    };

    let server = Server::start(openai).await;
    let embedder = |cache: &Cache| {
        let builder = EmbeddingModel::builder("openai/text-embedding-3-small").api_base(server.api_base());
        builder.batch_size(4).cache(cache.clone()).retry(RetryPolicy::none()).build().unwrap()
    };
    let spent = |error: dspy::LmError, what: &str| {
        assert!(error.kind == LmErrorKind::Budget && error.message.contains(what), "{error}");
    };
    // Ten texts are three requests; the same again is none, also for the budget; a fourth is not sent.
    let (model, all) = (embedder(&Cache::memory(1000)), texts(10));
    dspy::with(|c| c.budget(Budget::calls(3)), async {
        model.embed_documents(&all).await.unwrap();
        model.embed_documents(&all).await.unwrap();
        spent(model.embed_query("one more").await.unwrap_err(), "3 calls");
    })
    .await;
    assert_eq!((server.count(), model.usage().prompt_tokens), (3, 9));

    // What fits is asked for and kept. Started again, the same ends at the same place, and sends nothing twice.
    let cache = Cache::memory(1000);
    for sent in [5, 5] {
        let model = embedder(&cache);
        let within = async { spent(model.embed_documents(&all).await.unwrap_err(), "2 calls") };
        dspy::with(|c| c.budget(Budget::calls(2)), within).await;
        assert_eq!(server.count(), sent);
    }
    embedder(&cache).embed_documents(&all).await.unwrap();
    assert_eq!(server.count(), 6, "only the rest");

    // Tokens and dollars, before the call that would break them, and of scopes within scopes.
    let price = Price::per_million(1_000_000.0, 0.0);
    for (budget, what) in [
        (Budget::tokens(2), "2 tokens"),
        (Budget::usd(2.0).price("openai/text-embedding-3-small", price), "$2"),
        (Budget::calls(0), "0 calls"),
    ] {
        let model = embedder(&Cache::off());
        let within = async {
            dspy::with(|c| c.budget(Budget::calls(100)), async {
                spent(model.embed_query("a text of some length").await.unwrap_err(), what);
            })
            .await;
        };
        dspy::with(|c| c.budget(budget), within).await;
    }
    assert_eq!(server.count(), 6);

    // In the usage of whatever runs, with what it cost.
    let recorder = Recorder::new(None, false);
    let model = embedder(&Cache::memory(1000));
    let work = async {
        model.embed_documents(&all).await.unwrap();
        model.embed_documents(&all).await.unwrap();
    };
    Context::current().recording(recorder.clone()).scope(work).await;
    let usage = recorder.take().usage;
    let (id, sum) = usage.by_model().next().unwrap();
    assert_eq!(
        (id, sum.calls, sum.cached_calls, sum.prompt_tokens),
        ("openai/text-embedding-3-small", 3, 10, 9)
    );
    assert!((usage.usd().unwrap() - 9.0 * 0.02 / 1e6).abs() < 1e-12);
}

#[tokio::test]
async fn a_key_that_a_server_repeats_is_not_shown() {
    let server = Server::replying(vec![Reply::error(401, "bad key sk-very-secret")]).await;
    let model = model(&server).api_key("sk-very-secret").build().unwrap();
    let error = model.embed_query("a").await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Auth);
    assert!(!format!("{error:?} {model:?}").contains("sk-very-secret"), "{error:?}");
}

#[tokio::test]
async fn embedders_of_ones_own_get_batches_cache_and_retries() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let own = embed::from_fn("own/x", move |texts: Vec<String>, _| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(texts.len() <= 3);
            match n {
                0 => Err(dspy::LmError::new(LmErrorKind::Server, "own/x", "warming up")),
                _ => Ok(texts.iter().map(|text| vector(text)).collect()),
            }
        }
    });
    let fast = RetryPolicy::new().base(Duration::from_millis(1));
    let model = EmbeddingModel::wrap(own).batch_size(3).retry(fast).build().unwrap();
    let all = texts(7);
    assert_eq!(model.embed_documents(&all).await.unwrap().len(), 7);
    model.embed_documents(&all).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    let error = EmbeddingModel::wrap(letters()).api_key("k").build().unwrap_err();
    assert!(error.to_string().contains("of your own"), "{error}");
}

fn passages(n: usize) -> Vec<Passage> {
    texts(n)
        .into_iter()
        .enumerate()
        .map(|(i, t)| Passage::new(t).id(format!("p{i}")).metadata("i", i))
        .collect()
}

#[tokio::test]
async fn a_dense_index_finds_saves_and_loads() {
    let folder = tempfile::tempdir().unwrap();
    // So narrow that 300 passages are enough for it to be used.
    let narrow = GraphOptions::default().links(8).effort(16);
    for graph in [None, Some(narrow)] {
        let builder = DenseIndex::builder(letters());
        let builder = match graph {
            None => builder,
            Some(options) => builder.graph(options),
        };
        let index = builder.build(passages(300)).await.unwrap();
        let found = index.search("aeaeae", 4).await.unwrap();
        assert_eq!(found.len(), 4);
        assert!(found.windows(2).all(|w| w[0].score >= w[1].score));
        let number: usize = found[0].id[1..].parse().unwrap();
        assert_eq!(
            (number % 7, &found[0].metadata["i"]),
            (6, &json!(number)),
            "those with most of the letters"
        );

        let path = folder.path().join("x.index");
        index.save(&path).unwrap();
        let loaded = DenseIndex::load(&path, letters()).unwrap();
        assert_eq!(loaded.search("aeaeae", 4).await.unwrap(), found);
        assert_eq!(loaded.passages(), index.passages());

        // Nothing that is damaged is loaded, wherever it ends or goes on.
        let whole = std::fs::read(&path).unwrap();
        let cut = folder.path().join("cut.index");
        for at in [0, 5, 30, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&cut, &whole[..at]).unwrap();
            let error = DenseIndex::load(&cut, letters()).unwrap_err();
            assert!(
                matches!(&error, Error::Retrieval(e) if e.retriever.ends_with("cut.index")),
                "{at}: {error}"
            );
        }
        std::fs::write(&cut, [&whole[..], b"x"].concat()).unwrap();
        assert!(DenseIndex::load(&cut, letters()).unwrap_err().to_string().contains("goes on"));
        if graph.is_none() {
            std::fs::write(&cut, [&whole[..whole.len() - 4], &f32::NAN.to_le_bytes()].concat()).unwrap();
            let error = DenseIndex::load(&cut, letters()).unwrap_err().to_string();
            assert!(error.contains("not a finite number"), "{error}");
        }

        let other = embed::from_fn("own/other", |_, _| async { Ok(vec![]) });
        let error = DenseIndex::load(&path, other).unwrap_err().to_string();
        assert!(error.contains("`own/letters`, not with `own/other`"), "{error}");
    }
    let empty = DenseIndex::build(Vec::<String>::new(), letters()).await.unwrap();
    assert!(empty.search("x", 3).await.unwrap().is_empty());
    empty.save(folder.path().join("empty")).unwrap();
    assert!(DenseIndex::load(folder.path().join("empty"), letters()).unwrap().passages().is_empty());
    let error = empty.save(folder.path().join("no/such/x")).unwrap_err().to_string();
    assert!(error.contains("there is no folder"), "{error}");
}

#[tokio::test]
async fn a_failing_embedder_fails_the_search() {
    let index = DenseIndex::build(["a", "b"], letters()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    index.save(folder.path().join("i")).unwrap();
    let failing = embed::from_fn("own/letters", |_, _| async {
        Err(dspy::LmError::new(LmErrorKind::Quota, "own/letters", "no credit"))
    });
    let index = DenseIndex::load(folder.path().join("i"), failing).unwrap();
    let error = index.search("a", 1).await.unwrap_err();
    assert!(matches!(&error, Error::Lm(e) if e.kind == LmErrorKind::Quota), "{error}");
    let error =
        DenseIndex::build(["a", "b"], embed::from_fn("own/less", |_, _| async { Ok(vec![vec![1.0]]) }))
            .await
            .unwrap_err();
    assert!(error.to_string().contains("1 vectors for 2 texts"), "{error}");
}

/// Answer the question from the passages.
#[signature]
struct Answer {
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[module]
struct Rag {
    answer: Predict<Answer>,
    passages: Arc<dyn Retriever>,
}

impl Module for Rag {
    type Input = String;
    type Output = String;

    async fn forward(&self, question: String) -> Result<String> {
        let context = self.passages.texts(&question, 2).await?;
        Ok(self.answer.call((context, question)).await?.into_inner().answer)
    }
}

#[tokio::test]
async fn a_program_searches_and_is_saved_without_its_index() {
    let passages = ["The Danube flows through Vienna.", "The Seine flows through Paris.", "Cats purr."];
    let words = Bm25::new(passages);
    let meaning = DenseIndex::build(passages, letters()).await.unwrap();
    let both = Hybrid::new().with(words.clone()).weighted(meaning, 0.5);
    let lm = dspy::lm::StubModel::from_fn(|request| {
        let prompt: String = request.prompt.messages().map(|m| m.content.text().to_owned()).collect();
        let found = prompt.contains("The Seine flows through Paris.");
        json!({ "answer": if found { "the Seine" } else { "unknown" } }).to_string()
    });
    for retriever in [Arc::new(words) as Arc<dyn Retriever>, Arc::new(both)] {
        let mut rag = Rag { answer: Predict::new(), passages: retriever };
        rag.set_lm(lm.clone());
        let p = rag.call("Which river flows through Paris?").await.unwrap();
        assert_eq!(*p, "the Seine");
        let state = rag.to_json().unwrap().to_string();
        assert!(!state.contains("Danube"));
        rag.clone().load_json(&rag.to_json().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn retrieval_alone_is_a_module_that_can_be_evaluated() {
    let index = Bm25::new(["red apples", "green pears", "blue plums"]);
    let retrieve = Retrieve::new(index).k(1);
    let rows = [("apples", "0"), ("pears", "1"), ("figs", "9")].map(|(q, id)| (q.to_owned(), id.to_owned()));
    let metric = |gold: &(String, String), pred: &Vec<Passage>| pred.iter().any(|p| p.id == gold.1);
    let evaluation = Evaluate::new(&rows, metric).run(&retrieve).await.unwrap();
    assert!((evaluation.score - 2.0 / 3.0).abs() < 1e-9, "{}", evaluation.score);
    assert!(retrieve.predictors().is_empty());
}

#[tokio::test]
async fn the_nearest_rows_are_found_by_their_inputs() {
    let rows: Vec<Answer> = ["aaaa", "eeee", "iiii"]
        .map(|q| Answer { context: vec![], question: q.into(), answer: q[..1].into() })
        .into();
    let knn = Knn::build(rows.clone(), letters()).await.unwrap();
    let nearest = knn.nearest(&AnswerInput { context: vec![], question: "iie".into() }, 2).await.unwrap();
    let answers: BTreeSet<_> = nearest.iter().map(|row| row.answer.as_str()).collect();
    assert_eq!((nearest[0].answer.as_str(), answers), ("i", BTreeSet::from(["i", "e"])));
}

#[tokio::test]
async fn many_searches_at_once_find_what_one_finds() {
    let index = Arc::new(DenseIndex::build(passages(2000), letters()).await.unwrap());
    let alone = index.search("aeae tt", 5).await.unwrap();
    let all = (0..200).map(|_| {
        let index = index.clone();
        tokio::spawn(async move { index.search("aeae tt", 5).await.unwrap() })
    });
    for found in futures_util::future::join_all(all).await {
        assert_eq!(found.unwrap(), alone);
    }
    let own = retrieve::from_fn(|query: String, k| async move { Ok(vec![Passage::new(query); k]) });
    assert_eq!(own.texts("x", 2).await.unwrap(), ["x", "x"]);
}
