//! The runs of one call of a program that is run again where an assertion is not met.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    guidance::Correction,
    recorder::{Attached, PredictorId, Recorded, Step, StepOutcome, next_sequence},
};
use crate::signature::Violation;

/// The maximum number of steps of a run that can be run again, which limits the memory of a program that loops.
const MAX_STEPS: usize = 10_000;

/// One call of a program: what its predictors did in this run, and what is known from those before.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The call that runs again: that of the parent for one of several branches of it.
    id: u64,
    branch: bool,
    parent: Option<Arc<Attempt>>,
    max_backtracks: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the predictors did in this run, in the order in which they began.
    log: Vec<Logged>,
    /// What they did in earlier runs and have not been asked for in this one.
    known: VecDeque<Logged>,
    /// What modules did in this run besides asking models, such as to call tools.
    done: Vec<Attached>,
    /// What they did in earlier runs and have not been asked for in this one.
    known_done: VecDeque<Attached>,
    /// There were more steps than are kept.
    overflown: bool,
    reruns: usize,
    /// Wishes that this run does not meet.
    violations: Vec<Violation>,
}

/// A step that can be replayed.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    sequence: u64,
    pub(crate) step: Arc<Step>,
    /// The answers before this one that were not accepted.
    pub(crate) corrections: Vec<Correction>,
    /// Whether this one is not accepted either.
    refused: bool,
}

impl Logged {
    pub(crate) fn new(sequence: u64, step: Arc<Step>, corrections: Vec<Correction>) -> Self {
        Self { sequence, step, corrections, refused: false }
    }

    /// The same at another place in the order.
    pub(crate) fn at(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }
}

/// What is known of a call that is about to be made.
pub(crate) enum Recall {
    /// It was made before, and this came of it.
    Replay(Logged),
    /// It was made before, and these answers were not accepted.
    Correct(Vec<Correction>),
}

/// What is left of a call that has ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    log: Vec<Logged>,
    done: Vec<Attached>,
    violations: Vec<Violation>,
}

impl Ended {
    /// The wishes that were not met.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Adds what another call did. What that did not meet does not count.
    pub(crate) fn add_work(&mut self, other: Self) {
        self.log.extend(other.log);
        self.done.extend(other.done);
    }
}

impl Attempt {
    /// The first run of a call within the runs of another one.
    pub(crate) fn new(parent: Option<Arc<Self>>, max_backtracks: usize) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, branch: false, parent, max_backtracks, state: Mutex::default() })
    }

    /// One of several branches of a call that run at the same time. What is done in it comes after what the branches
    /// before it did, once it is [absorbed](Self::absorb_branch).
    pub(crate) fn branch(parent: Arc<Self>) -> Arc<Self> {
        let (id, max_backtracks) = (parent.id, parent.max_backtracks);
        Arc::new(Self { id, branch: true, parent: Some(parent), max_backtracks, state: Mutex::default() })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// This one and those around it, the innermost first.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |attempt| attempt.parent.as_deref())
    }

    /// What is known of a call of a predictor with this input. It is known once: the second of two equal calls is the
    /// second one of the earlier run.
    pub(crate) fn recall(&self, predictor: PredictorId, input: &dyn Recorded) -> Option<Recall> {
        let mut json = None;
        for attempt in self.chain() {
            let mut state = attempt.lock();
            let mut same = |known: &Logged| {
                known.step.predictor == predictor
                    && known.step.input_json() == *json.get_or_insert_with(|| input.to_json())
            };
            let Some(at) = state.known.iter().position(&mut same) else { continue };
            let known = state.known.remove(at)?;
            return Some(match known.refused {
                true => Recall::Correct(known.corrections),
                false => Recall::Replay(known),
            });
        }
        None
    }

    /// What a module did here in an earlier run besides asking models: the first that is meant. It is known once, and is
    /// part of this run then.
    pub(crate) fn recall_done<T: Any + Send + Sync>(&self, meant: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        for attempt in self.chain() {
            let known = &mut attempt.lock().known_done;
            let found = |done: &Attached| done.downcast_ref::<T>().is_some_and(&meant);
            let Some(at) = known.iter().position(found) else { continue };
            return known.remove(at).and_then(|done| done.downcast::<T>().ok());
        }
        None
    }

    /// Keeps what a module did besides asking models, so that it is not done again when the program runs again.
    pub(crate) fn keep_done(&self, done: Attached) {
        self.lock().push_done(done);
    }

    /// Keeps what a predictor did.
    pub(crate) fn log(&self, logged: Logged) {
        self.lock().push(logged);
    }

    /// Keeps a wish that is not met.
    pub(crate) fn note(&self, violation: Violation) {
        self.lock().violations.push(violation);
    }

    /// Does not accept the last answer, or the last one of these predictors, if it may be corrected once more: gives
    /// the call that is to be run again.
    pub(crate) fn refuse(&self, among: Option<&[PredictorId]>, message: &str) -> Option<u64> {
        for attempt in self.chain() {
            let (steps, reruns, overflown) = attempt.runs();
            // A program whose inputs differ from run to run has no answer that is corrected often.
            let spent = overflown || reruns >= attempt.max_backtracks.saturating_mul(steps);
            let mut state = attempt.lock();
            let log = &mut state.log;
            let meant = |logged: &Logged| {
                matches!(logged.step.outcome, StepOutcome::Done(_))
                    && among.is_none_or(|ids| ids.contains(&logged.step.predictor))
            };
            let Some(at) = log.iter().rposition(meant) else { continue };
            let logged = &mut log[at];
            if spent || logged.corrections.len() >= attempt.max_backtracks {
                return None;
            }
            let output = logged.step.output_json().unwrap_or_default();
            logged.corrections.push(Correction { output, message: message.to_owned() });
            logged.refused = true;
            return Some(attempt.id);
        }
        None
    }

    /// How many steps there are, how often it was run again, and whether there are more steps than are kept: of a
    /// branch, with those of the whole.
    fn runs(&self) -> (usize, usize, bool) {
        let mut runs = (0, 0, false);
        for attempt in self.chain() {
            let state = attempt.lock();
            runs = (runs.0 + state.log.len(), runs.1 + state.reruns, runs.2 || state.overflown);
            if !attempt.branch {
                break;
            }
        }
        runs
    }

    /// Begins another run. Gives the steps of the one that ended.
    pub(crate) fn rewind(&self) -> Vec<Arc<Step>> {
        let mut state = self.lock();
        let State { log, known, done, known_done, reruns, violations, .. } = &mut *state;
        *reruns += 1;
        violations.clear();
        let steps = log.iter().map(|logged| logged.step.clone()).collect();
        // A call that was to be made again, and was not, is no longer part of the program's way.
        let rest = std::mem::take(known).into_iter().filter(|logged| !logged.refused);
        *known = log.drain(..).chain(rest).collect();
        let rest = std::mem::take(known_done);
        *known_done = done.drain(..).chain(rest).collect();
        steps
    }

    /// Ends the call.
    pub(crate) fn end(&self) -> Ended {
        let mut state = self.lock();
        let State { log, done, violations, .. } = &mut *state;
        Ended { log: std::mem::take(log), done: std::mem::take(done), violations: std::mem::take(violations) }
    }

    /// Takes over a call that ended within this one.
    pub(crate) fn absorb(&self, ended: Ended) {
        let mut state = self.lock();
        state.violations.extend(ended.violations);
        ended.done.into_iter().for_each(|done| state.push_done(done));
        for mut logged in ended.log {
            // Whoever refused it is gone.
            logged.refused = false;
            state.push(logged);
        }
    }

    /// Takes over a branch that has ended.
    pub(crate) fn absorb_branch(&self, branch: &Self) {
        let Ended { log, done, violations } = branch.end();
        let mut state = self.lock();
        state.violations.extend(violations);
        done.into_iter().for_each(|done| state.push_done(done));
        for logged in log {
            state.push(logged.at(next_sequence()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push_done(&mut self, done: Attached) {
        if self.done.len() < MAX_STEPS {
            self.done.push(done);
        }
    }

    fn push(&mut self, logged: Logged) {
        if self.log.len() < MAX_STEPS {
            let before = self.log.iter().rposition(|other| other.sequence <= logged.sequence);
            self.log.insert(before.map_or(0, |at| at + 1), logged);
        } else {
            self.overflown = true;
        }
    }
}
