//! The interpreter of the library.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    CodeError, CodeErrorKind, CodeInterpreter, CodeSession, Limits, Ran, Setup,
    host::{Functions, is_inside},
    link::Link,
    process::Process,
    wire::{Order, Outcome, Report, Start},
};
use crate::{lm::BoxFuture, tool::Tool};

/// How many workers there are at the same time unless set otherwise.
const WORKERS: usize = 256;

/// How much longer than it may a run is waited for, before its worker is ended.
const GRACE: Duration = Duration::from_secs(1);

static SLOTS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(WORKERS)));

/// Runs a subset of Python without access to the machine (the crate `monty`). Cheap to clone.
///
/// Code has its inputs, the host functions that it was given, the built-in types and functions, classes, and parts of the
/// modules `math`, `re`, `json`, `datetime`, `itertools`, `functools`, `collections`, `dataclasses` and a few others.
///
/// Each session has a worker, a process that is started with its first run, within some milliseconds, and ends with it.
/// See [`init`](super::init) for the one line that workers need.
#[derive(Debug, Clone)]
pub struct Python {
    limits: Limits,
    place: Place,
    slots: Arc<Semaphore>,
}

#[derive(Debug, Clone)]
enum Place {
    Workers { program: Option<PathBuf> },
    InProcess,
}

impl Python {
    /// Runs code in workers.
    pub fn new() -> Self {
        Self { limits: Limits::default(), place: Place::Workers { program: None }, slots: SLOTS.clone() }
    }

    /// Runs code in this process, for code that is trusted: what ends the interpreter (an overflow of the stack, memory
    /// that cannot be had) ends the program, memory is limited for single values only, and a run that does not heed its
    /// time limit keeps its thread. Code has no more access to the machine than in a worker.
    pub fn in_process() -> Self {
        Self { place: Place::InProcess, ..Self::new() }
    }

    /// Sets how much code may use.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the program that is started as a worker: one whose `main` begins with [`init`](super::init).
    #[must_use]
    pub fn worker(mut self, program: impl Into<PathBuf>) -> Self {
        self.place = Place::Workers { program: Some(program.into()) };
        self
    }

    /// Sets how many workers of this interpreter and its clones there are at the same time; further sessions wait. There
    /// are 256 of all interpreters together unless set. A session that a host function opens does not wait, because the
    /// one that called it would never end otherwise.
    #[must_use]
    pub fn at_most(mut self, workers: usize) -> Self {
        self.slots = Arc::new(Semaphore::new(workers.max(1)));
        self
    }
}

impl Default for Python {
    fn default() -> Self {
        Self::new()
    }
}

/// What models are told of the language.
const RULES: &str = "The code is Python 3, in a sandbox. There are the built-in types and functions, classes, and the \
    standard modules `math`, `re`, `json`, `datetime`, `itertools`, `functools`, `collections`, `dataclasses` and \
    `typing`. There are no other modules, no files, no network, no environment and no clock, and no `yield`, `match` or \
    `del`.";

impl CodeInterpreter for Python {
    fn rules(&self) -> &str {
        RULES
    }

    fn open(&self, setup: Setup) -> BoxFuture<'_, Result<Box<dyn CodeSession>, CodeError>> {
        Box::pin(async move {
            let session = Session {
                tools: setup.tools.clone().into(),
                python: self.clone(),
                setup,
                open: None,
                busy: false,
            };
            Ok(Box::new(session) as Box<dyn CodeSession>)
        })
    }
}

struct Session {
    python: Python,
    setup: Setup,
    tools: Arc<[Tool]>,
    /// What runs the code, from the first run on.
    open: Option<Open>,
    /// Whether a run has begun that did not end: it was dropped.
    busy: bool,
}

struct Open {
    link: Link,
    _slot: Option<OwnedSemaphorePermit>,
}

impl CodeSession for Session {
    fn run<'a>(&'a mut self, code: &'a str) -> BoxFuture<'a, Result<Ran, CodeError>> {
        Box::pin(async move {
            let mut functions = Functions::new(self.tools.clone(), &self.python.limits);
            let ended = self.drive(code, &mut functions).await;
            let calls = functions.into_calls();
            match ended {
                Ok(Outcome { value, printed, submitted }) => Ok(Ran { value, printed, calls, submitted }),
                Err(error) => Err(CodeError { calls, ..error }),
            }
        })
    }
}

impl Session {
    async fn drive(&mut self, code: &str, functions: &mut Functions) -> Result<Outcome, CodeError> {
        let lost = self.busy && self.open.take().is_some();
        let limits = self.python.limits;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        self.busy = true;
        let mut sent = open.link.send(Order::Run(code.to_owned())).await;
        let mut left = limits.time + GRACE;
        let ended = loop {
            if !sent {
                break Err(None);
            }
            let since = Instant::now();
            match timeout(left, open.link.report()).await {
                Err(_) => break Err(Some(())),
                Ok(None) => break Err(None),
                Ok(Some(Report::Ready)) => {}
                Ok(Some(Report::Done(outcome))) => break Ok(Ok(outcome)),
                Ok(Some(Report::Failed(failure))) => break Ok(Err(failure)),
                Ok(Some(Report::Call(call))) => {
                    left = left.saturating_sub(since.elapsed());
                    let answer = functions.answer(call).await;
                    sent = open.link.send(Order::Answer(answer)).await;
                }
            }
        };
        self.busy = false;
        let error = match ended {
            Ok(ended) => {
                self.open = Some(open);
                let error = match ended {
                    Ok(outcome) => return Ok(outcome),
                    Err(failure) => failure,
                };
                CodeError {
                    line: error.line,
                    printed: error.printed,
                    lost,
                    ..CodeError::new(error.kind, error.message)
                }
            }
            // Dropping the link ends the worker.
            Err(Some(())) => {
                let message = format!("TimeoutError: the code ran longer than {:?}", limits.time);
                CodeError { lost: true, ..CodeError::new(CodeErrorKind::Time, message) }
            }
            Err(None) => {
                let (kind, message) = open.link.end().await;
                CodeError { lost: true, ..CodeError::new(kind, message) }
            }
        };
        Err(error)
    }

    /// Starts what runs the code, and gives it the inputs.
    async fn begin(&self) -> Result<Open, CodeError> {
        let limits = self.python.limits;
        let mut open = match &self.python.place {
            Place::InProcess => Open { link: Link::thread()?, _slot: None },
            Place::Workers { program } => self.worker(program.as_deref()).await?,
        };
        let start = Start {
            inputs: self.setup.inputs.clone(),
            functions: self.tools.iter().map(|tool| tool.name().to_owned()).collect(),
            submit: self.setup.submit.clone(),
            limits,
        };
        let sent = open.link.send(Order::Start(start)).await;
        // Long inputs take their time.
        let ready = async { sent && matches!(open.link.report().await, Some(Report::Ready)) };
        if ready.await {
            return Ok(open);
        }
        let (kind, message) = open.link.end().await;
        Err(CodeError {
            lost: true,
            ..CodeError::new(kind, format!("the inputs could not be loaded: {message}"))
        })
    }

    async fn worker(&self, program: Option<&Path>) -> Result<Open, CodeError> {
        let slot = match is_inside() {
            true => None,
            // It is never closed.
            false => self.python.slots.clone().acquire_owned().await.ok(),
        };
        let process = Process::start(program, &self.python.limits).await?;
        Ok(Open { link: Link::Process(Box::new(process)), _slot: slot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_was_not_made_ready_is_told_how() {
        let mut session = Python::new().open(Setup::new()).await.unwrap();
        let error = session.run("1").await.unwrap_err();
        assert_eq!(error.kind, CodeErrorKind::Unavailable);
        assert!(error.message.contains("make `dspy::sandbox::init();` the first line of `main`"), "{error}");
    }
}
