//! Running the task on rows.

use std::sync::Arc;

use super::{CandidateId, Engine, Event, Stop};
use crate::{
    context::{Settings, with},
    evaluate::Failure,
    lm::LM,
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

    async fn go(self, task: Arc<dyn Task>) -> Rollout {
        let change = |settings: Settings| self.change(settings);
        with(change, task.rollout(&self.parameters, self.row, self.trace)).await
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
        let (rollouts, ended) = self.rollouts_until_end(&runs).await;
        ended?;
        Ok(rollouts.into_iter().flatten().collect())
    }

    /// [`rollouts`](Self::rollouts), with those that there are when it ended before all were made.
    pub(super) async fn rollouts_until_end(&self, runs: &[Run]) -> (Vec<Option<Rollout>>, Result<(), Stop>) {
        let mut rollouts: Vec<Option<Rollout>> = Vec::new();
        if let Err(stop) = self.may_go_on() {
            return (rollouts, Err(stop));
        }
        rollouts.resize_with(runs.len(), || None);
        let work = |i: usize| {
            let run = runs[i].clone();
            let task = match &self.teacher {
                Some(teacher) if run.teacher => teacher.clone(),
                _ => self.task.clone(),
            };
            let prepared = self.prepared(run);
            async move {
                match prepared {
                    Ok(run) => run.go(task).await,
                    Err(error) => Rollout::failed(Failure::Program(error)),
                }
            }
        };
        let done = |i: usize, rollout: crate::Result<Rollout>| {
            let rollout = rollout.unwrap_or_else(|error| Rollout::failed(Failure::Program(error)));
            // A program may have gone on without an answer that was refused: what it gave is no rollout of it.
            if self.meter.refused().is_some() {
                return Flow::Drain;
            }
            let allowed = match &rollout.outcome {
                Err(failure) => self.errors.allows(failure),
                Ok(_) => true,
            };
            self.heard(&runs[i], &rollout);
            rollouts[i] = Some(rollout);
            let go_on = allowed && !self.options.cancellation.is_cancelled();
            if go_on { Flow::Continue } else { Flow::Drain }
        };
        fan_out(runs.len(), self.options.places(), work, done).await;
        let all = rollouts.iter().all(Option::is_some);
        let ended = match (self.errors.check(), self.meter.refused()) {
            (Err(error), _) => Err(Stop::Failed(error)),
            (_, Some(why)) => Err(Stop::Budget(why)),
            _ if !all => Err(Stop::Cancelled),
            _ => Ok(()),
        };
        (rollouts, ended)
    }

    fn prepared(&self, mut run: Run) -> crate::Result<Run> {
        run.parameters = self.parameters_for(&run.parameters, run.row)?;
        Ok(run)
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

    fn heard(&self, run: &Run, rollout: &Rollout) {
        let output = rollout
            .output
            .as_ref()
            .map(|output| crate::error::shorten(&output.to_string(), 600).into_owned());
        self.emit(Event::Row {
            candidate: run.candidate,
            row: run.row,
            score: rollout.score(),
            feedback: rollout.feedback(),
            output,
            failed: rollout.outcome.is_err(),
        });
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("row", &self.row).field("draw", &self.draw).finish_non_exhaustive()
    }
}
