//! Work that is observed, from its beginning to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tracing::Span;

use super::{
    observe::{EventKind, Observers, WorkId},
    recorder::PredictorId,
};
use crate::{
    LmError,
    lm::{EmbeddingProbe, HistoryEntry, Probe, Retried, embed::Embeddings},
};

/// The paths of the predictors of the program that was called.
pub(crate) type PredictorPaths = Arc<[(PredictorId, Arc<str>)]>;

/// What a context knows of the work that it belongs to.
#[derive(Debug)]
pub(super) struct Within {
    pub(super) id: WorkId,
    pub(super) parent: Option<WorkId>,
    pub(super) paths: Option<PredictorPaths>,
}

/// A piece of work. It tells of its end, or that it was given up if it is dropped before.
#[derive(Debug)]
pub(crate) struct Work {
    observers: Observers,
    id: WorkId,
    parent: Option<WorkId>,
    began: Instant,
    span: Span,
    paths: Option<PredictorPaths>,
    ended: AtomicBool,
}

impl Work {
    pub(super) fn begin(
        observers: Observers,
        within: Option<&Within>,
        span: Span,
        started: EventKind<'_>,
    ) -> Self {
        let work = Self {
            observers,
            id: WorkId::fresh(),
            parent: within.map(|within| within.id),
            began: Instant::now(),
            span,
            paths: within.and_then(|within| within.paths.clone()),
            ended: AtomicBool::new(false),
        };
        work.tell(started);
        work
    }

    /// Names the predictors of the program that is called.
    pub(crate) fn name(mut self, paths: PredictorPaths) -> Self {
        self.paths = Some(paths);
        self
    }

    pub(super) fn within(&self) -> Within {
        Within { id: self.id, parent: self.parent, paths: self.paths.clone() }
    }

    /// Its span, for what is done in it.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// How long it has taken so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Tells of something that happened in it.
    pub(crate) fn tell(&self, kind: EventKind<'_>) {
        self.observers.tell(self.id, self.parent, kind);
    }

    /// Tells of its end, and marks its span with the kind of its error.
    pub(crate) fn end(&self, kind: EventKind<'_>, error: Option<&str>) {
        self.ended.store(true, Relaxed);
        if let Some(error) = error {
            self.span.record("error.type", error);
            self.span.record("otel.status_code", "ERROR");
        }
        self.tell(kind);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !*self.ended.get_mut() {
            self.tell(EventKind::Cancelled { duration: self.elapsed() });
        }
    }
}

impl Retried for Work {
    fn retried(&self, error: &LmError, delay: Duration) {
        self.tell(EventKind::RequestRetried { error, delay });
    }
}

impl Probe for Work {
    fn ended(&self, entry: &HistoryEntry) {
        self.end(EventKind::RequestEnded { entry }, None);
    }
}

impl EmbeddingProbe for Work {
    fn ended(&self, model: &str, result: Result<&Embeddings, &LmError>) {
        self.end(EventKind::EmbeddingEnded { model, result, duration: self.elapsed() }, None);
    }
}
