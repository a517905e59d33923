#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use super::*;

/// A file of tensors: name, type, shape, bytes.
fn tensors(all: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in all {
        let from = data.len();
        data.extend_from_slice(bytes);
        let info = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [from, data.len()]});
        header.insert((*name).to_owned(), info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

fn floats(all: &[f32]) -> Vec<u8> {
    all.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The vectors of `[UNK]`, `a`, `bc` and `ü`.
const VECTORS: [f32; 8] = [9.0, 9.0, 1.0, 0.0, 0.0, 2.0, -4.0, 4.0];

fn table() -> (&'static str, &'static str, &'static [usize], Vec<u8>) {
    ("embeddings", "F32", &[4, 2], floats(&VECTORS))
}

const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
    "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null,
    "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "bc": 2, "ü": 3}, "unk_token": "[UNK]"}}"#;

fn write(folder: &Path, tensors: &[u8], config: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("model.safetensors"), tensors).unwrap();
    fs::write(folder.join("tokenizer.json"), TOKENIZER).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();
}

fn opened(tensors: &[u8], config: &str) -> Result<StaticModel, LmError> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), tensors, config);
    StaticModel::open(folder.path())
}

fn refused(tensors: &[u8], config: &str) -> String {
    let error = opened(tensors, config).err().unwrap();
    assert_eq!(error.kind, LmErrorKind::Configuration);
    error.message
}

#[test]
fn a_text_is_the_mean_of_its_tokens() {
    let model = opened(&tensors(&[table()]), "{}").unwrap();
    let vectors = model.vectors(&["a", "A bc", "ü unknown", "", "unknown"]).unwrap();
    assert_eq!(vectors, [[1.0, 0.0], [0.5, 1.0], [-4.0, 4.0], [0.0, 0.0], [0.0, 0.0]]);
    assert_eq!((model.dimension(), model.id().len()), (2, "static/".len() + 16));
    assert!(model.vectors::<&str>(&[]).unwrap().is_empty());
}

#[test]
fn vectors_have_the_length_1_where_the_model_says_so() {
    let model = opened(&tensors(&[table()]), r#"{"normalize": true, "max_length": null}"#).unwrap();
    let half = std::f32::consts::FRAC_1_SQRT_2;
    assert_eq!(model.vectors(&["bc bc", "ü", ""]).unwrap(), [[0.0, 1.0], [-half, half], [0.0, 0.0]]);
    let short = model.clone().shortened(1).unwrap();
    assert_eq!(short.vectors(&["ü"]).unwrap(), [[-1.0]]);
    assert_ne!(short.id(), model.id());
    assert_eq!(model.clone().shortened(2).unwrap().id(), model.id());
    assert!(model.shortened(3).err().unwrap().message.contains("1 to 2"));
}

#[test]
fn every_type_of_numbers_is_read() {
    let halves: Vec<u8> = VECTORS.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let brains: Vec<u8> = VECTORS.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
    let doubles: Vec<u8> = VECTORS.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect();
    let bytes: Vec<u8> = VECTORS.iter().map(|x| (*x as i8).cast_unsigned()).collect();
    for (dtype, data) in [("F16", halves), ("BF16", brains), ("F64", doubles), ("I8", bytes)] {
        let model = opened(&tensors(&[("embeddings", dtype, &[4, 2], data)]), "{}").unwrap();
        assert_eq!(model.vectors(&["a ü bc"]).unwrap(), [[-1.0, 2.0]], "{dtype}");
    }
}

#[test]
fn tokens_share_rows_and_have_weights() {
    let rows = ("embeddings", "F32", &[2, 2][..], floats(&[1.0, 0.0, 0.0, 1.0]));

    let weights: Vec<u8> = [1.0_f64, 2.0, 4.0, 8.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let mapping = |data| ("mapping", "I32", &[4][..], data);
    let weights = ("weights", "F64", &[4][..], weights);
    let all = tensors(&[rows.clone(), mapping(mapping_bytes(&[0, 1, 0, 1])), weights.clone()]);
    let model = opened(&all, "{}").unwrap();
    assert_eq!(model.vectors(&["a bc", "ü"]).unwrap(), [[2.0, 1.0], [0.0, 8.0]]);

    let wrong = tensors(&[rows.clone(), mapping(mapping_bytes(&[0, 1, 2, 1])), weights.clone()]);
    assert!(refused(&wrong, "{}").contains("names the row 2, but `embeddings` has only 2"));
    let negative = tensors(&[rows.clone(), mapping(mapping_bytes(&[0, -1, 0, 1])), weights]);
    assert!(refused(&negative, "{}").contains("no row's number"));
    let few = tensors(&[rows, ("mapping", "I32", &[3], mapping_bytes(&[0, 1, 0]))]);
    assert!(refused(&few, "{}").contains("not of the same model"));
}

fn mapping_bytes(rows: &[i32]) -> Vec<u8> {
    rows.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn long_texts_are_cut_where_the_model_says() {
    // The median token has one character, so two tokens are looked for in two characters.
    let model = opened(&tensors(&[table()]), r#"{"max_length": 2}"#).unwrap();
    let vectors = model.vectors(&["ü a a", "üüüü", "a a bc bc bc"]).unwrap();
    assert_eq!(vectors, [[-4.0, 4.0], [0.0, 0.0], [1.0, 0.0]]);
    let long = "a ".repeat(5_000) + &"bc ".repeat(5_000);
    let limited = opened(&tensors(&[table()]), "{}").unwrap();
    assert_eq!(limited.vectors(&[&long]).unwrap(), [[1.0, 0.0]]);
    let whole = opened(&tensors(&[table()]), r#"{"max_length": null}"#).unwrap();
    assert_eq!(whole.vectors(&[&long]).unwrap(), [[0.5, 1.0]]);
}

#[test]
fn a_folder_of_sentence_transformers_counts_unknown_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("0_StaticEmbedding");
    write(&below, &tensors(&[("embedding.weight", "F32", &[4, 2], floats(&VECTORS))]), "");
    let model = StaticModel::open(folder.path()).unwrap();
    assert_eq!(model.vectors(&["a unknown"]).unwrap(), [[5.0, 4.5]]);
    let modules = folder.path().join("modules.json");
    let of = |kinds: &[&str]| {
        let steps: Vec<_> = kinds.iter().map(|kind| serde_json::json!({"type": kind})).collect();
        fs::write(&modules, serde_json::to_vec(&steps).unwrap()).unwrap();
        StaticModel::open(folder.path())
    };
    let [embedding, normalize] =
        ["StaticEmbedding", "Normalize"].map(|k| format!("sentence_transformers.models.{k}"));
    let model = of(&[&embedding, &normalize]).unwrap();
    assert_eq!(model.vectors(&["a", "bc"]).unwrap(), [[1.0, 0.0], [0.0, 1.0]]);
    let message = of(&[&embedding, "sentence_transformers.models.Dense"]).err().unwrap().message;
    assert!(message.contains("modules.json") && message.contains("models.Dense"), "{message}");
}

#[test]
fn what_is_wrong_with_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let refused = || StaticModel::open(&path).err().unwrap().message;
    assert!(refused().contains("hf download"));
    fs::create_dir(&path).unwrap();
    assert!(refused().contains("holds no model.safetensors"));
    write(&path, &tensors(&[table()]), "{}");
    assert!(StaticModel::open(&path).is_ok());
    for (file, text, said) in [
        ("config.json", "{", "config.json"),
        ("config.json", r#"{"max_length": -1}"#, "config.json"),
        ("tokenizer.json", "{}", "is no tokenizer"),
        ("tokenizer.json", "\u{0}", "is no tokenizer"),
    ] {
        write(&path, &tensors(&[table()]), "{}");
        fs::write(path.join(file), text).unwrap();
        let message = refused();
        assert!(message.contains(file) && message.contains(said), "{message}");
    }
    write(&path, &tensors(&[table()]), "{}");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::rename(path.join(file), path.join("elsewhere")).unwrap();
        assert!(refused().contains(file));
        fs::rename(path.join("elsewhere"), path.join(file)).unwrap();
    }
}

#[test]
fn what_is_wrong_with_the_tensors_is_named() {
    let whole = tensors(&[table()]);
    // Cut off anywhere, it is an error and never a model.
    for n in 0..whole.len() {
        let message = refused(&whole[..n], "{}");
        assert!(message.contains("model.safetensors") && message.contains("download it again"), "{message}");
    }
    // With any byte of its header changed, it is an error or another model.
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &whole, "{}");
    for i in 0..header {
        for flip in [1, 2, 16, 128] {
            let mut changed = whole.clone();
            changed[i] ^= flip;
            fs::write(folder.path().join("model.safetensors"), &changed).unwrap();
            if let Ok(model) = StaticModel::open(folder.path()) {
                assert_eq!(model.vectors(&["a bc ü unknown"]).unwrap()[0].len(), model.dimension());
            }
        }
    }
    for length in [u64::MAX, u64::MAX - 7, 1 << 40, 99 << 20] {
        let mut huge = whole.clone();
        huge[..8].copy_from_slice(&length.to_le_bytes());
        assert!(refused(&huge, "{}").contains("was cut off"));
    }
    let of = |name: &'static str, dtype: &'static str, shape: &'static [usize], data: Vec<u8>| {
        refused(&tensors(&[(name, dtype, shape, data)]), "{}")
    };
    let data = || floats(&VECTORS);
    for (message, said) in [
        (of("embeddings", "F32", &[8], data()), "shape [8]"),
        (of("embeddings", "F32", &[2, 2, 2], data()), "two dimensions"),
        (of("embeddings", "F32", &[4, 0], vec![]), "empty"),
        (of("embeddings", "F32", &[4, 3], data()), "broken header"),
        (of("embeddings", "F32", &[usize::MAX, 2], data()), "broken header"),
        (of("embeddings", "F32", &[1 << 40, 1 << 40], data()), "broken header"),
        (of("embeddings", "I32", &[4, 2], data()), "supported are I8"),
        (of("embeddings", "U8", &[16, 2], data()), "supported are I8"),
        (of("embeddings", "F32", &[2, 4], data()), "not of the same model"),
        (of("embeddings", "F32", &[8, 1], data()), "not of the same model"),
        (of("encoder.layer.0.weight", "F32", &[8], data()), "encoder.layer.0.weight"),
        (of("embeddings", "F32", &[4, 2], floats(&[f32::NAN; 8])), "no number"),
    ] {
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn equal_files_have_an_equal_name_wherever_they_lie() {
    let open = |config| opened(&tensors(&[table()]), config).unwrap();
    assert_eq!(open("{}").id(), open(r#"{"hidden_dim": 2}"#).id());
    assert_ne!(open("{}").id(), open(r#"{"normalize": true}"#).id());
    let other = tensors(&[("embeddings", "F32", &[4, 2], floats(&[0.5; 8]))]);
    assert_ne!(open("{}").id(), opened(&other, "{}").unwrap().id());
}

#[test]
fn many_texts_are_embedded_on_threads_for_long_work_and_in_order() {
    let model = opened(&tensors(&[table()]), "{}").unwrap();
    let texts: Vec<String> = (0..15_000).map(|i| ["a", "bc", "ü"][i % 3].to_owned() + " a").collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let wanted = model.vectors(&texts).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(model.embed(&texts, InputType::Document)).unwrap();
    assert_eq!(found.vectors, wanted);
    // Without a runtime it is the same.
    let found = futures_util::FutureExt::now_or_never(model.embed(&texts, InputType::Query)).unwrap();
    assert_eq!(found.unwrap().vectors, wanted);
}

#[test]
fn a_text_longer_than_a_piece_is_embedded_whole() {
    let model = opened(&tensors(&[table()]), r#"{"max_length": null}"#).unwrap();
    let long = "bc ".repeat(PIECE / 3 + 1);
    let texts = [&*long, "a", &*long];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(model.embed(&texts, InputType::Document)).unwrap();
    assert_eq!(found.vectors, [[0.0, 2.0], [1.0, 0.0], [0.0, 2.0]]);
}
