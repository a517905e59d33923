//! What judges an output.

use std::{error::Error as StdError, future::Future, marker::PhantomData};

use crate::{Error, Result, signature::Reasoned};

/// What a metric says of one output: a number, higher is better, and possibly words that tell why.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Score {
    /// The number.
    pub value: f64,
    /// What was good or bad, for people and for optimizers that read it.
    pub feedback: Option<String>,
}

impl Score {
    /// A score without words.
    pub fn new(value: f64) -> Self {
        Self { value, feedback: None }
    }

    /// Adds the words.
    #[must_use]
    pub fn feedback(mut self, feedback: impl Into<String>) -> Self {
        self.feedback = Some(feedback.into());
        self
    }
}

/// What a metric may return: `bool`, a number, a pair of either with feedback, a [`Score`], or a `Result` of
/// these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a score",
    label = "a metric returns this",
    note = "a metric returns `bool`, a number, `(number, feedback)`, a `Score`, or a `Result` of these"
)]
pub trait IntoScore {
    /// The score.
    ///
    /// # Errors
    /// The metric's own.
    fn into_score(self) -> Result<Score>;
}

impl IntoScore for Score {
    fn into_score(self) -> Result<Score> {
        Ok(self)
    }
}

macro_rules! numbers {
    ($($ty:ty),*) => {$(
        impl IntoScore for $ty {
            fn into_score(self) -> Result<Score> {
                Ok(Score::new(self as f64))
            }
        }
    )*};
}

numbers!(f32, f64, i32, i64, u8, u32, u64, usize);

impl IntoScore for bool {
    fn into_score(self) -> Result<Score> {
        Ok(Score::new(if self { 1.0 } else { 0.0 }))
    }
}

impl<S: IntoScore, F: Into<String>> IntoScore for (S, F) {
    fn into_score(self) -> Result<Score> {
        Ok(self.0.into_score()?.feedback(self.1))
    }
}

impl<S: IntoScore, E: Into<Box<dyn StdError + Send + Sync>>> IntoScore for Result<S, E> {
    fn into_score(self) -> Result<Score> {
        match self {
            Ok(score) => score.into_score(),
            // An error of the library keeps its kind: a judge that cannot be reached is no bad score.
            Err(error) => match error.into().downcast::<Error>() {
                Ok(own) => Err(*own),
                Err(other) => Err(Error::other(other)),
            },
        }
    }
}

/// A metric: a function of a row and an output that returns a score, at once or in a future.
///
/// ```
/// # struct Qa { answer: String }
/// # struct QaOutput { answer: String }
/// let metric = |gold: &Qa, pred: &QaOutput| gold.answer.eq_ignore_ascii_case(&pred.answer);
/// # let _ = metric;
/// ```
///
/// The types of the arguments are written out: they tell what the metric is for. An `async fn` that takes both by
/// reference is a metric too, and so is a closure that clones what it needs and returns an `async move` block.
///
/// A metric for the output of a signature also judges that of a [`ChainOfThought`](crate::predict::ChainOfThought)
/// of it, [`Reasoned`]. One that looks at the reasoning takes `&Reasoned<QaOutput>`.
///
/// `K` tells apart the forms; it is always inferred.
#[diagnostic::on_unimplemented(
    message = "this is not a metric for rows of `{E}` and outputs of `{O}`",
    label = "not a metric for these types",
    note = "write `|gold: &{E}, pred: &{O}| ...` that returns `bool`, a number, `(number, feedback)`, a `Score`, \
            a `Result` of these, or a `Send` future of one of them"
)]
pub trait Metric<E, O, K>: Send + Sync + 'static {
    /// Judges one output.
    fn score<'a>(&'a self, example: &'a E, output: &'a O) -> impl Future<Output = Result<Score>> + Send + 'a;
}

/// The form of metrics that return `R`.
#[derive(Debug)]
pub struct Returns<R>(PhantomData<fn() -> R>);

/// The form of metrics that return a future.
#[derive(Debug)]
pub struct Awaits(());

impl<F, E, O, R> Metric<E, O, Returns<R>> for F
where
    F: Fn(&E, &O) -> R + Send + Sync + 'static,
    R: IntoScore,
    E: 'static,
    O: 'static,
{
    fn score<'a>(&'a self, example: &'a E, output: &'a O) -> impl Future<Output = Result<Score>> + Send + 'a {
        std::future::ready(self(example, output).into_score())
    }
}

impl<F, E, O> Metric<E, O, Awaits> for F
where
    F: for<'a> AsyncMetricFn<'a, E, O> + Send + Sync + 'static,
    E: 'static,
    O: 'static,
{
    fn score<'a>(&'a self, example: &'a E, output: &'a O) -> impl Future<Output = Result<Score>> + Send + 'a {
        let started = self.start(example, output);
        async move { started.await.into_score() }
    }
}

/// The form of metrics of the form `K` that judge an answer without its reasoning.
#[derive(Debug)]
pub struct WithoutReasoning<K>(PhantomData<fn() -> K>);

impl<M, E, O, K> Metric<E, Reasoned<O>, WithoutReasoning<K>> for M
where
    M: Metric<E, O, K>,
{
    fn score<'a>(
        &'a self,
        example: &'a E,
        output: &'a Reasoned<O>,
    ) -> impl Future<Output = Result<Score>> + Send + 'a {
        Metric::<E, O, K>::score(self, example, output)
    }
}

/// A function whose future may borrow the row and the output. Implemented for all that fit; see [`Metric`].
pub trait AsyncMetricFn<'a, E: 'a, O: 'a> {
    /// What the future gives.
    type Score: IntoScore;
    /// The future.
    type Future: Future<Output = Self::Score> + Send + 'a;

    /// Begins to judge.
    fn start(&self, example: &'a E, output: &'a O) -> Self::Future;
}

impl<'a, F, E: 'a, O: 'a, Fut> AsyncMetricFn<'a, E, O> for F
where
    F: Fn(&'a E, &'a O) -> Fut,
    Fut: Future + Send + 'a,
    Fut::Output: IntoScore,
{
    type Score = Fut::Output;
    type Future = Fut;

    fn start(&self, example: &'a E, output: &'a O) -> Fut {
        self(example, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Gold {
        answer: String,
    }
    struct Pred {
        answer: String,
    }

    #[allow(clippy::needless_pass_by_value)]
    fn judged<M: Metric<Gold, Pred, K>, K>(metric: M) -> Result<Score> {
        let (gold, pred) = (Gold { answer: "a".into() }, Pred { answer: "a".into() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(metric.score(&gold, &pred))
    }

    async fn judge(gold: &Gold, pred: &Pred) -> Result<f64> {
        tokio::task::yield_now().await;
        Ok(f64::from(u8::from(gold.answer == pred.answer)))
    }

    #[test]
    fn every_shape_of_a_closure_is_a_metric() {
        let stored = |gold: &Gold, pred: &Pred| gold.answer == pred.answer;
        assert_eq!(judged(stored).unwrap(), Score::new(1.0));
        assert_eq!(judged(|g: &Gold, p: &Pred| g.answer == p.answer).unwrap(), Score::new(1.0));
        assert_eq!(judged(|_: &Gold, _: &Pred| 0.5).unwrap().value, 0.5);
        assert_eq!(judged(|_: &Gold, _: &Pred| 0.5_f32).unwrap().value, 0.5);
        assert_eq!(judged(|_: &Gold, _: &Pred| 3).unwrap().value, 3.0);
        assert_eq!(judged(|_: &Gold, _: &Pred| (0.5, "half")).unwrap(), Score::new(0.5).feedback("half"));
        let told = judged(|g: &Gold, _: &Pred| (true, format!("like {}", g.answer))).unwrap();
        assert_eq!(told.feedback.as_deref(), Some("like a"));
        assert_eq!(judged(|_: &Gold, _: &Pred| Score::new(2.0)).unwrap().value, 2.0);
        assert_eq!(judged(|_: &Gold, _: &Pred| "7".parse::<f64>()).unwrap().value, 7.0);
        assert_eq!(judged(|_: &Gold, _: &Pred| "x".parse::<f64>()).unwrap_err().kind(), "other");
        assert_eq!(
            judged(|_: &Gold, _: &Pred| Err::<bool, _>(Error::Limit("spent".into()))).unwrap_err().kind(),
            "limit"
        );
        assert_eq!(judged(judge).unwrap().value, 1.0);
        let later = |gold: &Gold, pred: &Pred| {
            let same = gold.answer == pred.answer;
            async move { (same, "later") }
        };
        assert_eq!(judged(later).unwrap(), Score::new(1.0).feedback("later"));
        assert_eq!(judged(|_: &Gold, _: &Pred| Box::pin(async { 1.0 })).unwrap().value, 1.0);
    }

    #[test]
    fn a_metric_of_an_answer_judges_it_with_reasoning_too() {
        #[allow(clippy::needless_pass_by_value)]
        fn judged<M: Metric<Gold, Reasoned<Pred>, K>, K>(metric: M) -> f64 {
            let gold = Gold { answer: "a".into() };
            let pred = Reasoned::new("so", Pred { answer: "a".into() });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(metric.score(&gold, &pred)).unwrap().value
        }

        fn right(gold: &Gold, pred: &Pred) -> bool {
            gold.answer == pred.answer
        }

        assert_eq!(judged(right), 1.0);
        assert_eq!(judged(judge), 1.0);
        assert_eq!(judged(|gold: &Gold, pred: &Pred| gold.answer == pred.answer), 1.0);
        assert_eq!(
            judged(|_: &Gold, pred: &Reasoned<Pred>| pred.reasoning == "so" && pred.answer == "a"),
            1.0
        );
    }
}
