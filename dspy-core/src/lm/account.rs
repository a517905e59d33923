//! What is known of a call when it is over: its span, the sums of its client, the history.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};

use super::{Answer, HistoryEntry, Request, Usage, history};
use crate::LmError;

/// What the calls of a client have spent, added up without a lock.
#[derive(Default)]
pub(super) struct Sums {
    calls: AtomicU64,
    cached_calls: AtomicU64,
    unsaved_calls: AtomicU64,
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
    cached_prompt_tokens: AtomicU64,
    cache_write_tokens: AtomicU64,
    reasoning_tokens: AtomicU64,
}

impl Sums {
    pub(super) fn add(&self, u: &Usage) {
        for (sum, n) in [
            (&self.calls, u.calls),
            (&self.cached_calls, u.cached_calls),
            (&self.unsaved_calls, u.unsaved_calls),
            (&self.prompt_tokens, u.prompt_tokens),
            (&self.completion_tokens, u.completion_tokens),
            (&self.cached_prompt_tokens, u.cached_prompt_tokens),
            (&self.cache_write_tokens, u.cache_write_tokens),
            (&self.reasoning_tokens, u.reasoning_tokens),
        ] {
            if n > 0 {
                sum.fetch_add(n, Relaxed);
            }
        }
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            calls: self.calls.load(Relaxed),
            cached_calls: self.cached_calls.load(Relaxed),
            unsaved_calls: self.unsaved_calls.load(Relaxed),
            prompt_tokens: self.prompt_tokens.load(Relaxed),
            completion_tokens: self.completion_tokens.load(Relaxed),
            cached_prompt_tokens: self.cached_prompt_tokens.load(Relaxed),
            cache_write_tokens: self.cache_write_tokens.load(Relaxed),
            reasoning_tokens: self.reasoning_tokens.load(Relaxed),
        }
    }
}

/// A call that has begun.
pub(super) struct Call {
    time: SystemTime,
    instant: Instant,
    span: tracing::Span,
}

impl Call {
    pub(super) fn begin(model: &str, request: &Request) -> Self {
        Self { time: SystemTime::now(), instant: Instant::now(), span: span(model, request) }
    }

    /// The span in which it is made.
    pub(super) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// Counts it, and keeps it in the history.
    pub(super) fn end(
        self,
        model: &Arc<str>,
        sums: &Sums,
        request: Request,
        result: &Result<Answer, LmError>,
    ) {
        if let Ok(answer) = result {
            sums.add(&answer.usage());
        }
        if !self.span.is_disabled() {
            record(&self.span, result);
        }
        history::push(HistoryEntry {
            time: self.time,
            model: model.clone(),
            prompt: request.prompt,
            cached: result.as_ref().is_ok_and(|answer| answer.cached),
            outcome: result.as_ref().map(|answer| answer.response.clone()).map_err(Clone::clone),
            duration: self.instant.elapsed(),
        });
    }
}

/// A span with OpenTelemetry's names (semantic conventions for generative AI); nothing when nobody listens.
fn span(model: &str, request: &Request) -> tracing::Span {
    let span = tracing::info_span!(
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = tracing::field::Empty,
        gen_ai.request.model = model,
        gen_ai.request.temperature = request.options.temperature,
        gen_ai.request.top_p = request.options.top_p,
        gen_ai.request.max_tokens = request.options.max_tokens,
        gen_ai.request.seed = request.options.seed,
        gen_ai.response.id = tracing::field::Empty,
        gen_ai.response.model = tracing::field::Empty,
        gen_ai.response.finish_reasons = tracing::field::Empty,
        gen_ai.usage.input_tokens = tracing::field::Empty,
        gen_ai.usage.output_tokens = tracing::field::Empty,
        dspy.cached = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
    );
    if !span.is_disabled()
        && let Some((provider, _)) = model.split_once('/')
    {
        span.record("gen_ai.provider.name", provider);
    }
    span
}

fn record(span: &tracing::Span, result: &Result<Answer, LmError>) {
    match result {
        Err(e) => {
            span.record("error.type", e.kind.as_str());
        }
        Ok(answer) => {
            let response = &answer.response;
            span.record("gen_ai.response.id", &*response.id);
            span.record("gen_ai.response.model", &*response.model);
            let reasons: Vec<_> = response.choices.iter().map(|c| &c.finish).collect();
            span.record("gen_ai.response.finish_reasons", tracing::field::debug(reasons));
            span.record("gen_ai.usage.input_tokens", response.usage.prompt_tokens);
            span.record("gen_ai.usage.output_tokens", response.usage.completion_tokens);
            span.record("dspy.cached", answer.cached);
        }
    }
}
