//! Trains the tiny model from nothing with the library itself, on the processor.
//!
//! ```text
//! cargo run --release -p dspy-tiny --features local --bin train -- 1 20000 sort=30,list-shown=15,list-told=15 runs/tiny
//! ```
//!
//! The arguments: a seed, how many episodes, the mix of tasks (as `generate` takes it), where the model goes, and, if it
//! is not to be random, the model to start from. `train.py` does the same in PyTorch, several times faster, with a
//! better optimiser; this shows that no other program is needed.

#![allow(clippy::print_stdout)]

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Tensor, safetensors};
use dspy::{
    Error, Result,
    data::Rng,
    local::{Schedule, Training},
    optimize::finetune::ChatRow,
};
use dspy_tiny::tasks::{Mix, Split};
use serde_json::json;

const WIDTH: usize = 128;
const HIDDEN: usize = 352;
const LAYERS: usize = 5;
const HEADS: usize = 4;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [seed, count, mix, out, base @ ..] = args.as_slice() else {
        return Err(Error::other("usage: train SEED COUNT name=weight,... OUT [BASE]"));
    };
    let seed: u64 = seed.parse().map_err(Error::other)?;
    let count: u64 = count.parse().map_err(Error::other)?;
    let mix: Mix = mix.parse()?;
    let root = Rng::new(seed).fork("train");
    let rows =
        (0..count).map(|i| ChatRow::new(mix.episode(&mut root.fork_index(i), Split::Train)?.messages()?));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    let random = format!("{out}.random");
    let base = match base {
        [base, ..] => base,
        [] => {
            write_random(Path::new(&random), seed)?;
            &random
        }
    };
    let training = Training::new()
        .epochs(1)
        .batch(16)
        .learning_rate(1.5e-3)
        .betas(0.9, 0.98)
        .weight_decay(0.1)
        .schedule(Schedule::Cosine)
        .every_answer()
        .checkpoint_every(100)
        .seed(seed);
    let trained = training.run(base, &rows, &[], out, |step| {
        if step.step % 10 == 0 {
            println!("{step}");
        }
    })?;
    println!("{} steps, {} tokens, loss {:.4}: {out}", trained.steps, trained.tokens, trained.loss);
    Ok(())
}

/// Writes a model of the tiny one's shape whose weights are random, with its tokenizer.
fn write_random(place: &Path, seed: u64) -> Result<()> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tiny");
    std::fs::create_dir_all(place).map_err(Error::other)?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(from.join(name), place.join(name)).map_err(Error::other)?;
    }
    let tokenizer = std::fs::read(from.join("tokenizer.json")).map_err(Error::other)?;
    let tokenizer: serde_json::Value = serde_json::from_slice(&tokenizer).map_err(Error::other)?;
    let words = tokenizer["model"]["vocab"].as_object().map_or(0, serde_json::Map::len);
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "vocab_size": words, "hidden_size": WIDTH,
        "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 500_000.0, "tie_word_embeddings": true, "eos_token_id": 1
    });
    std::fs::write(place.join("config.json"), config.to_string()).map_err(Error::other)?;
    let tensors = random(words, Rng::new(seed).fork("weights")).map_err(Error::other)?;
    safetensors::save(&tensors, place.join("model.safetensors")).map_err(Error::other)
}

fn random(words: usize, mut rng: Rng) -> candle_core::Result<HashMap<String, Tensor>> {
    let mut all = HashMap::new();
    // Uniform with a spread of 0.02; what is added to the residual stream less, by its depth (Radford et al. 2019).
    let mut matrix = |name: String, rows: usize, columns: usize, spread: f64| -> candle_core::Result<()> {
        let bound = spread * 3f64.sqrt();
        let numbers = (0..rows * columns).map(|_| ((rng.unit() * 2.0 - 1.0) * bound) as f32);
        all.insert(name, Tensor::from_iter(numbers, &Device::Cpu)?.reshape((rows, columns))?);
        Ok(())
    };
    let deep = 0.02 / (2.0 * LAYERS as f64).sqrt();
    matrix("model.embed_tokens.weight".into(), words, WIDTH, 0.02)?;
    for i in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{i}.{part}.weight");
        for part in ["q_proj", "k_proj", "v_proj"] {
            matrix(name(&format!("self_attn.{part}")), WIDTH, WIDTH, 0.02)?;
        }
        matrix(name("self_attn.o_proj"), WIDTH, WIDTH, deep)?;
        matrix(name("mlp.gate_proj"), HIDDEN, WIDTH, 0.02)?;
        matrix(name("mlp.up_proj"), HIDDEN, WIDTH, 0.02)?;
        matrix(name("mlp.down_proj"), WIDTH, HIDDEN, deep)?;
    }
    let norms = (0..LAYERS).flat_map(|i| {
        ["input_layernorm", "post_attention_layernorm"].map(|part| format!("model.layers.{i}.{part}.weight"))
    });
    for name in norms.chain(["model.norm.weight".to_owned()]) {
        all.insert(name, Tensor::ones(WIDTH, DType::F32, &Device::Cpu)?);
    }
    Ok(all)
}
