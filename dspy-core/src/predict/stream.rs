//! Predictions as they arrive.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
};

use futures_util::Stream;
use serde::Serialize;
use serde_json::Value;

use super::{
    ask,
    shown::{News, Partial, Shown},
    sides::SidesOf,
    watch::Watch,
};
use crate::{
    Error, Result,
    context::Context,
    lm::BoxFuture,
    module::{Paths, Prediction, Predictor},
    signature::Signature,
    value::write_json,
};

/// An update of a prediction.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Update<O> {
    /// Further text of an output.
    Delta {
        /// The output's name.
        field: Arc<str>,
        /// What follows the text so far. Of an output that is text it is that text, of any other what the model wrote:
        /// [`PredictionStream::partial`] has the value.
        text: String,
    },
    /// The answer could not be used, and the model is asked again. What was shown of these outputs is void.
    Retry {
        /// The outputs that are asked for again.
        fields: Vec<Arc<str>>,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The prediction, as [`call`](crate::module::Module::call) gives it: the last update of a stream that did not
    /// fail.
    Done(Prediction<O>),
}

/// A prediction as it arrives: see [`Predict::stream`](super::Predict::stream).
///
/// Its items are updates, and an error at the end of a call that fails. Dropping it stops the request.
///
/// # What is shown when
/// Through the [`ChatAdapter`](crate::adapter::ChatAdapter) and the [`JsonAdapter`](crate::adapter::JsonAdapter) the
/// outputs are shown while the model writes them. A piece that may be the beginning of a header is held back until it is
/// known, so that no delta has text of a header. An output that was not streamed before the end of the answer arrives in
/// one delta before [`Update::Done`]: that is how other formats, and answers that miss the format but can be read, are
/// streamed. A model without streaming gives its answer in one piece, and so does the cache. Of several answers to one
/// request, the first is shown.
///
/// Deltas are a guess until the whole answer is parsed; the prediction does not depend on them.
pub struct PredictionStream<O> {
    /// `None` after its end.
    work: Option<BoxFuture<'static, Result<Prediction<O>>>>,
    watch: Watch,
    shown: Shown,
    updates: VecDeque<Update<O>>,
    end: Option<Result<Prediction<O>>>,
}

impl<O: Serialize + Send + 'static> PredictionStream<O> {
    pub(super) fn new<S: Signature<Output = O>>(predictor: Predictor, paths: Paths, input: S::Input) -> Self {
        let watch = Watch::default();
        let (shown, told) = (Shown::new(predictor.spec()), watch.clone());
        let mut sides = SidesOf::<S>::new(input);
        let context = Context::current();
        let work = async move {
            let record = context.scope(ask::call(&predictor, &mut sides, Some(told))).await?;
            Ok(Prediction::new(sides.into_output()?, record, &move || paths.clone()))
        };
        Self { work: Some(Box::pin(work)), watch, shown, updates: VecDeque::new(), end: None }
    }

    /// The outputs so far, without copying them.
    ///
    /// They go as far as the piece of the answer that the last update came from. After [`Update::Done`] they are those
    /// of the prediction.
    pub fn partial(&self) -> Partial<'_> {
        self.shown.partial()
    }

    /// The next update; `None` after the last one. Nothing is lost when this is dropped before it is done.
    pub async fn next(&mut self) -> Option<Result<Update<O>>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Waits for the prediction.
    ///
    /// # Errors
    /// As [`call`](crate::module::Module::call).
    pub async fn finish(mut self) -> Result<Prediction<O>> {
        while let Some(update) = self.next().await {
            if let Update::Done(prediction) = update? {
                return Ok(prediction);
            }
        }
        Err(Error::Task("the stream has ended already".into()))
    }
}

// Nothing in it is pinned but the work, which stands in a box.
impl<O> Unpin for PredictionStream<O> {}

impl<O: Serialize + Send + 'static> Stream for PredictionStream<O> {
    type Item = Result<Update<O>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let Self { work, watch, shown, updates, end } = &mut *self;
        loop {
            if let Some(update) = updates.pop_front() {
                return Poll::Ready(Some(Ok(update)));
            }
            let mut news = |news| {
                updates.push_back(match news {
                    News::Delta { field, text } => Update::Delta { field, text },
                    News::Retry { fields, reason } => Update::Retry { fields, reason },
                });
            };
            // One piece at a time, so that the outputs so far are those that have been told of.
            if let Some(event) = watch.next() {
                shown.take(event, &mut news);
                continue;
            }
            match (work.as_mut(), end.take()) {
                (Some(running), _) => match running.as_mut().poll(task) {
                    Poll::Ready(ended) => (*work, *end) = (None, Some(ended)),
                    Poll::Pending if watch.is_empty() => return Poll::Pending,
                    Poll::Pending => {}
                },
                (None, Some(Ok(prediction))) => {
                    if let Ok(Value::Object(whole)) = write_json(prediction.output()) {
                        shown.settle(whole, &mut news);
                    }
                    updates.push_back(Update::Done(prediction));
                }
                (None, Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                (None, None) => return Poll::Ready(None),
            }
        }
    }
}

impl<O> fmt::Debug for PredictionStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PredictionStream")
            .field("shown", &self.shown.partial().to_record())
            .finish_non_exhaustive()
    }
}
