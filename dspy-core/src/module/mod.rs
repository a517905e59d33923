//! Programs: modules, their predictors, predictions.

mod agent;
mod attempts;
mod batch;
mod lanes;
mod nearest;
mod observed;
mod path;
mod places;
mod prediction;
mod predictor;
mod program;
mod protocol;
mod state;
mod state_load;
mod walk;

use std::{any::type_name, fmt, future::Future, sync::Arc};

use futures_util::future::Either;
use serde::Serialize;

pub(crate) use agent::Agent;
pub(crate) use attempts::{attempt, commit, failed_assertion, failed_suggestion, run};
pub(crate) use batch::{Flow, fan_out};
pub use nearest::NearestDemos;
pub(crate) use nearest::representative;
pub(crate) use observed::ModuleWork;
pub use path::Path;
pub(crate) use prediction::Paths;
pub use prediction::{Prediction, Trace, TraceStep};
pub use predictor::Predictor;
pub use program::Program;
pub(crate) use program::save_with_origin;
#[cfg(feature = "sandbox")]
pub(crate) use protocol::Protocol;
pub use walk::Walk;

use crate::{
    Result,
    context::{Context, Recorded, Recorder},
    lm::BoxFuture,
};

/// What a module can be called with: its input, and all that converts into it.
///
/// The input of a signature can be made from the value of its field or a reference to it, from a tuple of the values of
/// its fields in their order, from a record and from a reference to a record.
#[diagnostic::on_unimplemented(
    message = "a module that takes `{I}` cannot be called with `{Self}`",
    label = "not the input of this module",
    note = "give a `{I}`, or what converts into it: the value of its field when it has one, a tuple of the values of \
            its fields in their order when it has several, or a record of its signature"
)]
pub trait IntoInput<I> {
    /// The input.
    fn into_input(self) -> I;
}

#[diagnostic::do_not_recommend]
impl<T: Into<I>, I> IntoInput<I> for T {
    fn into_input(self) -> I {
        self.into()
    }
}

/// A program with the teacher that demonstrations are made by; see [`Module::with_teacher`].
#[derive(Debug, Clone)]
pub struct WithTeacher<P, T> {
    pub(crate) program: P,
    pub(crate) teacher: T,
}

/// A step of a program or a whole program: takes an input, calls models, returns an output.
///
/// Write [`forward`](Module::forward); call [`call`](Module::call).
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::Predict};
/// # use dspy_macros::{module, signature};
/// /// Summarize the text in one sentence.
/// #[signature]
/// struct Summarize {
///     #[input]
///     text: String,
///     #[output]
///     summary: String,
/// }
///
/// /// Translate the text into German.
/// #[signature]
/// struct Translate {
///     #[input]
///     text: String,
///     #[output]
///     german: String,
/// }
///
/// /// Summarizes a text, then translates the summary.
/// #[module]
/// struct Digest {
///     summarize: Predict<Summarize>,
///     translate: Predict<Translate>,
/// }
///
/// impl Module for Digest {
///     type Input = SummarizeInput;
///     type Output = TranslateOutput;
///
///     async fn forward(&self, input: SummarizeInput) -> Result<TranslateOutput> {
///         let summary = self.summarize.call(input).await?.into_inner().summary;
///         Ok(self.translate.call(summary).await?.into_inner())
///     }
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::scripted([r#"{"summary": "It rains."}"#, r#"{"german": "Es regnet."}"#]);
/// let mut digest = Digest { summarize: Predict::new(), translate: Predict::new() };
/// digest.set_lm(lm);
/// let p = digest.call("It has been raining for a week, and there is no end in sight.").await?;
/// assert_eq!(p.german, "Es regnet.");
/// assert_eq!(p.trace().len(), 2);
/// # Ok(()) })
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "not a module",
    note = "mark the struct with `#[module]` and write `impl Module for ...` with its `forward`",
    note = "a reference to a module is none: where a module is wanted, give it a clone"
)]
pub trait Module: Program + Send + Sync {
    /// The input. It can be serialized, because observers see it.
    type Input: Serialize + Clone + Send + Sync + 'static;
    /// The output.
    type Output: Serialize + Clone + fmt::Debug + Send + Sync + 'static;

    /// Runs the step. The output of a [`Prediction`] is taken out of it with
    /// [`into_inner`](Prediction::into_inner): `Ok(self.answer.call(input).await?.into_inner())`.
    ///
    /// # Errors
    /// The errors of its calls and of its own code.
    fn forward(&self, input: Self::Input) -> impl Future<Output = Result<Self::Output>> + Send;

    /// Runs the step and records its trace and usage. Where an assertion of `forward` is not met, it is run again: see
    /// `dspy::assert!`.
    ///
    /// # Errors
    /// As [`forward`](Module::forward).
    // The type of the future does not name that of the input, so that an input of the wrong type is one error of the
    // compiler, and not one wherever the future is mentioned.
    fn call(&self, input: impl IntoInput<Self::Input>) -> BoxFuture<'_, Result<Prediction<Self::Output>>>
    where
        Self: Sized,
    {
        let input = input.into_input();
        Box::pin(async move {
            let context = Context::current();
            let recorder = Recorder::new(context.recorder().cloned(), context.settings().trace);
            let scope = context.recording(recorder.clone());
            let output = self::call(self, scope, input).await?;
            Ok(Prediction::new(output, recorder.take(), &|| Paths::of(self)))
        })
    }

    /// Runs the step for many inputs, limited by the setting `concurrency`. The results are in the
    /// order of the inputs; an input that fails does not stop the others.
    fn batch<I>(
        &self,
        inputs: impl IntoIterator<Item = I> + Send,
    ) -> impl Future<Output = Vec<Result<Prediction<Self::Output>>>> + Send
    where
        Self: Sized + Clone + 'static,
        I: IntoInput<Self::Input>,
    {
        let inputs: Vec<Self::Input> = inputs.into_iter().map(IntoInput::into_input).collect();
        let mut module = self.clone();
        // What the copy does is recorded as done by this one.
        for ((_, copy), (_, own)) in module.predictors_mut().into_iter().zip(self.predictors()) {
            copy.record_as(own);
        }
        let module = Arc::new(module);
        batch::run(inputs, move |input| {
            let module = module.clone();
            async move { module.call(input).await }
        })
    }

    /// This program with another one that optimizers take demonstrations from, such as one that was compiled before or
    /// asks a stronger model. Its predictors have the same paths and fields.
    fn with_teacher<T>(self, teacher: T) -> WithTeacher<Self, T>
    where
        Self: Sized,
        T: Module<Input = Self::Input, Output = Self::Output>,
    {
        WithTeacher { program: self, teacher }
    }

    /// The names of the fields of its input, if it refuses others. Who has more fields passes on these only.
    fn input_fields(&self) -> Option<Vec<String>> {
        None
    }

    /// Whether it is an agent: its spans and events say so.
    #[doc(hidden)]
    fn is_agent(&self) -> bool {
        false
    }

    /// The program's own source, if both the struct and this implementation have `#[module]`: the struct
    /// and `forward`, for optimizers that read programs.
    fn source() -> Option<&'static str>
    where
        Self: Sized,
    {
        None
    }
}

/// Runs a program in a context, as [`run`] does, and tells observers of the call.
pub(crate) fn call<P: Module>(
    program: &P,
    context: Context,
    input: P::Input,
) -> impl Future<Output = Result<P::Output>> + Send {
    let (context, work) = begin(program, context, &input);
    end(work, run(context, input, |input| program.forward(input)))
}

/// Begins a call of a program, if anybody observes, and gives the context for it.
pub(crate) fn begin<P: Module>(
    program: &P,
    context: Context,
    input: &P::Input,
) -> (Context, Option<ModuleWork>) {
    if !context.is_observed() {
        return (context, None);
    }
    let predictors = program.predictors();
    match ModuleWork::begin(&context, type_name::<P>(), program.is_agent(), &predictors, input) {
        None => (context, None),
        Some(work) => (work.scope(context), Some(work)),
    }
}

/// Runs a call to its end, and tells of it.
pub(crate) fn end<'f, T: Recorded>(
    work: Option<ModuleWork>,
    running: impl Future<Output = Result<T>> + Send + 'f,
) -> impl Future<Output = Result<T>> + Send + 'f {
    match work {
        None => Either::Left(running),
        Some(work) => Either::Right(work.watch(Box::pin(running))),
    }
}
