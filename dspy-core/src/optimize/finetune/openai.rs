//! Fine-tuning at OpenAI, or where its API is spoken.

use std::{collections::HashSet, future::Future, time::Duration};

use futures_util::future::{Either, select};
use serde_json::{Map, Value, json};

use super::{ChatRow, FineTuneJob, FineTuneTask, FineTuner, JobControl, Tuned, TuningStatus, to_jsonl};
use crate::{
    Error, LmError, LmErrorKind, Result,
    error::shorten,
    lm::{LM, RemoteJob, RetryPolicy, TuningApi, TuningEvent},
};

/// The entry in a job's metadata that tells which task it does.
const FINGERPRINT: &str = "dspy_task";
/// The fewest rows that OpenAI trains on.
const MIN_ROWS: usize = 10;
/// The longest suffix of a model's name.
const MAX_SUFFIX: usize = 64;

/// Trains models at OpenAI, or at another server that speaks its files and fine-tuning API: the one that the model is
/// asked at, with the key that it is asked with.
///
/// Nothing that was paid is lost. A job carries a fingerprint of its task (model, rows, settings). Before one is
/// created, the jobs at the provider are looked through for one that does the same task and is not lost; it is taken up
/// where it is. So a compile that was killed, whenever that was and wherever it is started again, waits for the job
/// that it had begun, or has the model at once if it is done.
///
/// Dropping the future of a job leaves the job at the provider, with a warning that names it. To stop and not pay it
/// further, cancel: [`FineTuneJob::cancel`], [`BootstrapFinetune::cancelled_by`](super::BootstrapFinetune::cancelled_by),
/// or [`cancel_job`](Self::cancel_job) with its identifier.
#[must_use = "a tuner does nothing until a task is started"]
#[derive(Debug, Clone)]
pub struct OpenAiFineTuner {
    epochs: Option<u32>,
    batch_size: Option<u32>,
    learning_rate_multiplier: Option<f64>,
    poll: (Duration, Duration),
    take_up: bool,
    delete_files: bool,
    concurrency: usize,
}

impl Default for OpenAiFineTuner {
    fn default() -> Self {
        Self {
            epochs: None,
            batch_size: None,
            learning_rate_multiplier: None,
            poll: (Duration::from_secs(5), Duration::from_secs(60)),
            take_up: true,
            delete_files: false,
            concurrency: 3,
        }
    }
}

impl OpenAiFineTuner {
    /// Leaves epochs, batch size and learning rate to the provider; asks after a job every 5 s at first, every minute
    /// in the end.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how often all rows are learnt.
    pub fn epochs(mut self, n: u32) -> Self {
        self.epochs = Some(n);
        self
    }

    /// Sets how many rows make a step.
    pub fn batch_size(mut self, rows: u32) -> Self {
        self.batch_size = Some(rows);
        self
    }

    /// Sets what the provider's learning rate is multiplied by.
    pub fn learning_rate_multiplier(mut self, factor: f64) -> Self {
        self.learning_rate_multiplier = Some(factor);
        self
    }

    /// Sets how long to wait before asking after a job again: at first, and at most; each wait is half as long again as
    /// the one before.
    pub fn poll(mut self, first: Duration, most: Duration) -> Self {
        self.poll = (first, most.max(first));
        self
    }

    /// Sets whether a job of an earlier run that does the same is taken up, as it is unless set.
    pub fn take_up(mut self, yes: bool) -> Self {
        self.take_up = yes;
        self
    }

    /// Sets whether the files of rows are deleted at the provider once the model is trained. They are kept unless set.
    pub fn delete_files(mut self, yes: bool) -> Self {
        self.delete_files = yes;
        self
    }

    /// Sets how many jobs of one compile may run at a time (3).
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// Stops a job by its identifier. `base` is the model that it trains.
    ///
    /// # Errors
    /// [`Error::Lm`] when the provider refuses, such as for a job that has ended.
    pub async fn cancel_job(&self, base: &LM, id: &str) -> Result<()> {
        let api = base.tuning_api()?;
        persistently(base.retry_policy(), || api.cancel(id)).await?;
        Ok(())
    }

    /// What of the settings makes a difference to the tuned model.
    fn settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                settings.insert(name.to_owned(), value);
            }
        };
        set("n_epochs", self.epochs.map(Value::from));
        set("batch_size", self.batch_size.map(Value::from));
        set("learning_rate_multiplier", self.learning_rate_multiplier.map(Value::from));
        settings
    }
}

impl FineTuner for OpenAiFineTuner {
    fn start(&self, task: FineTuneTask) -> FineTuneJob {
        let tuner = self.clone();
        FineTuneJob::new(task.name.clone(), |control| async move {
            let api = task.base.tuning_api()?;
            Run { tuner, api, task, control }.run().await
        })
    }

    fn min_rows(&self) -> usize {
        MIN_ROWS
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// One task at work.
struct Run {
    tuner: OpenAiFineTuner,
    api: TuningApi,
    task: FineTuneTask,
    control: JobControl,
}

impl Run {
    async fn run(self) -> Result<Tuned> {
        if self.task.rows.len() < MIN_ROWS {
            return Err(Error::other(format!(
                "OpenAI trains on {MIN_ROWS} rows or more, but there are {}",
                self.task.rows.len()
            )));
        }
        let settings = Value::Object(self.tuner.settings());
        let fingerprint = self.task.fingerprint(&settings);
        let earlier = match self.tuner.take_up {
            true => self.unless_cancelled(self.earlier(&fingerprint)).await?,
            false => None,
        };
        let taken_up = earlier.is_some();
        let job = match earlier {
            Some(job) => job,
            None => self.begin(&fingerprint).await?,
        };
        let mut tuned = self.follow(job).await?;
        tuned.taken_up = taken_up;
        Ok(tuned)
    }

    /// A job that does this task, and that has not been in vain.
    async fn earlier(&self, fingerprint: &str) -> Result<Option<RemoteJob>> {
        let jobs = match self.persistently(|| self.api.jobs_with(FINGERPRINT, fingerprint)).await {
            Ok(jobs) => jobs,
            // A server without such a list has nothing to be taken up.
            Err(error) if matches!(error.kind, LmErrorKind::NotFound | LmErrorKind::InvalidRequest) => {
                tracing::debug!(%error, "earlier jobs cannot be looked for");
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        for job in jobs {
            match (status(&job), &job.fine_tuned_model) {
                (TuningStatus::Failed | TuningStatus::Cancelled, _) => {}
                (TuningStatus::Succeeded, None) => {}
                // The model may have been deleted since.
                (TuningStatus::Succeeded, Some(model)) => {
                    if self.persistently(|| self.api.has_model(model)).await? {
                        return Ok(Some(job));
                    }
                }
                _ => return Ok(Some(job)),
            }
        }
        Ok(None)
    }

    /// Uploads the rows and creates a job.
    async fn begin(&self, fingerprint: &str) -> Result<RemoteJob> {
        let training = self.upload("train", &self.task.rows).await?;
        let validation = match self.task.validation.is_empty() {
            true => None,
            false => Some(self.upload("validation", &self.task.validation).await?),
        };
        let mut body = json!({
            "model": self.api.model(),
            "training_file": training,
            "suffix": suffix(&self.task.name),
            // The largest seed that the API takes.
            "seed": self.task.seed % (1 << 31),
            "metadata": { FINGERPRINT: fingerprint },
        });
        let settings = self.tuner.settings();
        if let Value::Object(body) = &mut body {
            body.extend(validation.map(|file| ("validation_file".to_owned(), Value::from(file))));
            if !settings.is_empty() {
                let method = json!({ "type": "supervised", "supervised": { "hyperparameters": settings } });
                body.insert("method".into(), method);
            }
        }
        self.create(&body, fingerprint, &training).await
    }

    async fn upload(&self, what: &str, rows: &[ChatRow]) -> Result<String> {
        self.control.report(|p| {
            p.status = TuningStatus::Preparing;
            p.message = Some(format!("uploading {} rows ({what})", rows.len()).into());
        });
        let (name, content) = (format!("{}-{what}.jsonl", suffix(&self.task.name)), to_jsonl(rows));
        self.unless_cancelled(async { Ok(self.persistently(|| self.api.upload(&name, &content)).await?) })
            .await
    }

    /// Creates the job once. When the answer is lost, the job may be there all the same; then it is found.
    async fn create(&self, body: &Value, fingerprint: &str, training: &str) -> Result<RemoteJob> {
        let mut attempts = 0;
        loop {
            if self.control.is_cancelled() {
                return Err(self.control.cancelled_error());
            }
            attempts += 1;
            let mut error = match self.api.create(body).await {
                Ok(job) => return Ok(job),
                Err(error) => error,
            };
            error.attempts = attempts;
            let Some(delay) = self.policy().delay(attempts, &error) else { return Err(error.into()) };
            tokio::time::sleep(delay).await;
            let jobs = self.persistently(|| self.api.jobs_with(FINGERPRINT, fingerprint)).await;
            let same = |job: &RemoteJob| job.training_file.as_deref() == Some(training);
            if let Some(job) = jobs.unwrap_or_default().into_iter().find(same) {
                return Ok(job);
            }
        }
    }

    /// Waits for a job to end.
    async fn follow(&self, mut job: RemoteJob) -> Result<Tuned> {
        let mut running = Running { id: job.id.clone(), name: &self.task.name, left: true };
        self.control.report(|p| {
            p.job = Some(job.id.as_str().into());
            p.message = None;
        });
        let (mut seen, mut wait) = (HashSet::new(), self.tuner.poll.0);
        loop {
            self.tell(&job, &mut seen).await;
            match status(&job) {
                TuningStatus::Succeeded => {
                    running.left = false;
                    return self.finish(job).await;
                }
                TuningStatus::Failed => {
                    running.left = false;
                    return Err(self.failed(&job).into());
                }
                TuningStatus::Cancelled => {
                    running.left = false;
                    let message = format!("the job {} was cancelled at the provider", job.id);
                    return Err(Error::Task(message));
                }
                _ => {}
            }
            let next = async {
                tokio::time::sleep(wait).await;
                self.persistently(|| self.api.job(&job.id)).await
            };
            let next = match select(Box::pin(next), Box::pin(self.control.cancelled())).await {
                Either::Left((next, _)) => next,
                Either::Right(_) => {
                    running.left = false;
                    return Err(self.cancel(&job.id).await);
                }
            };
            job = next.map_err(|mut error| {
                running.left = false;
                error.message.push_str(&format!(
                    "; the job {} goes on at the provider, and the same compile takes it up again",
                    job.id
                ));
                error
            })?;
            wait = wait.mul_f64(1.5).min(self.tuner.poll.1);
        }
    }

    /// Tells how far a job is. That events cannot be had is no harm.
    async fn tell(&self, job: &RemoteJob, seen: &mut HashSet<String>) {
        let events = match self.api.events(&job.id, |event| !seen.contains(&event.id)).await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, "the job's events cannot be read");
                Vec::new()
            }
        };
        for event in events {
            self.control.report(|p| {
                // What happened before an early end must not look like it.
                p.status = if status(job).is_final() { p.status } else { status(job) };
                apply(&event, p);
            });
            seen.insert(event.id);
        }
        let (status, tokens) = (status(job), job.trained_tokens);
        let now = self.control.progress();
        if (now.status, now.tokens) != (status, tokens.or(now.tokens)) {
            self.control.report(|p| {
                p.status = status;
                p.tokens = tokens.or(p.tokens);
            });
        }
    }

    async fn finish(&self, job: RemoteJob) -> Result<Tuned> {
        let Some(name) = &job.fine_tuned_model else {
            let message = format!("the job {} has succeeded, but names no model", job.id);
            return Err(self.api.unreadable(message).into());
        };
        if self.tuner.delete_files {
            for file in job.training_file.iter().chain(&job.validation_file) {
                if let Err(error) = self.persistently(|| self.api.delete_file(file)).await {
                    tracing::warn!(%error, file, "a file of rows could not be deleted at the provider");
                }
            }
        }
        let progress = self.control.progress();
        let mut tuned = Tuned::new(self.task.base.tuned(name)?, &self.task);
        tuned.trained_tokens = job.trained_tokens;
        tuned.loss = progress.loss;
        tuned.validation_loss = progress.validation_loss;
        tuned.job = Some(job.id);
        Ok(tuned)
    }

    fn failed(&self, job: &RemoteJob) -> LmError {
        let fault = job.error.clone().unwrap_or_default();
        let mut message = format!("the fine-tuning job {} failed", job.id);
        match fault.message.as_deref().map(str::trim).filter(|m| !m.is_empty()) {
            Some(reason) => message.push_str(&format!(": {}", shorten(reason, 600))),
            None => message.push_str("; the provider gave no reason"),
        }
        let named: Vec<String> = [("code", fault.code), ("param", fault.param)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", shorten(&value?, 80))))
            .collect();
        if !named.is_empty() {
            message.push_str(&format!(" ({})", named.join(", ")));
        }
        LmError::new(LmErrorKind::InvalidRequest, self.task.base.id(), message)
    }

    /// Cancels a job. What it is to end with is the error.
    async fn cancel(&self, id: &str) -> Error {
        let Err(mut error) = self.persistently(|| self.api.cancel(id)).await else {
            return self.control.cancelled_error();
        };
        // A job that has ended meanwhile cannot be cancelled and need not be.
        match self.persistently(|| self.api.job(id)).await {
            Ok(job) if status(&job).is_final() => self.control.cancelled_error(),
            _ => {
                error.message.push_str(&format!(
                    "; the job {id} may go on and be paid: cancel it with `OpenAiFineTuner::cancel_job` or at {}",
                    self.api.api_base()
                ));
                error.into()
            }
        }
    }

    async fn unless_cancelled<R>(&self, work: impl Future<Output = Result<R>>) -> Result<R> {
        match select(Box::pin(work), Box::pin(self.control.cancelled())).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(self.control.cancelled_error()),
        }
    }

    fn policy(&self) -> &RetryPolicy {
        self.task.base.retry_policy()
    }

    async fn persistently<R, F: Future<Output = Result<R, LmError>>>(
        &self,
        ask: impl FnMut() -> F,
    ) -> Result<R, LmError> {
        persistently(self.policy(), ask).await
    }
}

/// Asks until there is an answer or no hope.
async fn persistently<R, F: Future<Output = Result<R, LmError>>>(
    policy: &RetryPolicy,
    mut ask: impl FnMut() -> F,
) -> Result<R, LmError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        error.attempts = attempts;
        let Some(delay) = policy.delay(attempts, &error) else { return Err(error) };
        tracing::debug!(%error, attempts, ?delay, "trying again");
        tokio::time::sleep(delay).await;
    }
}

/// Warns when nobody waits for a job any more that goes on.
struct Running<'a> {
    id: String,
    name: &'a str,
    left: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.left {
            tracing::warn!(
                job = %self.id,
                name = self.name,
                "the fine-tuning job goes on at the provider and is paid; the same compile takes it up again, and \
                 `OpenAiFineTuner::cancel_job` stops it"
            );
        }
    }
}

fn status(job: &RemoteJob) -> TuningStatus {
    match job.status.as_str() {
        "validating_files" => TuningStatus::Preparing,
        "queued" | "paused" => TuningStatus::Queued,
        "succeeded" => TuningStatus::Succeeded,
        "failed" => TuningStatus::Failed,
        "cancelled" => TuningStatus::Cancelled,
        _ => TuningStatus::Running,
    }
}

fn apply(event: &TuningEvent, progress: &mut super::TuningProgress) {
    let number = |key: &str| event.data.as_ref().and_then(|data| data.get(key));
    let whole = |key: &str| number(key).and_then(Value::as_u64);
    let real = |key: &str| number(key).and_then(Value::as_f64);
    progress.step = whole("step").or(progress.step);
    progress.steps = whole("total_steps").or(progress.steps);
    progress.loss = real("train_loss").or(progress.loss);
    progress.validation_loss = real("full_valid_loss").or(real("valid_loss")).or(progress.validation_loss);
    progress.message = event.message.as_deref().map(|m| shorten(m, 300).into());
}

/// A name as it may stand in that of a model.
fn suffix(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let text: String = name.chars().map(allowed).collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    let mut suffix = parts.join("-");
    suffix.truncate(MAX_SUFFIX);
    let suffix = suffix.trim_end_matches('-');
    if suffix.is_empty() { "dspy".to_owned() } else { suffix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_names() {
        assert_eq!(suffix("tickets-hops[0].query"), "tickets-hops-0-query");
        assert_eq!((suffix(""), suffix("été")), ("dspy".into(), "t".into()));
        assert_eq!(suffix(&"a-".repeat(90)).len(), 63);
    }
}
