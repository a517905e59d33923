//! Work of several requests that is told of as it goes on.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    shown::{News, Shown},
    watch::Watch,
};
use crate::{Error, Result, lm::BoxFuture, module::Prediction, signature::SignatureSpec, value::write_json};

/// An update of a stream of such work.
pub(super) trait Update<O>: Sized {
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

/// The work, and what is known of it.
pub(super) struct Progress<O, U: Update<O>> {
    /// `None` after its end.
    work: Option<BoxFuture<'static, Result<Prediction<O>>>>,
    events: Events<U::Event>,
    asked: Option<Asked>,
    /// Of the predictors by their places; the last is asked for the outputs.
    specs: Vec<Arc<SignatureSpec>>,
    updates: VecDeque<U>,
    end: Option<Result<Prediction<O>>>,
}

impl<O, U: Update<O>> Progress<O, U> {
    /// The name of the signature.
    pub(super) fn signature(&self) -> &str {
        self.specs.first().map_or("", |spec| &spec.name)
    }
}

impl<O: Serialize + Send + 'static, U: Update<O>> Progress<O, U> {
    /// The work of predictors with these signatures, the last of which is asked for the outputs.
    pub(super) fn new(
        specs: Vec<Arc<SignatureSpec>>,
        events: Events<U::Event>,
        work: BoxFuture<'static, Result<Prediction<O>>>,
    ) -> Self {
        Self { work: Some(work), events, asked: None, specs, updates: VecDeque::new(), end: None }
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
        if let Some(asked) = &mut self.asked
            && let Some(event) = asked.watch.next()
        {
            let (updates, outputs) = (&mut self.updates, asked.outputs);
            asked.shown.take(event, &mut |news| updates.extend(U::news(news, outputs)));
            return true;
        }
        match self.events.next() {
            None => return false,
            Some(Event::Asks { of, watch }) => {
                let Some(spec) = self.specs.get(of) else { return true };
                let outputs = of + 1 == self.specs.len();
                self.asked = Some(Asked { outputs, watch, shown: Shown::new(spec) });
            }
            Some(Event::Happened(event)) => self.updates.push_back(U::happened(event)),
        }
        true
    }

    /// Tells of the outputs that no answer has shown.
    fn settle(&mut self, whole: Map<String, Value>) {
        let asked = mem::take(&mut self.asked).filter(|asked| asked.outputs).map(|asked| asked.shown);
        let Some(mut shown) = asked.or_else(|| self.specs.last().map(|spec| Shown::new(spec))) else {
            return;
        };
        let updates = &mut self.updates;
        shown.settle(whole, &mut |news| updates.extend(U::news(news, true)));
    }

    fn is_idle(&self) -> bool {
        self.events.is_empty() && self.asked.as_ref().is_none_or(|asked| asked.watch.is_empty())
    }
}
