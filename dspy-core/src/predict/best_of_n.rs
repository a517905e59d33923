//! The best of several attempts.

use std::fmt;

use super::{Predictor, reward::Attempts};
use crate::{
    Result,
    metric::Metric,
    module::{Module, Path, Program, Walk},
};

/// Runs a program up to `n` times on an input, and gives the first output whose reward reaches a threshold, otherwise the
/// one with the highest reward (the earliest of equals).
///
/// The reward is a function of the input and the output, such as a metric: it may be async, and returns `bool`, a number
/// or a [`Score`](crate::evaluate::Score).
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{BestOfN, Predict}};
/// # use dspy_macros::signature;
/// /// Answer the question in one word.
/// #[signature]
/// struct Qa {
///     #[input]
///     question: String,
///     #[output]
///     answer: String,
/// }
///
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let lm = StubModel::scripted([r#"{"answer": "Paris, of course"}"#, r#"{"answer": "Paris"}"#]);
/// let one_word = |_: &QaInput, pred: &QaOutput| !pred.answer.contains(' ');
/// let mut qa = BestOfN::new(Predict::<Qa>::new(), 3, one_word, 1.0);
/// # qa.set_lm(lm);
/// let p = qa.call("What is the capital of France?").await?;
/// assert_eq!(p.answer, "Paris");
/// assert_eq!((p.usage().total().calls, p.trace().len()), (2, 1));
/// # Ok(()) })
/// # }
/// ```
///
/// Every attempt has a [rollout number](crate::context::Settings::rollout) of its own and the temperature 1, so that each
/// is another draw, and the same one when the call is repeated. A predictor or a model with a temperature of its own keeps
/// that. The [trace](crate::module::Prediction::trace) is that of the attempt that was taken;
/// [usage](crate::module::Prediction::usage) counts all attempts and the calls of the reward.
///
/// An attempt that fails counts as one without reward. With more failures than [`fail_count`](Self::fail_count), or when
/// all fail, the last error is that of the call. The predictors of the program have the path `module`.
pub struct BestOfN<P: Module> {
    module: P,
    attempts: Attempts<P::Input, P::Output>,
}

impl<P: Module> BestOfN<P> {
    /// Up to `n` attempts, until the reward of one is at least `threshold`.
    pub fn new<R, K>(module: P, n: usize, reward: R, threshold: f64) -> Self
    where
        R: Metric<P::Input, P::Output, K>,
        K: 'static,
    {
        Self { module, attempts: Attempts::new(n, reward, threshold) }
    }

    /// Sets how many attempts of one call may fail; with one more, the call fails with its error at once. All may fail
    /// but one unless set.
    #[must_use]
    pub fn fail_count(mut self, failures: usize) -> Self {
        self.attempts.fail_count = Some(failures);
        self
    }

    /// The program.
    pub fn module(&self) -> &P {
        &self.module
    }

    /// The program, mutably.
    pub fn module_mut(&mut self) -> &mut P {
        &mut self.module
    }
}

impl<P: Module> Module for BestOfN<P> {
    type Input = P::Input;
    type Output = P::Output;

    async fn forward(&self, input: P::Input) -> Result<P::Output> {
        self.attempts.make(&self.module, input, None).await
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        self.module.input_fields()
    }

    fn source() -> Option<&'static str> {
        P::source()
    }
}

impl<P: Module> Walk for BestOfN<P> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("module", |path| self.module.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("module", |path| self.module.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<P: Module> Program for BestOfN<P> {
    fn structure() -> Option<&'static str> {
        P::structure()
    }
}

impl<P: Module + Clone> Clone for BestOfN<P> {
    fn clone(&self) -> Self {
        Self { module: self.module.clone(), attempts: self.attempts.clone() }
    }
}

impl<P: Module> fmt::Debug for BestOfN<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attempts.debug("BestOfN", f)
    }
}
