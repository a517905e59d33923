//! Searches as observers and subscribers of `tracing` see them.

use tracing::{Instrument as _, field};

use super::Passage;
use crate::{
    Error, Result,
    context::{Context, begin, observe::EventKind},
    lm::{BoxFuture, genai},
};

/// Runs a search of a retriever of this library, and tells of it.
pub(super) fn search<'a>(
    retriever: &'static str,
    query: &'a str,
    k: usize,
    searching: BoxFuture<'a, Result<Vec<Passage>>>,
) -> BoxFuture<'a, Result<Vec<Passage>>> {
    Box::pin(async move {
        let begun = begin(|| {
            let span = tracing::info_span!(
                "retrieval",
                otel.name = format!("retrieval {retriever}"),
                otel.status_code = field::Empty,
                gen_ai.operation.name = "retrieval",
                gen_ai.data_source.id = retriever,
                gen_ai.request.top_k = i64::try_from(k).unwrap_or(i64::MAX),
                gen_ai.retrieval.query.text = field::Empty,
                gen_ai.retrieval.documents = field::Empty,
                error.r#type = field::Empty,
            );
            if !span.is_disabled() && genai::captures_content() {
                span.record("gen_ai.retrieval.query.text", query);
            }
            (span, EventKind::RetrievalStarted { retriever, query, k })
        });
        let Some(work) = begun else { return searching.await };
        let searching = searching.instrument(work.span().clone());
        let result = Context::current().within(&work).scope(searching).await;
        if let Ok(passages) = &result
            && !work.span().is_disabled()
            && genai::captures_content()
        {
            let documents = serde_json::to_string(passages).unwrap_or_default();
            work.span().record("gen_ai.retrieval.documents", documents);
        }
        let found = result.as_ref().map(|passages| passages as _);
        let ended = EventKind::RetrievalEnded { retriever, result: found, duration: work.elapsed() };
        work.end(ended, result.as_ref().err().map(Error::kind));
        result
    })
}
