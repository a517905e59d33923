//! Several attempts at one input, the best of which is taken.

use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use super::advice::{Advisor, Attempted};
use crate::{
    Error, Result,
    context::{Context, Ended, Hints, Recorder, Recording, with},
    lm::BoxFuture,
    metric::{Metric, Score, judged},
    module::{Module, Paths, Prediction, Trace, attempt, commit},
};

/// A reward whose form is forgotten.
pub(super) trait Reward<I, O>: Send + Sync {
    fn of<'a>(&'a self, input: &'a I, prediction: &'a Prediction<O>) -> BoxFuture<'a, Result<Score>>;

    /// Whether it reads the steps of the attempt.
    fn reads_trace(&self) -> bool;
}

struct Formed<M, K>(M, PhantomData<fn() -> K>);

impl<I, O, K, M> Reward<I, O> for Formed<M, K>
where
    I: Send + Sync,
    O: Send + Sync,
    M: Metric<I, O, K>,
{
    fn of<'a>(&'a self, input: &'a I, prediction: &'a Prediction<O>) -> BoxFuture<'a, Result<Score>> {
        Box::pin(judged(&self.0, input, prediction))
    }

    fn reads_trace(&self) -> bool {
        M::READS_TRACE
    }
}

/// How many attempts are made, and what ends them.
pub(super) struct Attempts<I, O> {
    pub(super) most: usize,
    pub(super) threshold: f64,
    /// As many as there are attempts, unless set.
    pub(super) fail_count: Option<usize>,
    reward: Arc<dyn Reward<I, O>>,
}

impl<I, O> Attempts<I, O> {
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("n", &self.most)
            .field("threshold", &self.threshold)
            .field("fail_count", &self.fail_count.unwrap_or(self.most))
            .finish_non_exhaustive()
    }
}

impl<I, O> Clone for Attempts<I, O> {
    fn clone(&self) -> Self {
        Self { reward: self.reward.clone(), ..*self }
    }
}

/// What came of an attempt.
struct Tried<O> {
    output: Option<(O, Score)>,
    record: Recording,
    ended: Ended,
}

impl<I: Clone + Send + Sync + 'static, O: Send + Sync + 'static> Attempts<I, O> {
    pub(super) fn new<M, K>(most: usize, reward: M, threshold: f64) -> Self
    where
        M: Metric<I, O, K>,
        K: 'static,
    {
        Self { most, threshold, fail_count: None, reward: Arc::new(Formed(reward, PhantomData)) }
    }

    /// Makes attempts until one reaches the threshold, and gives that, otherwise the best. Before each further one, the
    /// advisor says what the predictors are to do otherwise.
    pub(super) async fn make<P>(&self, module: &P, input: I, advisor: Option<&Advisor<I, O>>) -> Result<O>
    where
        P: Module<Input = I, Output = O>,
    {
        let context = Context::current();
        let own_hints = context.hints().cloned().unwrap_or_default();
        let fail_count = self.fail_count.unwrap_or(self.most);
        let mut hints = Hints::clone(&own_hints);
        let mut best: Option<Tried<O>> = None;
        let (mut failures, mut failure) = (0, None);
        let mut rest = Ended::default();
        let keep_steps = advisor.is_some() || self.reward.reads_trace();
        for index in 0..self.most {
            let scope = || Context::current().hinting(hints.clone());
            let (result, mut tried) = self.attempt(module, &input, index, scope, keep_steps).await;
            let mut reached = false;
            let outcome = match result {
                Ok(output) => {
                    let prediction = match self.reward.reads_trace() {
                        true => Prediction::new(output, tried.record.clone(), &|| Paths::of(module)),
                        false => output.into(),
                    };
                    self.rewarded(&context, &input, prediction, &mut rest).await
                }
                Err(error) => Err(error),
            };
            let mut failed = None;
            match outcome {
                Ok((output, score)) => {
                    reached = score.value >= self.threshold;
                    tried.output = Some((output, score));
                }
                Err(error) if error.is_rerun() => return Err(error),
                Err(error) => {
                    failures += 1;
                    failed = Some(error);
                }
            }
            let last = reached || index + 1 == self.most || failed.is_some() && failures > fail_count;
            if let Some(advisor) = advisor.filter(|_| !last) {
                let paths = Paths::of(module);
                let attempted = Attempted {
                    input: &input,
                    outcome: match (&tried.output, &failed) {
                        (Some((output, score)), _) => Ok((output, score)),
                        (None, failed) => Err(failed.as_ref()),
                    },
                    trace: Trace::of_failed(tried.record.clone(), &paths),
                    threshold: self.threshold,
                };
                let (advice, ended) = judging(&context, || advisor.advise(module, &attempted)).await;
                rest.add_work(ended);
                if let Some(advice) = advice? {
                    hints = Hints::clone(&own_hints);
                    for (id, hint) in advice {
                        hints.add(id, &hint);
                    }
                }
            }
            let value = |tried: &Tried<O>| tried.output.as_ref().map(|(_, score)| score.value);
            let better = best.as_ref().is_none_or(|best| value(&tried) > value(best));
            let worse = if better { best.replace(tried) } else { Some(tried) };
            worse.into_iter().for_each(|worse| rest.add_work(worse.ended));
            failure = failed.or(failure);
            if last {
                break;
            }
        }
        let Some(Tried { output, record, ended }) = best else {
            return Err(Error::other(
                "a program is to be run at least once, but the number of attempts is 0",
            ));
        };
        commit(&context, rest);
        commit(&context, ended);
        if let Some(recorder) = context.recorder() {
            recorder.absorb_in_place(record);
        }
        let gave_up = || failures > fail_count;
        match (output, failure) {
            (Some((output, _)), failure) if failure.is_none() || !gave_up() => Ok(output),
            (_, Some(error)) => Err(error),
            (_, None) => Err(Error::other("no attempt was made")),
        }
    }

    /// One attempt: a draw of its own.
    async fn attempt<P>(
        &self,
        module: &P,
        input: &I,
        index: usize,
        scope: impl FnOnce() -> Context,
        keep_steps: bool,
    ) -> (Result<O>, Tried<O>)
    where
        P: Module<Input = I, Output = O>,
    {
        let draw = |c: crate::context::Settings| {
            let rollout = c.rollout.wrapping_mul(self.most as u64).wrapping_add(index as u64);
            c.temperature(1.0).rollout(rollout)
        };
        with(draw, async {
            let scope = scope();
            let outer = scope.recorder().cloned();
            let keep_steps = keep_steps || outer.as_ref().is_some_and(|outer| outer.keeps_steps());
            let recorder = Recorder::apart(outer, keep_steps);
            let scope = scope.recording(recorder.clone());
            let (result, ended) = attempt(scope, input.clone(), |input| module.forward(input)).await;
            (result, Tried { output: None, record: recorder.take(), ended })
        })
        .await
    }

    async fn rewarded(
        &self,
        context: &Context,
        input: &I,
        prediction: Prediction<O>,
        rest: &mut Ended,
    ) -> Result<(O, Score)> {
        let (score, ended) = judging(context, || self.reward.of(input, &prediction)).await;
        rest.add_work(ended);
        score.map(|score| (prediction.into_inner(), score))
    }
}

/// Work around the attempts: its usage counts, its steps are not those of the program.
async fn judging<T, F: Future<Output = Result<T>>>(
    context: &Context,
    work: impl Fn() -> F,
) -> (Result<T>, Ended) {
    let recorder = Recorder::counting(context.recorder().cloned());
    attempt(context.clone().recording(recorder), (), |()| work()).await
}
