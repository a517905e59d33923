//! Evaluations and their rows as observers and subscribers of `tracing` see them.

use tracing::{Instrument as _, field};

use super::{Failure, Score};
use crate::{
    Error, Result,
    context::{Context, Work, begin, observe::EventKind},
    lm::BoxFuture,
};

/// A row that is run while somebody observes.
pub(crate) struct RowWork {
    work: Work,
    row: usize,
}

impl RowWork {
    /// Begins a row, if anybody observes.
    pub(crate) fn begin(row: usize) -> Option<Self> {
        let work = begin(|| {
            let span = tracing::info_span!(
                "row",
                otel.name = "evaluate row",
                otel.status_code = field::Empty,
                dspy.row = row,
                gen_ai.evaluation.score.value = field::Empty,
                error.r#type = field::Empty,
            );
            (span, EventKind::RowStarted { row })
        })?;
        Some(Self { work, row })
    }

    /// Runs the row, and tells what it scored.
    pub(crate) async fn watch<T>(
        self,
        running: BoxFuture<'_, T>,
        outcome: fn(&T) -> &Result<Score, Failure>,
    ) -> T {
        let running = running.instrument(self.work.span().clone());
        let ended = Context::current().within(&self.work).scope(running).await;
        self.end(outcome(&ended));
        ended
    }

    fn end(self, outcome: &Result<Score, Failure>) {
        let Self { work, row } = self;
        let (score, error) = match outcome {
            Ok(score) => (Some(score), None),
            Err(failure) => (None, Some(failure.error())),
        };
        let value = score.map(|score| score.value);
        work.span().record("gen_ai.evaluation.score.value", value);
        let feedback = score.and_then(|score| score.feedback.as_deref());
        let duration = work.elapsed();
        let scored = EventKind::RowScored { row, score: value, feedback, error, duration };
        work.end(scored, error.map(Error::kind));
    }
}

/// Runs an evaluation, and tells of it.
pub(super) async fn evaluation<T>(
    metric: String,
    rows: Option<usize>,
    running: BoxFuture<'_, Result<T>>,
    score: fn(&T) -> f64,
) -> Result<T> {
    let metric = &*metric;
    let begun = begin(|| {
        let span = tracing::info_span!(
            "evaluate",
            otel.name = format!("evaluate {metric}"),
            otel.status_code = field::Empty,
            gen_ai.evaluation.name = metric,
            gen_ai.evaluation.score.value = field::Empty,
            dspy.rows = rows,
            error.r#type = field::Empty,
        );
        (span, EventKind::EvaluationStarted { metric, rows })
    });
    let Some(work) = begun else { return running.await };
    let running = running.instrument(work.span().clone());
    let result = Context::current().within(&work).scope(running).await;
    let (score, error) = (result.as_ref().ok().map(score), result.as_ref().err());
    work.span().record("gen_ai.evaluation.score.value", score);
    let ended = EventKind::EvaluationEnded { metric, score, error, duration: work.elapsed() };
    work.end(ended, error.map(Error::kind));
    result
}
