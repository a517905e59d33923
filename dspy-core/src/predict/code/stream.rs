//! Work by code that is seen as it goes on.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use futures_util::Stream;

use super::kit::Listener;
use crate::{
    Error, Result,
    context::{Context, Recorder},
    lm::BoxFuture,
    module::{Module, Paths, Prediction, begin, end},
    sandbox::CodeStep,
};

/// What a module does that writes code.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CodeUpdate<O> {
    /// Code was written and run.
    Step(Arc<CodeStep>),
    /// The prediction, as [`call`](crate::module::Module::call) gives it: the last update of a stream that did not fail.
    Done(Prediction<O>),
}

/// The work of a module that writes code, as it goes on.
///
/// Its items are updates, and an error at the end of a call that fails. Dropping it stops the work.
pub struct CodeStream<O> {
    /// `None` after its end.
    work: Option<BoxFuture<'static, Result<Prediction<O>>>>,
    events: Events,
    end: Option<Result<Prediction<O>>>,
}

/// The steps that were not looked at yet: shared by the work and the stream.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<VecDeque<Arc<CodeStep>>>>);

impl Events {
    fn next(&self) -> Option<Arc<CodeStep>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Listener for Events {
    fn made(&self, step: &Arc<CodeStep>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(step.clone());
    }
}

/// A module whose work can be told of.
pub(super) trait Streamed: Module + 'static {
    /// Does the work of a call.
    fn work(
        &self,
        input: Self::Input,
        listener: &dyn Listener,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// The work of a module on an input.
pub(super) fn stream<M: Streamed>(module: M, input: M::Input) -> CodeStream<M::Output> {
    let (context, events) = (Context::current(), Events::default());
    let listener = events.clone();
    let work = async move {
        let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
        let (context, observed) = begin(&module, context.recording(recorder.clone()), &input);
        let work = context.scope(module.work(input, &listener));
        let output = end(observed, work).await?;
        Ok(Prediction::new(output, recorder.take(), &|| Paths::of(&module)))
    };
    CodeStream { work: Some(Box::pin(work)), events, end: None }
}

impl<O> CodeStream<O> {
    /// The next update; `None` after the last one. Nothing is lost when this is dropped before it is done.
    pub async fn next(&mut self) -> Option<Result<CodeUpdate<O>>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Waits for the prediction.
    ///
    /// # Errors
    /// As [`call`](crate::module::Module::call).
    pub async fn finish(mut self) -> Result<Prediction<O>> {
        while let Some(update) = self.next().await {
            if let CodeUpdate::Done(prediction) = update? {
                return Ok(prediction);
            }
        }
        Err(Error::Task("the stream has ended already".into()))
    }
}

// Nothing in it is pinned but the work, which stands in a box.
impl<O> Unpin for CodeStream<O> {}

impl<O> Stream for CodeStream<O> {
    type Item = Result<CodeUpdate<O>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(step) = this.events.next() {
                return Poll::Ready(Some(Ok(CodeUpdate::Step(step))));
            }
            if let Some(end) = this.end.take() {
                return Poll::Ready(Some(end.map(CodeUpdate::Done)));
            }
            let Some(work) = this.work.as_mut() else { return Poll::Ready(None) };
            match work.as_mut().poll(task) {
                Poll::Ready(ended) => (this.work, this.end) = (None, Some(ended)),
                Poll::Pending => match this.events.next() {
                    Some(step) => return Poll::Ready(Some(Ok(CodeUpdate::Step(step)))),
                    None => return Poll::Pending,
                },
            }
        }
    }
}

impl<O> fmt::Debug for CodeStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeStream").finish_non_exhaustive()
    }
}
