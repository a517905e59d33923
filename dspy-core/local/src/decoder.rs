//! The computation: tokens in, logits out.

use candle_core::{D, DType, Device, Tensor};

use crate::{
    attention::{Attend, Whole},
    config::Config,
    error::Error,
    kernels,
    linear::{Embedding, Linear, Stack},
    weights::Weights,
};

/// What a computation gives.
type Computed<T> = candle_core::Result<T>;

/// Which operations are used: fast ones, or such as have a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Math {
    Fast,
    Differentiable,
}

/// A decoder of the Llama family (Touvron et al. 2023): token embedding, layers of attention and gated feed-forward
/// with RMS norms before each, and an output layer.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    pub(crate) config: Config,
    pub(crate) embedding: Embedding,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Tensor,
    /// `None` where it is the embedding.
    pub(crate) head: Option<Linear>,
    /// The frequency of each pair of dimensions of a head.
    pub(crate) frequencies: Vec<f32>,
    pub(crate) device: Device,
    pub(crate) dtype: DType,
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Tensor,
    pub(crate) qkv: Stack,
    pub(crate) head_norms: Option<[Tensor; 2]>,
    pub(crate) out: Linear,
    pub(crate) mlp_norm: Tensor,
    pub(crate) gate_up: Stack,
    pub(crate) down: Linear,
}

/// The linear layers of a layer, as checkpoints name them.
pub(crate) const QKV: [&str; 3] = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];
pub(crate) const OUT: &str = "self_attn.o_proj";
pub(crate) const GATE_UP: [&str; 2] = ["mlp.gate_proj", "mlp.up_proj"];
pub(crate) const DOWN: &str = "mlp.down_proj";

impl Decoder {
    /// Reads the tensors that a config asks for.
    pub(crate) fn load(
        config: Config,
        weights: &mut Weights,
        device: Device,
        dtype: DType,
    ) -> Result<Self, Error> {
        let width = config.hidden_size;
        let embedding = weights.embedding("model.embed_tokens.weight", config.vocab_size, width)?;
        let layers =
            (0..config.layers).map(|i| Layer::load(&config, weights, i)).collect::<Result<_, _>>()?;
        let norm = weights.vector("model.norm.weight", width)?;
        let head = match config.tied {
            true => None,
            false => Some(weights.linear("lm_head", config.vocab_size, width, false)?),
        };
        let frequencies = config.rope.frequencies(config.head_dim);
        Ok(Self { config, embedding, layers, norm, head, frequencies, device, dtype })
    }

    /// The same model with fewer, larger layers: faster, but the parts can no longer be told apart.
    pub(crate) fn merged(mut self) -> Computed<Self> {
        for layer in &mut self.layers {
            layer.qkv = layer.qkv.clone().merged()?;
            layer.gate_up = layer.gate_up.clone().merged()?;
        }
        self.head = match self.head {
            Some(head) => Some(head),
            None => Some(self.embedding.head()?),
        };
        Ok(self)
    }

    /// The state after the last layer, (rows, width). The rows are tokens of one or several sequences; `attend` knows
    /// which follows which.
    pub(crate) fn hidden(&self, tokens: &[u32], attend: &mut dyn Attend, math: Math) -> Computed<Tensor> {
        let tokens = Tensor::new(tokens, &self.device)?;
        let mut x = self.embedding.forward(&tokens)?.to_dtype(self.dtype)?;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&self.config, i, x, attend, math)?;
        }
        Ok(x)
    }

    /// The logits of states, (rows, vocabulary), in `f32`.
    pub(crate) fn logits(&self, hidden: &Tensor, math: Math) -> Computed<Tensor> {
        let x = rms_norm(hidden, &self.norm, self.config.rms_eps, math)?;
        match &self.head {
            Some(head) => head.forward(&x)?,
            None => self.embedding.head()?.forward(&x)?,
        }
        .to_dtype(DType::F32)
    }

    /// Attention over `batch` sequences of `length` tokens, whose rows follow each other.
    pub(crate) fn whole(&self, batch: usize, length: usize) -> Computed<Whole> {
        Whole::new(&self.config, &self.frequencies, (batch, length), &self.device, self.dtype)
    }

    /// The logits of every token of a sequence, without any cache.
    pub(crate) fn logits_of(&self, tokens: &[u32]) -> Computed<Tensor> {
        let mut attend = self.whole(1, tokens.len())?;
        let hidden = self.hidden(tokens, &mut attend, Math::Fast)?;
        self.logits(&hidden, Math::Fast)
    }
}

impl Layer {
    fn load(config: &Config, weights: &mut Weights, i: usize) -> Result<Self, Error> {
        let (width, head_dim) = (config.hidden_size, config.head_dim);
        let (queries, keys) = (config.heads * head_dim, config.kv_heads * head_dim);
        let name = |part: &str| format!("model.layers.{i}.{part}");
        let vector =
            |weights: &mut Weights, part, length| weights.vector(&name(&format!("{part}.weight")), length);
        let mut stack = |parts: &[(&str, usize)], bias| {
            let parts = parts
                .iter()
                .map(|&(part, size)| Ok((weights.linear(&name(part), size, width, bias)?, size)))
                .collect::<Result<_, Error>>()?;
            Ok::<_, Error>(Stack::new(parts))
        };
        let [q, k, v] = QKV;
        let qkv = stack(&[(q, queries), (k, keys), (v, keys)], config.bias.qkv)?;
        let gate_up = stack(&GATE_UP.map(|part| (part, config.intermediate_size)), config.bias.mlp)?;
        let head_norms = match config.qk_norm() {
            true => Some([
                vector(weights, "self_attn.q_norm", head_dim)?,
                vector(weights, "self_attn.k_norm", head_dim)?,
            ]),
            false => None,
        };
        Ok(Self {
            attention_norm: vector(weights, "input_layernorm", width)?,
            qkv,
            head_norms,
            out: weights.linear(&name(OUT), width, queries, config.bias.out)?,
            mlp_norm: vector(weights, "post_attention_layernorm", width)?,
            gate_up,
            down: weights.linear(&name(DOWN), width, config.intermediate_size, config.bias.mlp)?,
        })
    }

    fn forward(
        &self,
        config: &Config,
        i: usize,
        x: Tensor,
        attend: &mut dyn Attend,
        math: Math,
    ) -> Computed<Tensor> {
        let eps = config.rms_eps;
        let mut qkv = self.qkv.forward(&rms_norm(&x, &self.attention_norm, eps, math)?)?;
        if let Some(norms) = &self.head_norms {
            for (part, norm) in qkv.iter_mut().zip(norms) {
                let (rows, width) = part.dims2()?;
                let heads = part.reshape((rows * (width / config.head_dim), config.head_dim))?;
                *part = rms_norm(&heads, norm, eps, math)?.reshape((rows, width))?;
            }
        }
        let [q, k, v] = qkv.as_slice() else {
            candle_core::bail!("a layer without queries, keys and values")
        };
        let x = (x + self.out.forward(&attend.attend(i, q, k, v)?)?)?;
        let gate_up = self.gate_up.forward(&rms_norm(&x, &self.mlp_norm, eps, math)?)?;
        let [gate, up] = gate_up.as_slice() else { candle_core::bail!("a layer without gate and up") };
        let product = match math {
            Math::Fast if x.device().is_cpu() => kernels::swiglu(gate, up)?,
            _ => (gate.silu()? * up)?,
        };
        x + self.down.forward(&product)?
    }
}

/// Root mean square norm (Zhang & Sennrich 2019).
fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64, math: Math) -> Computed<Tensor> {
    if math == Math::Fast {
        return candle_nn::ops::rms_norm(&x.contiguous()?, weight, eps as f32);
    }
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean + eps)?.sqrt()?)?.broadcast_mul(weight)
}
