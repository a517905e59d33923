//! Loops over numbers that the compiler turns into vector instructions of the machine it runs on.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor};
use pulp::Arch;
use rayon::prelude::*;

/// Rows of numbers, which may be a part of longer rows.
pub(super) struct Rows<'a> {
    numbers: &'a [f32],
    start: usize,
    stride: usize,
    width: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let (stride, width) = match (layout.dims(), layout.stride()) {
            ([_, width], [stride, 1]) => (*stride, *width),
            // A single column, or a single row, may have any stride.
            ([_, 1], [stride, _]) => (*stride, 1),
            _ => candle_core::bail!("expected rows of numbers, found {layout:?}"),
        };
        Ok(Self { numbers: storage.as_slice::<f32>()?, start: layout.start_offset(), stride, width })
    }

    pub(super) fn row(&self, i: usize) -> &'a [f32] {
        let from = self.start + i * self.stride;
        &self.numbers[from..from + self.width]
    }
}

/// The numbers of a tensor in the main memory.
pub(super) fn cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(numbers) => Ok(numbers),
        _ => candle_core::bail!("expected a tensor in the main memory"),
    }
}

/// Below this many numbers a loop is done before other threads have heard of it.
const WORTH_SHARING: usize = 1 << 15;

/// `gate × sigmoid(gate) × up` (Shazeer 2020, "GLU Variants Improve Transformer").
pub(super) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let (rows, width) = gate.dims2()?;
    let (gate_storage, gate_layout) = gate.storage_and_layout();
    let (up_storage, up_layout) = up.storage_and_layout();
    let gates = Rows::new(cpu(&gate_storage)?, gate_layout)?;
    let ups = Rows::new(cpu(&up_storage)?, up_layout)?;
    let arch = Arch::new();
    let mut product = vec![0.0; rows * width];
    let one = |(i, product): (usize, &mut [f32])| {
        let (gate, up) = (gates.row(i), ups.row(i));
        arch.dispatch(
            #[inline(always)]
            || {
                for ((product, gate), up) in product.iter_mut().zip(gate).zip(up) {
                    *product = gate / (1.0 + exp(-gate)) * up;
                }
            },
        );
    };
    if rows * width < WORTH_SHARING {
        product.chunks_mut(width).enumerate().for_each(one);
    } else {
        product.par_chunks_mut(width).enumerate().for_each(one);
    }
    Tensor::from_vec(product, (rows, width), gate.device())
}

/// The exponential function, to about two units in the last place: a power of two times a polynomial (Cody & Waite
/// 1980). The library's own is not turned into vector instructions.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + 0.5).floor();
    // x - n ln 2 in two steps, the first of which is exact.
    let r = x - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    // The Taylor series to the sixth power; |r| is at most ln 2 / 2.
    let series = 1.0
        + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    series * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

/// The product of two vectors, summed in sixteen lanes.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (a_chunks, a_rest) = a.as_chunks::<16>();
    let (b_chunks, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Turns scores into weights that sum to 1.
#[inline(always)]
pub(super) fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for score in scores.iter_mut() {
        *score = exp(*score - top);
    }
    let total: f32 = scores.iter().sum();
    let scale = 1.0 / total;
    for score in scores.iter_mut() {
        *score *= scale;
    }
}

/// Adds a multiple of a vector.
#[inline(always)]
pub(super) fn add_scaled(sum: &mut [f32], scale: f32, x: &[f32]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += scale * x;
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn exp_is_the_exponential_function() {
        for i in -8000..8000 {
            let x = i as f32 * 0.01;
            let (ours, theirs) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(((ours - theirs) / theirs).abs() < 3e-7, "exp({x}) = {ours}, not {theirs}");
        }
        assert!(exp(-1e30) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn swiglu_is_what_its_parts_are() {
        let x = Tensor::randn(0f32, 2.0, (3, 10), &Device::Cpu).unwrap();
        let (gate, up) = (x.narrow(1, 0, 5).unwrap(), x.narrow(1, 5, 5).unwrap());
        let expected = (gate.silu().unwrap() * &up).unwrap();
        let diff = (swiglu(&gate, &up).unwrap() - expected).unwrap().abs().unwrap().max_all().unwrap();
        assert!(diff.to_scalar::<f32>().unwrap() < 1e-5);
    }
}
