//! Tasks that work off futures, one after the other.
//!
//! A task for each future would cost more than many of them do; and the tasks of a runtime are compiled for every type
//! of future, where these are compiled once.

use std::{
    any::Any,
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use tokio::{sync::Notify, task::JoinSet};
use tracing::Instrument;

use crate::{Error, Result, context::Context, error::no_runtime, lm::BoxFuture};

/// Lanes: each is a task of its own, and works on one job at a time. Dropping them stops all work.
pub(super) struct Lanes {
    context: Context,
    span: tracing::Span,
    tasks: JoinSet<()>,
    lanes: Vec<Arc<Lane>>,
    board: Arc<Board>,
    running: usize,
}

type Job = BoxFuture<'static, ()>;

#[derive(Default)]
struct Lane {
    job: Mutex<Option<Job>>,
    given: Notify,
}

/// Where lanes tell of the jobs that have ended.
#[derive(Default)]
struct Board {
    ended: Mutex<VecDeque<(usize, Ended)>>,
    news: Notify,
}

/// How a job ended.
enum Ended {
    Done,
    Panicked(String),
    /// Its task was taken down.
    Stopped,
}

impl Lanes {
    /// Lanes whose jobs run in this context and in the present span.
    ///
    /// # Errors
    /// [`Error::Context`] outside of a tokio runtime.
    pub(super) fn new(context: Context) -> Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::Context(no_runtime("Many calls at once")));
        }
        Ok(Self {
            context,
            span: tracing::Span::current(),
            tasks: JoinSet::new(),
            lanes: Vec::new(),
            board: Arc::default(),
            running: 0,
        })
    }

    /// Gives a lane that has nothing to do a job. Lanes are numbered from 0 on; the next number is a new one.
    pub(super) fn begin(&mut self, lane: usize, job: Job) {
        self.running += 1;
        if let Some(lane) = self.lanes.get(lane) {
            *lock(&lane.job) = Some(job);
            lane.given.notify_one();
            return;
        }
        let new = Arc::new(Lane { job: Mutex::new(Some(job)), given: Notify::new() });
        let worker = Worker { number: self.lanes.len(), lane: new.clone(), board: self.board.clone() };
        self.tasks.spawn(self.context.clone().scope(worker.work()).instrument(self.span.clone()));
        self.lanes.push(new);
    }

    /// The next lane whose job has ended; `None` when none is left.
    ///
    /// # Errors
    /// [`Error::Task`] when the job panicked.
    pub(super) async fn next(&mut self) -> Option<(usize, Result<()>)> {
        while self.running > 0 {
            let Some((lane, ended)) = lock(&self.board.ended).pop_front() else {
                self.board.news.notified().await;
                continue;
            };
            self.running -= 1;
            let result = match ended {
                Ended::Done => Ok(()),
                Ended::Panicked(message) => Err(Error::Task(format!("the program panicked: {message}"))),
                Ended::Stopped => Err(Error::Task("the call was stopped".into())),
            };
            return Some((lane, result));
        }
        None
    }

    /// Stops what runs. Every task tells of its job as it is taken down, begun or not.
    pub(super) fn stop(&mut self) {
        self.tasks.abort_all();
    }
}

/// The task of a lane.
struct Worker {
    number: usize,
    lane: Arc<Lane>,
    board: Arc<Board>,
}

impl Worker {
    async fn work(self) {
        loop {
            let job = lock(&self.lane.job).take();
            let Some(job) = job else {
                self.lane.given.notified().await;
                continue;
            };
            let mut report = Report { lane: self.number, board: &self.board, ended: Ended::Stopped };
            report.ended = match AssertUnwindSafe(job).catch_unwind().await {
                Ok(()) => Ended::Done,
                Err(panic) => Ended::Panicked(message(&*panic)),
            };
        }
    }
}

impl Drop for Worker {
    /// A task that is taken down may have been given a job that it has not begun.
    fn drop(&mut self) {
        if lock(&self.lane.job).take().is_some() {
            self.board.tell(self.number, Ended::Stopped);
        }
    }
}

/// Tells that a job has ended, however that comes about.
struct Report<'a> {
    lane: usize,
    board: &'a Board,
    ended: Ended,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.board.tell(self.lane, std::mem::replace(&mut self.ended, Ended::Stopped));
    }
}

impl Board {
    fn tell(&self, lane: usize, ended: Ended) {
        lock(&self.ended).push_back((lane, ended));
        self.news.notify_one();
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[test]
    fn jobs_that_have_not_begun_are_stopped_like_others() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut lanes = Lanes::new(Context::current()).unwrap();
            lanes.begin(0, Box::pin(pending()));
            lanes.begin(1, Box::pin(async {}));
            assert!(matches!(lanes.next().await, Some((1, Ok(())))));
            // One runs, one is given to a lane that waits, one to a lane that has not started.
            lanes.begin(1, Box::pin(pending()));
            lanes.begin(2, Box::pin(pending()));
            lanes.stop();
            let mut stopped = Vec::new();
            while let Some((lane, result)) = lanes.next().await {
                assert_eq!(result.unwrap_err().kind(), "task");
                stopped.push(lane);
            }
            stopped.sort_unstable();
            assert_eq!(stopped, [0, 1, 2]);
        });
    }
}
