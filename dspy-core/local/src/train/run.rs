//! One training, from the first step to the files.

use std::{path::Path, time::Instant};

use candle_core::{DType, Device, Tensor};
use dspy_random::Rng;

use super::{
    adamw::AdamW,
    batches::{self, Plan, Rows, Sample, samples},
    checkpoint::Checkpoint,
    options::Training,
    params::{Params, Unfit},
    report::{Next, TrainStep, Trained},
};
use crate::{
    decoder::Math,
    error::{Error, Result, in_file},
    message::{Conversation, Message},
    open::{Opened, open},
};

impl Training {
    /// Trains the model in the directory `base` on conversations, and writes the tuned one into the directory `out`,
    /// which is complete or absent. After every step, `hook` is told of it, and says what is [`Next`]; a hook that
    /// returns nothing lets it go on. This computes in the calling thread, for seconds to hours.
    ///
    /// What was written is opened like every model. Weights are written as `f32`; a LoRA adapter in the files of PEFT,
    /// and the base model must then stay where it is.
    ///
    /// # Errors
    /// [`Error::File`] when the base cannot be opened, when its weights are packed, and when files cannot be written;
    /// [`Error::Training`] when a row does not fit, a setting makes no sense, or the loss is no number;
    /// [`Error::Stopped`] when the hook stopped it.
    pub fn run<C: Conversation, N: Into<Next>>(
        &self,
        base: impl AsRef<Path>,
        rows: &[C],
        validation: &[C],
        out: impl AsRef<Path>,
        mut hook: impl FnMut(&TrainStep) -> N,
    ) -> Result<Trained> {
        let (rows, validation) = (messages(rows), messages(validation));
        let mut run = Run::new(self, base.as_ref(), &rows, &validation, out.as_ref())?;
        run.train(&mut |step| hook(step).into())
    }
}

/// The messages of each row, or why it has none.
fn messages<C: Conversation>(rows: &[C]) -> Vec<Result<Vec<Message<'_>>, String>> {
    rows.iter().map(C::messages).collect()
}

struct Run<'a> {
    training: &'a Training,
    base: &'a Path,
    out: &'a Path,
    params: Params,
    samples: Vec<Sample>,
    validation: Vec<Sample>,
    plan: Plan,
    checkpoint: Checkpoint,
}

impl<'a> Run<'a> {
    fn new(
        training: &'a Training,
        base: &'a Path,
        rows: &Rows<'_>,
        validation: &Rows<'_>,
        out: &'a Path,
    ) -> Result<Self> {
        training.check().map_err(Error::Training)?;
        if !base.join("config.json").exists() {
            let why = "is no directory of a model whose weights could be trained (config.json, tokenizer.json, \
                       *.safetensors); of an adapter or a GGUF file, train the model it was made from";
            return Err(in_file(base, why));
        }
        let Opened { decoder, vocabulary, digest, .. } = open(base, &Device::Cpu, Some(DType::F32))?;
        let longest = training.max_length.unwrap_or(usize::MAX).min(decoder.config.context);
        let ends = decoder.config.eos.clone();
        let every = training.every_answer;
        let samples_of =
            |rows: &Rows<'_>| samples(&vocabulary, rows, &ends, longest, every).map_err(Error::Training);
        let (samples, validation) = (samples_of(rows)?, samples_of(validation)?);
        if samples.is_empty() {
            return Err(Error::Training("there is no row to train on".into()));
        }
        let rng = Rng::new(training.seed);
        let params =
            Params::new(decoder, training.lora.as_ref(), rng.fork("lora")).map_err(|why| match why {
                Unfit::Said(why) => in_file(base, why),
                Unfit::Computed(e) => e.into(),
            })?;
        let plan = Plan::new(samples.len(), training.batch, training.epochs, rng.fork("order"));
        let checkpoint = Checkpoint::new(out, training, &digest, &samples);
        Ok(Self { training, base, out, params, samples, validation, plan, checkpoint })
    }

    fn train(&mut self, hook: &mut dyn FnMut(&TrainStep) -> Next) -> Result<Trained> {
        let training = self.training;
        let steps = self.plan.steps().min(training.max_steps.unwrap_or(u64::MAX));
        let mut optimizer = AdamW::new(training.betas, training.weight_decay);
        let restored = self.checkpoint.restore(&self.params, &mut optimizer).map_err(Error::Training)?;
        let (from, mut tokens, mut recent) =
            restored.map_or((0, 0, Vec::new()), |r| (r.step, r.tokens, r.losses));
        let started = Instant::now();
        let before = tokens;
        let (mut validation_loss, mut done) = (None, from);
        for step in from..steps {
            let rate = training.rate(step, steps);
            let (loss, norm) = self.step(step, rate, &mut optimizer, &mut tokens)?;
            done = step + 1;
            recent.push(loss);
            let old = recent.len().saturating_sub(10);
            recent.drain(..old);
            if !loss.is_finite() {
                return Err(Error::Training(format!(
                    "the loss became {loss} in step {done}; a lower learning rate than {} may help",
                    training.learning_rate
                )));
            }
            validation_loss = None;
            if training.validate_every.is_some_and(|every| done.is_multiple_of(every)) || done == steps {
                validation_loss = self.validate()?;
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
            let next = hook(&report);
            let due = training.checkpoint_every.is_some_and(|every| done.is_multiple_of(every));
            if next == Next::Stop || (due && done < steps) {
                self.checkpoint
                    .save(&self.params, &optimizer, done, tokens, &recent)
                    .map_err(Error::Training)?;
            }
            match next {
                Next::GoOn => {}
                Next::Finish => break,
                Next::Stop => {
                    return Err(Error::Stopped { step: done, steps });
                }
            }
        }
        if validation_loss.is_none() {
            validation_loss = self.validate()?;
        }
        let trained = Trained {
            path: self.out.to_owned(),
            steps: done,
            tokens,
            loss: recent.iter().sum::<f64>() / recent.len().max(1) as f64,
            validation_loss,
        };
        self.params.save(self.base, self.out, &trained)?;
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
        let rows: Vec<&Sample> = self.plan.rows(step).map(|i| &self.samples[i]).collect();
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
    fn loss(&self, rows: &[&Sample], math: Math) -> candle_core::Result<Tensor> {
        let decoder = self.params.decoder();
        let padded = batches::padded(rows);
        let mut attend = decoder.whole(rows.len(), padded.length)?;
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
        let learnt: usize = self.validation.iter().map(Sample::learnt).sum();
        let mut total = 0.0;
        for part in batches::parts(self.validation.iter().collect(), self.training.batch_tokens) {
            total += f64::from(self.loss(&part, Math::Fast)?.to_scalar::<f32>()?);
        }
        Ok(Some(total / learnt as f64))
    }
}
