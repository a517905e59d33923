//! Reasoning before an answer.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{DemoOf, Predict, PredictionStream, Predictor, settings::predict_settings};
use crate::{
    Error, Result,
    lm::BoxFuture,
    module::{IntoInput, Module, Path, Paths, Prediction, Program, Walk},
    signature::{
        DynSignature, REASONING, Reasoned, Signature, SignatureSpec, StaticSignature, WithReasoning,
    },
};

/// Asks a model to write down its reasoning before it fills in the outputs (Wei et al. 2022, "Chain-of-Thought
/// Prompting Elicits Reasoning in Large Language Models").
///
/// The output is [`Reasoned`]: that of the signature, with `reasoning` besides.
///
/// ```
/// # use dspy_core::{Result, lm::{StubModel, StubResponse}, module::Module, predict::ChainOfThought, signature::Reasoned};
/// # use dspy_macros::signature;
/// /// Answer the question.
/// #[signature]
/// struct Qa {
///     #[input]
///     question: String,
///     #[output]
///     answer: i64,
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::scripted([StubResponse::outputs(&Reasoned::new("Two more than 40.", QaOutput { answer: 42 }))]);
/// let qa = ChainOfThought::<Qa>::new().lm(lm);
/// let p = qa.call("What is 40 + 2?").await?;
/// assert_eq!(p.answer, 42);
/// assert_eq!(p.reasoning, "Two more than 40.");
/// # Ok(()) })
/// # }
/// ```
///
/// A call is one request, as of [`Predict`](super::Predict). The predictor has the path `predict`.
pub struct ChainOfThought<S> {
    predict: Predict<WithReasoning<S>>,
}

// The condition stands at the function, where the compiler says what is missing in words of this library.
impl<S> ChainOfThought<S> {
    /// Refuses a signature that leaves no place for the reasoning.
    fn checked(mut predict: Predict<WithReasoning<S>>) -> Self {
        let spec = predict.predictor.spec();
        if spec.inputs().any(|field| field.name == REASONING) {
            let flaw = Error::other(format!(
                "`{}` has an input `{REASONING}`, which is the name of the output that a chain of thought adds; give the \
                 input another name",
                spec.name
            ));
            predict.predictor.refuse(flaw);
        }
        Self { predict }
    }

    /// A chain of thought for this signature.
    pub fn new() -> Self
    where
        S: StaticSignature,
    {
        Self::checked(Predict::new())
    }
}

impl<S: StaticSignature> Default for ChainOfThought<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl ChainOfThought<DynSignature> {
    /// A chain of thought for a signature that is data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> Self {
        Self::with_spec(signature.into())
    }
}

impl<S: Signature> ChainOfThought<S> {
    /// A chain of thought for a signature whose fields are data.
    pub fn with_spec(spec: impl Into<Arc<SignatureSpec>>) -> Self {
        Self::checked(Predict::with_spec(WithReasoning::<S>::extend(&spec.into())))
    }

    predict_settings!();

    /// Sets its demonstrations, like [`Predict::demos`]; they need no `reasoning`.
    #[must_use]
    pub fn demos(mut self, rows: impl IntoIterator<Item: DemoOf<S>>) -> Self {
        self.predict = self.predict.demos(rows);
        self
    }

    /// Sets its demonstrations, like [`Predict::try_demos`].
    ///
    /// # Errors
    /// As [`Predict::try_demos`].
    pub fn try_demos<D: Serialize>(mut self, rows: impl IntoIterator<Item = D>) -> Result<Self> {
        self.predict = self.predict.try_demos(rows)?;
        Ok(self)
    }

    /// The inner predictor.
    pub fn predict(&self) -> &Predict<WithReasoning<S>> {
        &self.predict
    }

    /// The same module once more: what it records is recorded as of its own.
    pub(super) fn same(&self) -> Self {
        Self { predict: self.predict.same() }
    }

    /// The inner predictor, mutably.
    pub fn predict_mut(&mut self) -> &mut Predict<WithReasoning<S>> {
        &mut self.predict
    }

    /// Like [`call`](Module::call), but returns the reasoning and the outputs while they arrive; see
    /// [`Predict::stream`].
    pub fn stream(&self, input: impl Into<S::Input>) -> PredictionStream<Reasoned<S::Output>> {
        self.predict.stream_in(Paths::of(self), input.into())
    }

    /// The exact messages that a call with this input would send, without sending them.
    ///
    /// # Errors
    /// As [`Predict::render`].
    pub fn render(&self, input: impl IntoInput<S::Input>) -> Result<super::Rendered> {
        self.predict.render(input)
    }
}

impl<S: Signature> Module for ChainOfThought<S> {
    type Input = S::Input;
    type Output = Reasoned<S::Output>;

    async fn forward(&self, input: S::Input) -> Result<Self::Output> {
        self.predict.forward(input).await
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        Some(self.predictor().spec().inputs().map(|field| field.name.clone()).collect())
    }

    // As every module's, but compiled once for all signatures.
    fn call(&self, input: impl IntoInput<S::Input>) -> BoxFuture<'_, Result<Prediction<Self::Output>>> {
        let input = input.into_input();
        Box::pin(async move {
            let (output, record) = self.predict.recorded(input).await?;
            Ok(Prediction::new(output, record, &|| Paths::of(self)))
        })
    }
}

impl<S> Walk for ChainOfThought<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("predict", |path| self.predict.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("predict", |path| self.predict.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for ChainOfThought<S> {}

impl<S> Clone for ChainOfThought<S> {
    fn clone(&self) -> Self {
        Self { predict: self.predict.clone() }
    }
}

impl<S> fmt::Debug for ChainOfThought<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainOfThought").field("predict", &self.predict).finish()
    }
}

impl<S> fmt::Display for ChainOfThought<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.predict, f)
    }
}
