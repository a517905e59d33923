//! What an observer sees, kept.

use std::sync::{Arc, Mutex, MutexGuard};

use dspy::{Event, EventKind, Observer, context::observe::WorkId, optimize, retrieve::Passage};

/// One event, in words.
#[derive(Debug, Clone)]
pub struct Told {
    pub work: WorkId,
    pub parent: Option<WorkId>,
    pub what: String,
}

#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<Told>>>);

impl Seen {
    pub fn all(&self) -> MutexGuard<'_, Vec<Told>> {
        self.0.lock().unwrap()
    }

    /// The events as a tree: each below what it is part of, indented, in the order in which they came.
    pub fn tree(&self) -> String {
        let all = self.all();
        let depth = |told: &Told| {
            let mut parent = told.parent;
            let mut depth = 0;
            while let Some(id) = parent {
                depth += 1;
                parent = all.iter().find(|other| other.work == id).and_then(|other| other.parent);
            }
            depth
        };
        all.iter().map(|told| format!("{}{}\n", "  ".repeat(depth(told)), told.what)).collect()
    }

    pub fn count(&self, start: &str) -> usize {
        self.all().iter().filter(|told| told.what.starts_with(start)).count()
    }
}

impl Observer for Seen {
    fn observe(&self, event: &Event<'_>) {
        let what = words(&event.kind);
        self.all().push(Told { work: event.work, parent: event.parent, what });
    }
}

fn words(kind: &EventKind<'_>) -> String {
    let end = |result: Result<String, String>| match result {
        Ok(text) => text,
        Err(kind) => format!("{kind} error"),
    };
    match *kind {
        EventKind::ModuleStarted { module, agent, path, input } => {
            let agent = if agent { " (agent)" } else { "" };
            format!("module {module}{agent} {path:?}: {}", input.to_json())
        }
        EventKind::ModuleEnded { module, result, .. } => {
            let result = result.map(|o| o.to_json().to_string()).map_err(|e| e.kind().to_owned());
            format!("/module {module}: {}", end(result))
        }
        EventKind::PredictorStarted { signature, path, .. } => format!("predictor {signature} {path:?}"),
        EventKind::PromptFormatted { adapter, prompt } => {
            format!("formatted by {adapter}: {} messages", prompt.messages().count())
        }
        EventKind::AnswerParsed { adapter, result } => {
            let result = result.map(|_| "done".to_owned()).map_err(|e| e.kind().to_owned());
            format!("parsed by {adapter}: {}", end(result))
        }
        EventKind::AskedAgain { .. } => "asked again".into(),
        EventKind::PredictorEnded { path, step } => {
            let outcome = step.output_json().map(|o| o.to_string()).ok_or("failed".to_owned());
            format!("/predictor {path:?} calls={}: {}", step.usage.calls, end(outcome))
        }
        EventKind::RequestStarted { model, .. } => format!("request {model}"),
        EventKind::RequestRetried { error, .. } => {
            format!("retried after {} {}", error.attempts, error.kind.as_str())
        }
        EventKind::RequestEnded { entry } => {
            let outcome = match &entry.outcome {
                Ok(_) => format!("{} tokens", entry.usage().total_tokens()),
                Err(error) => format!("{} error", error.kind.as_str()),
            };
            format!("/request cached={}: {outcome}", entry.cached)
        }
        EventKind::EmbeddingStarted { model, texts } => format!("embedding {model}: {texts:?}"),
        EventKind::EmbeddingEnded { result, .. } => {
            format!("/embedding: {} vectors", result.map_or(0, |found| found.vectors.len()))
        }
        EventKind::ToolStarted { tool, arguments } => format!("tool {tool}: {}", arguments["question"]),
        EventKind::ToolEnded { tool, result, .. } => {
            let result = result.map(ToString::to_string).map_err(|e| e.kind.as_str().to_owned());
            format!("/tool {tool}: {}", end(result))
        }
        EventKind::RetrievalStarted { retriever, query, k } => format!("search {retriever}: {query}, {k}"),
        EventKind::RetrievalEnded { result, .. } => {
            let passages = result.unwrap().as_any().downcast_ref::<Vec<Passage>>().unwrap();
            format!("/search: {}", passages[0].text)
        }
        EventKind::EvaluationStarted { metric, rows } => format!("evaluation {metric} {rows:?}"),
        EventKind::RowStarted { row } => format!("row {row}"),
        EventKind::RowScored { row, score, error, .. } => {
            format!("/row {row}: {score:?} {}", error.map_or("fine", |e| e.kind()))
        }
        EventKind::EvaluationEnded { score, .. } => format!("/evaluation: {score:?}"),
        EventKind::CompileStarted { optimizer } => format!("compile {optimizer}"),
        EventKind::Optimizer { event } => {
            let typed = event.as_any().downcast_ref::<optimize::Event>().is_some();
            assert!(typed);
            format!("optimizer {}", event.to_json()["event"].as_str().unwrap())
        }
        EventKind::CompileEnded { error, .. } => format!("/compile: {}", error.is_none()),
        EventKind::Cancelled { .. } => "cancelled".into(),
        _ => "other".into(),
    }
}
