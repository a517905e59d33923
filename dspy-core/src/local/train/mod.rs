//! Training a local model on conversations.

mod adamw;
mod batches;
mod checkpoint;
mod options;
mod params;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

pub use self::options::{Lora, Schedule, Training};
use self::{
    adamw::AdamW,
    batches::{Lesson, Plan, lessons},
    checkpoint::Checkpoint,
    params::Params,
};
use super::{
    attention::Whole,
    failure::{Failure, in_file},
    model::Math,
    open::{Opened, open},
};
use crate::{Error, Result, data::Rng, optimize::finetune::ChatRow};

impl Training {
    /// Trains the model in the directory `base` on rows, and writes the tuned one into the directory `out`, which is
    /// complete or absent. After every step, `hook` is told of it, and says what is [`Next`]; a hook that gives nothing
    /// lets it go on. This computes in the calling thread, for seconds to hours.
    ///
    /// What was written is opened like every local model. Weights are written as `f32`; a LoRA part in the files of
    /// PEFT, beside which the base model must stay where it is.
    ///
    /// # Errors
    /// [`Error::Lm`] when the base cannot be opened, [`Error::Other`] when its weights are packed, a row does not fit,
    /// or a setting makes no sense, and when files cannot be written; [`Error::Task`] when the hook stopped it.
    pub fn run<N: Into<Next>>(
        &self,
        base: impl AsRef<Path>,
        rows: &[ChatRow],
        validation: &[ChatRow],
        out: impl AsRef<Path>,
        hook: impl FnMut(&TrainStep) -> N,
    ) -> Result<Trained> {
        let (base, out) = (base.as_ref(), out.as_ref());
        let mut run = Run::new(self, base, rows, validation, out)?;
        run.train(hook)
    }
}

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

struct Run<'a> {
    training: &'a Training,
    base: &'a Path,
    out: &'a Path,
    params: Params,
    lessons: Vec<Lesson>,
    validation: Vec<Lesson>,
    plan: Plan,
    checkpoint: Checkpoint,
}

fn failed(failure: Failure, base: &Path) -> Error {
    failure.of(&format!("local/{}", base.display())).into()
}

fn computed(error: &candle_core::Error) -> Error {
    Error::other(format!("the computation failed: {error}"))
}

impl<'a> Run<'a> {
    fn new(
        training: &'a Training,
        base: &'a Path,
        rows: &[ChatRow],
        validation: &[ChatRow],
        out: &'a Path,
    ) -> Result<Self> {
        training.check().map_err(Error::other)?;
        if !base.join("config.json").exists() {
            let why = "is no directory of a model whose weights could be trained (config.json, tokenizer.json, \
                       *.safetensors); of an adapter or a GGUF file, train the model it was made from";
            return Err(failed(in_file(base, why), base));
        }
        let opened = open(base, &Device::Cpu, Some(DType::F32)).map_err(|failure| failed(failure, base))?;
        let Opened { decoder, vocabulary, digest, .. } = opened;
        let longest = training.max_length.unwrap_or(usize::MAX).min(decoder.config.context);
        let ends = decoder.config.eos.clone();
        let every = training.every_answer;
        let lessons_of =
            |rows: &[ChatRow]| lessons(&vocabulary, rows, &ends, longest, every).map_err(Error::other);
        let (lessons, validation) = (lessons_of(rows)?, lessons_of(validation)?);
        if lessons.is_empty() {
            return Err(Error::other("there is no row to train on"));
        }
        let rng = Rng::new(training.seed);
        let params =
            Params::new(decoder, training.lora.as_ref(), rng.fork("lora")).map_err(|why| match why {
                params::Unfit::Said(why) => failed(in_file(base, why), base),
                params::Unfit::Computed(e) => computed(&e),
            })?;
        let plan = Plan::new(lessons.len(), training.batch, training.epochs, rng.fork("order"));
        let checkpoint = Checkpoint::new(out, training, &digest, &lessons);
        Ok(Self { training, base, out, params, lessons, validation, plan, checkpoint })
    }

    fn train<N: Into<Next>>(&mut self, mut hook: impl FnMut(&TrainStep) -> N) -> Result<Trained> {
        let training = self.training;
        let steps = self.plan.steps().min(training.max_steps.unwrap_or(u64::MAX));
        let mut optimizer = AdamW::new(training.betas, training.weight_decay);
        let restored = self.checkpoint.restore(&self.params, &mut optimizer).map_err(Error::other)?;
        let (from, mut tokens, mut recent) =
            restored.map_or((0, 0, Vec::new()), |r| (r.step, r.tokens, r.losses));
        let started = Instant::now();
        let before = tokens;
        let (mut validation_loss, mut done) = (None, from);
        for step in from..steps {
            let rate = training.rate(step, steps);
            let (loss, norm) =
                self.step(step, rate, &mut optimizer, &mut tokens).map_err(|e| computed(&e))?;
            done = step + 1;
            recent.push(loss);
            let old = recent.len().saturating_sub(10);
            recent.drain(..old);
            if !loss.is_finite() {
                return Err(Error::other(format!(
                    "the loss became {loss} in step {done}; a lower learning rate than {} may help",
                    training.learning_rate
                )));
            }
            validation_loss = None;
            if training.validate_every.is_some_and(|every| done.is_multiple_of(every)) || done == steps {
                validation_loss = self.validate().map_err(|e| computed(&e))?;
            }
            let report = TrainStep {
                step: done,
                steps,
                loss,
                learning_rate: rate,
                norm,
                tokens,
                tokens_per_second: (tokens - before) as f64 / started.elapsed().as_secs_f64().max(1e-9),
                validation_loss,
            };
            let next = hook(&report).into();
            let due = training.checkpoint_every.is_some_and(|every| done.is_multiple_of(every));
            if next == Next::Stop || (due && done < steps) {
                self.checkpoint
                    .save(&self.params, &optimizer, done, tokens, &recent)
                    .map_err(Error::other)?;
            }
            match next {
                Next::GoOn => {}
                Next::Finish => break,
                Next::Stop => {
                    return Err(Error::Task(format!(
                        "the training was stopped after step {done} of {steps}"
                    )));
                }
            }
        }
        if validation_loss.is_none() {
            validation_loss = self.validate().map_err(|e| computed(&e))?;
        }
        let trained = Trained {
            path: self.out.to_owned(),
            steps: done,
            tokens,
            loss: recent.iter().sum::<f64>() / recent.len().max(1) as f64,
            validation_loss,
        };
        self.params.save(self.base, self.out, &trained).map_err(|failure| failed(failure, self.base))?;
        self.checkpoint.remove();
        Ok(trained)
    }

    /// Learns from one batch. What comes is the mean loss and the length of the gradient.
    fn step(
        &mut self,
        step: u64,
        rate: f64,
        optimizer: &mut AdamW,
        tokens: &mut u64,
    ) -> candle_core::Result<(f64, f64)> {
        let rows: Vec<&Lesson> = self.plan.rows(step).map(|i| &self.lessons[i]).collect();
        let learnt: usize = rows.iter().map(|row| row.learnt()).sum();
        let (mut total, mut gradients) = (0.0, Vec::new());
        for part in batches::parts(rows, self.training.batch_tokens) {
            *tokens += part.iter().map(|row| row.len() as u64).sum::<u64>();
            let loss = self.loss(&part, Math::Differentiable)?;
            total += f64::from(loss.to_scalar::<f32>()?);
            let of_part = (loss / learnt as f64)?.backward()?;
            self.params.add(&mut gradients, &of_part)?;
        }
        let norm = optimizer.step(self.params.vars(), &gradients, rate, self.training.max_norm)?;
        Ok((total / learnt as f64, norm))
    }

    /// The summed loss of the answers' tokens of some rows.
    fn loss(&self, rows: &[&Lesson], math: Math) -> candle_core::Result<Tensor> {
        let decoder = self.params.decoder();
        let padded = batches::padded(rows);
        let mut attend = Whole::new(decoder, rows.len(), padded.length)?;
        let hidden = decoder.hidden(&padded.tokens, &mut attend, math)?;
        let places = Tensor::new(padded.places, hidden.device())?;
        let logits = decoder.logits(&hidden.index_select(&places, 0)?, math)?;
        let targets = Tensor::new(padded.targets, hidden.device())?.unsqueeze(1)?;
        let logprobs = candle_nn::ops::log_softmax(&logits, 1)?;
        logprobs.gather(&targets, 1)?.sum_all()?.neg()
    }

    fn validate(&self) -> candle_core::Result<Option<f64>> {
        if self.validation.is_empty() {
            return Ok(None);
        }
        let learnt: usize = self.validation.iter().map(Lesson::learnt).sum();
        let mut total = 0.0;
        for part in batches::parts(self.validation.iter().collect(), self.training.batch_tokens) {
            total += f64::from(self.loss(&part, Math::Fast)?.to_scalar::<f32>()?);
        }
        Ok(Some(total / learnt as f64))
    }
}
