//! The index on disk.

use dspy::{
    prelude::*,
    retrieve::{Bm25, Hybrid, Tantivy},
};

fn passages() -> Vec<Passage> {
    let texts = [
        ("danube", "The Danube flows through Vienna and Budapest."),
        ("seine", "The Seine flows through Paris."),
        ("munich", "München liegt an der Isar."),
        ("tokyo", "隅田川は東京を流れる。"),
        ("rust", "A borrow checker finds data races: `a AND b`, title:x, (c), \"d\"."),
    ];
    texts.map(|(id, text)| Passage::new(text).id(id).metadata("length", text.len())).into()
}

async fn ids(index: &impl Retriever, query: &str, k: usize) -> Vec<String> {
    index.search(query, k).await.unwrap().into_iter().map(|passage| passage.id).collect()
}

#[tokio::test]
async fn passages_are_found_by_their_words_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("wiki");
    let index = Tantivy::open(&path).unwrap();
    assert!(index.is_empty() && index.search("anything", 3).await.unwrap().is_empty());
    index.upsert(passages()).await.unwrap();
    // A second handle in this process sees what was written before.
    let other = Tantivy::open(&path).unwrap();
    drop(index);
    assert_eq!(other.len(), 5);
    for (query, id) in [
        ("Which river flows through Paris?", "seine"),
        ("MUNCHEN", "munich"),
        ("東京", "tokyo"),
        ("vienna", "danube"),
    ] {
        assert_eq!(ids(&other, query, 1).await, [id], "{query}");
    }
    let found = other.search("Vienna", 5).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].metadata["length"].as_u64(), found[0].score > 0.0), (Some(45), true));
    assert!(other.search("Vienna", 0).await.unwrap().is_empty());
    assert!(other.search("?!", 3).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_query_is_words_and_no_syntax() {
    let folder = tempfile::tempdir().unwrap();
    let index = Tantivy::open(folder.path()).unwrap();
    index.upsert(passages()).await.unwrap();
    let all = ids(&index, "races", 5).await;
    for query in [
        "races AND nothing",
        "-races",
        "\"races",
        "races)",
        "id:nothing races",
        "races^",
        "ra* races",
        "{races",
    ] {
        assert!(ids(&index, query, 5).await.starts_with(&all), "{query}");
    }
}

#[tokio::test]
async fn passages_are_replaced_and_removed_and_ranked_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let index = Tantivy::open(folder.path()).unwrap();
    index.upsert(passages()).await.unwrap();
    index.upsert([Passage::new("The Seine has many bridges.").id("seine")]).await.unwrap();
    assert_eq!((index.len(), ids(&index, "bridges", 3).await), (5, vec!["seine".to_owned()]));
    assert!(!ids(&index, "Paris", 3).await.contains(&"seine".to_owned()));
    index.delete(["seine", "unknown"]).await.unwrap();
    assert_eq!(index.len(), 4);
    // Without ids: equal texts are one passage.
    index.upsert(["twice", "twice", "once"]).await.unwrap();
    assert_eq!(index.len(), 6);

    let text = |i: usize| format!("{} common{} rare{}", "filler ".repeat(i % 7), i % 3, i % 50);
    let many: Vec<Passage> = (0..500).map(|i| Passage::new(text(i)).id(i.to_string())).collect();
    let folder = tempfile::tempdir().unwrap();
    let (disk, memory) = (Tantivy::open(folder.path()).unwrap(), Bm25::new(many.clone()));
    disk.upsert(many).await.unwrap();
    for query in ["rare7", "common1 rare4", "filler rare9 common0"] {
        let (on_disk, in_memory) = (disk.search(query, 10).await.unwrap(), memory.find(query, 10));
        let best = |found: &[Passage]| found[0].text.clone();
        assert_eq!(best(&on_disk), best(&in_memory), "{query}");
    }
    let hybrid = Hybrid::new().with(disk).with(memory);
    assert_eq!(hybrid.search("rare7", 3).await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_goes_wrong_names_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Tantivy::open(&file).unwrap_err();
    let Error::Retrieval(wrong) = &error else { panic!("{error}") };
    assert!(wrong.retriever.contains("file") && !wrong.retryable, "{error}");

    // Writers at the same time wait for each other in a process.
    let index = Tantivy::open(folder.path().join("many")).unwrap();
    let writes = (0..4).map(|i| index.upsert([Passage::new(format!("text {i}")).id(i.to_string())]));
    for written in futures_util::future::join_all(writes).await {
        written.unwrap();
    }
    assert_eq!(index.len(), 4);
    // Another handle is like another process: it is told to come back.
    let other = Tantivy::open(folder.path().join("many")).unwrap();
    let (a, b) = tokio::join!(index.upsert(["a"]), other.upsert(["b"]));
    for result in [a, b] {
        match result {
            Ok(()) => {}
            Err(Error::Retrieval(wrong)) => assert!(wrong.retryable, "{wrong}"),
            Err(other) => panic!("{other}"),
        }
    }
}
