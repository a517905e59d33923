//! Calls of predictors as observers and subscribers of `tracing` see them.

use std::sync::Arc;

use tracing::{Instrument as _, field};

use crate::{
    Error, Result,
    context::{Context, Recorded, Step, Work, observe::EventKind},
    lm::{BoxFuture, Prompt, genai},
    module::Predictor,
    value::Coercion,
};

/// A call of a predictor that somebody observes.
pub(super) struct PredictorWork {
    work: Work,
    path: Option<Arc<str>>,
}

impl PredictorWork {
    /// Begins a call, if anybody observes. In a box, because most calls have none and would be larger.
    pub(super) fn begin(context: &Context, predictor: &Predictor, input: &dyn Recorded) -> Option<Box<Self>> {
        let path = context.path_of(predictor.id());
        let signature = &**predictor.name();
        let work = context.begin(|| {
            let span = tracing::info_span!(
                "predict",
                otel.name = format!("predict {signature}"),
                otel.status_code = field::Empty,
                dspy.signature = signature,
                dspy.path = path.as_deref(),
                dspy.input = field::Empty,
                dspy.output = field::Empty,
                dspy.retries = field::Empty,
                error.r#type = field::Empty,
            );
            if !span.is_disabled() && genai::captures_content() {
                span.record("dspy.input", input.to_json().to_string());
            }
            (span, EventKind::PredictorStarted { signature, path: path.as_deref(), input })
        })?;
        Some(Box::new(Self { work, path }))
    }

    /// Runs the call.
    pub(super) async fn watch<T>(&self, context: &Context, running: BoxFuture<'_, T>) -> T {
        let context = context.clone().within(&self.work);
        context.scope(running.instrument(self.work.span().clone())).await
    }

    pub(super) fn formatted(&self, adapter: &str, prompt: &Prompt) {
        self.work.tell(EventKind::PromptFormatted { adapter, prompt });
    }

    pub(super) fn parsed(&self, adapter: &str, result: Result<&[Coercion], &Error>) {
        self.work.tell(EventKind::AnswerParsed { adapter, result });
    }

    pub(super) fn again(&self, reason: &str) {
        self.work.tell(EventKind::AskedAgain { reason });
    }

    /// Tells of the end.
    pub(super) fn end(self, step: &Step) {
        let Self { work, path } = self;
        let span = work.span();
        if !span.is_disabled() {
            span.record("dspy.retries", step.retries.len());
            if let Some(output) = step.output_json().filter(|_| genai::captures_content()) {
                span.record("dspy.output", output.to_string());
            }
        }
        work.end(EventKind::PredictorEnded { path: path.as_deref(), step }, step.error().map(Error::kind));
    }
}
