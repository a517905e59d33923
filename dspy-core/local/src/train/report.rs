//! What a training tells of itself.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What becomes of a training after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It goes on.
    GoOn,
    /// It is done: the model is written as it is.
    Finish,
    /// It is stopped: a checkpoint is written, from which the same training goes on another time.
    Stop,
}

impl From<()> for Next {
    fn from((): ()) -> Self {
        Self::GoOn
    }
}

/// What a step did. Displays as one line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrainStep {
    /// Which one it is, counted from 1.
    pub step: u64,
    /// How many there are.
    pub steps: u64,
    /// The mean loss of its answers' tokens, in nats.
    pub loss: f64,
    /// Its learning rate.
    pub learning_rate: f64,
    /// How long the gradient was, before it was shortened.
    pub norm: f64,
    /// Tokens that were computed since the beginning of the training.
    pub tokens: u64,
    /// Tokens per second since this run began.
    pub tokens_per_second: f64,
    /// The loss of the validation rows, where it was computed.
    pub validation_loss: Option<f64>,
}

impl fmt::Display for TrainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} of {}: loss {:.4}", self.step, self.steps, self.loss)?;
        if let Some(loss) = self.validation_loss {
            write!(f, ", validation loss {loss:.4}")?;
        }
        write!(f, ", {:.0} tokens/s", self.tokens_per_second)
    }
}

/// A model that was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trained {
    /// Where it is.
    pub path: PathBuf,
    /// How many steps were done.
    pub steps: u64,
    /// Tokens that were computed.
    pub tokens: u64,
    /// The mean loss of the last ten steps.
    pub loss: f64,
    /// The loss of the validation rows at the end.
    pub validation_loss: Option<f64>,
}
