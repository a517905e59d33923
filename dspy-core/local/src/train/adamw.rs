//! The optimiser.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var};

/// AdamW (Loshchilov & Hutter 2017, "Decoupled Weight Decay Regularization").
pub(super) struct AdamW {
    betas: (f64, f64),
    weight_decay: f64,
    /// How many steps were done.
    pub(super) steps: u64,
    /// The moving means of each parameter's gradient and of its square.
    pub(super) moments: BTreeMap<String, [Tensor; 2]>,
}

/// Against a division by zero.
const EPSILON: f64 = 1e-8;

impl AdamW {
    pub(super) fn new(betas: (f64, f64), weight_decay: f64) -> Self {
        Self { betas, weight_decay, steps: 0, moments: BTreeMap::new() }
    }

    /// Moves the parameters against their gradients, which are in the same order, and shortened together if they are
    /// longer than `max_norm`. What comes is how long they were.
    pub(super) fn step(
        &mut self,
        vars: &BTreeMap<String, Var>,
        gradients: &[Option<Tensor>],
        rate: f64,
        max_norm: f64,
    ) -> Result<f64> {
        let mut squares = 0.0;
        for gradient in gradients.iter().flatten() {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let norm = squares.sqrt();
        let scale = if norm > max_norm { max_norm / norm } else { 1.0 };
        self.steps += 1;
        let (first, second) = self.betas;
        let age = self.steps.min(i32::MAX as u64) as i32;
        let (first_due, second_due) = (1.0 - first.powi(age), 1.0 - second.powi(age));
        for ((name, var), gradient) in vars.iter().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let gradient = (gradient * scale)?;
            let (mean, square) = match self.moments.get(name) {
                Some([mean, square]) => (mean.clone(), square.clone()),
                None => (var.zeros_like()?, var.zeros_like()?),
            };
            let mean = ((mean * first)? + (&gradient * (1.0 - first))?)?;
            let square = ((square * second)? + (gradient.sqr()? * (1.0 - second))?)?;
            let direction = (&mean / first_due)?.div(&((&square / second_due)?.sqrt()? + EPSILON)?)?;
            // Norms and biases have no weight to decay.
            let decay = if var.rank() > 1 { 1.0 - rate * self.weight_decay } else { 1.0 };
            var.set(&((var.as_tensor() * decay)? - (direction * rate)?)?)?;
            self.moments.insert(name.clone(), [mean.detach(), square.detach()]);
        }
        Ok(norm)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_bowl_is_descended() {
        let var = Var::from_tensor(&Tensor::new(&[3f32, -2.0], &Device::Cpu).unwrap()).unwrap();
        let vars = BTreeMap::from([("x".to_owned(), var.clone())]);
        let mut optimizer = AdamW::new((0.9, 0.999), 0.0);
        for _ in 0..300 {
            let loss = var.as_tensor().sqr().unwrap().sum_all().unwrap();
            let gradients = loss.backward().unwrap();
            let gradient = gradients.get(var.as_tensor()).cloned();
            optimizer.step(&vars, &[gradient], 0.05, 1e9).unwrap();
        }
        let x: Vec<f32> = var.to_vec1().unwrap();
        assert!(x.iter().all(|x| x.abs() < 0.05), "{x:?}");
    }

    #[test]
    fn the_first_step_is_the_rate_whatever_the_gradient() {
        let var = Var::from_tensor(&Tensor::new(&[1f32], &Device::Cpu).unwrap()).unwrap();
        let vars = BTreeMap::from([("x".to_owned(), var.clone())]);
        let gradient = Tensor::new(&[400f32], &Device::Cpu).unwrap();
        let norm = AdamW::new((0.9, 0.999), 0.1).step(&vars, &[Some(gradient)], 0.01, 1.0).unwrap();
        assert_eq!(norm, 400.0);
        let x: Vec<f32> = var.to_vec1().unwrap();
        assert!((x[0] - 0.99).abs() < 1e-5, "{x:?}");
    }
}
