//! Predictions as they arrive.

use std::{convert::Infallible, sync::Arc};

use serde::Serialize;

use super::{
    ask,
    progress::{Events, Progress, StreamUpdate, stream},
    shown::{News, Partial},
    sides::SidesOf,
};
use crate::{
    context::Context,
    module::{Paths, Prediction, Predictor},
    signature::Signature,
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

impl<O> StreamUpdate<O> for Update<O> {
    type Event = Infallible;

    fn news(news: News, _: bool) -> Option<Self> {
        Some(match news {
            News::Delta { field, text } => Self::Delta { field, text },
            News::Retry { fields, reason } => Self::Retry { fields, reason },
        })
    }

    fn happened(event: Infallible) -> Self {
        match event {}
    }

    fn done(prediction: Prediction<O>) -> Self {
        Self::Done(prediction)
    }

    fn into_done(self) -> Option<Prediction<O>> {
        match self {
            Self::Done(prediction) => Some(prediction),
            _ => None,
        }
    }
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
pub struct PredictionStream<O>(Progress<O, Update<O>>);

impl<O: Serialize + Send + 'static> PredictionStream<O> {
    pub(super) fn new<S: Signature<Output = O>>(predictor: Predictor, paths: Paths, input: S::Input) -> Self {
        let events = Events::new();
        let (spec, told) = (predictor.spec().clone(), events.asks(0));
        let mut sides = SidesOf::<S>::new(input);
        let context = Context::current();
        let work = async move {
            let record = context.scope(ask::call(&predictor, &mut sides, Some(told))).await?;
            Ok(Prediction::new(sides.into_output()?, record, &move || paths.clone()))
        };
        Self(Progress::new(Vec::new(), spec, events, Box::pin(work)))
    }

    /// The outputs so far, without copying them.
    ///
    /// They go as far as the piece of the answer that the last update came from. After [`Update::Done`] they are those
    /// of the prediction.
    pub fn partial(&self) -> Partial<'_> {
        self.0.partial()
    }
}

stream!(PredictionStream, Update);
