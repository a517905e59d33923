//! The providers' own clients check what is sent, and build what is read. Runs where `SDK_PEER_PYTHON` names an
//! interpreter that can import them, such as that of a virtual environment after `pip install openai anthropic
//! google-genai cohere boto3`.
#![allow(clippy::print_stderr)]

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use dspy_core::lm::{ReasoningEffort, ToolChoice};

use super::*;

/// The protocols by name, each with a model of it.
fn wires() -> Vec<(&'static str, Provider)> {
    let chat = Provider { model: "openai/gpt-4o", setup: |builder| builder, ..openai_responses::provider() };
    vec![
        ("openai_chat", chat),
        ("openai_responses", openai_responses::provider()),
        ("anthropic", anthropic::provider()),
        ("gemini", gemini::provider()),
        ("cohere", cohere::provider()),
        #[cfg(feature = "bedrock")]
        ("bedrock", bedrock::provider()),
    ]
}

/// Requests with everything that a protocol can carry.
fn bodies(wire: &str, provider: &Provider) -> Vec<Value> {
    let mut requests = vec![hello(), rich()];
    for choice in [ToolChoice::None, ToolChoice::Required, ToolChoice::Tool("f".into())] {
        let mut request = rich();
        request.tool_choice = choice;
        requests.push(request);
    }
    let mut request = hello();
    request.format = schema();
    requests.push(request);
    let mut request = hello();
    request.format = ResponseFormat::JsonObject;
    requests.push(request);
    for effort in [ReasoningEffort::None, ReasoningEffort::Low, ReasoningEffort::High] {
        let mut request = hello();
        request.options.reasoning_effort = Some(effort);
        requests.push(request);
    }
    let mut request = hello();
    request.options.stop = vec!["END".into()];
    (request.options.temperature, request.options.top_p) = (Some(0.5), Some(0.9));
    (request.options.max_tokens, request.options.seed) = (Some(2000), Some(3));
    request.options.logprobs = (!matches!(wire, "anthropic" | "bedrock")).then_some(2);
    requests.push(request);
    let files: &[&str] = match wire {
        "cohere" => &["document"],
        "openai_responses" | "anthropic" | "bedrock" => &["document", "file"],
        _ => &["document", "file", "audio"],
    };
    for kind in files {
        let data = match *kind {
            "document" => json!({"text": "body", "title": "T", "context": "C", "media_type": "text/plain"}),
            "file" => json!({"media_type": "application/pdf", "data": "JVBERg==", "filename": "a.pdf"}),
            _ => json!({"format": "wav", "data": "UklGRg=="}),
        };
        let mut content = Content::from("look: ");
        content.push_part(Part::new(kind, data));
        requests.push(Request::new(vec![Message::user(content)]));
    }
    let models: &[&str] = match wire {
        "anthropic" => &["anthropic/claude-haiku-4-5", "anthropic/claude-opus-4-7"],
        "bedrock" => &[
            "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "bedrock/anthropic.claude-opus-4-7",
            "bedrock/amazon.nova-2-lite-v1:0",
        ],
        "gemini" => &["gemini/gemini-2.5-flash", "gemini/gemini-3.5-flash"],
        "openai_chat" | "openai_responses" => &["openai/gpt-4o", "openai/gpt-5-mini"],
        _ => &[provider.model],
    };
    let mut bodies = Vec::new();
    for model in models {
        let builder = LM::builder(*model).api_base("http://127.0.0.1:1/v1").api_key("k");
        let lm = (provider.setup)(builder).build().unwrap();
        for request in &requests {
            let body = lm.request_body(request.clone()).unwrap();
            bodies.push(json!({"wire": wire, "body": serde_json::from_slice::<Value>(&body).unwrap()}));
        }
    }
    bodies
}

/// What the script prints; nothing where it cannot run.
fn through_the_clients(bodies: &[Value]) -> Option<Value> {
    let Some(python) = std::env::var_os("SDK_PEER_PYTHON").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: SDK_PEER_PYTHON names no interpreter that can import the providers' clients");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/sdk_models.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(Value::from(bodies.to_vec()).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {errors}");
        return None;
    }
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Requests with their signatures, and streams with the events in them.
#[cfg(feature = "bedrock")]
async fn of_bedrock() -> Vec<Value> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let mut rows = Vec::new();
    for model in
        ["bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "bedrock/arn:aws:bedrock:us-west-2:1:p/a b~é"]
    {
        let call = bedrock::signed(model).await;
        let headers: serde_json::Map<String, Value> =
            call.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let url = format!("http://{}{}", headers["host"].as_str().unwrap(), call.path);
        let body = json!({"headers": headers, "url": url, "body": String::from_utf8(call.body).unwrap()});
        rows.push(json!({"wire": "bedrock_signature", "body": body}));
    }
    let provider = bedrock::provider();
    for stream in [&provider.stream, &provider.called_stream] {
        let events: Vec<Value> = stream
            .split("\n\n")
            .filter_map(|event| serde_json::from_str(event.trim().strip_prefix("data: ")?).ok())
            .collect();
        let body = json!({"frames": BASE64_STANDARD.encode(bedrock::frames(stream)), "events": events});
        rows.push(json!({"wire": "bedrock_stream", "body": body}));
    }
    rows
}

#[tokio::test]
async fn the_providers_own_clients_know_what_is_sent_and_make_what_is_read() {
    #[cfg_attr(not(feature = "bedrock"), allow(unused_mut))]
    let mut all: Vec<_> = wires().iter().flat_map(|(wire, provider)| bodies(wire, provider)).collect();
    #[cfg(feature = "bedrock")]
    all.extend(of_bedrock().await);
    let Some(made) = through_the_clients(&all) else { return };
    for (wire, provider) in wires() {
        let made = &made[wire];
        let mut answers = vec![
            (false, provider.answered(Reply::json(200, &made["plain"])).await),
            (true, provider.answered(Reply::json(200, &made["called"])).await),
        ];
        for (called, name) in [(false, "events"), (true, "called_events")] {
            let Some(stream) = made[name].as_array() else { continue };
            let (deltas, response) = provider.streamed(&events(stream)).await;
            if !called {
                assert_eq!(deltas.iter().map(|d| &*d.text).collect::<String>(), "Hello", "{wire}");
            }
            answers.push((called, response));
        }
        for (called, response) in answers {
            let response = response.unwrap_or_else(|e| panic!("{wire}: {e}"));
            let choice = &response.choices[0];
            let usage = response.usage;
            assert_eq!((usage.prompt_tokens, usage.completion_tokens), (7, 3), "{wire}");
            assert_eq!(response.id, "r1", "{wire}");
            if called {
                assert_eq!((&*choice.tool_calls[0].name, &choice.tool_calls[0].args["a"]), ("f", &json!(1)));
                assert_eq!(choice.tool_calls[0].id.as_deref(), Some("c1"), "{wire}");
                assert_eq!(choice.finish, FinishReason::ToolCalls, "{wire}");
                assert_eq!(choice.reasoning.as_deref(), (wire != "openai_chat").then_some("hm"), "{wire}");
            } else {
                assert_eq!((&*choice.text, &choice.finish), ("Hello", &FinishReason::Stop), "{wire}");
            }
        }
    }
}
