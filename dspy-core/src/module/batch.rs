//! Many calls at once.

use std::{future::Future, sync::Arc};

use futures_util::FutureExt;
use tokio::task::JoinSet;

use super::{Module, Prediction};
use crate::{
    Error, Result,
    context::{Context, Record, Recorder},
};

/// Runs `work` for every index below `len`, at most `concurrency` at a time, and hands every result to `done` as
/// it arrives, in the order of completion. Panics become [`Error::Task`]. Steps and usage reach the surrounding
/// recorder in the order of the indices. Dropping the future stops all work.
pub(crate) async fn fan_out<T, F>(
    len: usize,
    concurrency: usize,
    work: impl Fn(usize) -> F,
    mut done: impl FnMut(usize, Result<T>) -> Flow,
) where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let context = Context::current();
    let span = tracing::Span::current();
    // Steps are put into the order of the indices, so they are held back until all calls have ended.
    let outer = context.recorder().filter(|r| r.keeps_steps()).cloned();
    let mut records: Vec<Option<Record>> = Vec::new();
    if outer.is_some() {
        records.resize_with(len, || None);
    }
    let mut running = JoinSet::new();
    let mut index_of = std::collections::HashMap::new();
    let mut next = 0;
    loop {
        while next < len && running.len() < concurrency.max(1) {
            let index = next;
            next += 1;
            let (context, recorder) = match &outer {
                None => (context.clone(), None),
                Some(outer) => {
                    let recorder = Recorder::holding_back(outer.clone());
                    (context.clone().recording(recorder.clone()), Some(recorder))
                }
            };
            let future = tracing::Instrument::instrument(context.scope(work(index)), span.clone());
            // Mapped, because an `async` block would hold the future twice.
            let handle = running.spawn(future.map(move |value| (value, recorder.map(|r| r.take()))));
            index_of.insert(handle.id(), index);
        }
        let Some(joined) = running.join_next_with_id().await else { break };
        let (id, result) = match joined {
            Ok((id, (value, record))) => {
                if let (Some(&index), Some(record)) = (index_of.get(&id), record) {
                    records[index] = Some(record);
                }
                (id, Ok(value))
            }
            Err(e) => (e.id(), Err(task_error(e))),
        };
        let Some(index) = index_of.remove(&id) else { continue };
        match done(index, result) {
            Flow::Continue => {}
            Flow::Drain => next = len,
            Flow::Stop => {
                next = len;
                running.abort_all();
            }
        }
    }
    if let Some(outer) = outer {
        for record in records.into_iter().flatten() {
            outer.absorb(record);
        }
    }
}

/// Whether a fan-out goes on.
pub(crate) enum Flow {
    /// Go on.
    Continue,
    /// Start nothing more, but let what runs come to its end, because it is paid for already.
    Drain,
    /// Start nothing more and stop what runs.
    Stop,
}

fn task_error(error: tokio::task::JoinError) -> Error {
    if !error.is_panic() {
        return Error::Task("the call was stopped".into());
    }
    let panic = error.into_panic();
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    Error::Task(format!("the program panicked: {message}"))
}

pub(super) async fn run<M: Module + 'static>(
    module: M,
    inputs: Vec<M::Input>,
) -> Vec<Result<Prediction<M::Output>>> {
    let module = Arc::new(module);
    let inputs = Arc::new(inputs);
    let mut results: Vec<Option<Result<Prediction<M::Output>>>> = Vec::new();
    results.resize_with(inputs.len(), || None);
    let concurrency = Context::current().settings().concurrency;
    fan_out(
        inputs.len(),
        concurrency,
        |i| {
            let (module, inputs) = (module.clone(), inputs.clone());
            async move { module.call(inputs[i].clone()).await }
        },
        |i, result| {
            results[i] = Some(result.and_then(|r| r));
            Flow::Continue
        },
    )
    .await;
    results
        .into_iter()
        .map(|r| r.unwrap_or_else(|| Err(Error::Task("the call was stopped".into()))))
        .collect()
}
