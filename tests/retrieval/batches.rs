//! What goes into a request, what it costs, and what is kept when it fails.

use std::sync::atomic::AtomicBool;

use dspy::{
    context::{Context, Recorder},
    lm::Budget,
};

use super::*;

/// The texts of all requests.
fn sent(server: &Server) -> Vec<Vec<String>> {
    let texts = |call: &Call| serde_json::from_value(call.json()["input"].clone()).unwrap();
    server.calls().iter().map(texts).collect()
}

#[tokio::test]
async fn a_failure_amid_many_batches_costs_only_its_own_texts_again() {
    let broken = Arc::new(AtomicBool::new(true));
    let still = broken.clone();
    let server = Server::start(move |call| {
        let texts = call.json()["input"].to_string();
        match texts.contains("text 21 ") && still.load(Ordering::SeqCst) {
            true => Reply::error(400, "not this text").after(Duration::from_millis(20)),
            false => openai(call),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let all = texts(60);
    let open =
        || model(&server).cache(Cache::disk(folder.path())).batch_size(4).concurrency(3).build().unwrap();

    let recorder = Recorder::new(None, false);
    let first = open();
    let work = async { first.embed_documents(&all).await.unwrap_err() };
    let error = Context::current().recording(recorder.clone()).scope(work).await;
    assert_eq!(error.kind, LmErrorKind::InvalidRequest);
    assert!(error.message.contains("not this text") && error.message.contains("of the call"), "{error}");
    let before = sent(&server);
    let answered = before.len() - 1;
    assert!((5..15).contains(&answered), "those in flight end, and no more are begun: {answered}");
    // What was paid is counted, although the call failed.
    let usage = recorder.take().usage;
    let (_, sum) = usage.by_model().next().unwrap();
    assert_eq!((sum.calls, first.usage().calls), (answered as u64, answered as u64));

    broken.store(false, Ordering::SeqCst);
    let second = open();
    assert_eq!(
        second.embed_documents(&all).await.unwrap(),
        all.iter().map(|t| vector(t)).collect::<Vec<_>>()
    );
    assert_eq!(second.usage().cached_calls, 4 * answered as u64);
    let mut again: Vec<String> = sent(&server)[before.len()..].concat();
    let mut paid: Vec<String> = before.concat().into_iter().filter(|text| !again.contains(text)).collect();
    assert_eq!(paid.len(), 4 * answered, "nothing that was answered is asked for again");
    paid.append(&mut again);
    paid.sort();
    let mut wanted = all.clone();
    wanted.sort();
    assert_eq!(paid, wanted, "and the rest is asked for once");
}

#[tokio::test]
async fn limits_of_a_request_are_kept() {
    let server = Server::start(openai).await;
    // 5,000 texts at once, though a user asks for more than OpenAI allows.
    let large = model(&server).batch_size(10_000).cache(Cache::off()).build().unwrap();
    large.embed_documents(&texts(5_000)).await.unwrap();
    let mut sizes: Vec<usize> = sent(&server).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [904, 2048, 2048]);

    // A request has at most 300,000 tokens, and a token has at least one byte.
    let server = Server::start(openai).await;
    let model_ = model(&server).build().unwrap();
    let mut long: Vec<String> = (0..50).map(|i| format!("{i} {}", "ü".repeat(5_000 + i))).collect();
    long.insert(20, "x".repeat(400_000));
    assert_eq!(model_.embed_documents(&long).await.unwrap().len(), 51);
    let requests = sent(&server);
    assert_eq!(requests.concat().len(), 51);
    for texts in &requests {
        let bytes: usize = texts.iter().map(String::len).sum();
        assert!(bytes <= 300_000 || texts.len() == 1, "{} texts of {bytes} bytes", texts.len());
    }
    assert!(requests.len() <= 5, "{}", requests.len());

    let server = Server::start(openai).await;
    let small = model(&server).batch_bytes(30).concurrency(1).build().unwrap();
    small
        .embed_documents(&["a".repeat(20), "b".repeat(10), "c".into(), "d".repeat(90), "e".into()])
        .await
        .unwrap();
    assert_eq!(sent(&server).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1, 1]);
    assert!(model(&server).batch_bytes(0).build().is_err());
}

#[tokio::test]
async fn the_limits_of_gemini_and_cohere_are_kept() {
    let server = Server::start(|call| {
        let body = call.json();
        match body["texts"].as_array() {
            Some(texts) => {
                let rows = vec![[1.0]; texts.len()];
                Reply::json(200, &json!({"embeddings": {"float": rows}}))
            }
            None => {
                let rows = vec![json!({"values": [1.0]}); body["requests"].as_array().unwrap().len()];
                Reply::json(200, &json!({"embeddings": rows}))
            }
        }
    })
    .await;
    for (id, field, most) in
        [("gemini/gemini-embedding-001", "requests", 100), ("cohere/embed-v4.0", "texts", 96)]
    {
        let before = server.count();
        let builder = EmbeddingModel::builder(id).api_base(server.api_base()).cache(Cache::off());
        let model = builder.batch_size(5_000).build().unwrap();
        model.embed_documents(&texts(250)).await.unwrap();
        let mut sizes: Vec<usize> = server.calls()[before..]
            .iter()
            .map(|call| call.json()[field].as_array().unwrap().len())
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [250 - 2 * most, most, most], "{id}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_text_that_is_likely_to_blame() {
    let server = Server::start(|call| match call.json()["input"].as_array().unwrap() {
        texts if texts.iter().any(|text| text.as_str().unwrap().trim().is_empty()) => {
            Reply::error(400, "'$.input' is invalid")
        }
        texts if texts.iter().any(|text| text.as_str().unwrap().len() > 100) => {
            Reply::error(400, "maximum context length is 8192 tokens")
        }
        _ => openai(call),
    })
    .await;
    let model_ = model(&server).build().unwrap();
    let error = model_.embed_documents(&["a", "b", "a", "", "c"]).await.unwrap_err();
    assert!(error.message.contains("text 4 of the call is empty"), "{error}");
    let error = model_.embed_documents(&["a", "b", "a", &"c".repeat(101)]).await.unwrap_err();
    assert!(error.message.contains("text 4 of the call, with 101 bytes"), "{error}");
    // Servers that take empty texts get them.
    let own = EmbeddingModel::wrap(letters()).build().unwrap();
    assert_eq!(own.embed_documents(&["", "ae"]).await.unwrap(), [vector(""), vector("ae")]);
}

#[tokio::test]
async fn a_model_that_changed_behind_its_name_is_told_and_not_paid_again() {
    let server = Server::start(openai).await;
    let changed = Server::start(|call| {
        let n = call.json()["input"].as_array().unwrap().len();
        let rows: Vec<Value> = (0..n).map(|i| json!({"index": i, "embedding": [1.0, 2.0]})).collect();
        Reply::json(200, &json!({ "data": rows }))
    })
    .await;
    // The same name at the same place, as after an update.
    let own = |server: &Server| {
        let inner = model(server).cache(Cache::off()).build().unwrap();
        embed::from_fn("own/m", move |texts: Vec<String>, _| {
            let inner = inner.clone();
            async move { inner.embed_documents(&texts).await }
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let disk = || Cache::disk(folder.path());
    EmbeddingModel::wrap(own(&server))
        .cache(disk())
        .build()
        .unwrap()
        .embed_documents(&["a", "b"])
        .await
        .unwrap();
    let model_ = EmbeddingModel::wrap(own(&changed)).cache(disk()).build().unwrap();
    let error = model_.embed_documents(&["a", "b", "c"]).await.unwrap_err();
    assert_eq!((error.kind, changed.count()), (LmErrorKind::Configuration, 1));
    assert!(error.message.contains("2 numbers where others have 10"), "{error}");
    // The cure that the message names.
    let model_ = EmbeddingModel::wrap(own(&changed)).cache(disk().refresh()).build().unwrap();
    assert_eq!(model_.embed_documents(&["a", "b", "c"]).await.unwrap(), vec![vec![1.0, 2.0]; 3]);
    let model_ = EmbeddingModel::wrap(own(&changed)).cache(disk()).build().unwrap();
    model_.embed_documents(&["c", "b", "a"]).await.unwrap();
    assert_eq!(changed.count(), 2);
}

#[tokio::test]
async fn a_client_around_a_client_counts_once() {
    let server = Server::start(|call| match call.number {
        0 => Reply::error(503, "busy"),
        _ => openai(call),
    })
    .await;
    let inner = model(&server).cache(Cache::off()).build().unwrap();
    let outer = EmbeddingModel::wrap(inner.clone()).batch_size(5).build().unwrap();
    let recorder = Recorder::new(None, false);
    let work = dspy::with(|c| c.budget(Budget::calls(4)), async {
        outer.embed_documents(&texts(20)).await.unwrap();
        outer.embed_documents(&texts(20)).await.unwrap();
        let error = outer.embed_documents(&["one more"]).await.unwrap_err();
        assert_eq!(error.kind, LmErrorKind::Budget);
    });
    Context::current().recording(recorder.clone()).scope(work).await;
    assert_eq!(server.count(), 5, "four batches, and one of them twice");
    let usage = recorder.take().usage;
    let (_, sum) = usage.by_model().next().unwrap();
    assert_eq!((sum.calls, sum.prompt_tokens), (4, 12));
    assert_eq!((inner.usage().calls, outer.usage().calls, outer.usage().cached_calls), (4, 4, 20));

    // Nor does it try again what the inner one has given up.
    let server = Server::start(|_| Reply::error(503, "busy")).await;
    let inner = model(&server).cache(Cache::off()).build().unwrap();
    let outer = EmbeddingModel::wrap(Arc::new(inner)).build().unwrap();
    outer.embed_query("a").await.unwrap_err();
    assert_eq!(server.count(), 5);
}
