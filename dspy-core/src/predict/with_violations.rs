//! A program whose output says which suggestions it does not meet.

use std::ops::Deref;

use serde::{Serialize, Serializer};

use super::Predictor;
use crate::{
    Result,
    context::{Context, Recorder},
    metric::JudgedAs,
    module::{Module, Path, Prediction, Program, Walk, attempt, commit},
    signature::Violation,
};

/// A program whose output also says which suggestions it does not meet and how often it was run again, for metrics that
/// count them.
///
/// ```
/// # use dspy_core::{predict::{Checked, Predict, WithViolations}};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output(suggest(|a: &str| a.len() < 9, "short"))] answer: String }
/// let program = WithViolations(Predict::<Qa>::new());
/// let metric = |gold: &Qa, pred: &Checked<QaOutput>| {
///     let right = if gold.answer == pred.answer { 1.0 } else { 0.0 };
///     right - 0.1 * pred.violations.len() as f64
/// };
/// # fn assert_metric<P, M: dspy_core::evaluate::Metric<Qa, Checked<QaOutput>, K>, K>(_: P, _: M) {}
/// # assert_metric(program, metric);
/// ```
///
/// Its predictors have the paths that they have in the program, so that what is compiled or saved with it is loaded without
/// it, and the other way round. A metric of the program's own output scores it as well.
#[derive(Debug, Clone)]
pub struct WithViolations<P>(pub P);

/// The output of [`WithViolations`]: dereferences to the output of the program, and is serialised as that.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Checked<O> {
    /// The suggestions that the call does not meet.
    pub violations: Vec<Violation>,
    /// How often the program was run again because an assertion was not met.
    pub backtracks: usize,
    output: O,
}

impl<O> Checked<O> {
    /// The output of the program.
    pub fn into_inner(self) -> O {
        self.output
    }
}

impl<O> Deref for Checked<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.output
    }
}

impl<O: Serialize> Serialize for Checked<O> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.output.serialize(serializer)
    }
}

impl<O> JudgedAs<O> for Checked<O> {
    fn judged_as(prediction: &Prediction<Self>) -> &O {
        &prediction.output
    }
}

impl<P: Module> Module for WithViolations<P> {
    type Input = P::Input;
    type Output = Checked<P::Output>;

    async fn forward(&self, input: P::Input) -> Result<Checked<P::Output>> {
        let context = Context::current();
        let recorder = Recorder::new(context.recorder().cloned(), false);
        let scope = context.clone().recording(recorder.clone());
        let (output, ended) = attempt(scope, input, |input| self.0.forward(input)).await;
        let record = recorder.take();
        let violations = record.violations.into_iter().chain(ended.violations().iter().cloned()).collect();
        commit(&context, ended);
        Ok(Checked { violations, backtracks: record.backtracks, output: output? })
    }

    fn input_fields(&self) -> Option<Vec<String>> {
        self.0.input_fields()
    }

    fn source() -> Option<&'static str> {
        P::source()
    }
}

impl<P: Walk> Walk for WithViolations<P> {
    fn walk<'a>(&'a self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a Predictor)) {
        self.0.walk(path, visit);
    }

    fn walk_mut<'a>(&'a mut self, path: &mut Path, visit: &mut dyn FnMut(&Path, &'a mut Predictor)) {
        self.0.walk_mut(path, visit);
    }
}

#[diagnostic::do_not_recommend]
impl<P: Program> Program for WithViolations<P> {
    fn structure() -> Option<&'static str> {
        P::structure()
    }
}
