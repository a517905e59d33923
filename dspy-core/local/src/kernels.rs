//! Loops over numbers that the compiler turns into vector instructions of the machine it runs on.

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor};
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

/// The product of two vectors, summed in sixteen lanes. (`mul_add` would call a function for each number.)
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

/// The most rows for which [`few_rows`] is faster than a product of matrices, which first copies the weight into another
/// order.
pub(super) const FEW: usize = 32;

/// `x` times the transpose of `weight`, for few rows: the weight is read once, row by row. `None` where the tensors do
/// not lie so in the main memory.
pub(super) fn few_rows(x: &Tensor, weight: &Tensor) -> Result<Option<Tensor>> {
    let (count, width) = x.dims2()?;
    let outputs = weight.dim(0)?;
    let apt = |t: &Tensor| t.device().is_cpu() && t.dtype() == DType::F32 && t.is_contiguous();
    if count > FEW || !apt(x) || !apt(weight) {
        return Ok(None);
    }
    let (x_storage, x_layout) = x.storage_and_layout();
    let (weight_storage, weight_layout) = weight.storage_and_layout();
    let xs = Rows::new(cpu(&x_storage)?, x_layout)?;
    let weights = Rows::new(cpu(&weight_storage)?, weight_layout)?;
    let arch = Arch::new();
    // Each output of all rows, then the next output.
    let mut products = vec![0.0f32; outputs * count];
    let one = |(output, products): (usize, &mut [f32])| {
        let weight = weights.row(output);
        arch.dispatch(
            #[inline(always)]
            || {
                for (row, product) in products.iter_mut().enumerate() {
                    *product = dot(weight, xs.row(row));
                }
            },
        );
    };
    if outputs * count * width < WORTH_SHARING * 4 {
        products.chunks_mut(count).enumerate().for_each(one);
    } else {
        products.par_chunks_mut(count).enumerate().with_min_len(16).for_each(one);
    }
    if count > 1 {
        let by_output = products;
        products = vec![0.0; outputs * count];
        for (row, products) in products.chunks_mut(outputs).enumerate() {
            for (output, product) in products.iter_mut().enumerate() {
                *product = by_output[output * count + row];
            }
        }
    }
    Ok(Some(Tensor::from_vec(products, (count, outputs), x.device())?))
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
    fn few_rows_give_what_many_give() {
        let weight = Tensor::randn(0f32, 1.0, (50, 37), &Device::Cpu).unwrap();
        let x = Tensor::randn(0f32, 1.0, (9, 37), &Device::Cpu).unwrap();
        let expected = x.matmul(&weight.t().unwrap()).unwrap();
        let found = few_rows(&x, &weight).unwrap().unwrap();
        let diff = (&found - expected).unwrap().abs().unwrap().max_all().unwrap();
        assert!(diff.to_scalar::<f32>().unwrap() < 1e-4);
        // A row gives the same to the last bit, alone and in company.
        let found: Vec<Vec<f32>> = found.to_vec2().unwrap();
        for (i, row) in found.iter().enumerate() {
            let alone = few_rows(&x.narrow(0, i, 1).unwrap(), &weight).unwrap().unwrap();
            assert_eq!(alone.to_vec2::<f32>().unwrap()[0], *row);
        }
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
