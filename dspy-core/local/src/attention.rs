//! Attention over whole sequences: plain tensor operations, which have gradients and run on any device.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor};

use crate::config::Config;

/// Computes attention for the rows of a batch, and knows which row follows which.
pub(crate) trait Attend {
    /// `q` is (rows, heads × head width), `k` and `v` are (rows, key-value heads × head width), none of them rotated
    /// yet. What comes is of the form of `q`.
    fn attend(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor>;
}

/// Sequences of equal length, from their first token on.
pub(crate) struct Whole {
    batch: usize,
    length: usize,
    heads: (usize, usize),
    head_dim: usize,
    windows: Vec<Option<usize>>,
    cos: Tensor,
    sin: Tensor,
    /// What each token does not see, by the reach of the layer.
    masks: HashMap<Option<usize>, Tensor>,
}

impl Whole {
    /// For `batch` sequences of `length` tokens, whose rows follow each other. `frequencies` are those of the pairs of
    /// dimensions of a head.
    pub(crate) fn new(
        config: &Config,
        frequencies: &[f32],
        (batch, length): (usize, usize),
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let half = config.head_dim / 2;
        let angles: Vec<f32> =
            (0..length).flat_map(|p| frequencies.iter().map(move |f| p as f32 * f)).collect();
        let angles = Tensor::from_vec(angles, (length, half), device)?;
        Ok(Self {
            batch,
            length,
            heads: (config.heads, config.kv_heads),
            head_dim: config.head_dim,
            windows: config.windows.clone(),
            cos: angles.cos()?.to_dtype(dtype)?,
            sin: angles.sin()?.to_dtype(dtype)?,
            masks: HashMap::new(),
        })
    }

    /// (batch, heads, length, head width).
    fn by_head(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        x.reshape((self.batch, self.length, heads, self.head_dim))?.transpose(1, 2)?.contiguous()
    }

    /// Turns the two halves of each head by the angles of its position.
    fn rotated(&self, x: &Tensor) -> Result<Tensor> {
        let half = self.head_dim / 2;
        let (a, b) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let turned_a = (a.broadcast_mul(&self.cos)? - b.broadcast_mul(&self.sin)?)?;
        let turned_b = (a.broadcast_mul(&self.sin)? + b.broadcast_mul(&self.cos)?)?;
        Tensor::cat(&[turned_a, turned_b], D::Minus1)
    }

    /// Every key-value head, once for each query head that reads it.
    fn repeated(&self, x: &Tensor) -> Result<Tensor> {
        let (heads, kv_heads) = self.heads;
        if heads == kv_heads {
            return Ok(x.clone());
        }
        let (batch, length, width) = (self.batch, self.length, self.head_dim);
        x.unsqueeze(2)?
            .expand((batch, kv_heads, heads / kv_heads, length, width))?
            .reshape((batch, heads, length, width))
    }

    fn mask(&mut self, layer: usize, like: &Tensor) -> Result<Tensor> {
        let window = self.windows[layer];
        if let Some(mask) = self.masks.get(&window) {
            return Ok(mask.clone());
        }
        let reach = window.unwrap_or(self.length);
        let hidden = |row: usize, column: usize| column > row || column + reach <= row;
        let mask: Vec<f32> = (0..self.length)
            .flat_map(|row| {
                (0..self.length).map(move |column| if hidden(row, column) { f32::NEG_INFINITY } else { 0.0 })
            })
            .collect();
        let mask = Tensor::from_vec(mask, (self.length, self.length), like.device())?;
        self.masks.insert(window, mask.clone());
        Ok(mask)
    }
}

impl Attend for Whole {
    fn attend(&mut self, layer: usize, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (heads, kv_heads) = self.heads;
        let q = self.rotated(&self.by_head(q, heads)?)?;
        let k = self.repeated(&self.rotated(&self.by_head(k, kv_heads)?)?)?;
        let v = self.repeated(&self.by_head(v, kv_heads)?)?;
        let scores = (q.matmul(&k.t()?)? * (self.head_dim as f64).powf(-0.5))?;
        let mask = self.mask(layer, &scores)?;
        let scores = scores.to_dtype(DType::F32)?.broadcast_add(&mask)?;
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(v.dtype())?;
        weights.matmul(&v)?.transpose(1, 2)?.reshape((self.batch * self.length, heads * self.head_dim))
    }
}
