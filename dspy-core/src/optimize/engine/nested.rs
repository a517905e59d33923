//! Optimizers within optimizers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{CandidateId, Engine, Listeners, ReportBuilder, State, Stop, events};
use crate::{
    Result,
    lm::BoxFuture,
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
    /// same budget; its own seed, racing and prompt model hold for it. When it ends before its own end, the best that it
    /// has found until then is added, too.
    ///
    /// # Errors
    /// [`Stop`], as the optimizer.
    pub async fn run<O: Optimizer + ?Sized>(
        &self,
        optimizer: &O,
        student: CandidateId,
        name: &str,
    ) -> Result<CandidateId, Stop> {
        let inner = self.nested(optimizer.options(), student);
        let ended = Box::pin(optimizer.search(&inner)).await;
        let (chosen, stop) = match ended {
            Ok(chosen) => (chosen, None),
            Err(Stop::Failed(error)) => return Err(Stop::Failed(error)),
            Err(stop) => match inner.best() {
                Some((best, _)) => (best, Some(stop)),
                None => return Err(stop),
            },
        };
        let found = self.adopt(&inner, chosen, student, name);
        stop.map_or(Ok(found), Err)
    }

    fn nested(&self, mut options: super::SearchOptions, student: CandidateId) -> Self {
        let parameters = Parameters::clone(&self.parameters(student));
        let task: Arc<dyn Task> = Arc::new(Based { task: self.task.clone(), parameters });
        options.concurrency = options.concurrency.or(self.options.concurrency);
        options.prompt_model = options.prompt_model.or_else(|| self.options.prompt_model.clone());
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
            report: Arc::new(ReportBuilder::new(&self.rows)),
            listeners: Listeners { log: None, bar: events::Bar::new(options.progress), own: Vec::new() },
            rows: self.rows.clone(),
            teacher: self.teacher.clone(),
            errors: self.errors.clone(),
            exclusion: self.exclusion.clone(),
            meter: self.meter.clone(),
            state: std::sync::Mutex::new(state),
            options,
            task,
        }
    }

    /// Adds a candidate of an inner search, with its scores and notes.
    fn adopt(&self, inner: &Self, chosen: CandidateId, student: CandidateId, name: &str) -> CandidateId {
        for note in inner.report.notes() {
            self.note(format!("{name}: {note}"));
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
