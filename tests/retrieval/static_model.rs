//! Static models: the same vectors as model2vec, and used wherever there is an embedding model.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use dspy::{
    lm::embed::StaticModel,
    module::Module,
    prelude::*,
    retrieve::{DenseIndex, Knn},
};
use serde::Deserialize;
use serde_json::json;

/// A model of four words whose vectors are the axes.
fn axes(folder: &Path) -> StaticModel {
    let header =
        json!({"embeddings": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]}}).to_string();
    let numbers = (0..16).flat_map(|i| f32::from(u8::from(i % 5 == 0)).to_le_bytes());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(numbers);
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null,
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "river": 1, "bread": 2, "train": 3},
                  "unk_token": "[UNK]"},
    });
    fs::write(folder.join("model.safetensors"), file).unwrap();
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    fs::write(folder.join("config.json"), r#"{"normalize": true}"#).unwrap();
    StaticModel::open(folder).unwrap()
}

/// Say what the text is about.
#[signature]
struct Topic {
    #[input]
    text: String,
    #[output]
    topic: String,
}

fn rows() -> Vec<Topic> {
    let row = |(text, topic): (&str, &str)| Topic { text: text.into(), topic: topic.into() };
    [("A river.", "water"), ("The bread!", "food"), ("My train", "travel"), ("Nothing known", "none")]
        .map(row)
        .into()
}

#[tokio::test]
async fn it_serves_wherever_there_is_an_embedding_model() {
    let folder = tempfile::tempdir().unwrap();
    let model = axes(folder.path());

    let texts = rows().into_iter().map(|row| row.text);
    let index = DenseIndex::build(texts, model.clone()).await.unwrap();
    assert_eq!(index.texts("which bread", 1).await.unwrap(), ["The bread!"]);
    // A query of unknown words is as near to one as to the other, and no error.
    assert_eq!(index.search("xyz", 4).await.unwrap().len(), 4);

    // A saved index belongs to the files of the model, not to the place where they lie.
    let file = folder.path().join("passages.index");
    index.save(&file).unwrap();
    let moved = tempfile::tempdir().unwrap();
    let again = DenseIndex::load(&file, axes(moved.path())).unwrap();
    assert_eq!(again.texts("train", 1).await.unwrap(), ["My train"]);
    let error = DenseIndex::load(&file, model.clone().shortened(3).unwrap()).err().unwrap();
    assert!(error.to_string().contains("static/"), "{error}");

    let knn = Knn::build(rows(), model.clone()).await.unwrap();
    let near = knn.nearest(&TopicInput { text: "two rivers, one river".into() }, 1).await.unwrap();
    assert_eq!(near[0].topic, "water");

    let lm = dspy::lm::StubModel::scripted([r#"{"topic": "food"}"#]);
    let program = Predict::<Topic>::new().lm(lm);
    let metric = |row: &Topic, output: &TopicOutput| row.topic == output.topic;
    let compiled =
        KNNFewShot::new(1).embedder(model.clone()).compile(program, &rows(), metric).await.unwrap();
    let p = compiled.program.call("old bread").await.unwrap();
    assert_eq!(p.topic, "food");

    let client = EmbeddingModel::wrap(model).batch_size(2).build().unwrap();
    let vectors = client.embed_documents(&["river", "bread", "train", "river"]).await.unwrap();
    assert_eq!(vectors[0], vectors[3]);
    assert_eq!((client.dimension(), client.usage().calls), (Some(4), 0));
}

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    vectors: BTreeMap<String, Vec<Vec<f32>>>,
}

/// `MODEL2VEC_PEER_PYTHON` names an interpreter that can import `model2vec`, such as that of a virtual environment with
/// `pip install model2vec`.
#[test]
fn model2vec_gives_the_same_vectors() {
    let Some(python) = std::env::var_os("MODEL2VEC_PEER_PYTHON").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: MODEL2VEC_PEER_PYTHON names no interpreter that can import model2vec");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/static_models.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {errors}");
        return;
    }
    assert!(output.status.success(), "{errors}");
    let text = fs::read(folder.path().join("expected.json")).unwrap();
    let Expected { texts, vectors } = serde_json::from_slice(&text).unwrap();
    assert!(texts.len() > 20 && vectors.len() >= 40);
    for (name, wanted) in vectors {
        let model = StaticModel::open(folder.path().join(&name)).unwrap();
        let found = model.vectors(&texts).unwrap();
        // model2vec computes with 16 bits where the file has them.
        let tolerance = if name.ends_with("float16") { 2e-3 } else { 1e-5 };
        for ((text, found), wanted) in texts.iter().zip(&found).zip(&wanted) {
            assert_eq!(found.len(), wanted.len());
            let size = wanted.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
            let far = found.iter().zip(wanted).map(|(a, b)| (a - b).abs() / size).fold(0.0, f32::max);
            let start: String = text.chars().take(30).collect();
            assert!(far <= tolerance, "{name}, {start:?}: {far}");
        }
    }
}
