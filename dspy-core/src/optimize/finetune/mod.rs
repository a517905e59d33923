//! Training the model itself.
//!
//! A [`FineTuner`] trains a model on [`ChatRow`]s and gives the tuned one; [`BootstrapFinetune`] makes the rows from
//! a program's runs and gives the program back with its tuned models.

mod balance;
mod groups;
mod job;
#[cfg(feature = "local")]
mod local;
mod openai;
mod program;
mod row;
mod rows;

use std::{fmt, path::PathBuf, sync::Arc};

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use job::{FineTuneJob, JobControl, TuningProgress, TuningStatus};
#[cfg(feature = "local")]
pub use local::LocalFineTuner;
pub use openai::OpenAiFineTuner;
pub use program::BootstrapFinetune;
pub use row::{ChatRow, read_jsonl, to_jsonl, write_jsonl};

use crate::lm::LM;

/// Trains models.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use dspy_core::{Result, lm::LM, optimize::finetune::{ChatRow, FineTuneTask, FineTuner}};
/// # async fn run(tuner: Arc<dyn FineTuner>, lm: LM, rows: Vec<ChatRow>) -> Result<()> {
/// let job = tuner.start(FineTuneTask::new(lm, rows).name("tickets"));
/// let tuned = job.on_progress(|progress| println!("{progress}")).await?;
/// println!("{tuned}");
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot train models",
    label = "not a tuner",
    note = "for models of OpenAI, give `OpenAiFineTuner::new()`"
)]
pub trait FineTuner: fmt::Debug + Send + Sync + 'static {
    /// Begins to train, once the job is awaited. A task that was finished or begun before, with equal
    /// [`fingerprint`](FineTuneTask::fingerprint)s, is to be taken up and not done again.
    fn start(&self, task: FineTuneTask) -> FineTuneJob;

    /// How many rows there must be.
    fn min_rows(&self) -> usize {
        1
    }

    /// How many jobs may run at a time.
    fn concurrency(&self) -> usize {
        1
    }
}

impl<T: FineTuner + ?Sized> FineTuner for Arc<T> {
    fn start(&self, task: FineTuneTask) -> FineTuneJob {
        (**self).start(task)
    }

    fn min_rows(&self) -> usize {
        (**self).min_rows()
    }

    fn concurrency(&self) -> usize {
        (**self).concurrency()
    }
}

/// What is to be trained.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FineTuneTask {
    /// The model that training starts from. What the tuner needs to reach it, such as its key, is the client's.
    pub base: LM,
    /// The rows that are learnt, in the order in which they are to be seen.
    pub rows: Arc<[ChatRow]>,
    /// The rows by which progress is measured; none for no measurement.
    pub validation: Arc<[ChatRow]>,
    /// What the tuned model is called after.
    pub name: Arc<str>,
    /// The seed of what is random in training.
    pub seed: u64,
}

impl FineTuneTask {
    /// Trains this model on these rows.
    pub fn new(base: LM, rows: impl Into<Arc<[ChatRow]>>) -> Self {
        Self { base, rows: rows.into(), validation: Arc::default(), name: "dspy".into(), seed: 0 }
    }

    /// Sets the rows by which progress is measured.
    #[must_use]
    pub fn validation(mut self, rows: impl Into<Arc<[ChatRow]>>) -> Self {
        self.validation = rows.into();
        self
    }

    /// Sets what the tuned model is called after: `dspy` unless set.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the seed: 0 unless set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What tells this task from all others: a digest (SHA-256, in hexadecimal) of the model and where it is, the
    /// rows, the name and the seed, and of `settings`, which are those of the tuner.
    pub fn fingerprint(&self, settings: &Value) -> String {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(self.base.id().as_bytes());
        add(self.base.model().endpoint().as_bytes());
        add(&to_jsonl(&*self.rows));
        add(&to_jsonl(&*self.validation));
        add(self.name.as_bytes());
        add(&self.seed.to_le_bytes());
        add(settings.to_string().as_bytes());
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A tuned model, and what is known of how it was made. Displays as one sentence.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tuned {
    /// The model.
    pub lm: LM,
    /// The identifier of the model that training started from.
    pub base: String,
    /// The job's identifier at the provider.
    pub job: Option<String>,
    /// The folder of what was learnt, which must be kept where the program is; `None` when a provider keeps it.
    pub weights: Option<PathBuf>,
    /// How many rows were learnt.
    pub rows: usize,
    /// How many tokens were trained on, in all epochs together.
    pub trained_tokens: Option<u64>,
    /// The mean loss per token at the end, in nats.
    pub loss: Option<f64>,
    /// The same for the validation rows.
    pub validation_loss: Option<f64>,
    /// Whether an earlier run had begun or finished the job, which was taken up.
    pub taken_up: bool,
}

impl Tuned {
    /// A model that was tuned by a task.
    pub fn new(lm: LM, task: &FineTuneTask) -> Self {
        Self {
            lm,
            base: task.base.id().to_owned(),
            job: None,
            weights: None,
            rows: task.rows.len(),
            trained_tokens: None,
            loss: None,
            validation_loss: None,
            taken_up: false,
        }
    }
}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was tuned from {} on {} rows", self.lm.id(), self.base, self.rows)?;
        if let Some(tokens) = self.trained_tokens {
            write!(f, ", {tokens} tokens")?;
        }
        if let Some(loss) = self.loss {
            write!(f, ", loss {loss:.4}")?;
        }
        if let Some(loss) = self.validation_loss {
            write!(f, ", validation loss {loss:.4}")?;
        }
        if let Some(job) = &self.job {
            write!(f, ", job {job}")?;
        }
        if let Some(weights) = &self.weights {
            write!(f, ", weights in {}", weights.display())?;
        }
        if self.taken_up {
            f.write_str("; an earlier run had begun it")?;
        }
        Ok(())
    }
}
