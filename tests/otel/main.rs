//! Traces by OTLP: to a server of the test, which looks at the payload; to an MLflow server where `MLFLOW_PEER_URL` names
//! one, such as `http://127.0.0.1:5000` after `mlflow server`; and through an OpenTelemetry collector where `ROTEL_PEER`
//! names the program of one.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "../model/mod.rs"]
mod model;

mod collector;
mod mlflow;
mod payload;
mod wire;

use dspy::{otel::Exporter, predict::ReAct, prelude::*, with};
use model::Model;

/// Answer the question about towns.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Look up a town in the gazetteer.
#[tool]
async fn look_up(
    /// its name in English
    town: String,
) -> Result<String> {
    Ok(format!("{town} lies on the Emajõgi."))
}

/// A program with an agent in it.
#[module]
#[derive(Clone)]
struct Towns {
    agent: ReAct<Qa>,
}

impl Module for Towns {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        Ok(self.agent.call(input).await?.into_inner())
    }
}

const QUESTION: &str = "Which river is in Tartu?";

fn said(outputs: &[(&str, &str)]) -> String {
    let fields = outputs.iter().map(|(name, text)| format!("[[ ## {name} ## ]]\n{text}\n\n"));
    fields.chain(["[[ ## completed ## ]]".to_owned()]).collect()
}

/// Looks Tartu up, then answers.
async fn clerk() -> Model {
    let step = |tool: &str, args: &str| {
        said(&[("next_thought", "So."), ("next_tool_name", tool), ("next_tool_args", args)])
    };
    let script = [
        step("look_up", r#"{"town": "Tartu"}"#),
        step("finish", "{}"),
        said(&[("reasoning", "Found."), ("answer", "the Emajõgi")]),
    ];
    Model::script(&script.each_ref().map(String::as_str)).await
}

/// Asks the program while the exporter observes.
async fn ask(exporter: &Exporter, lm: LM) -> Result<Prediction<QaOutput>> {
    let towns = Towns { agent: ReAct::<Qa>::builder().tool(look_up).build() };
    with(|c| c.lm(lm).observer(exporter.clone()), towns.call(QUESTION)).await
}

/// Sends what waits, from a thread of its own: the server of the test runs on this one.
async fn flush(exporter: &Exporter) -> Result<()> {
    let exporter = exporter.clone();
    tokio::task::spawn_blocking(move || exporter.flush()).await.unwrap()
}
