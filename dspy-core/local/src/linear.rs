//! The parts of a model that hold most of its numbers.

use std::sync::Arc;

use candle_core::{
    Module as _, Result, Tensor,
    quantized::{QMatMul, QTensor},
};

use crate::kernels;

/// A linear layer.
#[derive(Debug, Clone)]
pub(crate) enum Linear {
    /// Plain numbers; the weight is (outputs, inputs).
    Dense { weight: Tensor, bias: Option<Tensor> },
    /// Numbers packed in blocks, as GGUF has them.
    Quantized { weight: QMatMul, bias: Option<Tensor> },
    /// A frozen layer with a trainable part of low rank (Hu et al. 2021, "LoRA").
    Adapted { base: Box<Self>, down: Tensor, up: Tensor, scale: f64 },
}

impl Linear {
    /// `x` is (rows, inputs), what comes (rows, outputs).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (y, bias) = match self {
            Self::Dense { weight, bias } => match few(x, weight)? {
                Some(y) => (y, bias),
                None => (x.matmul(&weight.t()?)?, bias),
            },
            Self::Quantized { weight, bias } => (weight.forward(x)?, bias),
            Self::Adapted { base, down, up, scale } => {
                let low = x.matmul(&down.t()?)?.matmul(&up.t()?)?;
                return base.forward(x)? + (low * *scale)?;
            }
        };
        match bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// The product for few rows, where nothing asks for its gradient.
fn few(x: &Tensor, weight: &Tensor) -> Result<Option<Tensor>> {
    if x.dim(0)? > kernels::FEW || x.track_op() || weight.track_op() {
        return Ok(None);
    }
    kernels::few_rows(x, weight)
}

/// Linear layers of the same input. For inference they are one, which costs less than several.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    parts: Vec<Linear>,
    /// How many numbers each part gives.
    sizes: Vec<usize>,
}

impl Stack {
    pub(crate) fn new(parts: Vec<(Linear, usize)>) -> Self {
        let (parts, sizes) = parts.into_iter().unzip();
        Self { parts, sizes }
    }

    /// The parts, of which there are as many as [`Stack::new`] was given unless they were merged.
    pub(crate) fn parts_mut(&mut self) -> &mut [Linear] {
        &mut self.parts
    }

    /// All parts in one, where they are plain numbers.
    pub(crate) fn merged(self) -> Result<Self> {
        let dense: Option<Vec<_>> = self
            .parts
            .iter()
            .map(|part| match part {
                Linear::Dense { weight, bias } => Some((weight, bias.as_ref())),
                _ => None,
            })
            .collect();
        let Some(dense) = dense else { return Ok(self) };
        let weights: Vec<_> = dense.iter().map(|(weight, _)| *weight).collect();
        let biases: Option<Vec<_>> = dense.iter().map(|(_, bias)| *bias).collect();
        if biases.is_none() && dense.iter().any(|(_, bias)| bias.is_some()) {
            return Ok(self);
        }
        let one = Linear::Dense {
            weight: Tensor::cat(&weights, 0)?,
            bias: biases.map(|b| Tensor::cat(&b, 0)).transpose()?,
        };
        Ok(Self { parts: vec![one], sizes: self.sizes })
    }

    /// What each part gives.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        if let ([one], true) = (self.parts.as_slice(), self.sizes.len() > 1) {
            let all = one.forward(x)?;
            let mut from = 0;
            return self
                .sizes
                .iter()
                .map(|size| {
                    from += size;
                    all.narrow(1, from - size, *size)
                })
                .collect();
        }
        // Small batches of packed parts share the preparation of the input.
        let packed: Option<Vec<&QTensor>> = self
            .parts
            .iter()
            .map(|part| match part {
                Linear::Quantized { weight: QMatMul::QTensor(weight), bias: None } => Some(&**weight),
                _ => None,
            })
            .collect();
        if let Some(packed) = packed
            && x.dim(0)? == 1
            && let Some(all) = QTensor::gemv_fused_shared_lhs(&packed, x)?
        {
            return Ok(all);
        }
        self.parts.iter().map(|part| part.forward(x)).collect()
    }
}

/// The vectors of the tokens.
#[derive(Debug, Clone)]
pub(crate) enum Embedding {
    Dense(Tensor),
    Quantized(Arc<QTensor>),
}

impl Embedding {
    /// `tokens` is (rows), what comes (rows, width).
    pub(crate) fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(table) => table.index_select(tokens, 0),
            Self::Quantized(table) => table.embedding(tokens),
        }
    }

    /// The output layer that is the same numbers.
    pub(crate) fn head(&self) -> Result<Linear> {
        Ok(match self {
            Self::Dense(weight) => Linear::Dense { weight: weight.clone(), bias: None },
            Self::Quantized(weight) => {
                Linear::Quantized { weight: QMatMul::from_arc(weight.clone())?, bias: None }
            }
        })
    }
}
