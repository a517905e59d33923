//! A LiteLLM proxy, in front of a server of OpenAI's protocol, answers the clients of other protocols. Runs where
//! `LITELLM_PEER_PYTHON` names an interpreter that can import it, such as that of a virtual environment after `pip install
//! "litellm[proxy]"`.
#![allow(clippy::print_stderr)]

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::*;

/// What the proxy is called with.
const KEY: &str = "sk-topsecret-key";

/// A proxy that runs until it is dropped.
struct Proxy {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// A proxy whose models are those of `server`; none where it cannot run.
    async fn start(server: &Server) -> Option<Self> {
        let Some(python) = std::env::var_os("LITELLM_PEER_PYTHON").filter(|path| !path.is_empty()) else {
            eprintln!("skipped: LITELLM_PEER_PYTHON names no interpreter that can import litellm");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        let (api_base, key) = (server.api_base(), KEY);
        std::fs::write(
            &config,
            format!(
                "model_list:\n- model_name: m\n  litellm_params:\n    model: hosted_vllm/m\n    api_base: {api_base}\n    \
                 api_key: none\ngeneral_settings:\n  master_key: {key}\n"
            ),
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(&python)
            .args(["-c", "from litellm import run_server; run_server()", "--host", "127.0.0.1", "--config"])
            .arg(&config)
            .args(["--port", &port.to_string(), "--telemetry", "False"])
            // Nothing is fetched from elsewhere.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap().is_some();
            if ended || began.elapsed() > Duration::from_secs(120) {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
                let _ = child.kill();
                panic!("the proxy does not run: {log}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(Self { child, port, _folder: folder })
    }

    /// The client of a protocol.
    fn lm(&self, model: &str, path: &str) -> LM {
        LM::builder(model)
            .api_base(format!("http://127.0.0.1:{}{path}", self.port))
            .api_key(KEY)
            .cache(Cache::off())
            .retry(RetryPolicy::none())
            .build()
            .unwrap()
    }
}

/// What stands behind the proxy: it says "Hello", or calls `f` where it is given tools.
fn upstream(call: &support::Call) -> Reply {
    let body = call.json();
    if body["model"] != "m" {
        return Reply::error(404, "there is no such model");
    }
    let called = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    let reason = if called { "tool_calls" } else { "stop" };
    let function = json!({"name": "f", "arguments": "{\"a\": 1}"});
    if body["stream"] != true {
        let message = match called {
            true => json!({"role": "assistant", "content": null,
                "tool_calls": [{"id": "c1", "type": "function", "function": function}]}),
            false => json!({"role": "assistant", "content": "Hello"}),
        };
        let choice = json!({"index": 0, "message": message, "finish_reason": reason});
        return Reply::json(
            200,
            &json!({"id": "r1", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [choice], "usage": usage}),
        );
    }
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "r1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let mut chunks = match called {
        true => vec![
            chunk(
                json!({"role": "assistant", "tool_calls": [{"index": 0, "id": "c1", "type": "function",
                    "function": {"name": "f", "arguments": ""}}]}),
                Value::Null,
            ),
            chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\""}}]}), Value::Null),
            chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}), Value::Null),
        ],
        false => vec![
            chunk(json!({"role": "assistant", "content": "Hel"}), Value::Null),
            chunk(json!({"content": "lo"}), Value::Null),
        ],
    };
    chunks.push(chunk(json!({}), json!(reason)));
    chunks.push(
        json!({"id": "r1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
        "usage": usage}),
    );
    let events = events(&chunks) + "data: [DONE]\n\n";
    Reply::stream("text/event-stream", vec![events.into_bytes()])
}

#[tokio::test]
async fn a_proxy_answers_the_clients_of_several_protocols() {
    let server = Server::start(upstream).await;
    let Some(proxy) = Proxy::start(&server).await else { return };
    for lm in [proxy.lm("openai/m", "/v1"), proxy.lm("anthropic/m", "/v1"), proxy.lm("gemini/m", "/v1beta")] {
        let id = lm.id().to_owned();
        let mut with_tools = hello();
        with_tools.tools = rich().tools;
        let mut with_schema = hello();
        with_schema.format = schema();
        for request in [hello(), with_schema, with_tools, rich()] {
            let called = !request.tools.is_empty();
            let whole = lm.generate(request.clone()).await.unwrap_or_else(|e| panic!("{id}: {e}"));
            let mut stream = lm.stream(request);
            let mut text = String::new();
            let streamed = loop {
                match stream.next().await.unwrap_or_else(|| panic!("{id}: no end")) {
                    Ok(StreamEvent::Delta(delta)) => text.push_str(&delta.text),
                    Ok(StreamEvent::Done(answer)) => break answer,
                    other => panic!("{id}: {other:?}"),
                }
            };
            for answer in [&whole, &streamed] {
                let choice = &answer.response.choices[0];
                if called {
                    let [call] = &*choice.tool_calls else { panic!("{id}: {choice:?}") };
                    assert_eq!((&*call.name, &call.args["a"]), ("f", &json!(1)), "{id}");
                    assert_eq!(choice.finish, FinishReason::ToolCalls, "{id}");
                } else {
                    assert_eq!((&*choice.text, &choice.finish), ("Hello", &FinishReason::Stop), "{id}");
                }
            }
            assert_eq!(text, if called { "" } else { "Hello" }, "{id}");
            let usage = whole.response.usage;
            assert_eq!((usage.prompt_tokens, usage.completion_tokens), (7, 3), "{id}");
        }
        let lm =
            proxy.lm(&id.replace("/m", "/unknown"), if id.starts_with("gemini") { "/v1beta" } else { "/v1" });
        let error = lm.generate(hello()).await.unwrap_err();
        assert!(!error.retryable(), "{id}: {error}");
        assert!(!format!("{error:?}").contains(KEY), "{id}: {error}");
    }
}
