//! Attempts, each with advice from the one before.

use std::fmt;

use serde::Serialize;

use super::{Predictor, advice::Advisor, reward::Attempts};
use crate::{
    Result,
    lm::LM,
    metric::Metric,
    module::{Module, Path, Program, Walk},
};

/// Like [`BestOfN`](super::BestOfN), but after an attempt that does not reach the threshold a model looks at what the
/// program did and writes advice for its predictors, which they are shown in the next attempt.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{Predict, Refine}};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let advice = r#"{"discussion": "It is a sentence.", "advice": {"self": "Give the name of the city alone."}}"#;
/// # let lm = StubModel::scripted([r#"{"answer": "Paris, of course"}"#, advice, r#"{"answer": "Paris"}"#]);
/// let one_word = |_: &QaInput, pred: &QaOutput| match pred.answer.split_whitespace().count() {
///     1 => (true, String::new()),
///     n => (false, format!("one word was asked for, and these are {n}")),
/// };
/// let mut qa = Refine::new(Predict::<Qa>::new(), 3, one_word, 1.0).reward_desc("whether the answer is one word");
/// # qa.set_lm(&lm);
/// let p = qa.call("What is the capital of France?").await?;
/// assert_eq!(p.answer, "Paris");
/// # assert!(lm.requests()[2].prompt.messages().any(|m| m.content.text().contains("name of the city alone")));
/// # Ok(()) })
/// # }
/// ```
///
/// Advice holds for one call: the program stays as it is, and calls that run at the same time do not see each other's. It
/// is written from the steps of the attempt, its reward with what the reward says in words
/// ([`Score::feedback`](crate::evaluate::Score::feedback)), and [`reward_desc`](Self::reward_desc). The model that writes
/// it is that of [`advisor`](Self::advisor), otherwise that of the settings, otherwise that of the first predictor. When it
/// cannot be had, the next attempt is made without.
///
/// `n` attempts cost the calls of `n` runs of the program, and one call of the advisor between any two.
pub struct Refine<P: Module> {
    module: P,
    attempts: Attempts<P::Input, P::Output>,
    advisor: Advisor<P::Input, P::Output>,
}

impl<P: Module<Input: Serialize>> Refine<P> {
    /// Up to `n` attempts, until the reward of one is at least `threshold`.
    pub fn new<R, K>(module: P, n: usize, reward: R, threshold: f64) -> Self
    where
        R: Metric<P::Input, P::Output, K>,
        K: 'static,
    {
        Self { module, attempts: Attempts::new(n, reward, threshold), advisor: Advisor::new() }
    }
}

impl<P: Module> Refine<P> {
    /// Sets how many attempts of one call may fail; with one more, the call fails with its error at once. All may fail
    /// but one unless set.
    #[must_use]
    pub fn fail_count(mut self, failures: usize) -> Self {
        self.attempts.fail_count = Some(failures);
        self
    }

    /// Says what the reward rewards, to the model that writes advice.
    #[must_use]
    pub fn reward_desc(mut self, desc: impl Into<String>) -> Self {
        self.advisor.reward_desc = desc.into();
        self
    }

    /// Sets the model that writes advice.
    #[must_use]
    pub fn advisor(mut self, lm: impl Into<LM>) -> Self {
        self.advisor.lm = Some(lm.into());
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

impl<P: Module> Module for Refine<P> {
    type Input = P::Input;
    type Output = P::Output;

    async fn forward(&self, input: P::Input) -> Result<P::Output> {
        self.attempts.make(&self.module, input, Some(&self.advisor)).await
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        self.module.input_fields()
    }

    fn source() -> Option<&'static str> {
        P::source()
    }
}

impl<P: Module> Walk for Refine<P> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        path.field("module", |path| self.module.walk(path, visit));
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        path.field("module", |path| self.module.walk_mut(path, visit));
    }
}

#[diagnostic::do_not_recommend]
impl<P: Module> Program for Refine<P> {
    fn structure() -> Option<&'static str> {
        P::structure()
    }
}

impl<P: Module + Clone> Clone for Refine<P> {
    fn clone(&self) -> Self {
        Self { module: self.module.clone(), attempts: self.attempts.clone(), advisor: self.advisor.clone() }
    }
}

impl<P: Module> fmt::Debug for Refine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attempts.debug("Refine", f)
    }
}
