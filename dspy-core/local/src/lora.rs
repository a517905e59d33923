//! Adapters of low rank (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"), in the files of PEFT.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, in_file},
    safetensors::tensors,
};

/// The name of the file that says what an adapter is.
pub(crate) const CONFIG: &str = "adapter_config.json";
/// The name of the file that holds its numbers.
pub(crate) const TENSORS: &str = "adapter_model.safetensors";
/// What PEFT puts before each name.
const PREFIX: &str = "base_model.model.";

/// `adapter_config.json`, as far as it matters here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AdapterConfig {
    pub(crate) peft_type: String,
    pub(crate) base_model_name_or_path: String,
    pub(crate) r: usize,
    pub(crate) lora_alpha: f64,
    #[serde(default)]
    pub(crate) use_rslora: bool,
    #[serde(default)]
    pub(crate) use_dora: bool,
    pub(crate) target_modules: Vec<String>,
}

impl AdapterConfig {
    /// Reads the file of a directory.
    pub(crate) fn read(place: &Path) -> Result<Self, Error> {
        let path = place.join(CONFIG);
        let text = std::fs::read(&path).map_err(|e| in_file(&path, e))?;
        let config: Self = serde_json::from_slice(&text)
            .map_err(|e| in_file(&path, format!("does not describe a LoRA adapter: {e}")))?;
        if config.peft_type != "LORA" || config.use_dora {
            return Err(in_file(&path, "only plain LoRA adapters are supported (no DoRA, no other type)"));
        }
        if config.r == 0 {
            return Err(in_file(&path, "the rank `r` is 0"));
        }
        Ok(config)
    }

    /// What the product of the two parts is multiplied with.
    pub(crate) fn scale(&self) -> f64 {
        let r = self.r as f64;
        self.lora_alpha / if self.use_rslora { r.sqrt() } else { r }
    }
}

/// How PEFT calls the two parts of a layer.
pub(crate) fn part_names(layer: &str) -> [String; 2] {
    ["A", "B"].map(|part| format!("{PREFIX}{layer}.lora_{part}.weight"))
}

/// An adapter that is merged into the layers as they are loaded.
pub(crate) struct Adapter {
    path: PathBuf,
    scale: f64,
    tensors: BTreeMap<String, Tensor>,
}

impl Adapter {
    pub(crate) fn open(place: &Path, config: &AdapterConfig) -> Result<Self, Error> {
        let path = place.join(TENSORS);
        Ok(Self { tensors: tensors(&path)?, path, scale: config.scale() })
    }

    /// The weight of a layer with what the adapter adds to it.
    pub(crate) fn merged(
        &mut self,
        layer: &str,
        weight: Tensor,
        digest: &mut Sha256,
    ) -> Result<Tensor, Error> {
        let [down, up] = part_names(layer).map(|name| self.tensors.remove(&name));
        let (down, up) = match (down, up) {
            (Some(down), Some(up)) => (down, up),
            (None, None) => return Ok(weight),
            _ => return Err(in_file(&self.path, format!("has one of the two parts of `{layer}` only"))),
        };
        let add = || {
            let [down, up] = [&down, &up].map(|t| t.to_dtype(weight.dtype())?.to_device(weight.device()));
            let product = (up?.matmul(&down?)? * self.scale)?;
            &weight + product
        };
        for part in [&down, &up] {
            let bytes =
                part.flatten_all().and_then(|t| t.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>());
            for number in bytes.map_err(|e| in_file(&self.path, e))? {
                digest.update(number.to_le_bytes());
            }
        }
        add().map_err(|e| in_file(&self.path, format!("does not fit `{layer}`: {e}")))
    }

    /// All parts must have found their layer.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.tensors.keys().next() {
            None => Ok(()),
            Some(name) => Err(in_file(&self.path, format!("the model has no place for `{name}`"))),
        }
    }
}
