//! Servers of the Model Context Protocol: our own over a pipe, and real ones of others.
//!
//! The latter are started with `npx`, which may download them, so they run on demand only:
//! `cargo test --features mcp --test mcp -- --ignored`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use dspy::{
    ToolErrorKind,
    lm::{Capabilities, StubModel},
    mcp::{McpClient, McpServer},
    prelude::*,
};
use serde_json::{Map, Value, json};

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Add two numbers.
#[tool]
fn add(
    /// the first
    a: i64,
    b: i64,
) -> Result<i64> {
    a.checked_add(b).ok_or_else(|| Error::other("the sum is too large"))
}

fn run<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

#[test]
fn a_program_is_served_and_called_as_a_tool() {
    run(async {
        let lm = StubModel::scripted([r#"{"answer": "Vienna"}"#]);
        let program = Tool::from_program("ask", "Answers questions.", Predict::<Qa>::new().lm(&lm));
        let server = McpServer::new("geography", "1.0.0").tool(add).tool(program).instructions("Ask away.");
        let (here, there) = tokio::io::duplex(1 << 16);
        let serving = tokio::spawn(server.serve_over(there));
        let client = McpClient::connect("geography", here).await.unwrap();
        assert_eq!(client.instructions().as_deref(), Some("Ask away."));

        let tools = client.tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(Tool::name).collect();
        assert_eq!(names, ["add", "ask"]);
        assert_eq!(tools[0].spec(), Tool::from_fn(add).spec());
        assert_eq!(tools[0].call(object(json!({"a": "1", "b": 2}))).await.unwrap(), "3");
        let overflow = tools[0].call(object(json!({"a": i64::MAX, "b": 1}))).await.unwrap_err();
        assert_eq!(overflow.kind, ToolErrorKind::Failed);
        assert!(overflow.message.contains("the sum is too large"), "{overflow}");
        let missing = tools[0].call(object(json!({"a": 1}))).await.unwrap_err();
        assert_eq!(missing.kind, ToolErrorKind::Arguments);
        let answer = tools[1].call(object(json!({"question": "The capital of Austria?"}))).await.unwrap();
        assert_eq!(answer, r#"{"answer":"Vienna"}"#);

        // The connection lasts as long as its tools.
        drop(client);
        assert!(tools[0].call(object(json!({"a": 1, "b": 2}))).await.is_ok());
        drop(tools);
        serving.await.unwrap().unwrap();
    });
}

#[test]
fn a_server_that_is_none_is_named() {
    run(async {
        let error = McpClient::command("no-such-program-anywhere", [""; 0]).await.unwrap_err().to_string();
        assert!(error.contains("no-such-program-anywhere") && error.contains("cannot be started"), "{error}");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        drop(listener);
        let error = McpClient::http(&url).await.unwrap_err().to_string();
        assert!(error.contains(&url), "{error}");
        assert!(McpClient::http("nowhere").await.unwrap_err().to_string().contains("no URL"));
    });
}

#[cfg(unix)]
#[test]
fn a_server_that_is_started_is_given_no_keys() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("environment");
        let script = format!("env > '{}'", file.display());
        // It speaks no protocol: what it was given is seen all the same.
        assert!(McpClient::command("sh", ["-c", &script]).await.is_err());
        let environment = std::fs::read_to_string(file).unwrap();
        assert!(environment.contains("PATH="), "{environment}");
        assert!(std::env::vars().any(|(name, _)| name == "CARGO_PKG_NAME"));
        assert!(!environment.contains("CARGO_PKG_NAME"), "{environment}");
    });
}

/// Whether `npx` is there.
fn npx() -> bool {
    let found = std::process::Command::new("npx").arg("--version").stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: there is no `npx` here");
    }
    found
}

const EVERYTHING: &str = "@modelcontextprotocol/server-everything";

async fn everything(client: McpClient) {
    let tools = client.tools().await.unwrap();
    let names: BTreeSet<&str> = tools.iter().map(Tool::name).collect();
    assert!(names.contains("echo") && names.len() > 5, "{names:?}");
    let tool = |name: &str| tools.iter().find(|tool| tool.name() == name).unwrap();
    let echoed = tool("echo").observe(object(json!({"message": "köfte"}))).await;
    assert!(echoed.is_ok() && echoed.text.contains("köfte"), "{echoed}");
    let sum = tools.iter().find(|tool| ["get-sum", "add"].contains(&tool.name())).unwrap();
    let sum = sum.observe(object(json!({"a": "19", "b": 23}))).await;
    assert!(sum.is_ok() && sum.text.contains("42"), "{sum}");
    let wrong = tool("echo").observe(Map::new()).await;
    assert_eq!(wrong.error, Some(ToolErrorKind::Arguments));
    let resources = client.resources().await.unwrap();
    let text = client.read(&resources[0].uri).await.unwrap();
    assert!(!text.is_empty());
    assert!(client.read("demo://nowhere/at/all").await.is_err());

    // Sixteen calls at once, none of them mixed.
    let calls = (0..16).map(|n| tool("echo").observe(object(json!({"message": format!("number {n}")}))));
    for (n, echoed) in futures_util::future::join_all(calls).await.into_iter().enumerate() {
        assert!(echoed.text.ends_with(&format!("number {n}")), "{echoed}");
    }

    let step = |thought: &str, tool: &str, arguments: Value| {
        json!({"next_thought": thought, "next_tool_name": tool, "next_tool_args": arguments}).to_string()
    };
    let lm = StubModel::scripted([
        step("I try it.", "echo", json!({"message": "mirror"})),
        step("Done.", "finish", json!({})),
        json!({"reasoning": "It said so.", "answer": "mirror"}).to_string(),
    ])
    .capabilities(Capabilities::none());
    let agent = ReAct::<Qa>::builder().tools(&tools).lm(&lm).build();
    let p = agent.call("What does the echo say?").await.unwrap();
    let action = p.trajectory().unwrap().actions().next().unwrap();
    assert!(action.observation.text.contains("mirror"), "{}", action.observation);
}

#[test]
#[ignore = "starts a server with npx"]
fn the_reference_server_over_its_standard_input() {
    if npx() {
        run(async {
            let mut command = tokio::process::Command::new("npx");
            command.args(["-y", EVERYTHING]).stderr(Stdio::null());
            everything(McpClient::process(command).await.unwrap()).await;
        });
    }
}

#[test]
#[ignore = "starts a server with npx"]
fn the_reference_server_over_http() {
    if npx() {
        run(async {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = tokio::process::Command::new("npx");
            command.args(["-y", EVERYTHING, "streamableHttp"]).env("PORT", port.to_string());
            let _server =
                command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
            let url = format!("http://127.0.0.1:{port}/mcp");
            let mut connected = McpClient::http(&url).await;
            for _ in 0..240 {
                if connected.is_ok() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
                connected = McpClient::http(&url).await;
            }
            everything(connected.unwrap()).await;
        });
    }
}

#[test]
#[ignore = "starts a server with npx"]
fn a_server_of_files() {
    if npx() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().canonicalize().unwrap();
            std::fs::write(folder.join("notes.txt"), "Tartu has 97,000 inhabitants.").unwrap();
            let mut command = tokio::process::Command::new("npx");
            command
                .args(["-y", "@modelcontextprotocol/server-filesystem"])
                .arg(&folder)
                .stderr(Stdio::null());
            let tools = McpClient::process(command).await.unwrap().tools().await.unwrap();
            let tool = |name: &str| tools.iter().find(|tool| tool.name() == name).unwrap();
            let notes = folder.join("notes.txt");
            let read = tool("read_text_file").observe(object(json!({"path": notes}))).await;
            assert!(read.is_ok() && read.text.contains("97,000"), "{read}");
            let outside = tool("read_text_file").observe(object(json!({"path": "/etc/hostname"}))).await;
            assert_eq!(outside.error, Some(ToolErrorKind::Failed));
            assert!(
                tool("list_directory")
                    .observe(object(json!({"path": folder})))
                    .await
                    .text
                    .contains("notes.txt")
            );
        });
    }
}
