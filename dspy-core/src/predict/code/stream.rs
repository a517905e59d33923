//! Work by code that is seen as it goes on.

use std::sync::Arc;

use serde::Serialize;

use super::{
    super::{
        progress::{self, Events, Progress, StreamUpdate},
        shown::News,
    },
    kit::{CodeEvent, Told},
};
use crate::{
    Result,
    context::{Context, Recorder},
    module::{Module, Paths, Prediction, Predictor, begin, end},
    sandbox::CodeStep,
    signature::REASONING,
    value::ToolCall,
};

/// What a module does that writes code.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CodeUpdate<O> {
    /// Further text of the thought before the next code.
    Thought(String),
    /// Further text of the next code, without the fences around it.
    Code(String),
    /// The code calls a function, which was approved; or, in an [`RLM`](super::RLM), asks a model.
    Call(ToolCall),
    /// Code was written and run.
    Step(Arc<CodeStep>),
    /// Further text of an output, or of the `reasoning` before the outputs. Outputs that code submitted come whole.
    Delta {
        /// The output's name.
        field: Arc<str>,
        /// What follows the text so far.
        text: String,
    },
    /// What the model wrote could not be used, and it is asked again. What was shown of these outputs is void.
    Retry {
        /// The outputs that are asked for again: those of the module, or of the predictor that writes code.
        fields: Vec<Arc<str>>,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The prediction, as [`call`](crate::module::Module::call) gives it: the last update of a stream that did not fail.
    Done(Prediction<O>),
}

impl<O> StreamUpdate<O> for CodeUpdate<O> {
    type Event = CodeEvent;

    fn news(news: News, outputs: bool) -> Option<Self> {
        Some(match news {
            News::Delta { field, text } if outputs => Self::Delta { field, text },
            News::Delta { field, text } => match &*field {
                REASONING => Self::Thought(text),
                super::signature::CODE | super::repl::CODE => Self::Code(text),
                _ => return None,
            },
            News::Retry { fields, reason } => Self::Retry { fields, reason },
        })
    }

    fn happened(event: CodeEvent) -> Self {
        match event {
            CodeEvent::Calls(call) => Self::Call(call),
            CodeEvent::Made(step) => Self::Step(step),
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

/// The work of a module that writes code, as it goes on.
///
/// Its items are updates, and an error at the end of a call that fails. Dropping it stops the work.
pub struct CodeStream<O>(Progress<O, CodeUpdate<O>>);

/// A module whose work can be told of.
pub(super) trait Streamed: Module + 'static {
    /// The predictors that write code, in the order of the places under which they are told of, and the one that takes the
    /// outputs.
    fn asked(&self) -> (Vec<&Predictor>, &Predictor);

    /// Does the work of a call.
    fn work(&self, input: Self::Input, told: &Told) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// The work of a module on an input.
pub(super) fn stream<M>(module: M, input: M::Input) -> CodeStream<M::Output>
where
    M: Streamed<Output: Serialize + Send>,
{
    let (context, events) = (Context::current(), Events::new());
    let (told, (before, outputs)) = (events.clone(), module.asked());
    let before = before.into_iter().map(|predictor| predictor.spec().clone()).collect();
    let outputs = outputs.spec().clone();
    let work = async move {
        let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
        let (context, observed) = begin(&module, context.recording(recorder.clone()), &input);
        let work = context.scope(module.work(input, &told));
        let output = end(observed, work).await?;
        Ok(Prediction::new(output, recorder.take(), &|| Paths::of(&module)))
    };
    CodeStream(Progress::new(before, outputs, events, Box::pin(work)))
}

progress::stream!(CodeStream, CodeUpdate);
