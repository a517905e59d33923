//! Agents whose work is seen as it goes on.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use futures_util::Stream;
use serde::Serialize;
use serde_json::Value;

use super::{
    super::{
        shown::{News, Shown},
        watch::Watch,
    },
    steps::Listener,
};
use crate::{
    Error, Result,
    lm::BoxFuture,
    module::{Prediction, Predictor},
    signature::SignatureSpec,
    tool::{AgentStep, THOUGHT},
    value::{ToolCall, write_json},
};

/// What an agent does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AgentUpdate<O> {
    /// Further text of the thought before the next calls. Models that call tools natively are told of with the step.
    Thought(String),
    /// A tool is called.
    Call(ToolCall),
    /// A step is complete: its thought, its calls, and what they gave. Kept, the steps can be continued after a stop:
    /// [`Trajectory::push`](crate::tool::Trajectory::push), [`ReAct::resume`](super::ReAct::resume).
    Step(AgentStep),
    /// Further text of an output, or of the `reasoning` before the outputs.
    Delta {
        /// The output's name.
        field: Arc<str>,
        /// What follows the text so far.
        text: String,
    },
    /// What the model wrote could not be used, and it is asked again. What was shown of these outputs is void.
    Retry {
        /// The outputs that are asked for again.
        fields: Vec<Arc<str>>,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The prediction, as [`call`](crate::module::Module::call) gives it: the last update of a stream that did not fail.
    Done(Prediction<O>),
}

/// The work of an agent as it goes on: see [`ReAct::stream`](super::ReAct::stream).
///
/// Its items are updates, and an error at the end of a call that fails. Dropping it stops the work.
pub struct AgentStream<O> {
    /// `None` after its end.
    work: Option<BoxFuture<'static, Result<Prediction<O>>>>,
    events: Events,
    /// The request that is at hand.
    asked: Option<Asked>,
    specs: [Arc<SignatureSpec>; 2],
    updates: VecDeque<AgentUpdate<O>>,
    end: Option<Result<Prediction<O>>>,
}

/// A request and what its answer has shown so far.
struct Asked {
    outputs: bool,
    watch: Watch,
    shown: Shown,
}

impl Asked {
    /// Takes in one event; whether there was one.
    fn take<O>(&mut self, updates: &mut VecDeque<AgentUpdate<O>>) -> bool {
        let Some(event) = self.watch.next() else { return false };
        let outputs = self.outputs;
        self.shown.take(event, &mut |news| told(outputs, news, updates));
        true
    }
}

fn told<O>(outputs: bool, news: News, updates: &mut VecDeque<AgentUpdate<O>>) {
    updates.push_back(match news {
        News::Delta { field, text } if outputs => AgentUpdate::Delta { field, text },
        News::Delta { field, text } if &*field == THOUGHT => AgentUpdate::Thought(text),
        News::Delta { .. } => return,
        News::Retry { fields, reason } => AgentUpdate::Retry { fields, reason },
    });
}

enum Event {
    Asks { outputs: bool, watch: Watch },
    Calls(ToolCall),
    Made(AgentStep),
}

/// What was not looked at yet: shared by the work and the stream.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<Mutex<VecDeque<Event>>>);

impl Events {
    fn tell(&self, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn next(&self) -> Option<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Listener for Events {
    fn watch(&self, outputs: bool) -> Option<Watch> {
        let watch = Watch::default();
        self.tell(Event::Asks { outputs, watch: watch.clone() });
        Some(watch)
    }

    fn calls(&self, call: &ToolCall) {
        self.tell(Event::Calls(call.clone()));
    }

    fn made(&self, step: &AgentStep) {
        self.tell(Event::Made(step.clone()));
    }
}

impl<O: Serialize + Send + 'static> AgentStream<O> {
    pub(super) fn new(
        react: &Predictor,
        extract: &Predictor,
        events: Events,
        work: BoxFuture<'static, Result<Prediction<O>>>,
    ) -> Self {
        let specs = [react.spec().clone(), extract.spec().clone()];
        Self { work: Some(work), events, asked: None, specs, updates: VecDeque::new(), end: None }
    }

    /// The next update; `None` after the last one. Nothing is lost when this is dropped before it is done.
    pub async fn next(&mut self) -> Option<Result<AgentUpdate<O>>> {
        poll_fn(|task| Pin::new(&mut *self).poll_next(task)).await
    }

    /// Waits for the prediction.
    ///
    /// # Errors
    /// As [`call`](crate::module::Module::call).
    pub async fn finish(mut self) -> Result<Prediction<O>> {
        while let Some(update) = self.next().await {
            if let AgentUpdate::Done(prediction) = update? {
                return Ok(prediction);
            }
        }
        Err(Error::Task("the stream has ended already".into()))
    }

    /// Takes in one event; whether there was one.
    fn take(&mut self) -> bool {
        if let Some(asked) = &mut self.asked
            && asked.take(&mut self.updates)
        {
            return true;
        }
        match self.events.next() {
            None => return false,
            Some(Event::Asks { outputs, watch }) => {
                let shown = Shown::new(&self.specs[usize::from(outputs)]);
                self.asked = Some(Asked { outputs, watch, shown });
            }
            Some(Event::Calls(call)) => self.updates.push_back(AgentUpdate::Call(call)),
            Some(Event::Made(step)) => self.updates.push_back(AgentUpdate::Step(step)),
        }
        true
    }

    fn is_idle(&self) -> bool {
        self.events.is_empty() && self.asked.as_ref().is_none_or(|asked| asked.watch.is_empty())
    }
}

// Nothing in it is pinned but the work, which stands in a box.
impl<O> Unpin for AgentStream<O> {}

impl<O: Serialize + Send + 'static> Stream for AgentStream<O> {
    type Item = Result<AgentUpdate<O>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(update) = this.updates.pop_front() {
                return Poll::Ready(Some(Ok(update)));
            }
            if this.take() {
                continue;
            }
            match (this.work.as_mut(), this.end.take()) {
                (Some(running), _) => match running.as_mut().poll(task) {
                    Poll::Ready(ended) => (this.work, this.end) = (None, Some(ended)),
                    Poll::Pending if this.is_idle() => return Poll::Pending,
                    Poll::Pending => {}
                },
                (None, Some(Ok(prediction))) => {
                    let whole = write_json(prediction.output());
                    if let (Some(asked), Ok(Value::Object(whole))) = (&mut this.asked, whole) {
                        let updates = &mut this.updates;
                        asked.shown.settle(whole, &mut |news| told(true, news, updates));
                    }
                    this.updates.push_back(AgentUpdate::Done(prediction));
                }
                (None, Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                (None, None) => return Poll::Ready(None),
            }
        }
    }
}

impl<O> fmt::Debug for AgentStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentStream").field("signature", &self.specs[0].name).finish_non_exhaustive()
    }
}
