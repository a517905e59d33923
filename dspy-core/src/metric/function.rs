//! How functions are metrics.
//!
//! There is one implementation of [`Metric`], over all functions. Functions differ in the output that they take and in
//! what they return; traits of the output and of the returned value tell these apart, so that the compiler has a single
//! candidate and names what is wrong with it.

use std::{
    future::{Future, ready},
    marker::PhantomData,
};

use super::score::{IntoScore, Metric, Score};
use crate::{Result, module::Prediction, signature::Reasoned};

/// A metric that uses a state: a program that judges, a client, a table. The function takes it first, by reference.
///
/// ```
/// # use dspy_core::{Result, evaluate::{Evaluate, metric_with_state}, module::Module, data::Example};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<J, P>(judge: J, program: P, rows: Vec<Qa>) -> Result<()>
/// # where J: Module<Input = String, Output = bool> + 'static,
/// #       P: Module<Input = String, Output = String> + Clone + 'static {
/// let metric = metric_with_state(judge, async |judge: &J, gold: &Qa, pred: &String| {
///     let verdict = judge.call(format!("Is {pred:?} the same as {:?}?", gold.answer)).await?;
///     Ok::<bool, dspy_core::Error>(*verdict)
/// });
/// Evaluate::new(&rows, metric).run(&program).await?;
/// # Ok(()) }
/// ```
///
/// A method is such a function: `metric_with_state(judge, Judge::score)`. A closure that is not async needs no help to
/// use what it captures.
pub fn metric_with_state<S, F>(state: S, metric: F) -> WithState<S, F>
where
    S: Send + Sync + 'static,
{
    WithState { state, metric }
}

/// What [`metric_with_state`] returns.
#[derive(Debug, Clone)]
pub struct WithState<S, F> {
    state: S,
    metric: F,
}

/// The form of functions that take `&Q` and return a score (`R` is [`Ready`]) or a future of one ([`Awaited`]).
#[derive(Debug)]
pub struct Form<Q, R>(PhantomData<fn() -> (Q, R)>);

#[derive(Debug)]
pub struct Ready(());

#[derive(Debug)]
pub struct Awaited(());

#[doc(hidden)]
impl<F, E, O, Q, R> Metric<E, O, Form<Q, R>> for F
where
    F: for<'a> MetricFn<'a, E, Q, R> + Send + Sync + 'static,
    O: JudgedAs<Q>,
    E: 'static,
    O: 'static,
    Q: 'static,
    R: 'static,
{
    const READS_TRACE: bool = O::WHOLE;

    fn score<'a>(
        &'a self,
        example: &'a E,
        prediction: &'a Prediction<O>,
    ) -> impl Future<Output = Result<Score>> + Send + 'a {
        self.judge(example, O::judged_as(prediction)).settle()
    }
}

/// An output that a metric for `Q` judges.
#[diagnostic::on_unimplemented(
    message = "a metric for the output `{Q}` cannot judge the output `{Self}`",
    label = "the metric of this call takes `&{Q}`, but the program gives `{Self}`",
    note = "the second argument of the metric is the output of the program, by reference: `pred: &{Self}`, or \
            `pred: &Prediction<{Self}>` with its trace and usage"
)]
pub trait JudgedAs<Q>: Sized {
    /// Whether it is the prediction as a whole.
    const WHOLE: bool = false;

    fn judged_as(prediction: &Prediction<Self>) -> &Q;
}

impl<O> JudgedAs<O> for O {
    fn judged_as(prediction: &Prediction<O>) -> &O {
        prediction.output()
    }
}

impl<O> JudgedAs<O> for Reasoned<O> {
    fn judged_as(prediction: &Prediction<Self>) -> &O {
        prediction.output()
    }
}

impl<O> JudgedAs<Prediction<O>> for O {
    const WHOLE: bool = true;

    fn judged_as(prediction: &Prediction<O>) -> &Prediction<O> {
        prediction
    }
}

/// A function of a row and an output. What it returns may borrow from both.
pub trait MetricFn<'a, E: 'a, Q: 'a, R> {
    type Returned: ScoreOrFuture<R> + Send + 'a;

    fn judge(&'a self, example: &'a E, output: &'a Q) -> Self::Returned;
}

impl<'a, F, E: 'a, Q: 'a, T, R> MetricFn<'a, E, Q, R> for F
where
    F: Fn(&'a E, &'a Q) -> T,
    T: ScoreOrFuture<R> + Send + 'a,
{
    type Returned = T;

    fn judge(&'a self, example: &'a E, output: &'a Q) -> T {
        self(example, output)
    }
}

impl<'a, S, F, E: 'a, Q: 'a, T, R> MetricFn<'a, E, Q, R> for WithState<S, F>
where
    F: Fn(&'a S, &'a E, &'a Q) -> T,
    S: 'a,
    T: ScoreOrFuture<R> + Send + 'a,
{
    type Returned = T;

    fn judge(&'a self, example: &'a E, output: &'a Q) -> T {
        (self.metric)(&self.state, example, output)
    }
}

/// What a metric returns.
#[diagnostic::on_unimplemented(
    message = "a metric cannot return `{Self}`",
    label = "the metric of this call returns `{Self}`, which is not a score",
    note = "a metric returns `bool`, a number, `(bool or number, feedback)`, a `Score`, a `Result` of one of \
            these, or a future of one of them"
)]
pub trait ScoreOrFuture<R> {
    fn settle(self) -> impl Future<Output = Result<Score>> + Send
    where
        Self: Send;
}

#[diagnostic::do_not_recommend]
impl<T: IntoScore> ScoreOrFuture<Ready> for T {
    fn settle(self) -> impl Future<Output = Result<Score>> + Send
    where
        Self: Send,
    {
        ready(self.into_score())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Future<Output: IntoScore>> ScoreOrFuture<Awaited> for T {
    async fn settle(self) -> Result<Score>
    where
        Self: Send,
    {
        self.await.into_score()
    }
}
