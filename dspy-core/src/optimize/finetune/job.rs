//! A running fine-tuning: what it does now, and how it is stopped.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{self, Poll},
};

use tokio::sync::watch;

use super::Tuned;
use crate::{Error, Result, lm::BoxFuture, optimize::Cancellation};

/// Where a fine-tuning stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TuningStatus {
    /// Rows are written, uploaded or checked; nothing is trained yet.
    #[default]
    Preparing,
    /// It waits for its turn.
    Queued,
    /// The model is trained.
    Running,
    /// The tuned model is there.
    Succeeded,
    /// There is no tuned model.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl TuningStatus {
    /// The status in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for TuningStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a fine-tuning is. Displays as one line.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TuningProgress {
    /// The name of the task.
    pub name: Arc<str>,
    /// Where it stands.
    pub status: TuningStatus,
    /// The job's identifier at the provider.
    pub job: Option<Arc<str>>,
    /// How many steps of the optimiser have been done.
    pub step: Option<u64>,
    /// How many there are.
    pub steps: Option<u64>,
    /// The mean loss per token of the last step, in nats.
    pub loss: Option<f64>,
    /// The same for the validation rows.
    pub validation_loss: Option<f64>,
    /// How many tokens have been trained on.
    pub tokens: Option<u64>,
    /// What was said last.
    pub message: Option<Arc<str>>,
}

impl fmt::Display for TuningProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.status)?;
        match (self.step, self.steps) {
            (Some(step), Some(steps)) => write!(f, ", step {step} of {steps}")?,
            (Some(step), None) => write!(f, ", step {step}")?,
            _ => {}
        }
        if let Some(loss) = self.loss {
            write!(f, ", loss {loss:.4}")?;
        }
        if let Some(loss) = self.validation_loss {
            write!(f, ", validation loss {loss:.4}")?;
        }
        if let Some(tokens) = self.tokens {
            write!(f, ", {tokens} tokens")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

/// What is told of every progress.
type Listener = Box<dyn FnMut(&TuningProgress) + Send>;

/// The two ends of a running fine-tuning: the one who does it reports and looks whether it is to stop, those who wait
/// for it look how far it is and stop it. Every clone is the same.
#[derive(Clone)]
pub struct JobControl {
    progress: Arc<watch::Sender<TuningProgress>>,
    listeners: Arc<Mutex<Vec<Listener>>>,
    cancellation: Cancellation,
}

impl JobControl {
    fn new(name: Arc<str>) -> Self {
        let progress = TuningProgress { name, ..TuningProgress::default() };
        Self {
            progress: Arc::new(watch::Sender::new(progress)),
            listeners: Arc::default(),
            cancellation: Cancellation::new(),
        }
    }

    /// Changes the progress, and tells everybody. To be called from the work, also from a thread.
    pub fn report(&self, change: impl FnOnce(&mut TuningProgress)) {
        let mut changed = None;
        self.progress.send_modify(|progress| {
            change(progress);
            changed = Some(progress.clone());
        });
        let Some(progress) = changed else { return };
        tracing::debug!(%progress, "fine-tuning");
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter_mut().for_each(|listener| listener(&progress));
    }

    /// How far it is.
    pub fn progress(&self) -> TuningProgress {
        self.progress.borrow().clone()
    }

    /// The following states, from the present one on. One who waits for long sees the last of several.
    pub fn watch(&self) -> watch::Receiver<TuningProgress> {
        let mut receiver = self.progress.subscribe();
        receiver.mark_changed();
        receiver
    }

    /// Stops it. The job then ends with an error, once the work has stopped.
    pub fn cancel(&self) {
        self.cancellation.cancel();
    }

    /// Whether the work is to stop: it was cancelled, or nobody waits for it any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Waits until the work is to stop.
    pub async fn cancelled(&self) {
        self.cancellation.cancelled().await;
    }

    /// What a job that was cancelled ends with.
    pub fn cancelled_error(&self) -> Error {
        Error::Task(format!("the fine-tuning `{}` was cancelled", self.progress.borrow().name))
    }
}

impl fmt::Debug for JobControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobControl")
            .field("progress", &*self.progress.borrow())
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// A fine-tuning that runs while it is awaited, and gives the tuned model.
///
/// Dropping it stops what runs in this process. What was begun at a provider goes on there, and is paid: the tuner
/// says what becomes of it. To stop that as well, [`cancel`](Self::cancel) the job and await it.
#[must_use = "a job does nothing until it is awaited"]
pub struct FineTuneJob {
    control: JobControl,
    work: BoxFuture<'static, Result<Tuned>>,
}

impl FineTuneJob {
    /// A job called `name`, for those who write a tuner. The work reports through the control; when that says so, it
    /// stops and ends with [`JobControl::cancelled_error`].
    pub fn new<F>(name: impl Into<Arc<str>>, work: impl FnOnce(JobControl) -> F) -> Self
    where
        F: Future<Output = Result<Tuned>> + Send + 'static,
    {
        let control = JobControl::new(name.into());
        Self { work: Box::pin(work(control.clone())), control }
    }

    /// What it can be watched and stopped with while it is awaited.
    pub fn control(&self) -> JobControl {
        self.control.clone()
    }

    /// How far it is.
    pub fn progress(&self) -> TuningProgress {
        self.control.progress()
    }

    /// Calls a function with every progress.
    pub fn on_progress(self, listener: impl FnMut(&TuningProgress) + Send + 'static) -> Self {
        let mut listeners = self.control.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.push(Box::new(listener));
        drop(listeners);
        self
    }

    /// Stops it: awaiting it then ends with an error, once the work, at a provider too, has stopped.
    pub fn cancel(&self) {
        self.control.cancel();
    }
}

impl Future for FineTuneJob {
    type Output = Result<Tuned>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let result = task::ready!(self.work.as_mut().poll(cx));
        let status = match &result {
            Ok(_) => TuningStatus::Succeeded,
            Err(_) if self.control.is_cancelled() => TuningStatus::Cancelled,
            Err(_) => TuningStatus::Failed,
        };
        // One that was cancelled at the provider says so itself.
        if ![status, TuningStatus::Cancelled].contains(&self.progress().status) {
            self.control.report(|progress| progress.status = status);
        }
        Poll::Ready(result)
    }
}

impl Drop for FineTuneJob {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

impl fmt::Debug for FineTuneJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FineTuneJob").field("control", &self.control).finish_non_exhaustive()
    }
}
