//! Agents whose work is seen as it goes on.

use std::sync::Arc;

use serde::Serialize;

use super::{
    super::{
        progress::{Events, Progress, StreamUpdate, stream},
        shown::News,
    },
    steps::AgentEvent,
};
use crate::{
    Result,
    lm::BoxFuture,
    module::{Prediction, Predictor},
    tool::{AgentStep, THOUGHT},
    value::ToolCall,
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

impl<O> StreamUpdate<O> for AgentUpdate<O> {
    type Event = AgentEvent;

    fn news(news: News, outputs: bool) -> Option<Self> {
        Some(match news {
            News::Delta { field, text } if outputs => Self::Delta { field, text },
            News::Delta { field, text } if &*field == THOUGHT => Self::Thought(text),
            News::Delta { .. } => return None,
            News::Retry { fields, reason } => Self::Retry { fields, reason },
        })
    }

    fn happened(event: AgentEvent) -> Self {
        match event {
            AgentEvent::Calls(call) => Self::Call(call),
            AgentEvent::Made(step) => Self::Step(step),
        }
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

/// The work of an agent as it goes on: see [`ReAct::stream`](super::ReAct::stream).
///
/// Its items are updates, and an error at the end of a call that fails. Dropping it stops the work.
pub struct AgentStream<O>(Progress<O, AgentUpdate<O>>);

impl<O: Serialize + Send + 'static> AgentStream<O> {
    pub(super) fn new(
        react: &Predictor,
        extract: &Predictor,
        events: Events<AgentEvent>,
        work: BoxFuture<'static, Result<Prediction<O>>>,
    ) -> Self {
        Self(Progress::new(vec![react.spec().clone()], extract.spec().clone(), events, work))
    }
}

stream!(AgentStream, AgentUpdate);
