//! An MLflow server takes our traces, and shows them.

use std::{env, time::Duration};

use dspy::otel::Otlp;
use serde_json::{Value, json};

use crate::{QUESTION, ask, clerk, flush, model::run};

async fn post(client: &reqwest::Client, url: String, body: Value) -> Value {
    let response = client.post(url).json(&body).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn mlflow_shows_the_trace() {
    let Ok(base) = env::var("MLFLOW_PEER_URL") else {
        eprintln!("skipped: MLFLOW_PEER_URL names no MLflow server (`pip install mlflow`, `mlflow server`)");
        return;
    };
    run(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let name = json!({"name": format!("dspy {stamp}")});
        let made = post(&client, format!("{base}/api/2.0/mlflow/experiments/create"), name).await;
        let experiment = made["experiment_id"].as_str().unwrap();

        let model = clerk().await;
        let otlp = Otlp::new().endpoint(format!("{base}/v1/traces")).content(true);
        // A busy machine takes its time to make the first tables.
        let otlp = otlp.timeout(Duration::from_secs(60));
        let exporter = otlp.header("x-mlflow-experiment-id", experiment).build().unwrap();
        ask(&exporter, model.lm.clone()).await.unwrap();
        let _ = flush(&exporter).await;

        let place = json!({"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}});
        let search = json!({"locations": [place], "max_results": 5});
        let mut traces = Vec::new();
        for _ in 0..600 {
            let found = post(&client, format!("{base}/api/3.0/mlflow/traces/search"), search.clone()).await;
            traces = found["traces"].as_array().cloned().unwrap_or_default();
            if !traces.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(traces.len(), 1, "{traces:?}");
        let trace = &traces[0];
        assert_eq!(trace["state"], "OK", "{trace}");
        let id = trace["trace_id"].as_str().unwrap();
        let artifact = format!("{base}/ajax-api/3.0/mlflow/get-trace-artifact?request_id={id}");
        let data: Value =
            serde_json::from_str(&client.get(artifact).send().await.unwrap().text().await.unwrap()).unwrap();
        let spans = data["spans"].as_array().unwrap();
        let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), 9, "{names:?}");
        let of = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
        let attribute = |span: &Value, name: &str| span["attributes"][name].to_string();
        // MLflow knows each kind of work, and what went in and came out.
        let root = of("invoke_workflow Towns");
        assert!(attribute(root, "mlflow.spanInputs").contains(QUESTION), "{root}");
        assert!(attribute(root, "mlflow.spanOutputs").contains("the Emajõgi"), "{root}");
        for (name, kind) in [
            ("invoke_agent ReAct<Qa>", "AGENT"),
            ("execute_tool look_up", "TOOL"),
            ("chat test", "CHAT_MODEL"),
            ("predict Qa", "CHAIN"),
        ] {
            assert!(attribute(of(name), "mlflow.spanType").contains(kind), "{}", of(name));
        }
        assert!(attribute(of("chat test"), "mlflow.spanInputs").contains(QUESTION));
        assert!(attribute(of("chat test"), "mlflow.chat.tokenUsage").contains("input_tokens"));
        let usage = trace["trace_metadata"]["mlflow.trace.tokenUsage"].to_string();
        assert!(usage.contains("21") && usage.contains('9'), "three calls of 7 and 3 tokens: {usage}");
        eprintln!("MLflow shows {} spans: {names:?}", names.len());
    });
}
