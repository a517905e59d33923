//! Work of one or several requests that is told of as it goes on.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    shown::{News, Partial, Shown},
    watch::Watch,
};
use crate::{Error, Result, lm::BoxFuture, module::Prediction, signature::SignatureSpec, value::write_json};

/// An update of a stream of such work.
pub(super) trait StreamUpdate<O>: Sized {
    /// What happens beside requests.
    type Event;

    /// What an answer shows; `outputs` says whether the outputs were asked for. `None` for what is not told.
    fn news(news: News, outputs: bool) -> Option<Self>;
    fn happened(event: Self::Event) -> Self;
    fn done(prediction: Prediction<O>) -> Self;
    fn into_done(self) -> Option<Prediction<O>>;
}

enum Event<E> {
    Asks { of: usize, watch: Watch },
    Happened(E),
}

/// What was not looked at yet: shared by the work and its stream.
pub(super) struct Events<E>(Arc<Mutex<VecDeque<Event<E>>>>);

impl<E> Events<E> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// One of the predictors is asked, by its place. Gives who is told of the answer.
    pub(super) fn asks(&self, of: usize) -> Watch {
        let watch = Watch::default();
        self.push(Event::Asks { of, watch: watch.clone() });
        watch
    }

    pub(super) fn tell(&self, event: E) {
        self.push(Event::Happened(event));
    }

    fn push(&self, event: Event<E>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn next(&self) -> Option<Event<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl<E> Clone for Events<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The request that is at hand, and what its answer has shown so far.
struct Asked {
    outputs: bool,
    watch: Watch,
    shown: Shown,
}

impl Asked {
    /// The outputs, before anything is known of them.
    fn outputs(spec: &SignatureSpec) -> Self {
        Self { outputs: true, watch: Watch::default(), shown: Shown::new(spec) }
    }
}

/// The work, and what is known of it.
pub(super) struct Progress<O, U: StreamUpdate<O>> {
    /// `None` after its end.
    work: Option<BoxFuture<'static, Result<Prediction<O>>>>,
    events: Events<U::Event>,
    asked: Asked,
    /// Of the predictors that are asked before the outputs are, by their places.
    before: Vec<Arc<SignatureSpec>>,
    /// Of the predictor that is asked for the outputs; its place is behind the others.
    outputs: Arc<SignatureSpec>,
    updates: VecDeque<U>,
    end: Option<Result<Prediction<O>>>,
}

impl<O, U: StreamUpdate<O>> Progress<O, U> {
    /// The name of the signature.
    pub(super) fn signature(&self) -> &str {
        &self.outputs.name
    }

    /// The outputs so far.
    pub(super) fn partial(&self) -> Partial<'_> {
        self.asked.shown.partial()
    }
}

impl<O: Serialize + Send + 'static, U: StreamUpdate<O>> Progress<O, U> {
    /// The work of predictors with these signatures.
    pub(super) fn new(
        before: Vec<Arc<SignatureSpec>>,
        outputs: Arc<SignatureSpec>,
        events: Events<U::Event>,
        work: BoxFuture<'static, Result<Prediction<O>>>,
    ) -> Self {
        let asked = Asked::outputs(&outputs);
        Self { work: Some(work), events, asked, before, outputs, updates: VecDeque::new(), end: None }
    }

    pub(super) async fn next(&mut self) -> Option<Result<U>> {
        poll_fn(|task| self.poll(task)).await
    }

    /// Waits for the prediction.
    pub(super) async fn finish(mut self) -> Result<Prediction<O>> {
        while let Some(update) = self.next().await {
            if let Some(prediction) = update?.into_done() {
                return Ok(prediction);
            }
        }
        Err(Error::Task("the stream has ended already".into()))
    }

    pub(super) fn poll(&mut self, task: &mut Task<'_>) -> Poll<Option<Result<U>>> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Poll::Ready(Some(Ok(update)));
            }
            // One piece at a time, so that the outputs so far are those that have been told of.
            if self.take() {
                continue;
            }
            match (self.work.as_mut(), self.end.take()) {
                (Some(running), _) => match running.as_mut().poll(task) {
                    Poll::Ready(ended) => (self.work, self.end) = (None, Some(ended)),
                    Poll::Pending if self.is_idle() => return Poll::Pending,
                    Poll::Pending => {}
                },
                (None, Some(Ok(prediction))) => {
                    if let Ok(Value::Object(whole)) = write_json(prediction.output()) {
                        self.settle(whole);
                    }
                    self.updates.push_back(U::done(prediction));
                }
                (None, Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                (None, None) => return Poll::Ready(None),
            }
        }
    }

    /// Takes in one event; whether there was one.
    fn take(&mut self) -> bool {
        let Asked { outputs, watch, shown } = &mut self.asked;
        if let Some(event) = watch.next() {
            shown.take(event, &mut |news| self.updates.extend(U::news(news, *outputs)));
            return true;
        }
        match self.events.next() {
            None => return false,
            Some(Event::Asks { of, watch }) => {
                self.asked = match self.before.get(of) {
                    Some(spec) => Asked { outputs: false, watch, shown: Shown::new(spec) },
                    None => Asked { watch, ..Asked::outputs(&self.outputs) },
                };
            }
            Some(Event::Happened(event)) => self.updates.push_back(U::happened(event)),
        }
        true
    }

    /// Tells of the outputs that no answer has shown.
    fn settle(&mut self, whole: Map<String, Value>) {
        if !self.asked.outputs {
            self.asked = Asked::outputs(&self.outputs);
        }
        self.asked.shown.settle(whole, &mut |news| self.updates.extend(U::news(news, true)));
    }

    fn is_idle(&self) -> bool {
        self.events.is_empty() && self.asked.watch.is_empty()
    }
}

/// What every stream of updates can do that is a [`Progress`].
macro_rules! stream {
    ($Stream:ident, $Update:ident) => {
        impl<O: serde::Serialize + Send + 'static> $Stream<O> {
            /// The next update; `None` after the last one. Nothing is lost when this is dropped before it is done.
            pub async fn next(&mut self) -> Option<$crate::Result<$Update<O>>> {
                self.0.next().await
            }

            /// Waits for the prediction.
            ///
            /// # Errors
            /// As [`call`](crate::module::Module::call).
            pub async fn finish(self) -> $crate::Result<$crate::module::Prediction<O>> {
                self.0.finish().await
            }
        }

        // Nothing in it is pinned but the work, which stands in a box.
        impl<O> Unpin for $Stream<O> {}

        impl<O: serde::Serialize + Send + 'static> futures_util::Stream for $Stream<O> {
            type Item = $crate::Result<$Update<O>>;

            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                task: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                self.0.poll(task)
            }
        }

        impl<O> std::fmt::Debug for $Stream<O> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($Stream))
                    .field("signature", &self.0.signature())
                    .finish_non_exhaustive()
            }
        }
    };
}

pub(super) use stream;
