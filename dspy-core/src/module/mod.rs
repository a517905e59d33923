//! Programs: modules, the walk over their predictors, predictions.

mod batch;
mod path;
mod prediction;
mod program;
mod state;
mod state_load;
mod walk;

use std::{fmt, future::Future};

use serde::Serialize;

pub(crate) use batch::{Flow, fan_out};
pub use path::Path;
pub(crate) use prediction::Paths;
pub use prediction::{Prediction, Trace, TraceStep};
pub use program::Program;
pub(crate) use program::save_with_origin;
pub use walk::Walk;

use crate::{
    Result,
    context::{Context, Recorder},
};

/// A step of a program or a whole program: takes an input, asks models, gives an output.
///
/// Write [`forward`](Module::forward); call [`call`](Module::call).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "not a module",
    note = "mark the struct with `#[module]` and write `impl Module for ...` with its `forward`",
    note = "a reference to a module is none: where a module is wanted, give it a clone"
)]
pub trait Module: Program + Send + Sync {
    /// What it takes.
    type Input: Clone + Send + Sync + 'static;
    /// What it gives.
    type Output: Serialize + Clone + fmt::Debug + Send + Sync + 'static;

    /// Carries out the step.
    ///
    /// # Errors
    /// Whatever its calls and its own code fail with.
    fn forward(&self, input: Self::Input) -> impl Future<Output = Result<Self::Output>> + Send;

    /// Carries out the step and records what happened.
    ///
    /// # Errors
    /// As [`forward`](Module::forward).
    fn call(
        &self,
        input: impl Into<Self::Input> + Send,
    ) -> impl Future<Output = Result<Prediction<Self::Output>>> + Send
    where
        Self: Sized,
    {
        let input = input.into();
        async move {
            let context = Context::current();
            let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
            let output = context.recording(recorder.clone()).scope(self.forward(input)).await?;
            Ok(Prediction::new(output, recorder.take(), self))
        }
    }

    /// Carries out the step for many inputs, `concurrency` of the settings at a time. The outcomes stand in the
    /// order of the inputs; a failed row does not stop the others.
    fn batch<I>(
        &self,
        inputs: impl IntoIterator<Item = I> + Send,
    ) -> impl Future<Output = Vec<Result<Prediction<Self::Output>>>> + Send
    where
        Self: Sized + Clone + 'static,
        I: Into<Self::Input>,
    {
        let inputs: Vec<Self::Input> = inputs.into_iter().map(Into::into).collect();
        batch::run(self.clone(), inputs)
    }

    /// The program's own source, when `#[module]` stands on the struct and on this implementation: the struct
    /// and `forward`, for optimizers that read programs.
    fn source() -> Option<&'static str>
    where
        Self: Sized,
    {
        None
    }
}
