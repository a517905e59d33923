//! Thinking before answering.

use std::fmt;

use super::{Predict, PredictionStream, Predictor};
use crate::{
    Result,
    lm::{LM, Options},
    module::{Module, Path, Paths, Program, Walk},
    signature::{DynSignature, Reasoned, Signature, SignatureSpec, StaticSignature, WithReasoning},
};

/// Asks a model to write down its reasoning before it fills in the outputs (Wei et al. 2022, "Chain-of-Thought
/// Prompting Elicits Reasoning in Large Language Models").
///
/// The output is that of the signature, with `reasoning` besides.
pub struct ChainOfThought<S> {
    predict: Predict<WithReasoning<S>>,
}

impl<S: StaticSignature> ChainOfThought<S> {
    /// A chain of thought to the outputs of this signature.
    pub fn new() -> Self {
        Self { predict: Predict::new() }
    }
}

impl<S: StaticSignature> Default for ChainOfThought<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl ChainOfThought<DynSignature> {
    /// A chain of thought to the outputs of a signature that arrived as data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> Self {
        Self::with_spec(signature.into().spec())
    }
}

impl<S: Signature> ChainOfThought<S> {
    /// A chain of thought to the outputs of a signature whose fields are given as data.
    pub fn with_spec(spec: &SignatureSpec) -> Self {
        Self { predict: Predict::with_spec(WithReasoning::<S>::extend(spec)) }
    }

    /// Gives it a model of its own.
    #[must_use]
    pub fn lm(mut self, lm: impl Into<LM>) -> Self {
        self.predict = self.predict.lm(lm);
        self
    }

    /// Gives it sampling options of its own.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.predict = self.predict.options(options);
        self
    }

    /// Gives it other instructions.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.predict = self.predict.instructions(instructions);
        self
    }

    /// The predictor within.
    pub fn predict(&self) -> &Predict<WithReasoning<S>> {
        &self.predict
    }

    /// The predictor within, to change it.
    pub fn predict_mut(&mut self) -> &mut Predict<WithReasoning<S>> {
        &mut self.predict
    }

    /// Asks like [`call`](Module::call), and shows the reasoning and the outputs while they arrive; see
    /// [`Predict::stream`].
    pub fn stream(&self, input: impl Into<S::Input>) -> PredictionStream<Reasoned<S::Output>> {
        self.predict.stream_in(Paths::of(self), input.into())
    }

    /// The exact messages that a call with this input would send, without sending them.
    ///
    /// # Errors
    /// As [`Predict::render`].
    pub fn render(&self, input: impl Into<S::Input>) -> Result<super::Rendered> {
        self.predict.render(input)
    }
}

impl<S: Signature> Module for ChainOfThought<S> {
    type Input = S::Input;
    type Output = Reasoned<S::Output>;

    async fn forward(&self, input: S::Input) -> Result<Self::Output> {
        self.predict.forward(input).await
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
