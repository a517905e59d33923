//! Files that are not as they should be.

use super::*;
use crate::Error;

fn error(change: impl FnOnce(&std::path::Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(dir.path(), "LlamaForCausalLM", &json!({}));
    change(dir.path());
    let error = Model::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    error.to_string()
}

fn edit(path: &std::path::Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn the_file_and_the_reason_are_named() {
    type Change = fn(&std::path::Path);
    let cases: [(Change, &[&str]); 7] = [
        (|p| std::fs::remove_file(p.join("config.json")).unwrap(), &["holds no config.json"]),
        (|p| std::fs::remove_file(p.join("tokenizer.json")).unwrap(), &["holds no tokenizer.json"]),
        (|p| std::fs::remove_file(p.join("model.safetensors")).unwrap(), &["neither model.safetensors nor"]),
        (|p| std::fs::write(p.join("tokenizer.json"), "{}").unwrap(), &["tokenizer.json", "is no tokenizer"]),
        (
            |p| edit(&p.join("config.json"), |c| c["hidden_size"] = json!(64)),
            &["embed_tokens", "[264, 32]", "the config asks for [264, 64]"],
        ),
        (
            |p| edit(&p.join("config.json"), |c| c["num_hidden_layers"] = json!(3)),
            &["`model.layers.2.self_attn.q_proj.weight` is missing"],
        ),
        (
            |p| edit(&p.join("tokenizer_config.json"), |c| c["chat_template"] = json!("{% if %}")),
            &["tokenizer_config.json", "chat template is broken"],
        ),
    ];
    for (change, expected) in cases {
        let message = error(change);
        for part in expected {
            assert!(message.contains(part), "{message}");
        }
    }
    let error = Model::open("/nowhere/at/all").unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

#[test]
fn a_gguf_file_in_a_directory_is_pointed_out() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("m.gguf"), "GGUF").unwrap();
    let error = Model::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("m.gguf"), "{error}");
    let error = Model::open(dir.path().join("m.gguf")).unwrap_err();
    assert!(error.to_string().contains("is no GGUF file"), "{error}");
}

#[test]
fn a_model_may_lie_in_several_files() {
    let (dir, whole) = llama();
    let tensors = candle_core::safetensors::load(dir.path().join("model.safetensors"), &Device::Cpu).unwrap();
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let mut index = serde_json::Map::new();
    for (i, (name, tensor)) in tensors.iter().enumerate() {
        let file = format!("model-{}-of-2.safetensors", i % 2 + 1);
        index.insert(name.clone(), file.into());
        let _ = tensor;
    }
    for part in 1..=2 {
        let file = format!("model-{part}-of-2.safetensors");
        let here: std::collections::HashMap<_, _> = tensors
            .iter()
            .filter(|(name, _)| index[*name] == file.as_str())
            .map(|(n, t)| (n.clone(), t.clone()))
            .collect();
        candle_core::safetensors::save(&here, dir.path().join(file)).unwrap();
    }
    let path = dir.path().join("model.safetensors.index.json");
    std::fs::write(&path, json!({"weight_map": index}).to_string()).unwrap();
    let sharded = Model::open(dir.path()).unwrap();
    assert_eq!(sharded.logits(&[1, 2, 3]).unwrap(), whole.logits(&[1, 2, 3]).unwrap());
    edit(&path, |v| v["weight_map"]["model.norm.weight"] = json!("../elsewhere.safetensors"));
    let error = Model::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("not beside it"), "{error}");
}
