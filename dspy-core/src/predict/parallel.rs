//! Calls at the same time.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

use crate::{
    Error, Result,
    context::{Attempt, Context, Recorder, with},
    lm::BoxFuture,
    module::{IntoInput, Module, Prediction},
};

/// Runs calls at the same time, as many at once as are allowed, and gives their results in the order of the calls.
///
/// Calls may be of one program or of several; programs with outputs of different types are better awaited together with
/// `tokio::join!`. For one program and many inputs there is [`Module::batch`], too, which spreads them over the threads of
/// the runtime; here all run in the task of the caller, so that they may borrow from it.
///
/// ```
/// # use dspy_core::{Result, lm::StubModel, module::{Module, Program}, predict::{Parallel, Predict}};
/// # use dspy_macros::signature;
/// # #[signature] struct Qa { #[input] question: String, #[output] answer: String }
/// # fn main() -> Result<()> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (mut quick, mut careful) = (Predict::<Qa>::new(), Predict::<Qa>::new().instructions("Think twice."));
/// # for program in [&mut quick, &mut careful] { program.set_lm(StubModel::from_fn(|_: &dspy_core::lm::Request| r#"{"answer": "Paris"}"#)); }
/// let question = "What is the capital of France?";
/// let answers = Parallel::new().concurrency(8).run([quick.call(question), careful.call(question)]).await;
/// for answer in answers {
///     assert_eq!(answer?.answer, "Paris");
/// }
/// # Ok(()) })
/// # }
/// ```
///
/// The calls see the settings of the caller, and their steps stand in its trace in the order of the calls. A call that
/// panics is an error. Dropping the future stops all of them.
#[derive(Debug, Clone, Default)]
pub struct Parallel {
    concurrency: Option<usize>,
    max_errors: Option<usize>,
}

impl Parallel {
    /// As many at once as the setting `concurrency` says, whatever fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many calls run at once.
    #[must_use]
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls.max(1));
        self
    }

    /// Sets how many calls may fail. With one more, no further call is begun, and the result of each that was not is
    /// [`Error::Limit`].
    #[must_use]
    pub fn max_errors(mut self, errors: usize) -> Self {
        self.max_errors = Some(errors);
        self
    }

    /// Runs the calls. The results are in their order.
    // The type of the future does not name the iterator: a closure in it that takes a reference would keep the future of
    // a `forward` from being `Send`.
    pub fn run<'a, T, F>(&self, calls: impl IntoIterator<Item = F>) -> BoxFuture<'a, Vec<Result<T>>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let calls: Vec<F> = calls.into_iter().collect();
        Box::pin(self.clone().run_all(calls))
    }

    /// Runs the calls, and gives what all of them gave.
    ///
    /// # Errors
    /// The first error in the order of the calls. With it, no further call is begun, unless
    /// [`max_errors`](Self::max_errors) says otherwise.
    pub fn try_run<'a, T, F>(&self, calls: impl IntoIterator<Item = F>) -> BoxFuture<'a, Result<Vec<T>>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T>> + Send + 'a,
    {
        let own = Self { max_errors: self.max_errors.or(Some(0)), ..self.clone() };
        let calls: Vec<F> = calls.into_iter().collect();
        Box::pin(async move { own.run_all(calls).await.into_iter().collect() })
    }

    async fn run_all<T, F: Future<Output = Result<T>>>(self, calls: Vec<F>) -> Vec<Result<T>> {
        let context = Context::current();
        let concurrency = self.concurrency.unwrap_or_else(|| context.settings().concurrency).max(1);
        let mut results: Vec<Option<Result<T>>> = Vec::new();
        results.resize_with(calls.len(), || None);
        let mut branches = Vec::new();
        let mut calls = calls.into_iter().enumerate();
        let mut running = FuturesUnordered::new();
        let mut failed = 0;
        loop {
            let stopped = self.max_errors.is_some_and(|most| failed > most);
            while !stopped && running.len() < concurrency {
                let Some((index, call)) = calls.next() else { break };
                let branch = Branch::of(&context);
                let scope = branch.scope(context.clone());
                branches.push(branch);
                running
                    .push(async move { (index, AssertUnwindSafe(scope.scope(call)).catch_unwind().await) });
            }
            let Some((index, result)) = running.next().await else { break };
            let result = result.unwrap_or_else(|panic| Err(Error::Task(panicked(&*panic))));
            failed += usize::from(result.is_err());
            results[index] = Some(result);
        }
        for branch in branches {
            branch.end(&context);
        }
        let limit = || Error::Limit(format!("the call was not made, because {failed} others failed"));
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(limit()))).collect()
    }
}

/// Where a call records what it does, until its turn comes.
#[derive(Clone)]
struct Branch {
    recorder: Option<Arc<Recorder>>,
    attempt: Option<Arc<Attempt>>,
}

impl Branch {
    fn of(context: &Context) -> Self {
        let outer = context.recorder().filter(|recorder| recorder.keeps_steps()).cloned();
        Self {
            recorder: outer.map(Recorder::holding_back),
            attempt: context.attempt().cloned().map(Attempt::branch),
        }
    }

    fn scope(&self, mut context: Context) -> Context {
        if let Some(recorder) = &self.recorder {
            context = context.recording(recorder.clone());
        }
        if let Some(attempt) = &self.attempt {
            context = context.attempting(attempt.clone());
        }
        context
    }

    fn end(self, context: &Context) {
        if let (Some(own), Some(outer)) = (&self.recorder, context.recorder()) {
            outer.absorb(own.take());
        }
        if let (Some(own), Some(outer)) = (&self.attempt, context.attempt()) {
            outer.absorb_branch(own);
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the call panicked: {}", text.unwrap_or("no message"))
}

/// Calls a program so many times with one input at the temperature 1, at the same time: each call is another draw, and the
/// same one when it is repeated.
///
/// A predictor or a model with a temperature of its own keeps that.
///
/// # Errors
/// The first error.
pub async fn draws<P: Module>(
    module: &P,
    input: impl IntoInput<P::Input>,
    draws: usize,
) -> Result<Vec<Prediction<P::Output>>> {
    let input = input.into_input();
    let draw = |index: usize| {
        let input = input.clone();
        with(
            move |c| {
                let rollout = c.rollout.wrapping_mul(draws as u64).wrapping_add(index as u64);
                c.temperature(1.0).rollout(rollout)
            },
            async move { module.call(input).await },
        )
    };
    Parallel::new().try_run((0..draws).map(draw)).await
}
