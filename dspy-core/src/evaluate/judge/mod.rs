//! Programs as judges: metrics that ask a model.

mod complete_and_grounded;
mod semantic_f1;

use std::sync::Arc;

use dspy_macros::value;

use super::{IntoScore, Score};
use crate::{
    Result,
    lm::BoxFuture,
    module::{IntoInput, Module},
};

pub use complete_and_grounded::{CompleteAndGrounded, CompleteAndGroundedInput, CompleteAndGroundedOutput};
pub use semantic_f1::{SemanticF1, SemanticF1Input, SemanticF1Output};

/// Makes a metric of a program. Implemented for every module.
///
/// ```
/// use dspy_core::evaluate::AsMetric;
/// # use dspy_core::{predict::Predict, signature::{DynSignature, Record}};
/// # struct Qa { question: String }
/// # struct QaOutput { answer: String }
/// # #[derive(serde::Deserialize)] struct Verdict { polite: bool }
/// let judge = Predict::dynamic(DynSignature::parse("reply -> polite: bool")?);
/// let metric = judge.as_metric(
///     |_: &Qa, pred: &QaOutput| Record::from([("reply", pred.answer.as_str())]),
///     |verdict| verdict["polite"] == true,
/// );
/// # Ok::<(), dspy_core::Error>(())
/// ```
///
/// The judge is an ordinary program: it is compiled on rows that people have judged, saved and loaded like any other.
/// It asks the model that it has, or that of the settings; a judge is best given a model of its own with
/// [`set_lm`](crate::module::Program::set_lm).
pub trait AsMetric: Module + Clone + 'static {
    /// A metric that calls this program with what `input` makes of a row and an output, and takes from its output what
    /// `score` says. A call that fails is a failure of the metric, not a bad score.
    fn as_metric<E, O, I, S>(
        &self,
        input: impl Fn(&E, &O) -> I + Clone + Send + Sync + 'static,
        score: impl Fn(&Self::Output) -> S + Clone + Send + Sync + 'static,
    ) -> impl Fn(&E, &O) -> BoxFuture<'static, Result<Score>> + Clone + Send + Sync + 'static
    where
        I: IntoInput<Self::Input>,
        S: IntoScore,
    {
        let judge = Arc::new(self.clone());
        move |row: &E, output: &O| {
            let (judge, score) = (judge.clone(), score.clone());
            let input: Self::Input = input(row, output).into_input();
            let judged: BoxFuture<'static, Result<Score>> =
                Box::pin(async move { score(judge.call(input).await?.output()).into_score() });
            judged
        }
    }
}

impl<M: Module + Clone + 'static> AsMetric for M {}

/// One thing that a text says, and whether another one bears it out.
#[value]
#[derive(PartialEq)]
pub struct JudgedPoint {
    /// the point, in one short sentence
    pub point: String,
    /// whether the other text bears it out
    pub holds: bool,
}

/// The share of the points that hold; 1 when there are none, as nothing is missing then.
fn share(points: &[JudgedPoint]) -> f64 {
    match points.len() {
        0 => 1.0,
        n => points.iter().filter(|p| p.holds).count() as f64 / n as f64,
    }
}

/// The harmonic mean.
fn f1(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
}

/// The score of a judge that may have a threshold.
fn passed(value: f64, threshold: Option<f64>) -> f64 {
    threshold.map_or(value, |least| f64::from(u8::from(value >= least)))
}

/// Says what does not hold, for people and optimizers.
fn complain(out: &mut String, of: &str, points: &[JudgedPoint]) {
    let wrong: Vec<&str> = points.iter().filter(|p| !p.holds).map(|p| p.point.trim()).collect();
    if !wrong.is_empty() {
        out.push_str(&format!("\n{of}: {}", wrong.join("; ")));
    }
}

fn is_share(value: &f64) -> bool {
    (0.0..=1.0).contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_counted() {
        let point = |holds| JudgedPoint { point: format!("it is {holds} "), holds };
        let points = [point(true), point(false), point(true), point(true)];
        assert_eq!((share(&points), share(&[])), (0.75, 1.0));
        assert_eq!((f1(0.0, 0.0), f1(1.0, 0.5)), (0.0, 2.0 / 3.0));
        assert_eq!((passed(0.7, None), passed(0.7, Some(0.7)), passed(0.6, Some(0.7))), (0.7, 1.0, 0.0));
        let mut feedback = "reason".to_owned();
        complain(&mut feedback, "missing", &points);
        complain(&mut feedback, "invented", &points[..1]);
        assert_eq!(feedback, "reason\nmissing: it is false");
    }
}
