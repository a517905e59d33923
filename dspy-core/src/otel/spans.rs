//! Spans that are made of events.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use serde_json::json;

use super::attributes::Attributes;
use crate::{
    Error,
    context::{
        Recorded,
        observe::{Event, EventKind, WorkId},
    },
    lm::genai,
};

/// Makes spans of events: one for each piece of work.
pub(super) struct Spans {
    tracer: SdkTracer,
    /// Whether they contain what is said.
    content: bool,
    /// The work that has not ended.
    open: Mutex<HashMap<WorkId, Span>>,
}

impl Spans {
    pub(super) fn new(tracer: SdkTracer, content: bool) -> Self {
        Self { tracer, content, open: Mutex::default() }
    }

    pub(super) fn observe(&self, event: &Event<'_>) {
        let content = self.content;
        let mut of = Attributes::default();
        match event.kind {
            EventKind::ModuleStarted { module, agent, path, input } => {
                let (operation, name) = match agent {
                    true => ("invoke_agent", "gen_ai.agent.name"),
                    false => ("invoke_workflow", "gen_ai.workflow.name"),
                };
                of.operation(operation).kind(if agent { "AGENT" } else { "CHAIN" }).text(name, module);
                of.some("dspy.path", path.map(str::to_owned));
                self.begin(
                    event,
                    format!("{operation} {module}"),
                    SpanKind::Internal,
                    of.given(input, content),
                );
            }
            EventKind::ModuleEnded { result, .. } => {
                self.end(event, of.gave(result.ok(), content), failure(result.err(), content));
            }
            EventKind::PredictorStarted { signature, path, input } => {
                of.kind("CHAIN").text("dspy.signature", signature);
                of.some("dspy.path", path.map(str::to_owned));
                self.begin(
                    event,
                    format!("predict {signature}"),
                    SpanKind::Internal,
                    of.given(input, content),
                );
            }
            EventKind::AnswerParsed { adapter, result: Err(error) } => {
                of.text("dspy.adapter", adapter).text("error.type", error.kind());
                of.some("exception.message", content.then(|| error.to_string()));
                self.note(event, "answer could not be read", &mut of);
            }
            EventKind::AskedAgain { reason } => {
                of.some("dspy.reason", content.then(|| reason.to_owned()));
                self.note(event, "asked again", &mut of);
            }
            EventKind::PredictorEnded { step, .. } => {
                of.number("dspy.retries", step.retries.len() as u64);
                if let Some(output) = step.output_json().filter(|_| content) {
                    of.text("output.value", &output.to_string()).text("output.mime_type", "application/json");
                }
                self.end(event, &mut of, failure(step.error(), content));
            }
            EventKind::RequestStarted { model, request } => {
                of.operation("chat").model(model).request(request);
                if content {
                    of.text("gen_ai.input.messages", &genai::input_messages(&request.prompt).to_string());
                    if !request.tools.is_empty() {
                        of.text("gen_ai.tool.definitions", &json!(request.tools).to_string());
                    }
                }
                let (_, name) = genai::provider_and_model(model);
                self.begin(event, format!("chat {name}"), SpanKind::Client, &mut of);
            }
            EventKind::RequestRetried { error, delay } => {
                of.text("error.type", error.kind.as_str()).add("dspy.delay", delay.as_secs_f64());
                self.note(event, "tried again", of.number("dspy.attempts", error.attempts.into()));
            }
            EventKind::RequestEnded { entry } => {
                of.answer(entry);
                let failed = match &entry.outcome {
                    Ok(response) => {
                        let said = content.then(|| genai::output_messages(response).to_string());
                        of.some("gen_ai.output.messages", said);
                        None
                    }
                    Err(error) => Some(Failure::new(error.kind.as_str(), error, content)),
                };
                self.end(event, &mut of, failed);
            }
            EventKind::EmbeddingStarted { model, texts } => {
                of.operation("embeddings").model(model).number("dspy.texts", texts.len() as u64);
                let (_, name) = genai::provider_and_model(model);
                self.begin(event, format!("embeddings {name}"), SpanKind::Client, &mut of);
            }
            EventKind::EmbeddingEnded { result, .. } => {
                if let Ok(found) = result {
                    let dimension = found.vectors.first().map_or(0, Vec::len);
                    of.number("gen_ai.embeddings.dimension.count", dimension as u64);
                    of.number("gen_ai.usage.input_tokens", found.usage.prompt_tokens);
                }
                let failed = result.err().map(|e| Failure::new(e.kind.as_str(), e, content));
                self.end(event, &mut of, failed);
            }
            EventKind::ToolStarted { tool, arguments } => {
                of.operation("execute_tool").text("gen_ai.tool.name", tool);
                of.add("gen_ai.tool.type", "function");
                of.some("gen_ai.tool.call.arguments", content.then(|| json!(arguments).to_string()));
                self.begin(event, format!("execute_tool {tool}"), SpanKind::Internal, &mut of);
            }
            EventKind::ToolEnded { result, .. } => {
                let said = result.ok().filter(|_| content).map(ToString::to_string);
                of.some("gen_ai.tool.call.result", said);
                let failed = result.err().map(|e| Failure::new(e.kind.as_str(), e, content));
                self.end(event, &mut of, failed);
            }
            EventKind::RetrievalStarted { retriever, query, k } => {
                of.operation("retrieval").kind("RETRIEVER").text("gen_ai.data_source.id", retriever);
                of.number("gen_ai.request.top_k", k as u64);
                if content {
                    of.text("gen_ai.retrieval.query.text", query).text("input.value", query);
                }
                self.begin(event, format!("retrieval {retriever}"), SpanKind::Client, &mut of);
            }
            EventKind::RetrievalEnded { result, .. } => {
                if let Some(passages) = result.ok().filter(|_| content) {
                    of.text("gen_ai.retrieval.documents", &passages.to_json().to_string());
                }
                self.end(event, of.gave(result.ok(), content), failure(result.err(), content));
            }
            EventKind::EvaluationStarted { metric, rows } => {
                of.kind("CHAIN").text("gen_ai.evaluation.name", metric);
                of.some("dspy.rows", rows.and_then(|rows| i64::try_from(rows).ok()));
                self.begin(event, format!("evaluate {metric}"), SpanKind::Internal, &mut of);
            }
            EventKind::EvaluationEnded { score, error, .. } => {
                of.some("gen_ai.evaluation.score.value", score);
                self.end(event, &mut of, failure(error, content));
            }
            EventKind::RowStarted { row } => {
                of.kind("CHAIN").number("dspy.row", row as u64);
                self.begin(event, "evaluate row".to_owned(), SpanKind::Internal, &mut of);
            }
            EventKind::RowScored { score, feedback, error, .. } => {
                let said = feedback.filter(|_| content).map(str::to_owned);
                of.some("gen_ai.evaluation.score.value", score).some("gen_ai.evaluation.explanation", said);
                self.end(event, &mut of, failure(error, content));
            }
            EventKind::CompileStarted { optimizer } => {
                of.kind("CHAIN").text("dspy.optimizer", optimizer);
                self.begin(event, format!("compile {optimizer}"), SpanKind::Internal, &mut of);
            }
            EventKind::Optimizer { event: what } => {
                let what = what.to_json();
                // Rows have spans of their own.
                if let Some(name) = what["event"].as_str().filter(|name| *name != "row") {
                    of.some("dspy.event", content.then(|| what.to_string()));
                    of.some("gen_ai.evaluation.score.value", what["score"].as_f64());
                    self.note(event, name.to_owned(), of.some("dspy.candidate", what["candidate"].as_i64()));
                }
            }
            EventKind::CompileEnded { error, .. } => self.end(event, &mut of, failure(error, content)),
            EventKind::Cancelled { .. } => {
                let failed = Failure { kind: "cancelled", message: "the work was given up".into() };
                self.end(event, &mut of, Some(failed));
            }
            EventKind::PromptFormatted { .. } | EventKind::AnswerParsed { result: Ok(_), .. } => {}
        }
    }

    fn begin(&self, event: &Event<'_>, name: String, kind: SpanKind, attributes: &mut Attributes) {
        let builder = self.tracer.span_builder(name).with_kind(kind).with_start_time(event.time);
        let builder = builder.with_attributes(attributes.take());
        let mut open = self.open();
        let around = event.parent.and_then(|parent| Some(open.get(&parent)?.span_context().clone()));
        let context = match around {
            Some(parent) => Context::new().with_remote_span_context(parent),
            // What the program around it traces by itself.
            None => Context::current(),
        };
        open.insert(event.work, builder.start_with_context(&self.tracer, &context));
    }

    fn note(&self, event: &Event<'_>, name: impl Into<Cow<'static, str>>, attributes: &mut Attributes) {
        if let Some(span) = self.open().get_mut(&event.work) {
            span.add_event_with_timestamp(name.into(), event.time, attributes.take());
        }
    }

    fn end(&self, event: &Event<'_>, attributes: &mut Attributes, failed: Option<Failure>) {
        let Some(span) = self.open().remove(&event.work) else { return };
        end(span, event.time, attributes.take(), failed);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<WorkId, Span>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(mut span: Span, time: SystemTime, attributes: Vec<KeyValue>, failed: Option<Failure>) {
    span.set_attributes(attributes);
    if let Some(Failure { kind, message }) = failed {
        span.set_attribute(KeyValue::new("error.type", kind));
        span.set_status(Status::error(message));
    }
    span.end_with_timestamp(time);
}

/// Why work failed.
struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    /// The words of an error may quote what was said.
    fn new(kind: &'static str, error: &impl ToString, content: bool) -> Self {
        Self { kind, message: if content { error.to_string() } else { kind.to_owned() } }
    }
}

fn failure(error: Option<&Error>, content: bool) -> Option<Failure> {
    error.map(|error| Failure::new(error.kind(), error, content))
}

impl Attributes {
    fn given(&mut self, input: &dyn Recorded, content: bool) -> &mut Self {
        if content {
            self.text("input.value", &input.to_json().to_string())
                .text("input.mime_type", "application/json");
        }
        self
    }

    fn gave(&mut self, output: Option<&dyn Recorded>, content: bool) -> &mut Self {
        if let Some(output) = output.filter(|_| content) {
            self.text("output.value", &output.to_json().to_string())
                .text("output.mime_type", "application/json");
        }
        self
    }
}
