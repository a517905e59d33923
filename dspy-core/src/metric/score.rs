//! Metrics.

use std::{collections::BTreeMap, error::Error as StdError, future::Future};

use crate::{Error, Result, module::Prediction};

/// The score of one output: a number, higher is better, with feedback if there is any.
///
/// ```
/// use dspy_core::evaluate::Score;
/// let score = Score::new(0.0)
///     .feedback("The answer is a city; a country was asked for.")
///     .feedback_for("query", "The query does not name the river that the question is about.");
/// assert_eq!(score.said_of("query"), score.by_predictor.get("query").map(String::as_str));
/// assert_eq!(score.said_of("answer"), score.feedback.as_deref());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Score {
    /// The number.
    pub value: f64,
    /// What was good or bad, for people and for optimizers that use it.
    pub feedback: Option<String>,
    /// What was good or bad about the part of single predictors, by their path in the program.
    pub by_predictor: BTreeMap<String, String>,
}

impl Score {
    /// A score without feedback.
    pub fn new(value: f64) -> Self {
        Self { value, ..Self::default() }
    }

    /// Adds feedback.
    #[must_use]
    pub fn feedback(mut self, feedback: impl Into<String>) -> Self {
        self.feedback = Some(feedback.into());
        self
    }

    /// Adds words about the part of one predictor, by its path in the program. Optimizers that improve one predictor
    /// at a time read these instead of the [`feedback`](Self::feedback) on the whole.
    #[must_use]
    pub fn feedback_for(mut self, path: impl Into<String>, feedback: impl Into<String>) -> Self {
        self.by_predictor.insert(path.into(), feedback.into());
        self
    }

    /// The words about a predictor; those about the whole when there are none.
    pub fn said_of(&self, path: &str) -> Option<&str> {
        self.by_predictor.get(path).or(self.feedback.as_ref()).map(String::as_str)
    }
}

/// 1 when it is true, else 0.
impl From<bool> for Score {
    fn from(right: bool) -> Self {
        Self::from(f64::from(u8::from(right)))
    }
}

impl From<f64> for Score {
    fn from(value: f64) -> Self {
        Self::new(value)
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

/// A metric: a function of a row and an output that returns a score, or a future of one.
///
/// ```
/// # struct Qa { answer: String }
/// # struct QaOutput { answer: String }
/// let metric = |gold: &Qa, pred: &QaOutput| gold.answer.eq_ignore_ascii_case(&pred.answer);
/// # let _ = metric;
/// ```
///
/// The types of the arguments must be written out: they say what the metric is for. An `async fn` and an async closure
/// are metrics too; one that needs a model or other state takes it through [`metric_with_state`](crate::evaluate::metric_with_state).
///
/// A metric for the output of a signature also scores the output of a
/// [`ChainOfThought`](crate::predict::ChainOfThought) of it, [`Reasoned`](crate::signature::Reasoned). A metric that
/// reads the reasoning takes `&Reasoned<QaOutput>`.
///
/// A metric that goes by more than the output takes the [`Prediction`] with its trace, its usage, the steps of an agent and
/// the suggestions that are not met. Traces are then recorded for it.
///
/// ```
/// # use dspy_core::module::Prediction;
/// # struct Qa { answer: String }
/// # struct QaOutput { answer: String }
/// let metric = |gold: &Qa, pred: &Prediction<QaOutput>| {
///     let right = if gold.answer == pred.answer { 1.0 } else { 0.0 };
///     right - 0.01 * pred.trace().len() as f64
/// };
/// # let _ = metric;
/// ```
///
/// `K` is inferred: it is the form of the function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a metric",
    label = "the metric of this call is not a function of a row and an output",
    note = "a metric is a closure, a function or an async function that takes both by reference: \
            `|gold: &{E}, pred: &Output| ...`, where `Output` is the output of the program",
    note = "it returns `bool`, a number, `(bool or number, feedback)`, a `Score`, or a `Result` of one of these",
    note = "`metric_with_state(state, f)` passes the state to `f` first: `async |state: &State, gold: &{E}, pred: &Output| ...`"
)]
pub trait Metric<E, O, K>: Send + Sync + 'static {
    /// Whether it reads what happened in the call besides the output, so that traces have to be recorded.
    const READS_TRACE: bool = false;

    /// Scores one prediction.
    fn score<'a>(
        &'a self,
        example: &'a E,
        prediction: &'a Prediction<O>,
    ) -> impl Future<Output = Result<Score>> + Send + 'a;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metric::metric_with_state, signature::Reasoned};

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
        runtime.block_on(metric.score(&gold, &pred.into()))
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
        let closure = async |gold: &Gold, pred: &Pred| judge(gold, pred).await;
        assert_eq!(judged(closure).unwrap().value, 1.0);
    }

    #[test]
    fn a_metric_takes_its_state_first() {
        struct Table(Vec<String>);

        impl Table {
            async fn has(&self, _: &Gold, pred: &Pred) -> Result<bool> {
                tokio::task::yield_now().await;
                Ok(self.0.contains(&pred.answer))
            }
        }

        let table = || Table(vec!["a".into()]);
        assert_eq!(judged(metric_with_state(table(), Table::has)).unwrap().value, 1.0);
        let closure = async |table: &Table, gold: &Gold, pred: &Pred| table.has(gold, pred).await;
        assert_eq!(judged(metric_with_state(table(), closure)).unwrap().value, 1.0);
        let at_once = |table: &Table, _: &Gold, _: &Pred| table.0.len();
        assert_eq!(judged(metric_with_state(table(), at_once)).unwrap().value, 1.0);
    }

    #[test]
    fn a_metric_of_an_answer_judges_it_with_reasoning_too() {
        #[allow(clippy::needless_pass_by_value)]
        fn judged<M: Metric<Gold, Reasoned<Pred>, K>, K>(metric: M) -> f64 {
            let gold = Gold { answer: "a".into() };
            let pred = Reasoned::new("so", Pred { answer: "a".into() });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(metric.score(&gold, &pred.into())).unwrap().value
        }

        fn right(gold: &Gold, pred: &Pred) -> bool {
            gold.answer == pred.answer
        }

        assert_eq!(judged(right), 1.0);
        assert_eq!(judged(judge), 1.0);
        assert_eq!(judged(|gold: &Gold, pred: &Pred| gold.answer == pred.answer), 1.0);
        assert_eq!(judged(metric_with_state("a", |a: &&str, _: &Gold, pred: &Pred| *a == pred.answer)), 1.0);
        assert_eq!(
            judged(|_: &Gold, pred: &Reasoned<Pred>| pred.reasoning == "so" && pred.answer == "a"),
            1.0
        );
        let whole =
            |_: &Gold, pred: &Prediction<Reasoned<Pred>>| pred.reasoning == "so" && pred.answer == "a";
        assert_eq!(judged(whole), 1.0);
    }

    #[test]
    fn a_metric_sees_the_whole_prediction_if_it_asks_for_it() {
        #[allow(clippy::needless_pass_by_value)]
        fn reads<M: Metric<Gold, Pred, K>, K>(_: &M) -> bool {
            M::READS_TRACE
        }
        let whole =
            |gold: &Gold, pred: &Prediction<Pred>| gold.answer == pred.answer && pred.trace().is_empty();
        let part = |gold: &Gold, pred: &Pred| gold.answer == pred.answer;
        assert_eq!((reads(&whole), reads(&part)), (true, false));
        assert_eq!(judged(whole).unwrap().value, 1.0);
        let later = async |_: &Gold, pred: &Prediction<Pred>| judge(&Gold { answer: "a".into() }, pred).await;
        assert_eq!(judged(later).unwrap().value, 1.0);
        let table = |n: &usize, _: &Gold, pred: &Prediction<Pred>| pred.trace().len() == *n;
        assert_eq!(judged(metric_with_state(0, table)).unwrap().value, 1.0);
    }
}
