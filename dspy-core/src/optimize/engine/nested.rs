//! Optimizers within optimizers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    CandidateId, Engine, Event, Listeners, ReportBuilder, Rows, SearchOptions, State, Stop, events::Bar,
    options::Listener,
};
use crate::{
    Result,
    context::with,
    lm::{BoxFuture, Meter},
    optimize::{Candidate, Optimizer, Parameters, PredictorInfo, Rollout, Task},
};

/// A task whose student has other parameters.
struct Based {
    task: Arc<dyn Task>,
    parameters: Parameters,
}

impl Task for Based {
    fn predictors(&self) -> &[PredictorInfo] {
        self.task.predictors()
    }

    fn parameters(&self) -> Parameters {
        self.parameters.clone()
    }

    fn rows(&self) -> usize {
        self.task.rows()
    }

    fn record(&self, row: usize) -> Result<Map<String, Value>> {
        self.task.record(row)
    }

    fn rollout<'a>(
        &'a self,
        parameters: &'a Arc<Parameters>,
        row: usize,
        trace: bool,
    ) -> BoxFuture<'a, Rollout> {
        self.task.rollout(parameters, row, trace)
    }

    fn source(&self) -> Option<String> {
        self.task.source()
    }
}

impl Engine {
    /// Runs another optimizer with a candidate as its student, and adds what it finds as a candidate. It spends from the
    /// same budget; its own seed, racing and prompt model hold for it, and its own budget, too: when that is spent, its
    /// search ends, and this one goes on. When it ends before its own end, the best that it has found until then is
    /// added, too. What happens in it is told to whoever listens, but for its candidates.
    ///
    /// # Errors
    /// [`Stop`], as the optimizer.
    pub async fn run<O: Optimizer + ?Sized>(
        &self,
        optimizer: &O,
        student: CandidateId,
        name: &str,
    ) -> Result<CandidateId, Stop> {
        self.run_on(optimizer, student, name, self.rows.clone()).await
    }

    /// As [`run`](Self::run), on other rows, of which those that are learnt from are among those of this search.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_on<O: Optimizer + ?Sized>(
        &self,
        optimizer: &O,
        student: CandidateId,
        name: &str,
        rows: Rows,
    ) -> Result<CandidateId, Stop> {
        let options = optimizer.options();
        let meter = Meter::new(options.budget.clone(), Some(self.meter.clone()));
        let inner = self.nested(options, student, name, rows, meter.clone());
        let ended = with(move |c| c.meter(meter), Box::pin(optimizer.search(&inner))).await;
        let (chosen, stop) = match ended {
            Ok(chosen) => (chosen, None),
            Err(Stop::Failed(error)) => return Err(Stop::Failed(error)),
            Err(Stop::Budget(why)) if self.meter.refused().is_none() => {
                self.note(format!("{name}: ended early, {why}"));
                (inner.leader(), None)
            }
            Err(stop) => (inner.leader(), Some(stop)),
        };
        let found = self.adopt(&inner, chosen, student, name);
        stop.map_or(Ok(found), Err)
    }

    fn nested(
        &self,
        mut options: SearchOptions,
        student: CandidateId,
        name: &str,
        rows: Rows,
        meter: Arc<Meter>,
    ) -> Self {
        let parameters = Parameters::clone(&self.parameters(student));
        let task: Arc<dyn Task> = Arc::new(Based { task: self.task.clone(), parameters });
        options.concurrency = options.concurrency.or(self.options.concurrency);
        options.prompt_model = options.prompt_model.or_else(|| self.options.prompt_model.clone());
        options.failure_score = options.failure_score.or(self.options.failure_score);
        options.cancellation = self.options.cancellation.clone();
        let mut state = State {
            candidates: vec![Candidate {
                id: CandidateId::STUDENT,
                name: "student".into(),
                parents: Vec::new(),
                parameters: Arc::new(task.parameters()),
            }],
            ..State::default()
        };
        self.state().scores.copy(student, &mut state.scores, CandidateId::STUDENT);
        Self {
            listeners: Arc::new(Listeners {
                report: ReportBuilder::new(&rows),
                log: None,
                bar: Bar::new(false),
                own: vec![self.forwarding(name)],
                observers: false,
            }),
            rows,
            teacher: self.teacher.clone(),
            errors: self.errors.clone(),
            exclusion: self.exclusion.clone(),
            meter,
            state: std::sync::Mutex::new(state),
            options,
            task,
        }
    }

    /// Tells whoever listens to this search what happens in an inner one. Its candidates are not those of this search.
    fn forwarding(&self, name: &str) -> Listener {
        let (listeners, name) = (self.listeners.clone(), name.to_owned());
        Arc::new(move |event: &Event| {
            let told = match event.clone() {
                Event::Stage { name: stage, rollouts } => {
                    Event::Stage { name: format!("{name}: {stage}"), rollouts }
                }
                Event::Row { row, score, feedback, output, failed, .. } => {
                    Event::Row { candidate: None, row, score, feedback, output, failed }
                }
                Event::Note { message } => Event::Note { message: format!("{name}: {message}") },
                proposal @ Event::Proposal { .. } => proposal,
                _ => return,
            };
            listeners.tell(&told);
        })
    }

    /// Adds a candidate of an inner search, with its scores.
    fn adopt(&self, inner: &Self, chosen: CandidateId, student: CandidateId, name: &str) -> CandidateId {
        // What the inner search learnt of its student is known here, too.
        let known = self.covers(student, &self.rows.val);
        inner.state().scores.copy(CandidateId::STUDENT, &mut self.state().scores, student);
        if !known && self.covers(student, &self.rows.val) {
            self.tell_evaluated(student, &self.rows.val);
        }
        if chosen == CandidateId::STUDENT {
            return student;
        }
        let parameters = Parameters::clone(&inner.parameters(chosen));
        let found = self.propose(name, [student], parameters);
        inner.state().scores.copy(chosen, &mut self.state().scores, found);
        if self.covers(found, &self.rows.val) {
            self.tell_evaluated(found, &self.rows.val);
        }
        found
    }
}
