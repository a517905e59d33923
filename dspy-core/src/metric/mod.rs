//! Metrics and rewards: functions that score an output. The interface is that of `evaluate`.

mod function;
mod score;
mod text;

use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;

pub(crate) use function::JudgedAs;
pub use function::{WithState, metric_with_state};
pub use score::{IntoScore, Metric, Score};
pub use text::{answer_exact_match, answer_passage_match, exact_match, f1, f1_match, max_f1, normalize_text};

use crate::{Error, Result, module::Prediction};

/// What a metric says, as a number that can be compared.
pub(crate) async fn judged<E, O, M, K>(metric: &M, example: &E, prediction: &Prediction<O>) -> Result<Score>
where
    M: Metric<E, O, K>,
{
    let score = caught("metric", async { metric.score(example, prediction).await }).await??;
    if score.value.is_finite() {
        return Ok(score);
    }
    Err(Error::other(format!("the metric returned {}; a score must be a finite number", score.value)))
}

/// The error of a panic says whose it was.
pub(crate) async fn caught<F: Future>(whose: &str, future: F) -> Result<F::Output> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| {
        let message = message(&*panic);
        Error::Task(format!("the {whose} panicked: {message}"))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
