//! Several attempts, compared.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{Predict, Predictor, settings::predict_settings};
use crate::{
    Error, Result,
    lm::Options,
    module::{IntoInput, Module, Path, Program, Walk},
    signature::{
        Comparison, DynSignature, Reasoned, Signature, SignatureSpec, StaticSignature, WithAttempts,
    },
};

/// Shows a model several attempts at an input, each with its reasoning, and asks for the answer that they lead to,
/// with reasoning (Yoran et al. 2023, "Answering Questions by Meta-Reasoning over Multiple Chains of Thought").
///
/// The attempts are what a [`ChainOfThought`](super::ChainOfThought) of the same signature gave:
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{ChainOfThought, MultiChainComparison, draws}};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::from_fn(|request: &dspy_core::lm::Request| match request.prompt.messages().any(|m| m.content.text().contains("attempt_3")) {
/// #     true => r#"{"reasoning": "Two of three agree.", "answer": "1815"}"#,
/// #     false => r#"{"reasoning": "I recall it.", "answer": "1815"}"#,
/// # });
/// # let (mut solve, mut compare) = (ChainOfThought::<Qa>::new(), MultiChainComparison::<Qa>::new());
/// # solve.set_lm(&lm); compare.set_lm(&lm);
/// // let solve = ChainOfThought::<Qa>::new();
/// // let compare = MultiChainComparison::<Qa>::new();
/// let question = QaInput { question: "When was the battle of Waterloo?".into() };
/// let attempts: Vec<_> = draws(&solve, question.clone(), 3).await?.into_iter().map(|p| p.into_inner()).collect();
/// let p = compare.call((question, attempts)).await?;
/// assert_eq!(p.answer, "1815");
/// # Ok(()) })
/// # }
/// ```
///
/// A call is one request. There are 3 attempts unless [set](Self::attempts), and the temperature is 0.7 unless
/// [options](Self::options) set another one. The predictor has the path `predict`.
pub struct MultiChainComparison<S> {
    predict: Predict<WithAttempts<S>>,
    spec: Arc<SignatureSpec>,
}

/// How many attempts are compared.
const ATTEMPTS: usize = 3;
const TEMPERATURE: f64 = 0.7;

// The condition stands at the function, where the compiler says what is missing in words of this library.
impl<S> MultiChainComparison<S> {
    /// A comparison of three attempts at this signature.
    pub fn new() -> Self
    where
        S: StaticSignature,
    {
        Self::with_spec(S::spec())
    }
}

impl<S: StaticSignature> Default for MultiChainComparison<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl MultiChainComparison<DynSignature> {
    /// A comparison of three attempts at a signature that is data.
    pub fn dynamic(signature: impl Into<DynSignature>) -> Self {
        Self::with_spec(signature.into())
    }
}

impl<S: Signature> MultiChainComparison<S> {
    /// A comparison of three attempts at a signature whose fields are data.
    pub fn with_spec(spec: impl Into<Arc<SignatureSpec>>) -> Self {
        let spec = spec.into();
        let predict = Self::comparing(&spec, ATTEMPTS);
        Self { predict: predict.options(Options::default().temperature(TEMPERATURE)), spec }
    }

    fn comparing(spec: &SignatureSpec, attempts: usize) -> Predict<WithAttempts<S>> {
        let mut predict = Predict::with_spec(WithAttempts::<S>::extend(spec, attempts));
        if WithAttempts::<S>::count(spec) > 0 {
            let flaw = Error::other(format!(
                "`{}` has a field `reasoning_attempt_1`, which is the name of an input that a comparison adds; give the \
                 field another name",
                spec.name
            ));
            predict.predictor_mut().refuse(flaw);
        }
        predict
    }

    /// Sets how many attempts are compared. Set it first: what was learnt and shown before is dropped.
    #[must_use]
    pub fn attempts(mut self, attempts: usize) -> Self {
        let options = self.predictor().options().clone();
        self.predict = Self::comparing(&self.spec, attempts).options(options);
        self
    }

    predict_settings!();

    /// Sets its demonstrations, like [`Predict::try_demos`]: rows with the inputs, `reasoning_attempt_1` and so on, `reasoning`
    /// and the outputs, possibly not all of them.
    ///
    /// # Errors
    /// As [`Predict::try_demos`].
    pub fn try_demos<D: Serialize>(mut self, rows: impl IntoIterator<Item = D>) -> Result<Self> {
        self.predict = self.predict.try_demos(rows)?;
        Ok(self)
    }

    /// The exact messages that a call with this input would send, without sending them.
    ///
    /// # Errors
    /// As [`Predict::render`].
    pub fn render(&self, input: impl IntoInput<Comparison<S::Input, S::Output>>) -> Result<super::Rendered> {
        self.predict.render(input)
    }
}

impl<S: Signature> Module for MultiChainComparison<S> {
    type Input = Comparison<S::Input, S::Output>;
    type Output = Reasoned<S::Output>;

    async fn forward(&self, input: Self::Input) -> Result<Self::Output> {
        self.predict.forward(input).await
    }
}

impl<S> Walk for MultiChainComparison<S> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("predict", |path| self.predict.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("predict", |path| self.predict.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<S> Program for MultiChainComparison<S> {}

impl<S> Clone for MultiChainComparison<S> {
    fn clone(&self) -> Self {
        Self { predict: self.predict.clone(), spec: self.spec.clone() }
    }
}

impl<S> fmt::Debug for MultiChainComparison<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiChainComparison").field("predict", &self.predict).finish()
    }
}
