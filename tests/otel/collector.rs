//! An OpenTelemetry collector takes our traces and hands them on; and what the environment says of one.

use std::{
    env,
    io::Write,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use dspy::{otel::Otlp, prelude::*};

use crate::{
    QUESTION, Qa, ask, clerk, flush,
    model::{
        Model, Reply, run,
        server::{Call, Server},
    },
    payload::{collector, to, tree},
    said,
    wire::{Span, spans},
};

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The spans that a collector has handed on so far; some compress whatever they are told.
fn handed_on(server: &Server) -> Vec<Span> {
    let plain = |call: &Call| match call.header("content-encoding") {
        Some("gzip") => {
            let mut gzip =
                Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            gzip.stdin.take().unwrap().write_all(&call.body).unwrap();
            gzip.wait_with_output().unwrap().stdout
        }
        _ => call.body.clone(),
    };
    server.calls().iter().flat_map(|call| spans(&plain(call))).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_collector_hands_the_trace_on() {
    let Some(program) = env::var_os("ROTEL_PEER").filter(|path| !path.is_empty()) else {
        eprintln!(
            "skipped: ROTEL_PEER names no collector (`pip install rotel`, and the file `rotel-agent` of the package)"
        );
        return;
    };
    run(async {
        let (model, behind) = (clerk().await, collector().await);
        let (http, grpc) = (free_port(), free_port());
        let mut command = Command::new(&program);
        command.args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"]);
        command.arg("--otlp-exporter-endpoint").arg(behind.api_base().trim_end_matches("/v1"));
        command.args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
        command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")]);
        let _running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        for _ in 0..300 {
            if std::net::TcpStream::connect(("127.0.0.1", http)).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let otlp = Otlp::new().endpoint(format!("http://127.0.0.1:{http}/v1/traces")).service_name("towns");
        let exporter = otlp.content(true).timeout(Duration::from_secs(60)).build().unwrap();
        let lm = model.lm.with_options(&Options::new().temperature(0.5));
        ask(&exporter, lm).await.unwrap();
        flush(&exporter).await.unwrap();
        for _ in 0..600 {
            if handed_on(&behind).len() >= 9 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let spans = handed_on(&behind);
        assert_eq!(spans.len(), 9, "{spans:?}");
        assert_eq!(
            tree(&spans)[..2],
            ["invoke_workflow Towns < nothing", "invoke_agent ReAct<Qa> < invoke_workflow Towns"]
        );
        assert!(spans.iter().all(|span| span.resource["service.name"] == "towns"));
        let chat = spans.iter().find(|span| span.name == "chat test").unwrap();
        for (name, value) in [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "test"),
            ("gen_ai.request.temperature", "double 0.5"),
            ("gen_ai.response.finish_reasons", "[\"stop\"]"),
            ("gen_ai.usage.input_tokens", "int 7"),
        ] {
            assert_eq!(chat.attributes.get(name).map(String::as_str), Some(value), "{name}: {chat:?}");
        }
        assert!(chat.attributes["gen_ai.input.messages"].contains(QUESTION), "{chat:?}");
        eprintln!("the collector handed on {} spans", spans.len());
    });
}

/// Runs a test of this program as a process of its own, with these variables; what it says on standard error.
fn as_a_process(test: &str, vars: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env("OTEL_TEST_CHILD", "1");
    let output = command.envs(vars.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn is_child() -> bool {
    env::var_os("OTEL_TEST_CHILD").is_some()
}

/// Asks once, as the environment says.
async fn ask_by_environment() {
    let model = Model::saying(|_| said(&[("answer", "yes")])).await;
    let exporter = Otlp::new().build().unwrap();
    let qa = Predict::<Qa>::new().lm(model.lm.clone());
    for _ in 0..3 {
        assert_eq!(
            dspy::with(|c| c.observer(exporter.clone()), qa.call(QUESTION)).await.unwrap().answer,
            "yes"
        );
        if let Err(error) = flush(&exporter).await {
            eprintln!("flush: {error}");
        }
    }
}

#[test]
fn the_environment_is_followed() {
    if is_child() {
        run(ask_by_environment());
        return;
    }
    run(async {
        let server = collector().await;
        let base = server.api_base().trim_end_matches("/v1").to_owned();
        let vars = |more: Vec<(&'static str, String)>| async move {
            tokio::task::spawn_blocking(move || {
                let more: Vec<_> = more.iter().map(|(name, value)| (*name, &**value)).collect();
                as_a_process("collector::the_environment_is_followed", &more)
            })
            .await
            .unwrap()
        };
        vars(vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", base.clone()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue%20green,authorization=Bearer%20s".into()),
            ("OTEL_SERVICE_NAME", "by-environment".into()),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".into()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".into()),
        ])
        .await;
        let call = server.last();
        assert_eq!(call.path, "/v1/traces");
        assert_eq!(
            (call.header("x-team"), call.header("authorization")),
            (Some("blue green"), Some("Bearer s"))
        );
        let span = &spans(&call.body)[0];
        assert_eq!(span.resource["service.name"], "by-environment");
        assert_eq!(span.resource["deployment.environment.name"], "test");
        // The address of traces is taken as it is.
        vars(vec![("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{base}/own/path"))]).await;
        assert_eq!(server.last().path, "/own/path");
        let before = server.count();
        vars(vec![("OTEL_EXPORTER_OTLP_ENDPOINT", base.clone()), ("OTEL_SDK_DISABLED", "true".into())]).await;
        assert_eq!(server.count(), before);
    });
}

#[test]
fn a_protocol_that_is_not_spoken_is_refused() {
    if is_child() {
        let error = Otlp::new().build().unwrap_err().to_string();
        assert!(
            error.contains("http/protobuf") && error.contains("4318") && error.contains("`grpc`"),
            "{error}"
        );
        // What is said in code is what is meant.
        Otlp::new().endpoint("http://127.0.0.1:1/v1/traces").build().unwrap();
        return;
    }
    let vars =
        [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")];
    as_a_process("collector::a_protocol_that_is_not_spoken_is_refused", &vars);
}

#[test]
fn a_server_that_fails_is_said_once_and_disturbs_nothing() {
    if is_child() {
        run(ask_by_environment());
        return;
    }
    run(async {
        for reply in [Reply::error(500, "broken"), Reply::error(429, "later"), Reply::Reset, Reply::Never] {
            let server = Server::start(move |_| reply.clone()).await;
            let endpoint = server.api_base().trim_end_matches("/v1").to_owned();
            let said = tokio::task::spawn_blocking(move || {
                let vars =
                    [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_EXPORTER_OTLP_TIMEOUT", "300")];
                as_a_process("collector::a_server_that_fails_is_said_once_and_disturbs_nothing", &vars)
            })
            .await
            .unwrap();
            assert_eq!(said.matches("dspy: ").count(), 1, "{said}");
            assert!(said.contains("could not be sent to 127.0.0.1"), "{said}");
            assert_eq!(said.matches("flush: ").count(), 3, "{said}");
            assert!(!said.contains("timed out"), "the request is given up before the flush: {said}");
        }
    });
}

#[test]
fn a_server_that_never_answers_keeps_nobody_waiting() {
    run(async {
        let server = Server::start(|_| Reply::Never).await;
        let model = Model::saying(|_| said(&[("answer", "yes")])).await;
        let exporter = to(&server).timeout(Duration::from_secs(3600)).build().unwrap();
        let qa = Predict::<Qa>::new().lm(model.lm.clone());
        // More than one batch: the second would have to wait for the first.
        for n in 0..600 {
            let call = qa.call(format!("{n}?"));
            dspy::with(|c| c.observer(exporter.clone()), call).await.unwrap();
        }
        // The server may never have answered, and still all of it is done.
        assert_eq!(model.count(), 600);
        std::mem::forget(exporter);
    });
}
