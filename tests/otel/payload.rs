//! What is sent.

use std::time::Duration;

use dspy::{
    lm::{Cache, RetryPolicy},
    otel::{Exporter, Otlp},
    prelude::*,
    with,
};

use crate::{
    QUESTION, Qa, QaOutput, ask, clerk, flush,
    model::{Model, Reply, run, server::Server},
    said,
    wire::{Span, spans},
};

/// A server that takes traces.
pub(crate) async fn collector() -> Server {
    Server::start(|_| Reply::Full { status: 200, headers: Vec::new(), body: Vec::new() }).await
}

pub(crate) fn to(server: &Server) -> Otlp {
    Otlp::new().endpoint(format!("{}/traces", server.api_base())).service_name("towns")
}

fn received(server: &Server) -> Vec<Span> {
    server.calls().iter().flat_map(|call| spans(&call.body)).collect()
}

/// The names with those of the spans around them, in the order in which the work began.
pub(crate) fn tree(spans: &[Span]) -> Vec<String> {
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort_by_key(|span| span.begin);
    let around = |span: &Span| spans.iter().find(|other| other.id == span.parent).map(|o| o.name.as_str());
    spans.iter().map(|span| format!("{} < {}", span.name, around(span).unwrap_or("nothing"))).collect()
}

#[test]
fn a_program_is_a_trace() {
    run(async {
        let (model, server) = (clerk().await, collector().await);
        let exporter = to(&server).header("x-mlflow-experiment-id", "7").build().unwrap();
        let lm = model.lm.with_options(&Options::new().temperature(0.5).max_tokens(200));
        ask(&exporter, lm).await.unwrap();
        flush(&exporter).await.unwrap();

        let call = server.last();
        assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/v1/traces"));
        assert_eq!(call.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(call.header("x-mlflow-experiment-id"), Some("7"));
        let spans = received(&server);
        let expected = [
            "invoke_workflow Towns < nothing",
            "invoke_agent ReAct<Qa> < invoke_workflow Towns",
            "predict Qa < invoke_agent ReAct<Qa>",
            "chat test < predict Qa",
            "execute_tool look_up < invoke_agent ReAct<Qa>",
            "predict Qa < invoke_agent ReAct<Qa>",
            "chat test < predict Qa",
            "predict Qa < invoke_agent ReAct<Qa>",
            "chat test < predict Qa",
        ];
        assert_eq!(tree(&spans), expected);
        assert!(spans.iter().all(|span| span.trace == spans[0].trace && span.begin <= span.end));
        assert!(spans.iter().all(|span| span.resource["service.name"] == "towns" && span.status == 0));
        let chat = spans.iter().find(|span| span.name == "chat test").unwrap();
        assert_eq!(chat.kind, 3, "client");
        for (name, value) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "test"),
            ("gen_ai.request.temperature", "double 0.5"),
            ("gen_ai.request.max_tokens", "int 200"),
            ("gen_ai.response.finish_reasons", "[\"stop\"]"),
            ("gen_ai.usage.input_tokens", "int 7"),
            ("gen_ai.usage.output_tokens", "int 3"),
            ("dspy.cached", "bool false"),
        ] {
            assert_eq!(chat.attributes.get(name).map(String::as_str), Some(value), "{name}: {chat:?}");
        }
        let paths: Vec<&str> =
            spans.iter().filter_map(|span| Some(span.attributes.get("dspy.path")?.as_str())).collect();
        assert!(paths.contains(&"agent") && paths.contains(&"agent.extract.predict"), "{paths:?}");
        for said in [QUESTION, "Emajõgi", "gazetteer", "Found."] {
            let bytes = server.calls().iter().map(|call| call.body.clone()).collect::<Vec<_>>().concat();
            assert!(!String::from_utf8_lossy(&bytes).contains(said), "{said} is content");
        }
    });
}

#[test]
fn content_is_there_on_request() {
    run(async {
        let (model, server) = (clerk().await, collector().await);
        let exporter = to(&server).content(true).build().unwrap();
        ask(&exporter, model.lm.clone()).await.unwrap();
        flush(&exporter).await.unwrap();
        let spans = received(&server);
        let attribute = |span: &str, name: &str| {
            let span = spans.iter().find(|s| s.name == span).unwrap();
            span.attributes.get(name).unwrap_or_else(|| panic!("{name} in {span:?}")).clone()
        };
        assert_eq!(
            attribute("invoke_workflow Towns", "input.value"),
            format!(r#"{{"question":"{QUESTION}"}}"#)
        );
        assert_eq!(attribute("invoke_workflow Towns", "output.value"), r#"{"answer":"the Emajõgi"}"#);
        assert_eq!(attribute("execute_tool look_up", "gen_ai.tool.call.arguments"), r#"{"town":"Tartu"}"#);
        assert_eq!(
            attribute("execute_tool look_up", "gen_ai.tool.call.result"),
            r#""Tartu lies on the Emajõgi.""#
        );
        let messages: serde_json::Value =
            serde_json::from_str(&attribute("chat test", "gen_ai.input.messages")).unwrap();
        assert_eq!(messages[0]["role"], "system");
        assert!(messages[1]["parts"][0]["content"].as_str().unwrap().contains(QUESTION));
        assert!(attribute("chat test", "gen_ai.output.messages").contains("look_up"));
    });
}

#[test]
fn failures_are_told_without_keys() {
    run(async {
        let key = "sk-verysecretkey0123456789";
        // The provider repeats the key, and fails once before.
        let model = Model::replying(move |asked| match asked.number {
            0 => Reply::error(500, "down"),
            _ => Reply::error(401, &format!("Incorrect API key provided: {key}")),
        })
        .await;
        let lm = LM::builder("openai/test").api_base(model.server.api_base()).api_key(key);
        let lm = lm.cache(Cache::off()).retry(RetryPolicy::default().base(Duration::ZERO)).build().unwrap();
        let server = collector().await;
        let exporter = to(&server).content(true).header("authorization", "Bearer collector-secret");
        let exporter = exporter.build().unwrap();
        let failed = ask(&exporter, lm).await.unwrap_err();
        flush(&exporter).await.unwrap();
        assert_eq!(failed.kind(), "auth");
        let spans = received(&server);
        let chat = spans.iter().find(|span| span.name == "chat test").unwrap();
        assert_eq!((chat.status, chat.attributes["error.type"].as_str()), (2, "auth"));
        let (name, retry) = &chat.events[0];
        assert_eq!((name.as_str(), retry["error.type"].as_str()), ("tried again", "server"));
        assert!(spans.iter().all(|span| span.status == 2), "the error reached the program");
        for call in server.calls() {
            let body = String::from_utf8_lossy(&call.body).into_owned();
            assert!(!body.contains("verysecret") && !body.contains("collector-secret"));
        }
    });
}

#[test]
fn a_server_that_is_not_there_disturbs_nothing() {
    run(async {
        let model = Model::saying(|_| said(&[("answer", "yes")])).await;
        // A port that nobody listens at.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let exporter = Otlp::new().endpoint(format!("http://127.0.0.1:{port}/v1/traces"));
        let exporter: Exporter = exporter.timeout(Duration::from_secs(2)).build().unwrap();
        let qa = Predict::<Qa>::new().lm(model.lm.clone());
        let p = with(|c| c.observer(exporter.clone()), qa.call(QUESTION)).await.unwrap();
        assert_eq!(p.answer, "yes");
        let error = flush(&exporter).await.unwrap_err().to_string();
        assert!(error.contains("spans could not be sent"), "{error}");
    });
}

#[test]
fn addresses_and_headers_are_checked() {
    for otlp in [
        Otlp::new().endpoint("collector:4317"),
        Otlp::new().endpoint("not an address"),
        Otlp::new().endpoint("http://127.0.0.1:1/v1/traces").header("x", "two\nlines"),
    ] {
        let error = otlp.build().unwrap_err().to_string();
        assert!(error.contains("address") || error.contains("header"), "{error}");
        assert!(!error.contains("lines"), "{error}");
    }
}

#[test]
fn evaluations_and_compiles_are_traces() {
    run(async {
        let model = Model::saying(|_| said(&[("answer", "1")])).await;
        let server = collector().await;
        let exporter = to(&server).build().unwrap();
        let qa = Predict::<Qa>::new().lm(model.lm.clone());
        let row = |n: u32| Qa { question: format!("{n}?"), answer: format!("{}", n % 2) };
        let rows: Vec<Qa> = (0..4).map(row).collect();
        let exact = |row: &Qa, found: &QaOutput| row.answer == found.answer;
        with(|c| c.observer(exporter.clone()), async {
            Evaluate::new(&rows, exact).progress(false).metric_name("exact").run(&qa).await.unwrap();
            let search = BootstrapFewShotWithRandomSearch::new().num_candidates(1).progress(false);
            search.compile(qa.clone(), &rows, exact).await.unwrap();
        })
        .await;
        flush(&exporter).await.unwrap();
        let spans = received(&server);
        let evaluation = spans.iter().find(|span| span.name == "evaluate exact").unwrap();
        assert_eq!(evaluation.attributes["gen_ai.evaluation.score.value"], "double 0.5");
        assert_eq!(evaluation.attributes["dspy.rows"], "int 4");
        let rows: Vec<&Span> = spans.iter().filter(|span| span.parent == evaluation.id).collect();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.name == "evaluate row" && row.trace == evaluation.trace));
        let compile = spans.iter().find(|span| span.name.starts_with("compile ")).unwrap();
        assert!(compile.trace != evaluation.trace && compile.parent.is_empty());
        let names: Vec<&str> = compile.events.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            names.contains(&"started") && names.contains(&"finished") && names.contains(&"best"),
            "{names:?}"
        );
    });
}
