//! The client among runtimes, and what it tells those who listen.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use dspy_core::{
    LmErrorKind,
    lm::{Cache, LM, LMBuilder, Message, Request},
    module::Module,
    predict::Predict,
    signature::DynSignature,
};
use support::{Reply, Server};
use tokio::runtime::{Builder, Runtime};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn builder(server: &Server) -> LMBuilder {
    LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).retries(0)
}

fn ask() -> Request {
    Request::new(vec![Message::user("hi")])
}

#[test]
fn without_a_runtime_an_error_says_so() {
    use futures_util::FutureExt;

    let lm = LM::builder("openai/m").api_base("http://127.0.0.1:9/v1").cache(Cache::off()).build().unwrap();
    let error = lm.generate(ask()).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Configuration);
    assert!(error.message.contains("#[tokio::main]"), "{error}");

    let program = Predict::dynamic(DynSignature::parse("question -> answer").unwrap()).lm(lm);
    let inputs = ["a", "b"].map(|question| dspy_core::signature::Record::from([("question", question)]));
    let outcomes = program.batch(inputs).now_or_never().unwrap();
    assert_eq!(outcomes.len(), 2);
    for outcome in outcomes {
        assert!(outcome.unwrap_err().to_string().contains("need a tokio runtime"));
    }
}

#[test]
fn connections_of_a_runtime_that_has_ended_are_not_used_again() {
    let home = runtime();
    let server = home.block_on(Server::replying(vec![Reply::completion("x")]));
    let lm = builder(&server).build().unwrap();
    for _ in 0..20 {
        runtime().block_on(lm.generate(ask())).unwrap();
    }
    assert_eq!(server.count(), 20);
}

#[test]
fn a_waiting_request_is_small() {
    let lm = LM::builder("ollama/m").build().unwrap();
    let size = size_of_val(&lm.generate(ask()));
    assert!(size < 3072, "{size} bytes");
}

/// Keeps the fields of spans.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<BTreeMap<String, String>>>);

impl Visit for &Listener {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("dspy")
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut &*self);
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut &*self);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_request_is_a_span_with_the_names_of_opentelemetry() {
    let listener = Listener::default();
    let _guard = tracing::subscriber::set_default(listener.clone());
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let server = Server::replying(vec![Reply::completion("x"), Reply::error(401, "no")]).await;
        let lm = builder(&server).temperature(0.5).build().unwrap();
        lm.generate(ask()).await.unwrap();
        let seen = std::mem::take(&mut *listener.0.lock().unwrap());
        for (name, value) in [
            ("gen_ai.operation.name", "\"chat\""),
            ("gen_ai.provider.name", "\"openai\""),
            ("gen_ai.request.model", "\"m\""),
            ("gen_ai.request.temperature", "0.5"),
            ("gen_ai.response.model", "\"m-2025\""),
            ("gen_ai.usage.input_tokens", "7"),
            ("gen_ai.usage.output_tokens", "3"),
            ("dspy.cached", "false"),
        ] {
            assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name} in {seen:?}");
        }
        lm.generate(ask()).await.unwrap_err();
        assert_eq!(listener.0.lock().unwrap().get("error.type").map(String::as_str), Some("\"auth\""));
    });
}
