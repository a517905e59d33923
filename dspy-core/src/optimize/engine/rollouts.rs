//! Running the task on rows.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Cancellation, CandidateId, Engine, Event, Listeners, Stop, errors::ErrorBudget, exclude::Exclusion,
};
use crate::{
    context::{Settings, settings, with},
    error::shorten,
    evaluate::Failure,
    lm::{LM, Meter},
    metric::caught,
    module::{Flow, fan_out},
    optimize::{Parameters, Rollout, Task},
};

/// How settings are changed for a run.
pub type SettingsChange = Arc<dyn Fn(Settings) -> Settings + Send + Sync>;

/// One run of the task on one row.
#[derive(Clone)]
#[non_exhaustive]
pub struct Run {
    /// With these parameters.
    pub parameters: Arc<Parameters>,
    /// On this row.
    pub row: usize,
    /// Which of several draws it is. Draws after the first have a temperature above 0; see
    /// [`temperature`](Self::temperature).
    pub draw: u64,
    /// The temperature. Without one, the first draw has that of the settings and the others 1.
    pub temperature: Option<f64>,
    /// The model of predictors that have none of their own.
    pub lm: Option<LM>,
    /// Further changes of the settings.
    pub settings: Option<SettingsChange>,
    /// Whether the steps of the predictors are reported.
    pub trace: bool,
    /// Whether the teacher runs, if there is one, instead of the student.
    pub teacher: bool,
    /// The candidate whose score this is.
    pub(super) candidate: Option<CandidateId>,
}

impl Run {
    /// A run with these parameters on a row, as the settings say, without a trace.
    pub fn new(parameters: Arc<Parameters>, row: usize) -> Self {
        Self {
            parameters,
            row,
            draw: 0,
            temperature: None,
            lm: None,
            settings: None,
            trace: false,
            teacher: false,
            candidate: None,
        }
    }

    /// Sets which of several draws it is.
    #[must_use]
    pub fn draw(mut self, draw: u64) -> Self {
        self.draw = draw;
        self
    }

    /// Sets the temperature.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Reports the steps of the predictors.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = true;
        self
    }

    fn change(&self, mut settings: Settings) -> Settings {
        if let Some(lm) = &self.lm {
            settings = settings.lm(lm.clone());
        }
        if let Some(change) = &self.settings {
            settings = change(settings);
        }
        if let Some(temperature) = self.temperature.or((self.draw > 0).then_some(1.0)) {
            let rollout = settings.rollout;
            settings = settings.temperature(temperature).rollout(rollout.wrapping_add(self.draw));
        }
        settings.trace(self.trace)
    }

    /// Runs with these parameters in place of its own.
    async fn go(&self, task: &dyn Task, parameters: &Arc<Parameters>) -> Rollout {
        let rollout = task.rollout(parameters, self.row, self.trace);
        if self.changes_nothing() {
            return rollout.await;
        }
        with(|settings| self.change(settings), rollout).await
    }

    /// Whether it runs in the settings as they are, which is so for nearly all.
    fn changes_nothing(&self) -> bool {
        self.lm.is_none()
            && self.settings.is_none()
            && self.temperature.is_none()
            && self.draw == 0
            && settings().trace == self.trace
    }
}

impl Engine {
    /// Runs the task, many rows at a time, and gives the rollouts in the order of the runs. A run on a row is made
    /// without the demonstrations that were made from this row.
    ///
    /// # Errors
    /// [`Stop`] when the budget does not allow all of them, when the user asks for an end, or when too many failed
    /// through no fault of the program. What was answered until then is in the cache.
    pub async fn rollouts(&self, runs: Vec<Run>) -> Result<Vec<Rollout>, Stop> {
        let (rollouts, ended) = self.rollouts_until_end(runs).await;
        ended?;
        Ok(rollouts.into_iter().flatten().collect())
    }

    /// [`rollouts`](Self::rollouts), with those that there are when it ended before all were made.
    pub(super) async fn rollouts_until_end(
        &self,
        runs: Vec<Run>,
    ) -> (Vec<Option<Rollout>>, Result<(), Stop>) {
        if let Err(stop) = self.may_go_on() {
            return (Vec::new(), Err(stop));
        }
        let places = self.options.places().min(runs.len());
        // Once for all, because most runs change nothing else.
        let trace = runs.first().is_some_and(|run| run.trace);
        let queue = Arc::new(Queue::new(self, runs));
        let work = |_: usize| queue.clone().work();
        let stopped = |_: usize, _: crate::Result<()>| Flow::Continue;
        with(|settings| settings.trace(trace), fan_out(places, places, work, stopped)).await;
        let rollouts = queue.take();
        let all = rollouts.iter().all(Option::is_some);
        let ended = match (self.errors.check(), self.meter.refused()) {
            (Err(error), _) => Err(Stop::Failed(error)),
            (_, Some(why)) => Err(Stop::Budget(why)),
            _ if !all => Err(Stop::Cancelled),
            _ => Ok(()),
        };
        (rollouts, ended)
    }

    /// Parameters as they may be used on a row: without the demonstrations that were made from it, or that show its
    /// answer for other reasons.
    ///
    /// # Errors
    /// As [`Task::record`].
    pub fn parameters_for(&self, parameters: &Arc<Parameters>, row: usize) -> crate::Result<Arc<Parameters>> {
        self.exclusion.for_row(parameters, row)
    }

    /// # Errors
    /// [`Stop`] when nothing more is to be begun.
    pub(super) fn may_go_on(&self) -> Result<(), Stop> {
        if self.options.cancellation.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match self.meter.refused() {
            Some(why) => Err(Stop::Budget(why)),
            None => Ok(()),
        }
    }
}

/// Runs that several workers work off. Each takes the next one itself: handing them out and collecting what they give
/// would wake a task of its own for every run.
struct Queue {
    runs: Vec<Run>,
    task: Arc<dyn Task>,
    teacher: Option<Arc<dyn Task>>,
    exclusion: Arc<Exclusion>,
    meter: Arc<Meter>,
    errors: Arc<ErrorBudget>,
    cancellation: Cancellation,
    listeners: Arc<Listeners>,
    failure_score: f64,
    state: Mutex<Progress>,
}

struct Progress {
    next: usize,
    rollouts: Vec<Option<Rollout>>,
}

impl Queue {
    fn new(engine: &Engine, runs: Vec<Run>) -> Self {
        let mut rollouts = Vec::new();
        rollouts.resize_with(runs.len(), || None);
        Self {
            runs,
            task: engine.task.clone(),
            teacher: engine.teacher.clone(),
            exclusion: engine.exclusion.clone(),
            meter: engine.meter.clone(),
            errors: engine.errors.clone(),
            cancellation: engine.options.cancellation.clone(),
            listeners: engine.listeners.clone(),
            failure_score: engine.options.failure_score.unwrap_or_default(),
            state: Mutex::new(Progress { next: 0, rollouts }),
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some((index, run)) = self.next() {
            let rollout = caught("program", self.rollout(run)).await;
            let rollout = rollout.unwrap_or_else(|error| Rollout::failed(Failure::Program(error)));
            self.ended(index, run, rollout.counted(self.failure_score));
            // A model that answers at once would keep all others from running.
            tokio::task::consume_budget().await;
        }
    }

    fn next(&self) -> Option<(usize, &Run)> {
        let mut state = self.lock();
        let index = state.next;
        let run = self.runs.get(index)?;
        state.next += 1;
        Some((index, run))
    }

    async fn rollout(&self, run: &Run) -> Rollout {
        let task = self.teacher.as_ref().filter(|_| run.teacher).unwrap_or(&self.task);
        match self.exclusion.for_row(&run.parameters, run.row) {
            Ok(parameters) => run.go(&**task, &parameters).await,
            Err(error) => Rollout::failed(Failure::Program(error)),
        }
    }

    /// Keeps what a run gave. After the last one that is allowed, no further begins; what runs comes to its end, because
    /// it is paid for.
    fn ended(&self, index: usize, run: &Run, rollout: Rollout) {
        // Held until all is told, because listeners are told of one event after the other.
        let mut state = self.lock();
        // A program may have gone on without an answer that was refused: what it gave is no rollout of it.
        if self.meter.refused().is_some() {
            state.next = self.runs.len();
            return;
        }
        let allowed = match &rollout.outcome {
            Err(failure) => self.errors.allows(failure),
            Ok(_) => true,
        };
        if !allowed || self.cancellation.is_cancelled() {
            state.next = self.runs.len();
        }
        let output = rollout.output.as_ref().map(|output| match shorten(output, 600) {
            Cow::Borrowed(_) => output.clone(),
            Cow::Owned(shortened) => shortened.into(),
        });
        self.listeners.tell(&Event::Row {
            candidate: run.candidate,
            row: run.row,
            score: rollout.score(),
            feedback: rollout.feedback(),
            output,
            failed: rollout.outcome.is_err(),
        });
        state.rollouts[index] = Some(rollout);
    }

    fn take(&self) -> Vec<Option<Rollout>> {
        std::mem::take(&mut self.lock().rollouts)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("row", &self.row).field("draw", &self.draw).finish_non_exhaustive()
    }
}
