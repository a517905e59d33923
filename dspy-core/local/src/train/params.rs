//! What is trained of a model, by name.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{Tensor, Var, backprop::GradStore};
use dspy_random::Rng;

use super::{options::Lora, report::Trained};
use crate::{
    decoder::{DOWN, Decoder, GATE_UP, OUT, QKV},
    error::{Error, in_file},
    files,
    linear::{Embedding, Linear},
    lora::{self, AdapterConfig, part_names},
};

/// A model whose parameters, or some beside them, can be changed.
pub(super) struct Params {
    decoder: Decoder,
    /// By the names under which they are written.
    vars: BTreeMap<String, Var>,
    lora: Option<Lora>,
}

/// Why a model cannot be trained.
pub(super) enum Unfit {
    Said(String),
    Computed(candle_core::Error),
}

impl From<candle_core::Error> for Unfit {
    fn from(error: candle_core::Error) -> Self {
        Self::Computed(error)
    }
}

/// The linear layers of a model with their names.
fn linears(decoder: &mut Decoder) -> Vec<(String, &mut Linear)> {
    let mut all = Vec::new();
    for (i, layer) in decoder.layers.iter_mut().enumerate() {
        let stacks =
            QKV.iter().zip(layer.qkv.parts_mut()).chain(GATE_UP.iter().zip(layer.gate_up.parts_mut()));
        let single = [(&OUT, &mut layer.out), (&DOWN, &mut layer.down)];
        all.extend(stacks.chain(single).map(|(name, linear)| (format!("model.layers.{i}.{name}"), linear)));
    }
    all.extend(decoder.head.as_mut().map(|head| ("lm_head".to_owned(), head)));
    all
}

/// Its norms, with their names.
fn norms(decoder: &mut Decoder) -> Vec<(String, &mut Tensor)> {
    let mut all = vec![("model.norm.weight".to_owned(), &mut decoder.norm)];
    for (i, layer) in decoder.layers.iter_mut().enumerate() {
        let mut add = |name: &str, norm| all.push((format!("model.layers.{i}.{name}.weight"), norm));
        add("input_layernorm", &mut layer.attention_norm);
        add("post_attention_layernorm", &mut layer.mlp_norm);
        if let Some([q, k]) = &mut layer.head_norms {
            add("self_attn.q_norm", q);
            add("self_attn.k_norm", k);
        }
    }
    all
}

impl Params {
    /// All parameters, or those of a LoRA part.
    pub(super) fn new(mut decoder: Decoder, lora: Option<&Lora>, mut rng: Rng) -> Result<Self, Unfit> {
        let packed =
            "has packed weights, which cannot be trained; train the model that they were packed from";
        let mut vars = BTreeMap::new();
        let mut add = |name: String, tensor: &mut Tensor| -> Result<(), Unfit> {
            let var = Var::from_tensor(tensor)?;
            *tensor = var.as_tensor().clone();
            vars.insert(name, var);
            Ok(())
        };
        match lora {
            None => {
                for (name, linear) in linears(&mut decoder) {
                    let Linear::Dense { weight, bias } = linear else {
                        return Err(Unfit::Said(packed.into()));
                    };
                    add(format!("{name}.weight"), weight)?;
                    if let Some(bias) = bias {
                        add(format!("{name}.bias"), bias)?;
                    }
                }
                for (name, norm) in norms(&mut decoder) {
                    add(name, norm)?;
                }
                match &mut decoder.embedding {
                    Embedding::Dense(table) => add("model.embed_tokens.weight".into(), table)?,
                    Embedding::Quantized(_) => return Err(Unfit::Said(packed.into())),
                }
            }
            Some(lora) => {
                for (name, linear) in linears(&mut decoder) {
                    if !lora.targets.iter().any(|target| name.rsplit('.').next() == Some(target)) {
                        continue;
                    }
                    let Linear::Dense { weight, .. } = &*linear else {
                        return Err(Unfit::Said(packed.into()));
                    };
                    let (outputs, inputs) = weight.dims2()?;
                    let device = weight.device().clone();
                    // The one part random, the other zero: in the beginning, nothing is changed.
                    let bound = 1.0 / (inputs as f64).sqrt();
                    let random = (0..lora.rank * inputs).map(|_| ((rng.unit() * 2.0 - 1.0) * bound) as f32);
                    let mut down = Tensor::from_iter(random, &device)?.reshape((lora.rank, inputs))?;
                    let mut up = Tensor::zeros((outputs, lora.rank), weight.dtype(), &device)?;
                    let [down_name, up_name] = part_names(&name);
                    add(down_name, &mut down)?;
                    add(up_name, &mut up)?;
                    let scale = lora.alpha / lora.rank as f64;
                    *linear = Linear::Adapted { base: Box::new(linear.clone()), down, up, scale };
                }
                if vars.is_empty() {
                    let why = format!("has none of the layers {}", lora.targets.join(", "));
                    return Err(Unfit::Said(why));
                }
            }
        }
        Ok(Self { decoder, vars, lora: lora.cloned() })
    }

    pub(super) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    pub(super) fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Adds gradients to those that are there, in the order of the parameters.
    pub(super) fn add(
        &self,
        sums: &mut Vec<Option<Tensor>>,
        gradients: &GradStore,
    ) -> candle_core::Result<()> {
        sums.resize(self.vars.len(), None);
        for (sum, var) in sums.iter_mut().zip(self.vars.values()) {
            let Some(gradient) = gradients.get(var.as_tensor()) else { continue };
            *sum = Some(match sum.take() {
                Some(sum) => (sum + gradient)?,
                None => gradient.clone(),
            });
        }
        Ok(())
    }

    /// Writes the model, or the LoRA part, into a directory that is complete or absent.
    pub(super) fn save(&self, base: &Path, out: &Path, trained: &Trained) -> Result<(), Error> {
        let work = files::beside(out, "partial");
        let fail = |e: &dyn std::fmt::Display| in_file(&work, format!("cannot be written: {e}"));
        // What an earlier attempt left.
        _ = std::fs::remove_dir_all(&work);
        std::fs::create_dir_all(&work).map_err(|e| fail(&e))?;
        let tensors: HashMap<String, Tensor> =
            self.vars.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect();
        let write = |name: &str, value: &serde_json::Value| {
            let text = serde_json::to_vec_pretty(value).map_err(|e| fail(&e))?;
            std::fs::write(work.join(name), text).map_err(|e| fail(&e))
        };
        match &self.lora {
            Some(lora) => {
                let base = std::fs::canonicalize(base).map_err(|e| in_file(base, e))?;
                let config = AdapterConfig {
                    peft_type: "LORA".into(),
                    base_model_name_or_path: base.to_string_lossy().into_owned(),
                    r: lora.rank,
                    lora_alpha: lora.alpha,
                    use_rslora: false,
                    use_dora: false,
                    target_modules: lora.targets.clone(),
                };
                write(lora::CONFIG, &serde_json::to_value(config).map_err(|e| fail(&e))?)?;
                candle_core::safetensors::save(&tensors, work.join(lora::TENSORS)).map_err(|e| fail(&e))?;
            }
            None => {
                candle_core::safetensors::save(&tensors, work.join("model.safetensors"))
                    .map_err(|e| fail(&e))?;
                for name in [
                    "config.json",
                    "generation_config.json",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "chat_template.jinja",
                    "special_tokens_map.json",
                ] {
                    let from = base.join(name);
                    if from.exists() {
                        std::fs::copy(&from, work.join(name)).map_err(|e| in_file(&from, e))?;
                    }
                }
            }
        }
        write("training.json", &serde_json::to_value(trained).map_err(|e| fail(&e))?)?;
        if out.exists() {
            std::fs::remove_dir_all(out).map_err(|e| in_file(out, e))?;
        }
        std::fs::rename(&work, out).map_err(|e| fail(&e))
    }
}
