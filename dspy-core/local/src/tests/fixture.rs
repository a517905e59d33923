//! Small models of random weights, written as Hugging Face would.

use std::{collections::HashMap, path::Path};

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use tokenizers::{
    AddedToken, Tokenizer, decoders::byte_level::ByteLevel as Decoder, models::bpe::BPE,
    pre_tokenizers::byte_level::ByteLevel,
};

use dspy_random::Rng;

/// The tokens with a meaning of their own, behind the 256 bytes.
pub(super) const SPECIALS: [&str; 4] = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"];
pub(super) const END: u32 = 259;

const TEMPLATE: &str = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}\
                        {% if add_generation_prompt %}<|assistant|>{% endif %}";

/// A model of the class `class`, with what `more` says in its config.
pub(super) fn write(place: &Path, class: &str, more: &Value) {
    let mut config = json!({
        "architectures": [class], "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 264,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 1000.0, "eos_token_id": END,
        "tie_word_embeddings": true
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    std::fs::write(place.join("config.json"), config.to_string()).unwrap();
    write_tokenizer(place);
    candle_core::safetensors::save(&tensors(&config), place.join("model.safetensors")).unwrap();
}

fn write_tokenizer(place: &Path) {
    let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    bytes.sort_unstable();
    let vocab = bytes.iter().enumerate().map(|(i, c)| (c.to_string(), i as u32));
    let bpe =
        BPE::builder().vocab_and_merges(vocab.collect::<tokenizers::models::bpe::Vocab>(), vec![]).build();
    let mut tokenizer = Tokenizer::new(bpe.unwrap());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, false)));
    tokenizer.with_decoder(Some(Decoder::new(false, true, false)));
    let specials: Vec<_> = SPECIALS.iter().map(|s| AddedToken::from((*s).to_owned(), true)).collect();
    tokenizer.add_special_tokens(specials).unwrap();
    tokenizer.save(place.join("tokenizer.json"), false).unwrap();
    let config = json!({"chat_template": TEMPLATE, "eos_token": "<|end|>"});
    std::fs::write(place.join("tokenizer_config.json"), config.to_string()).unwrap();
}

fn tensors(config: &Value) -> HashMap<String, Tensor> {
    let size = |name: &str| config[name].as_u64().unwrap() as usize;
    let class = config["architectures"][0].as_str().unwrap();
    let (width, inner, head) = (size("hidden_size"), size("intermediate_size"), size("head_dim"));
    let (asking, asked) = (size("num_attention_heads") * head, size("num_key_value_heads") * head);
    let mut rng = Rng::new(5);
    let mut random = |shape: &[usize], around: f64, spread: f64| {
        let numbers =
            (0..shape.iter().product()).map(|_| (around + (rng.unit() * 2.0 - 1.0) * spread) as f32);
        Tensor::from_iter(numbers, &Device::Cpu).unwrap().reshape(shape).unwrap()
    };
    let mut all = HashMap::new();
    all.insert("model.embed_tokens.weight".to_owned(), random(&[size("vocab_size"), width], 0.0, 1.0));
    all.insert("model.norm.weight".to_owned(), random(&[width], 1.0, 0.3));
    if config["tie_word_embeddings"] == json!(false) {
        all.insert("lm_head.weight".to_owned(), random(&[size("vocab_size"), width], 0.0, 1.0));
    }
    for i in 0..size("num_hidden_layers") {
        let mut add = |name: &str, shape: &[usize]| {
            let (around, spread) = match shape {
                [_] if name.contains("norm") => (1.0, 0.3),
                [_] => (0.0, 0.5),
                _ => (0.0, 0.4),
            };
            all.insert(format!("model.layers.{i}.{name}"), random(shape, around, spread));
        };
        add("input_layernorm.weight", &[width]);
        add("post_attention_layernorm.weight", &[width]);
        for (name, rows) in [("q_proj", asking), ("k_proj", asked), ("v_proj", asked)] {
            add(&format!("self_attn.{name}.weight"), &[rows, width]);
            if class == "Qwen2ForCausalLM" {
                add(&format!("self_attn.{name}.bias"), &[rows]);
            }
        }
        if class == "Qwen3ForCausalLM" {
            add("self_attn.q_norm.weight", &[head]);
            add("self_attn.k_norm.weight", &[head]);
        }
        add("self_attn.o_proj.weight", &[width, asking]);
        add("mlp.gate_proj.weight", &[inner, width]);
        add("mlp.up_proj.weight", &[inner, width]);
        add("mlp.down_proj.weight", &[width, inner]);
    }
    all
}
