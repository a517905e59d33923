//! What all optimizers share: candidates, their scores, rollouts, proposals, the budget, events and the report.

mod bootstrap;
mod cancel;
mod errors;
mod evaluate;
mod events;
mod exclude;
mod interrupt;
mod nested;
mod options;
mod propose;
mod report;
mod rollouts;
mod scores;
mod stop;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use serde_json::{Map, Value};

pub use bootstrap::{Attempts, Bootstrap, Bootstrapped};
pub use cancel::Cancellation;
pub use evaluate::Evaluated;
pub use events::Event;
pub use exclude::labeled_demo;
pub use options::SearchOptions;
pub(in crate::optimize) use options::search_options;
pub use report::{CandidateReport, Held, ProgressPoint, Report, RowChange};
pub use rollouts::{Run, SettingsChange};
pub use stop::Stop;

use self::{errors::ErrorBudget, report::ReportBuilder, scores::Scores};
use super::{Parameters, PredictorInfo, Task};
use crate::{
    Result,
    context::{self, observe::EventKind},
    data::Rng,
    lm::{Meter, Spent},
};

/// A candidate of a compile: its place in the order of proposal. 0 is the student.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CandidateId(usize);

impl CandidateId {
    /// The program as it was given.
    pub const STUDENT: Self = Self(0);

    #[cfg(test)]
    pub(in crate::optimize) fn of_index(index: usize) -> Self {
        Self(index)
    }

    /// The place in the order of proposal.
    pub fn index(self) -> usize {
        self.0
    }
}

impl fmt::Display for CandidateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Parameters that may become those of the program.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Candidate {
    /// Its place in the order of proposal.
    pub id: CandidateId,
    /// What it is called.
    pub name: String,
    /// Whom it was made from.
    pub parents: Vec<CandidateId>,
    /// The parameters.
    pub parameters: Arc<Parameters>,
}

/// Which of the task's rows are for what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rows {
    /// The rows that are learnt from.
    pub train: Vec<usize>,
    /// The rows that candidates are judged by: those of `train` when there are no others.
    pub val: Vec<usize>,
    /// The rows that the result is confirmed on, and no choice is made by; may be none.
    pub test: Vec<usize>,
}

impl Rows {
    /// Rows that are learnt from and judged by.
    pub fn new(train: Vec<usize>) -> Self {
        Self { val: train.clone(), train, test: Vec::new() }
    }

    /// Sets the rows that candidates are judged by.
    #[must_use]
    pub fn val(mut self, rows: Vec<usize>) -> Self {
        self.val = rows;
        self
    }

    /// Sets the rows that the result is confirmed on.
    #[must_use]
    pub fn test(mut self, rows: Vec<usize>) -> Self {
        self.test = rows;
        self
    }

    /// Whether candidates are judged by the very rows that are learnt from.
    pub fn judged_by_train(&self) -> bool {
        self.val == self.train
    }
}

/// What an optimizer works with: the task, the candidates and their scores, and the ways to get more of both.
///
/// What costs something can end with a [`Stop`], which an optimizer hands on with `?`: the compile then ends with the
/// best candidate that was evaluated on all validation rows, or with the one that the optimizer says [leads](Self::lead).
pub struct Engine {
    task: Arc<dyn Task>,
    teacher: Option<Arc<dyn Task>>,
    rows: Rows,
    options: SearchOptions,
    meter: Arc<Meter>,
    errors: Arc<ErrorBudget>,
    exclusion: Arc<exclude::Exclusion>,
    state: Mutex<State>,
    listeners: Arc<Listeners>,
}

#[derive(Default)]
struct State {
    candidates: Vec<Candidate>,
    scores: Scores,
    best: Option<(CandidateId, f64)>,
    leader: Option<CandidateId>,
}

/// Whoever listens: first of all the report.
struct Listeners {
    report: ReportBuilder,
    log: Option<events::Log>,
    bar: events::Bar,
    own: Vec<options::Listener>,
    /// Whether the observers of the context are told: not where another engine hears it and tells them.
    observers: bool,
}

impl Listeners {
    fn tell(&self, event: &Event) {
        self.report.see(event);
        self.bar.see(event);
        if let Some(log) = &self.log {
            log.write(event);
        }
        for listener in &self.own {
            listener(event);
        }
        if self.observers {
            context::tell(|| EventKind::Optimizer { event });
        }
    }
}

impl Engine {
    pub(super) fn new(
        task: Arc<dyn Task>,
        teacher: Option<Arc<dyn Task>>,
        rows: Rows,
        options: SearchOptions,
        meter: Arc<Meter>,
    ) -> Result<Self> {
        let student = Candidate {
            id: CandidateId::STUDENT,
            name: "student".into(),
            parents: Vec::new(),
            parameters: Arc::new(task.parameters()),
        };
        let listeners = Listeners {
            report: ReportBuilder::new(&rows),
            log: options.log.as_deref().map(events::Log::create).transpose()?,
            bar: events::Bar::new(options.progress),
            own: options.listeners.clone(),
            observers: true,
        };
        Ok(Self {
            errors: Arc::new(ErrorBudget::new(options.max_errors)),
            exclusion: Arc::new(exclude::Exclusion::new(task.clone())),
            state: Mutex::new(State { candidates: vec![student], ..State::default() }),
            listeners: Arc::new(listeners),
            task,
            teacher,
            rows,
            options,
            meter,
        })
    }

    /// The task.
    pub fn task(&self) -> &dyn Task {
        &*self.task
    }

    /// The predictors of the task.
    pub fn predictors(&self) -> &[PredictorInfo] {
        self.task.predictors()
    }

    /// Whether the compile was given a teacher besides the program.
    pub fn has_teacher(&self) -> bool {
        self.teacher.is_some()
    }

    /// The rows that are learnt from.
    pub fn train(&self) -> &[usize] {
        &self.rows.train
    }

    /// The rows that candidates are judged by.
    pub fn val(&self) -> &[usize] {
        &self.rows.val
    }

    /// The rows that the result is confirmed on: nothing may be chosen by them.
    pub fn test(&self) -> &[usize] {
        &self.rows.test
    }

    /// A row as a map of its fields.
    ///
    /// # Errors
    /// As [`Task::record`].
    pub fn record(&self, row: usize) -> Result<Map<String, Value>> {
        self.task.record(row)
    }

    /// The options of the compile.
    pub fn options(&self) -> &SearchOptions {
        &self.options
    }

    /// A generator of random numbers for one purpose: equal for equal seeds, whatever was drawn for others.
    pub fn rng(&self, purpose: &str) -> Rng {
        Rng::new(self.options.seed).fork(purpose)
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        self.meter.spent()
    }

    /// How many calls are left, when they are limited.
    pub fn calls_left(&self) -> Option<u64> {
        self.meter.calls_left()
    }

    /// Tells whoever listens that a part of the work begins, which takes so many rollouts at most.
    pub fn stage(&self, name: impl Into<String>, rollouts: impl Into<Option<usize>>) {
        self.emit(Event::Stage { name: name.into(), rollouts: rollouts.into() });
    }

    /// Tells whoever listens something worth knowing, in one sentence.
    pub fn note(&self, message: impl Into<String>) {
        self.emit(Event::Note { message: message.into() });
    }

    /// Adds a candidate.
    pub fn propose(
        &self,
        name: impl Into<String>,
        parents: impl IntoIterator<Item = CandidateId>,
        parameters: Parameters,
    ) -> CandidateId {
        let candidate = {
            let mut state = self.state();
            let candidate = Candidate {
                id: CandidateId(state.candidates.len()),
                name: name.into(),
                parents: parents.into_iter().collect(),
                parameters: Arc::new(parameters),
            };
            state.candidates.push(candidate.clone());
            candidate
        };
        self.emit(Event::proposed(&candidate));
        candidate.id
    }

    /// The candidate that has these parameters, if there is one.
    pub fn find(&self, parameters: &Parameters) -> Option<CandidateId> {
        self.state().candidates.iter().find(|c| *c.parameters == *parameters).map(|c| c.id)
    }

    /// All candidates so far.
    pub fn candidates(&self) -> Vec<Candidate> {
        self.state().candidates.clone()
    }

    /// The parameters of a candidate.
    pub fn parameters(&self, candidate: CandidateId) -> Arc<Parameters> {
        let state = self.state();
        let student = &state.candidates[CandidateId::STUDENT.0];
        state.candidates.get(candidate.0).unwrap_or(student).parameters.clone()
    }

    /// The best so far of the candidates that were evaluated on all validation rows, and its score; of equals, the one
    /// that was evaluated first.
    pub fn best(&self) -> Option<(CandidateId, f64)> {
        self.state().best
    }

    /// Says which candidate the compile ends with when it is ended early, if it is to be another than the
    /// [`best`](Self::best): for searches that run only the last candidates on all validation rows.
    pub fn lead(&self, candidate: CandidateId) {
        self.state().leader = Some(candidate);
    }

    /// What the compile ends with when it is ended early.
    pub(in crate::optimize) fn leader(&self) -> CandidateId {
        let state = self.state();
        let best = state.best.map(|(best, _)| best);
        state.leader.or(best).unwrap_or(CandidateId::STUDENT)
    }

    /// Tells whoever listens that the compile begins.
    pub(super) fn begin(&self, optimizer: &str) {
        self.emit(Event::Started {
            optimizer: optimizer.to_owned(),
            seed: self.options.seed,
            train: self.rows.train.len(),
            val: self.rows.val.len(),
            test: self.rows.test.len(),
        });
        let student = self.state().candidates.first().cloned();
        if let Some(student) = student {
            self.emit(Event::proposed(&student));
        }
    }

    /// Runs the student and the chosen candidate on the rows that no choice was made by. A budget that does not allow
    /// it is no reason to fail: the report then has no scores on them.
    pub(super) async fn confirm(&self, chosen: CandidateId) -> Result<()> {
        let rows = self.rows.test.clone();
        if rows.is_empty() {
            return Ok(());
        }
        self.stage("confirm", 2 * rows.len());
        let filled = self.interruptible(Box::pin(self.fill(&[CandidateId::STUDENT, chosen], &rows))).await;
        match filled {
            Ok(()) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Budget(why)) => {
                self.note(format!("the result was not confirmed on the held-out rows: {why}"));
                Ok(())
            }
            Err(Stop::Cancelled) => {
                self.note("the result was not confirmed on the held-out rows: the user asked for an end");
                Ok(())
            }
        }
    }

    /// Tells whoever listens that the compile has ended, and why, when not by its own end.
    pub(super) fn end(&self, reason: Option<String>) {
        self.emit(Event::Finished { reason, spent: self.spent() });
    }

    // Events are made to be told, not to be kept.
    #[allow(clippy::needless_pass_by_value)]
    fn emit(&self, event: Event) {
        self.listeners.tell(&event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}
