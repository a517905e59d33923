//! Work by code that is seen as it goes on.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
};

use futures_util::Stream;
use serde::Serialize;

use super::{
    super::{
        progress::{Events, Progress, Update},
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

impl<O> Update<O> for CodeUpdate<O> {
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
    /// Its predictors, in the order of the places under which they are told of; the last takes the outputs.
    fn asked(&self) -> Vec<&Predictor>;

    /// Does the work of a call.
    fn work(&self, input: Self::Input, told: &Told) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// The work of a module on an input.
pub(super) fn stream<M>(module: M, input: M::Input) -> CodeStream<M::Output>
where
    M: Streamed<Output: Serialize + Send>,
{
    let (context, events) = (Context::current(), Events::new());
    let (told, asked) = (events.clone(), module.asked());
    let specs: Vec<_> = asked.iter().map(|predictor| predictor.spec().clone()).collect();
    let work = async move {
        let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
        let (context, observed) = begin(&module, context.recording(recorder.clone()), &input);
        let work = context.scope(module.work(input, &told));
        let output = end(observed, work).await?;
        Ok(Prediction::new(output, recorder.take(), &|| Paths::of(&module)))
    };
    CodeStream(Progress::new(specs, events, Box::pin(work)))
}

impl<O: Serialize + Send + 'static> CodeStream<O> {
    /// The next update; `None` after the last one. Nothing is lost when this is dropped before it is done.
    pub async fn next(&mut self) -> Option<Result<CodeUpdate<O>>> {
        self.0.next().await
    }

    /// Waits for the prediction.
    ///
    /// # Errors
    /// As [`call`](crate::module::Module::call).
    pub async fn finish(self) -> Result<Prediction<O>> {
        self.0.finish().await
    }
}

// Nothing in it is pinned but the work, which stands in a box.
impl<O> Unpin for CodeStream<O> {}

impl<O: Serialize + Send + 'static> Stream for CodeStream<O> {
    type Item = Result<CodeUpdate<O>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll(task)
    }
}

impl<O> fmt::Debug for CodeStream<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeStream").field("signature", &self.0.signature()).finish_non_exhaustive()
    }
}
