//! Answers as they are generated.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::Stream;

use super::{Answer, BoxFuture, Delta, DeltaSink};
use crate::LmError;

/// An event of a stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A further piece of an answer.
    Delta(Delta),
    /// The whole answer: the last event of a stream that did not fail.
    Done(Answer),
}

/// An answer as it is generated: pieces, then the whole; see [`LM::stream`](super::LM::stream). Dropping it stops the
/// request.
pub struct ResponseStream {
    /// `None` after its end.
    work: Option<BoxFuture<'static, Result<Answer, LmError>>>,
    arrived: Arc<Mutex<VecDeque<Delta>>>,
    /// The end, while pieces before it are still to be handed over.
    end: Option<Result<Answer, LmError>>,
}

impl ResponseStream {
    /// A stream of the pieces that `work` hands to its sink, and of its end.
    pub(super) fn new<F>(work: impl FnOnce(Box<DeltaSink<'static>>) -> F) -> Self
    where
        F: Future<Output = Result<Answer, LmError>> + Send + 'static,
    {
        let arrived: Arc<Mutex<VecDeque<Delta>>> = Arc::default();
        let queue = arrived.clone();
        let sink = move |delta| queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(delta);
        Self { work: Some(Box::pin(work(Box::new(sink)))), arrived, end: None }
    }

    /// Waits for the next event; `None` after the last one.
    ///
    /// This method is cancel safe.
    ///
    /// ```
    /// # async fn show(lm: dspy_core::lm::LM, request: dspy_core::lm::Request) -> dspy_core::Result<()> {
    /// let mut stream = lm.stream(request);
    /// while let Some(event) = stream.next().await {
    ///     println!("{:?}", event?);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn next(&mut self) -> Option<Result<StreamEvent, LmError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the whole answer.
    ///
    /// # Errors
    /// [`LmError`] when the request fails.
    pub async fn finish(mut self) -> Result<Answer, LmError> {
        if let Some(end) = self.end.take() {
            return end;
        }
        match self.work.take() {
            Some(work) => work.await,
            None => Err(LmError::new(crate::LmErrorKind::Transport, "", "the stream has ended already")),
        }
    }
}

impl Stream for ResponseStream {
    type Item = Result<StreamEvent, LmError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(work) = &mut this.work
            && let Poll::Ready(end) = work.as_mut().poll(cx)
        {
            this.work = None;
            this.end = Some(end);
        }
        if let Some(delta) = this.arrived.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            return Poll::Ready(Some(Ok(StreamEvent::Delta(delta))));
        }
        match (this.end.take(), &this.work) {
            (Some(end), _) => Poll::Ready(Some(end.map(StreamEvent::Done))),
            (None, Some(_)) => Poll::Pending,
            (None, None) => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream").finish_non_exhaustive()
    }
}
