//! The shape of a model: `config.json` of a Hugging Face directory, or the metadata of a GGUF file.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, in_file};

/// The families that are known here. They differ in where they have biases and norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// Llama 1 to 3, SmolLM, and others that say so.
    Llama,
    /// Mistral: Llama with an optional sliding window.
    Mistral,
    /// Qwen 2 and 2.5: biases on the queries, keys and values.
    Qwen2,
    /// Qwen 3: norms on each head's queries and keys.
    Qwen3,
}

impl Architecture {
    const NAMES: [(Self, &'static str, &'static str); 4] = [
        (Self::Llama, "LlamaForCausalLM", "llama"),
        (Self::Mistral, "MistralForCausalLM", "mistral"),
        (Self::Qwen2, "Qwen2ForCausalLM", "qwen2"),
        (Self::Qwen3, "Qwen3ForCausalLM", "qwen3"),
    ];

    /// By the class that `architectures` names, or by `model_type`, which GGUF writes, too.
    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, class, kind)| [*class, *kind].contains(&name)).map(|(a, ..)| *a)
    }

    fn known() -> String {
        Self::NAMES.map(|(_, class, _)| class).join(", ")
    }
}

/// How positions are turned into angles (Su et al. 2021, "RoFormer").
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rope {
    pub(crate) theta: f64,
    pub(crate) scaling: Scaling,
}

/// How the angles are stretched for contexts longer than those of the first training.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scaling {
    None,
    /// All frequencies are divided.
    Linear {
        factor: f64,
    },
    /// Low frequencies are divided, high ones kept, with a ramp between (Llama 3.1).
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    /// Frequencies are divided one by one, as GGUF files of Llama 3.1 say it.
    Factors(Vec<f32>),
}

impl Rope {
    /// The frequency of each pair of dimensions.
    pub(crate) fn frequencies(&self, head_dim: usize) -> Vec<f32> {
        let plain = (0..head_dim / 2).map(|i| self.theta.powf(-2.0 * i as f64 / head_dim as f64));
        match &self.scaling {
            Scaling::None => plain.map(|f| f as f32).collect(),
            Scaling::Linear { factor } => plain.map(|f| (f / factor) as f32).collect(),
            Scaling::Factors(factors) => {
                plain.zip(factors).map(|(f, by)| (f / f64::from(*by)) as f32).collect()
            }
            &Scaling::Llama3 { factor, low, high, original } => plain
                .map(|f| {
                    let turns = original * f / std::f64::consts::TAU;
                    let keep = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    ((1.0 - keep) * f / factor + keep * f) as f32
                })
                .collect(),
        }
    }
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Its family.
    pub architecture: Architecture,
    /// The width of the residual stream.
    pub hidden_size: usize,
    /// The width of the feed-forward layers.
    pub intermediate_size: usize,
    /// How many layers it has.
    pub layers: usize,
    /// How many heads the queries have.
    pub heads: usize,
    /// How many heads the keys and values have.
    pub kv_heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// How many tokens it knows.
    pub vocab_size: usize,
    /// The longest context, in tokens.
    pub context: usize,
    /// Whether the output layer is the embedding.
    pub tied: bool,
    pub(crate) rms_eps: f64,
    pub(crate) rope: Rope,
    pub(crate) bias: Bias,
    /// How far each layer looks back; `None` is all the way.
    pub(crate) windows: Vec<Option<usize>>,
    /// Tokens that end an answer.
    pub(crate) eos: Vec<u32>,
}

/// Which linear layers have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bias {
    pub(crate) qkv: bool,
    pub(crate) out: bool,
    pub(crate) mlp: bool,
}

impl Config {
    /// Reads `config.json`.
    pub(crate) fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|e| in_file(path, e))?;
        let value: Value =
            serde_json::from_slice(&text).map_err(|e| in_file(path, format!("is not JSON: {e}")))?;
        let Value::Object(entries) = value else { return Err(in_file(path, "is not a JSON object")) };
        Self::from_entries(&entries).map_err(|why| in_file(path, why))
    }

    fn from_entries(entries: &Map<String, Value>) -> Result<Self, String> {
        let entries = &Entries(entries);
        let architecture = entries.architecture()?;
        let act = entries.text("hidden_act")?.unwrap_or("silu");
        if act != "silu" {
            return Err(format!("`hidden_act` is {act}, but only silu is supported"));
        }
        let (hidden_size, heads) = (entries.size("hidden_size")?, entries.size("num_attention_heads")?);
        let layers = entries.size("num_hidden_layers")?;
        let attention_bias = entries.flag("attention_bias")?;
        let window = match architecture {
            Architecture::Qwen2 | Architecture::Qwen3
                if entries.flag("use_sliding_window")? != Some(true) =>
            {
                None
            }
            _ => entries.maybe_size("sliding_window")?,
        };
        // Qwen's first layers look all the way back.
        let full = match architecture {
            Architecture::Qwen2 | Architecture::Qwen3 => {
                entries.maybe_size("max_window_layers")?.unwrap_or(28)
            }
            _ => 0,
        };
        let config = Self {
            architecture,
            hidden_size,
            intermediate_size: entries.size("intermediate_size")?,
            layers,
            heads,
            kv_heads: entries.maybe_size("num_key_value_heads")?.unwrap_or(heads),
            head_dim: entries.maybe_size("head_dim")?.unwrap_or(hidden_size / heads),
            vocab_size: entries.size("vocab_size")?,
            context: entries.maybe_size("max_position_embeddings")?.unwrap_or(2048),
            tied: entries.flag("tie_word_embeddings")?.unwrap_or(false),
            rms_eps: entries.number("rms_norm_eps")?.unwrap_or(1e-6),
            rope: entries.rope()?,
            bias: Bias {
                qkv: attention_bias.unwrap_or(architecture == Architecture::Qwen2),
                out: attention_bias.unwrap_or(false) && architecture != Architecture::Qwen2,
                mlp: entries.flag("mlp_bias")?.unwrap_or(false),
            },
            windows: (0..layers).map(|i| window.filter(|_| i >= full)).collect(),
            eos: entries.ids("eos_token_id")?,
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses shapes that cannot be.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!(
                "{} attention heads cannot be shared by {} key-value heads",
                self.heads, self.kv_heads
            ));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return Err(format!("the heads are {} wide, but must have two halves", self.head_dim));
        }
        if let Scaling::Factors(factors) = &self.rope.scaling
            && factors.len() != self.head_dim / 2
        {
            return Err(format!("there are {} rope factors for heads {} wide", factors.len(), self.head_dim));
        }
        Ok(())
    }

    /// Whether each head's queries and keys are normed.
    pub(crate) fn qk_norm(&self) -> bool {
        self.architecture == Architecture::Qwen3
    }
}

/// The entries of a JSON object, asked for by type.
struct Entries<'a>(&'a Map<String, Value>);

impl<'a> Entries<'a> {
    fn get<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        match self.0.get(name).filter(|v| !v.is_null()) {
            None => Ok(None),
            Some(v) => read(v).map(Some).ok_or_else(|| format!("`{name}` is {v}, expected {expected}")),
        }
    }

    fn maybe_size(&self, name: &str) -> Result<Option<usize>, String> {
        self.get(name, "a whole number above 0", |v| {
            v.as_u64().filter(|n| *n > 0 && *n < 1 << 32).map(|n| n as usize)
        })
    }

    fn size(&self, name: &str) -> Result<usize, String> {
        self.maybe_size(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        self.get(name, "true or false", Value::as_bool)
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        self.get(name, "a text", Value::as_str)
    }

    fn number(&self, name: &str) -> Result<Option<f64>, String> {
        self.get(name, "a number", Value::as_f64)
    }

    fn ids(&self, name: &str) -> Result<Vec<u32>, String> {
        Ok(self.get(name, "a token id or several", token_ids)?.unwrap_or_default())
    }

    fn architecture(&self) -> Result<Architecture, String> {
        let class = match self.0.get("architectures") {
            Some(Value::Array(names)) => names.first().and_then(Value::as_str),
            _ => None,
        };
        let name = match class {
            Some(class) => class,
            None => {
                self.text("model_type")?.ok_or("names no architecture (`architectures` or `model_type`)")?
            }
        };
        Architecture::named(name).ok_or_else(|| {
            format!("the architecture {name} is not supported; supported are {}", Architecture::known())
        })
    }

    fn rope(&self) -> Result<Rope, String> {
        // Newer files hold everything in `rope_parameters`, older ones the base beside a `rope_scaling`.
        let inner = match (self.0.get("rope_parameters"), self.0.get("rope_scaling")) {
            (Some(Value::Object(inner)), _) | (_, Some(Value::Object(inner))) => Some(Entries(inner)),
            _ => None,
        };
        let nested = |name: &str| match &inner {
            Some(inner) => inner.number(name),
            None => Ok(None),
        };
        let theta = match nested("rope_theta")? {
            Some(theta) => theta,
            None => self.number("rope_theta")?.unwrap_or(10_000.0),
        };
        let kind = match &inner {
            Some(inner) => match inner.text("rope_type")? {
                Some(kind) => kind,
                None => inner.text("type")?.unwrap_or("default"),
            },
            None => "default",
        };
        let needed =
            |name: &str| nested(name)?.ok_or_else(|| format!("`{name}` of the {kind} rope is missing"));
        let scaling = match kind {
            "default" => Scaling::None,
            "linear" => Scaling::Linear { factor: needed("factor")? },
            "llama3" => Scaling::Llama3 {
                factor: needed("factor")?,
                low: needed("low_freq_factor")?,
                high: needed("high_freq_factor")?,
                original: needed("original_max_position_embeddings")?,
            },
            other => {
                return Err(format!(
                    "the rope type {other} is not supported; supported are default, linear and llama3"
                ));
            }
        };
        Ok(Rope { theta, scaling })
    }
}

/// One token id, or a list of them.
pub(super) fn token_ids(value: &Value) -> Option<Vec<u32>> {
    let id = |v: &Value| v.as_u64().and_then(|id| id.try_into().ok());
    match value {
        Value::Array(ids) => ids.iter().map(id).collect(),
        one => id(one).map(|id| vec![id]),
    }
}

/// Asks the metadata of a GGUF file.
pub(super) mod gguf {
    use candle_core::quantized::gguf_file::{Content, Value};

    use super::{Architecture, Bias, Config, Rope, Scaling};

    fn number(value: &Value) -> Option<u64> {
        value.to_u64().ok().or_else(|| value.to_i64().ok()?.try_into().ok())
    }

    impl Config {
        /// Reads the metadata of a GGUF file. `factors` are those of a `rope_freqs` tensor.
        pub(crate) fn from_gguf(content: &Content, factors: Option<Vec<f32>>) -> Result<Self, String> {
            let meta = &content.metadata;
            let kind = meta
                .get("general.architecture")
                .and_then(|v| v.to_string().ok())
                .ok_or("names no `general.architecture`")?;
            let architecture = Architecture::named(kind).ok_or_else(|| {
                format!(
                    "the architecture {kind} is not supported; supported are llama, mistral, qwen2 and qwen3"
                )
            })?;
            let get = |name: &str| meta.get(&format!("{kind}.{name}"));
            let maybe = |name: &str| get(name).and_then(number).filter(|n| *n > 0).map(|n| n as usize);
            let size = |name: &str| {
                maybe(name).ok_or_else(|| format!("`{kind}.{name}` is missing or no whole number"))
            };
            let float = |name: &str| get(name).and_then(|v| v.to_f32().ok()).map(f64::from);
            let (hidden_size, heads) = (size("embedding_length")?, size("attention.head_count")?);
            let layers = size("block_count")?;
            let embedding =
                content.tensor_infos.get("token_embd.weight").ok_or("has no `token_embd.weight`")?;
            let vocab_size = embedding.shape.dims().first().copied().unwrap_or(0);
            let scaling = match (factors, get("rope.scaling.type").and_then(|v| v.to_string().ok())) {
                (Some(factors), _) => Scaling::Factors(factors),
                (None, None) => Scaling::None,
                (None, Some(kind)) => match kind.as_str() {
                    "none" => Scaling::None,
                    "linear" => Scaling::Linear { factor: float("rope.scaling.factor").unwrap_or(1.0) },
                    other => return Err(format!("the rope scaling {other} is not supported")),
                },
            };
            let has = |name: &str| content.tensor_infos.contains_key(name);
            let config = Self {
                architecture,
                hidden_size,
                intermediate_size: size("feed_forward_length")?,
                layers,
                heads,
                kv_heads: maybe("attention.head_count_kv").unwrap_or(heads),
                head_dim: maybe("attention.key_length").unwrap_or(hidden_size / heads),
                vocab_size,
                context: maybe("context_length").unwrap_or(2048),
                tied: !has("output.weight"),
                rms_eps: float("attention.layer_norm_rms_epsilon").unwrap_or(1e-6),
                rope: Rope { theta: float("rope.freq_base").unwrap_or(10_000.0), scaling },
                bias: Bias {
                    qkv: has("blk.0.attn_q.bias"),
                    out: has("blk.0.attn_output.bias"),
                    mlp: has("blk.0.ffn_up.bias"),
                },
                windows: vec![maybe("attention.sliding_window"); layers],
                eos: ["eos_token_id", "eot_token_id", "eom_token_id"]
                    .iter()
                    .filter_map(|name| meta.get(&format!("tokenizer.ggml.{name}")).and_then(number))
                    .filter_map(|id| id.try_into().ok())
                    .collect(),
            };
            config.check()?;
            Ok(config)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Config, String> {
        let Value::Object(mut entries) = json!({
            "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "eos_token_id": [1, 2]
        }) else {
            unreachable!()
        };
        change(&mut entries);
        Config::from_entries(&entries)
    }

    #[test]
    fn a_plain_file_is_read() {
        let config = read(|_| {}).unwrap();
        assert_eq!((config.head_dim, config.kv_heads, config.eos.as_slice()), (16, 2, &[1, 2][..]));
        assert_eq!(config.rope, Rope { theta: 10_000.0, scaling: Scaling::None });
        assert!(!config.bias.qkv && !config.tied);
    }

    #[test]
    fn mistakes_are_named() {
        let cases: [(&str, Value, &str); 7] = [
            ("hidden_size", json!(2), "the heads are 0 wide"),
            ("architectures", json!(["GPT2LMHeadModel"]), "GPT2LMHeadModel is not supported"),
            ("hidden_size", Value::Null, "`hidden_size` is missing"),
            ("vocab_size", json!("many"), "`vocab_size` is \"many\", expected a whole number"),
            ("num_key_value_heads", json!(3), "cannot be shared"),
            ("hidden_act", json!("gelu"), "only silu"),
            ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0}), "yarn is not supported"),
        ];
        for (name, value, expected) in cases {
            let error = read(|e| _ = e.insert(name.into(), value)).unwrap_err();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn rope_is_read_in_both_spellings() {
        let old = read(|e| {
            e.insert("rope_theta".into(), json!(5e5));
            e.insert("rope_scaling".into(), json!({"type": "linear", "factor": 2.0}));
        });
        let new = read(|e| {
            e.insert(
                "rope_parameters".into(),
                json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5}),
            );
        });
        assert_eq!(old.unwrap().rope, new.unwrap().rope);
    }

    #[test]
    fn the_ramp_of_llama3_keeps_high_frequencies() {
        let plain = Rope { theta: 5e5, scaling: Scaling::None }.frequencies(64);
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
        let scaled = Rope { theta: 5e5, scaling }.frequencies(64);
        assert_eq!(plain[0], scaled[0]);
        assert!((plain[31] / scaled[31] - 8.0).abs() < 1e-4);
    }

    #[test]
    fn windows_of_qwen_begin_late() {
        let config = read(|e| {
            e.insert("architectures".into(), json!(["Qwen2ForCausalLM"]));
            e.insert("use_sliding_window".into(), json!(true));
            e.insert("sliding_window".into(), json!(32));
            e.insert("max_window_layers".into(), json!(1));
        });
        assert_eq!(config.unwrap().windows, [None, Some(32)]);
    }
}
