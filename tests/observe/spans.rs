//! Spans of `tracing`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use dspy::{lm::capture_content, prelude::*, with};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::set_default,
};

use crate::{knowing, model::run, rag};

#[derive(Debug, Clone, Default)]
struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<String, String>,
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), format!("i64 {value}"));
    }
}

/// Keeps the spans of one thread, with what they are part of.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<(Vec<Span>, Vec<u64>)>>);

impl Spans {
    fn take(&self) -> Vec<Span> {
        std::mem::take(&mut self.0.lock().unwrap().0)
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("dspy")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut state = self.0.lock().unwrap();
        let mut span =
            Span { name: attributes.metadata().name(), parent: state.1.last().copied(), ..Span::default() };
        attributes.record(&mut span);
        state.0.push(span);
        Id::from_u64(state.0.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut state = self.0.lock().unwrap();
        if let Some(span) = state.0.get_mut(id.into_u64() as usize - 1) {
            values.record(span);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        self.0.lock().unwrap().1.push(id.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.0.lock().unwrap().1.pop();
    }
}

#[test]
fn a_program_is_a_tree_of_spans_without_content() {
    let spans = Spans::default();
    let _guard = set_default(spans.clone());
    let call = || {
        run(async {
            let model = knowing().await;
            with(|c| c.lm(model.lm.clone()), rag().call("Which river is in Tartu?")).await.unwrap();
        });
    };
    capture_content(false);
    call();
    let seen = spans.take();
    let place = |span: &Span| {
        let above = span.parent.map_or(String::new(), |id| format!(" in {}", seen[id as usize - 1].name));
        format!("{}{above}", span.fields["otel.name"])
    };
    let places: Vec<String> = seen.iter().map(place).collect();
    let expected = [
        "invoke_workflow Rag",
        "predict WriteQuery in invoke_workflow",
        "chat test in predict",
        "retrieval Bm25 in invoke_workflow",
        "invoke_workflow Inner in invoke_workflow",
        "predict Answer in invoke_workflow",
        "chat test in predict",
    ];
    assert_eq!(places, expected);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "test"),
        ("gen_ai.usage.input_tokens", "i64 7"),
        ("gen_ai.usage.output_tokens", "i64 3"),
        ("otel.kind", "client"),
    ] {
        assert_eq!(seen[2].fields.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(seen[4].fields["dspy.path"], "answer");
    let content = |seen: &[Span]| format!("{seen:?}").matches("river").count();
    assert_eq!(content(&seen), 0, "nothing of what is said: {seen:?}");

    capture_content(true);
    call();
    capture_content(false);
    let seen = spans.take();
    assert!(content(&seen) > 5);
    let of = |at: usize, name: &str| seen[at].fields[name].clone();
    assert_eq!(of(0, "dspy.input"), r#"{"question":"Which river is in Tartu?"}"#);
    assert_eq!(of(0, "dspy.output"), r#"{"answer":"Emajõgi"}"#);
    assert!(of(2, "gen_ai.input.messages").contains(r#""role":"system""#));
    assert!(of(2, "gen_ai.output.messages").contains("Tartu river"));
    assert_eq!(of(3, "gen_ai.retrieval.query.text"), "Tartu river");
}
