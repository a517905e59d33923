//! `tracing` spans of requests, with the names of OpenTelemetry's semantic conventions for generative AI (1.41).

use tracing::{Span, field};

use super::{Answer, Request, ResponseFormat, Usage, embed::Embeddings, genai};
use crate::LmError;

/// A span for a request; disabled when nobody listens.
pub(super) fn chat(model: &str, request: &Request) -> Span {
    // Numbers without a sign would reach OpenTelemetry as texts.
    let options = &request.options;
    let span = tracing::info_span!(
        "chat",
        otel.name = field::Empty,
        otel.kind = "client",
        otel.status_code = field::Empty,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = field::Empty,
        gen_ai.request.model = field::Empty,
        gen_ai.request.temperature = options.temperature,
        gen_ai.request.top_p = options.top_p,
        gen_ai.request.max_tokens = options.max_tokens.map(i64::from),
        gen_ai.request.seed = options.seed.and_then(|seed| i64::try_from(seed).ok()),
        gen_ai.request.choice.count = options.n.filter(|n| *n > 1).map(i64::from),
        gen_ai.output.r#type = field::Empty,
        gen_ai.response.id = field::Empty,
        gen_ai.response.model = field::Empty,
        gen_ai.response.finish_reasons = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        gen_ai.usage.cache_read.input_tokens = field::Empty,
        gen_ai.usage.cache_creation.input_tokens = field::Empty,
        gen_ai.usage.reasoning.output_tokens = field::Empty,
        gen_ai.input.messages = field::Empty,
        gen_ai.output.messages = field::Empty,
        dspy.cached = field::Empty,
        error.r#type = field::Empty,
    );
    if !span.is_disabled() {
        model_of(&span, "chat", model);
        if request.format != ResponseFormat::Text {
            span.record("gen_ai.output.type", "json");
        }
        if genai::captures_content() {
            span.record("gen_ai.input.messages", genai::input_messages(&request.prompt).to_string());
        }
    }
    span
}

fn model_of(span: &Span, operation: &str, model: &str) {
    let (provider, name) = genai::provider_and_model(model);
    span.record("otel.name", format!("{operation} {name}"));
    span.record("gen_ai.provider.name", provider);
    span.record("gen_ai.request.model", name);
}

/// Records what became of a request.
pub(super) fn answered(span: &Span, result: &Result<Answer, LmError>) {
    let answer = match result {
        Err(error) => return failed(span, error),
        Ok(answer) => answer,
    };
    let response = &answer.response;
    span.record("gen_ai.response.id", &*response.id);
    span.record("gen_ai.response.model", &*response.model);
    let reasons: Vec<_> = response.choices.iter().map(|c| genai::finish_reason(&c.finish)).collect();
    span.record("gen_ai.response.finish_reasons", field::debug(reasons));
    span.record("dspy.cached", answer.cached);
    // What a cache answers is not paid for again.
    if !answer.cached {
        spent(span, &response.usage);
    }
    if genai::captures_content() {
        span.record("gen_ai.output.messages", genai::output_messages(response).to_string());
    }
}

fn failed(span: &Span, error: &LmError) {
    span.record("error.type", error.kind.as_str());
    span.record("otel.status_code", "ERROR");
}

fn spent(span: &Span, usage: &Usage) {
    span.record("gen_ai.usage.input_tokens", signed(usage.prompt_tokens));
    span.record("gen_ai.usage.output_tokens", signed(usage.completion_tokens));
    for (name, tokens) in [
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_prompt_tokens),
        ("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
    ] {
        if tokens > 0 {
            span.record(name, signed(tokens));
        }
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A span for texts that are embedded.
pub(super) fn embeddings(model: &str, texts: usize) -> Span {
    let span = tracing::info_span!(
        "embeddings",
        otel.name = field::Empty,
        otel.kind = "client",
        otel.status_code = field::Empty,
        gen_ai.operation.name = "embeddings",
        gen_ai.provider.name = field::Empty,
        gen_ai.request.model = field::Empty,
        gen_ai.embeddings.dimension.count = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        dspy.texts = texts,
        error.r#type = field::Empty,
    );
    if !span.is_disabled() {
        model_of(&span, "embeddings", model);
    }
    span
}

/// Records what became of texts.
pub(super) fn embedded(span: &Span, result: Result<&Embeddings, &LmError>) {
    match result {
        Err(error) => failed(span, error),
        Ok(found) => {
            let dimension = found.vectors.first().map(Vec::len).and_then(|n| i64::try_from(n).ok());
            span.record("gen_ai.embeddings.dimension.count", dimension);
            span.record("gen_ai.usage.input_tokens", signed(found.usage.prompt_tokens));
        }
    }
}
