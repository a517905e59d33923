//! From a path to a model.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, quantized::gguf_file::Content};
use serde_json::Value;

use crate::{
    config::{Config, token_ids},
    decoder::Decoder,
    error::{Error, in_file},
    lora::{self, Adapter, AdapterConfig},
    sample::Defaults,
    vocabulary::Vocabulary,
    weights::Weights,
};

/// All that the files of a model hold.
pub(crate) struct Opened {
    pub(crate) decoder: Decoder,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) defaults: Defaults,
    /// A digest of the weights, in hexadecimal.
    pub(crate) digest: String,
}

/// Reads a directory or a GGUF file. Without a `dtype`, plain numbers become what the device computes fastest with.
pub(crate) fn open(path: &Path, device: &Device, dtype: Option<DType>) -> Result<Opened, Error> {
    let dtype = dtype.unwrap_or(match device {
        Device::Cpu => DType::F32,
        _ => DType::BF16,
    });
    match std::fs::metadata(path) {
        Err(e) => Err(in_file(path, format!("cannot be opened: {e}"))),
        Ok(found) if !found.is_dir() => open_gguf(path, device, dtype),
        Ok(_) if path.join(lora::CONFIG).exists() => {
            let config = AdapterConfig::read(path)?;
            let base = base_of(path, &config)?;
            let adapter = Adapter::open(path, &config)?;
            open_directory(&base, Some((path, adapter)), device, dtype)
        }
        Ok(_) => open_directory(path, None, device, dtype),
    }
}

/// Where the model is that an adapter belongs to: a path from the adapter's directory, or from the working directory.
pub(crate) fn base_of(place: &Path, config: &AdapterConfig) -> Result<PathBuf, Error> {
    let name = Path::new(&config.base_model_name_or_path);
    let beside = place.join(name);
    match (beside.is_dir(), name.is_dir()) {
        (true, _) => Ok(beside),
        (_, true) => Ok(name.to_owned()),
        _ => Err(in_file(
            &place.join(lora::CONFIG),
            format!(
                "names the base model `{}`, which is no directory here; write its path into \
                 `base_model_name_or_path`",
                name.display()
            ),
        )),
    }
}

fn open_directory(
    place: &Path,
    adapter: Option<(&Path, Adapter)>,
    device: &Device,
    dtype: DType,
) -> Result<Opened, Error> {
    let config_file = place.join("config.json");
    if !config_file.exists() {
        let gguf = ggufs(place);
        let cure = match gguf.as_slice() {
            [] => String::new(),
            [one] => format!("; name the file itself: {}", one.display()),
            _ => "; name one of its GGUF files".into(),
        };
        return Err(in_file(place, format!("holds no config.json{cure}")));
    }
    let mut config = Config::from_file(&config_file)?;
    // A tokenizer that was saved with the adapter belongs to it.
    let (texts, adapter) = match adapter {
        Some((at, adapter)) if at.join("tokenizer.json").exists() => (at, Some(adapter)),
        Some((_, adapter)) => (place, Some(adapter)),
        None => (place, None),
    };
    let vocabulary = Vocabulary::of_directory(texts)?;
    let defaults = generation_config(place, &mut config)?;
    let mut weights = Weights::of_directory(place, adapter, device.clone(), dtype)?;
    let decoder = Decoder::load(config, &mut weights, device.clone(), dtype)?;
    finish(place, decoder, vocabulary, defaults, weights)
}

fn ggufs(place: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|e| e == "gguf")).collect()
}

fn open_gguf(path: &Path, device: &Device, dtype: DType) -> Result<Opened, Error> {
    let wrong = |e: candle_core::Error| in_file(path, format!("is no GGUF file that can be read: {e}"));
    let file = File::open(path).map_err(|e| in_file(path, e))?;
    let mut reader = BufReader::new(file);
    let content = Content::read(&mut reader).map_err(wrong)?;
    let factors = match content.tensor_infos.contains_key("rope_freqs.weight") {
        false => None,
        true => {
            let tensor = content.tensor(&mut reader, "rope_freqs.weight", &Device::Cpu).map_err(wrong)?;
            let factors = tensor.dequantize(&Device::Cpu).and_then(|t| t.to_vec1::<f32>());
            Some(factors.map_err(wrong)?)
        }
    };
    let config = Config::from_gguf(&content, factors).map_err(|why| in_file(path, why))?;
    let vocabulary = Vocabulary::of_gguf(path, &content)?;
    let llama = content.metadata.get("general.architecture").and_then(|v| v.to_string().ok());
    let interleaved = llama.filter(|kind| *kind == "llama").map(|_| (config.heads, config.kv_heads));
    let mut weights =
        Weights::of_gguf(path, reader.into_inner(), content, interleaved, device.clone(), dtype);
    let decoder = Decoder::load(config, &mut weights, device.clone(), dtype)?;
    finish(path, decoder, vocabulary, Defaults::default(), weights)
}

fn finish(
    place: &Path,
    mut decoder: Decoder,
    vocabulary: Vocabulary,
    defaults: Defaults,
    weights: Weights,
) -> Result<Opened, Error> {
    let digest = weights.finish()?;
    if vocabulary.size() > decoder.config.vocab_size {
        return Err(in_file(
            place,
            format!(
                "the tokenizer has {} tokens, but the model knows {}: they do not belong together",
                vocabulary.size(),
                decoder.config.vocab_size
            ),
        ));
    }
    decoder.config.eos.extend(vocabulary.eos);
    Ok(Opened { decoder, vocabulary, defaults, digest })
}

/// What `generation_config.json` says of sampling, where there is one. Its ends are added to those of the config.
fn generation_config(place: &Path, config: &mut Config) -> Result<Defaults, Error> {
    let path = place.join("generation_config.json");
    let Ok(text) = std::fs::read(&path) else { return Ok(Defaults::default()) };
    let value: Value = serde_json::from_slice(&text).map_err(|e| in_file(&path, e))?;
    config.eos.extend(value.get("eos_token_id").and_then(token_ids).unwrap_or_default());
    if value.get("do_sample") != Some(&Value::Bool(true)) {
        return Ok(Defaults::default());
    }
    let number = |name| value.get(name).and_then(Value::as_f64);
    Ok(Defaults {
        temperature: number("temperature").unwrap_or(1.0),
        top_p: number("top_p").unwrap_or(1.0),
        top_k: number("top_k").unwrap_or(50.0) as usize,
    })
}
