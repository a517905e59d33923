//! Fine-tuning in this process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use dspy_local::{Conversation, Error as EngineError, Message, Next, Trained, Training};
use serde_json::json;

use super::{ChatRow, FineTuneJob, FineTuneTask, FineTuner, JobControl, Tuned, TuningStatus};
use crate::{
    Error, Result,
    lm::{LocalModel, lm_error, texts},
};

/// Trains local models in this process, and keeps what was trained in a folder.
///
/// ```no_run
/// # use dspy_core::local::{LocalFineTuner, Lora, Training};
/// let tuner = LocalFineTuner::new("weights").training(Training::new().epochs(5).lora(Lora::rank(8)));
/// ```
///
/// Each model gets a directory of its own there, named after the task and what tells it from others: the base's
/// weights, the rows, the settings and the seed. A task that was finished before is not done again; one that was
/// stopped goes on from its last checkpoint.
#[derive(Debug, Clone)]
pub struct LocalFineTuner {
    folder: PathBuf,
    training: Training,
}

/// The file that a finished training writes last.
const DONE: &str = "training.json";

impl LocalFineTuner {
    /// Keeps what it trains in this folder, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), training: Training::new() }
    }

    /// Sets how models are trained. The seed is that of the task.
    #[must_use]
    pub fn training(mut self, training: Training) -> Self {
        self.training = training;
        self
    }

    async fn work(self, task: FineTuneTask, control: JobControl) -> Result<Tuned> {
        let Some(base) = task.base.id().strip_prefix("local/").map(PathBuf::from) else {
            return Err(Error::other(format!(
                "{} is not a model in this process, so it cannot be trained here; give one called `local/<path>`, \
                 or another tuner",
                task.base.id()
            )));
        };
        let training = self.training.seed(task.seed);
        let fingerprint = task.fingerprint(&json!(training));
        let short: String = fingerprint.chars().take(12).collect();
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = task.name.chars().map(plain).collect();
        let out = self.folder.join(format!("{name}-{short}"));
        std::fs::create_dir_all(&self.folder)
            .map_err(|e| Error::other(format!("{}: cannot be made: {e}", self.folder.display())))?;
        let earlier = std::fs::read(out.join(DONE)).ok();
        let taken_up = earlier.is_some();
        let trained = match earlier {
            Some(text) => serde_json::from_slice(&text).map_err(|e| {
                Error::other(format!("{}: cannot be read: {e}; remove the folder", out.join(DONE).display()))
            })?,
            None => {
                let (task, out, control) = (task.clone(), out.clone(), control.clone());
                let run = move || train(&training, &base, &task, &out, &control);
                let ended = tokio::task::spawn_blocking(run).await;
                ended.map_err(|e| Error::Task(format!("the training ended: {e}")))??
            }
        };
        control.report(|progress| {
            progress.status = TuningStatus::Succeeded;
            progress.loss = Some(trained.loss);
        });
        let model = Arc::new(LocalModel::shared(&out)?);
        let mut tuned = Tuned::new(task.base.with_model(model), &task);
        tuned.weights = Some(out);
        tuned.trained_tokens = Some(trained.tokens);
        tuned.loss = Some(trained.loss);
        tuned.validation_loss = trained.validation_loss;
        tuned.taken_up = taken_up;
        Ok(tuned)
    }
}

fn train(
    training: &Training,
    base: &Path,
    task: &FineTuneTask,
    out: &Path,
    control: &JobControl,
) -> Result<Trained> {
    let trained = training.run(base, &task.rows, &task.validation, out, |step| {
        control.report(|progress| {
            progress.status = TuningStatus::Running;
            progress.step = Some(step.step);
            progress.steps = Some(step.steps);
            progress.loss = Some(step.loss);
            progress.tokens = Some(step.tokens);
            progress.validation_loss = step.validation_loss.or(progress.validation_loss);
        });
        if control.is_cancelled() { Next::Stop } else { Next::GoOn }
    });
    if trained.is_err() && control.is_cancelled() {
        return Err(control.cancelled_error());
    }
    trained.map_err(|error| match error {
        EngineError::File { .. } => lm_error(task.base.id(), &error).into(),
        error => error.into(),
    })
}

impl Conversation for ChatRow {
    fn messages(&self) -> Result<Vec<Message<'_>>, String> {
        if !self.tools.is_empty() {
            return Err("has tools, which a local model does not call natively".into());
        }
        texts(&self.messages)
    }
}

impl FineTuner for LocalFineTuner {
    fn start(&self, task: FineTuneTask) -> FineTuneJob {
        let tuner = self.clone();
        FineTuneJob::new(task.name.clone(), move |control| tuner.work(task, control))
    }
}
