//! How a model is trained.

use serde::{Deserialize, Serialize};

/// How the learning rate changes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls to zero in a straight line.
    Linear,
    /// It falls to zero along half a cosine (Loshchilov & Hutter 2016).
    Cosine,
}

/// A trainable part of low rank beside frozen layers (Hu et al. 2021, "LoRA").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lora {
    /// The rank.
    pub rank: usize,
    /// The part counts `alpha / rank` times.
    pub alpha: f64,
    /// The layers that have one, by the last part of their names.
    pub targets: Vec<String>,
}

impl Lora {
    /// A part of this rank beside every linear layer but the output, counted twice.
    pub fn rank(rank: usize) -> Self {
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        Self { rank, alpha: 2.0 * rank as f64, targets: targets.map(str::to_owned).into() }
    }

    /// Sets `alpha`: the part counts `alpha / rank` times.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the layers that have a part, such as `q_proj`.
    #[must_use]
    pub fn targets<T: Into<String>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.targets = targets.into_iter().map(Into::into).collect();
        self
    }
}

/// How a local model is trained: AdamW (Loshchilov & Hutter 2017) on the mean loss of the answers' tokens.
///
/// ```no_run
/// use dspy_local::{Message, Training};
///
/// # fn f() -> dspy_local::Result<()> {
/// let rows = [[Message::user("What does a cat say?"), Message::assistant("meow")]];
/// let trained = Training::new().epochs(3).learning_rate(1e-4).run("models/base", &rows, &[], "models/tuned", |step| {
///     println!("{step}");
/// })?;
/// println!("loss {:.3}", trained.loss);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use = "nothing is trained until `run`"]
pub struct Training {
    pub(super) epochs: u64,
    pub(super) max_steps: Option<u64>,
    pub(super) batch: usize,
    pub(super) batch_tokens: usize,
    pub(super) learning_rate: f64,
    pub(super) schedule: Schedule,
    pub(super) warmup: f64,
    pub(super) weight_decay: f64,
    pub(super) betas: (f64, f64),
    pub(super) max_norm: f64,
    pub(super) max_length: Option<usize>,
    pub(super) every_answer: bool,
    pub(super) lora: Option<Lora>,
    pub(super) seed: u64,
    pub(super) checkpoint_every: Option<u64>,
    pub(super) validate_every: Option<u64>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            epochs: 3,
            max_steps: None,
            batch: 16,
            batch_tokens: 4096,
            learning_rate: 1e-4,
            schedule: Schedule::Linear,
            warmup: 0.05,
            weight_decay: 0.01,
            betas: (0.9, 0.999),
            max_norm: 1.0,
            max_length: None,
            every_answer: false,
            lora: None,
            seed: 0,
            checkpoint_every: None,
            validate_every: None,
        }
    }
}

impl Training {
    /// All weights, three epochs in batches of 16 rows, with a learning rate that rises to 1e-4 over the first 5 % of
    /// the steps and falls to zero in a straight line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how often every row is seen.
    pub fn epochs(mut self, n: u64) -> Self {
        self.epochs = n;
        self
    }

    /// Sets the most steps, whatever the epochs.
    pub fn max_steps(mut self, n: u64) -> Self {
        self.max_steps = Some(n);
        self
    }

    /// Sets how many rows a step learns from.
    pub fn batch(mut self, rows: usize) -> Self {
        self.batch = rows.max(1);
        self
    }

    /// Sets how many tokens are computed at a time, padding included (4,096). A step whose rows have more adds up the
    /// gradients of several computations, which takes less memory and gives the same.
    pub fn batch_tokens(mut self, n: usize) -> Self {
        self.batch_tokens = n.max(1);
        self
    }

    /// Sets the highest learning rate.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Sets how the learning rate changes after the warm-up.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Sets the share of the steps over which the learning rate rises.
    pub fn warmup(mut self, share: f64) -> Self {
        self.warmup = share.clamp(0.0, 1.0);
        self
    }

    /// Sets how fast matrices shrink, as a share of the learning rate (0.01).
    pub fn weight_decay(mut self, rate: f64) -> Self {
        self.weight_decay = rate;
        self
    }

    /// Sets how slowly the mean of the gradients and that of their squares move (0.9 and 0.999).
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// Sets the longest gradient: longer ones are shortened to it (1.0).
    pub fn max_norm(mut self, norm: f64) -> Self {
        self.max_norm = norm;
        self
    }

    /// Sets the longest row, in tokens: the model's context unless set.
    pub fn max_length(mut self, tokens: usize) -> Self {
        self.max_length = Some(tokens);
        self
    }

    /// Learns every message of the assistant, and not the last of each row alone.
    pub fn every_answer(mut self) -> Self {
        self.every_answer = true;
        self
    }

    /// Trains a part of low rank and leaves the weights as they are. What is written is the part alone.
    pub fn lora(mut self, lora: Lora) -> Self {
        self.lora = Some(lora);
        self
    }

    /// Sets the seed of the order of rows, and of what is random in the beginning.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Writes a checkpoint after each so many steps. A run that was stopped goes on from it, to the very same end.
    pub fn checkpoint_every(mut self, steps: u64) -> Self {
        self.checkpoint_every = Some(steps.max(1));
        self
    }

    /// Computes the loss of the validation rows after each so many steps, and at the end.
    pub fn validate_every(mut self, steps: u64) -> Self {
        self.validate_every = Some(steps.max(1));
        self
    }

    /// Whether a learning rate, share or size makes no sense.
    pub(super) fn check(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(format!("the {name} is {value}, but must be above 0")),
        };
        positive("learning rate", self.learning_rate)?;
        positive("longest gradient", self.max_norm)?;
        if let Some(lora) = &self.lora {
            positive("rank of the LoRA part", lora.rank as f64)?;
        }
        if self.epochs == 0 || self.max_steps == Some(0) {
            return Err("there is no step to train; set 1 epoch or more".into());
        }
        Ok(())
    }

    /// The learning rate of a step, counted from 0.
    pub(super) fn rate(&self, step: u64, steps: u64) -> f64 {
        let warmup = (self.warmup * steps as f64).ceil();
        let (step, steps) = (step as f64, steps as f64);
        if step < warmup {
            return self.learning_rate * (step + 1.0) / warmup;
        }
        let done = (step - warmup) / (steps - warmup).max(1.0);
        self.learning_rate
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Linear => 1.0 - done,
                Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        let training = Training::new().learning_rate(1.0).warmup(0.2);
        let rates = |t: &Training| -> Vec<f64> { (0..10).map(|step| t.rate(step, 10)).collect() };
        assert_eq!(rates(&training)[..3], [0.5, 1.0, 1.0]);
        assert_eq!(rates(&training)[9], 0.125);
        assert_eq!(rates(&training.clone().schedule(Schedule::Constant))[9], 1.0);
        let cosine = rates(&training.schedule(Schedule::Cosine));
        assert!((cosine[6] - 0.5).abs() < 1e-9 && cosine[9] < 0.05, "{cosine:?}");
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        assert!(Training::new().learning_rate(0.0).check().unwrap_err().contains("learning rate is 0"));
        assert!(Training::new().epochs(0).check().unwrap_err().contains("no step"));
        assert!(Training::new().lora(Lora::rank(0)).check().unwrap_err().contains("rank"));
    }
}
