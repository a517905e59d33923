//! What is known of a call when it is over: its span, the sums of its client, the history.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};

use super::{Answer, HistoryEntry, Request, Usage, ambient, history, spans};
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
    /// Begins it, and tells whoever observes.
    pub(super) fn begin(model: &str, request: &mut Request) -> Self {
        let (time, instant) = (SystemTime::now(), Instant::now());
        request.probe = ambient::of_request(model, request);
        Self { time, instant, span: spans::chat(model, request) }
    }

    /// The span in which it is made.
    pub(super) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    /// Counts it, tells whoever observes, and keeps it in the history.
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
            spans::answered(&self.span, result);
        }
        let probe = request.probe;
        let entry = HistoryEntry {
            time: self.time,
            model: model.clone(),
            prompt: request.prompt,
            cached: result.as_ref().is_ok_and(|answer| answer.cached),
            outcome: result.as_ref().map(|answer| answer.response.clone()).map_err(Clone::clone),
            duration: self.instant.elapsed(),
        };
        if let Some(probe) = probe {
            probe.ended(&entry);
        }
        history::push(entry);
    }
}
