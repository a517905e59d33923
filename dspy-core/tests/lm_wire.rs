//! The OpenAI wire: what is sent, and how answers and refusals are read.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use dspy_core::{
    LmError, LmErrorKind,
    lm::{
        Cache, FinishReason, LM, LMBuilder, Message, Options, Prefix, Prompt, ReasoningEffort, Request,
        ResponseFormat, RetryPolicy, ToolChoice, ToolSpec, Usage,
    },
};
use serde_json::{Value, json};
use support::{Reply, Server};

fn builder(server: &Server) -> LMBuilder {
    LM::builder("openai/org/m").api_base(server.api_base()).cache(Cache::off()).retry(RetryPolicy::none())
}

fn hello() -> Request {
    Request::new(vec![Message::user("hi")])
}

async fn refused(reply: Reply) -> LmError {
    let server = Server::replying(vec![reply]).await;
    builder(&server).build().unwrap().generate(hello()).await.unwrap_err()
}

async fn answered(body: Value) -> dspy_core::lm::Response {
    let server = Server::replying(vec![Reply::json(200, &body)]).await;
    let answer = builder(&server).build().unwrap().generate(hello()).await.unwrap();
    Arc::unwrap_or_clone(answer.response)
}

#[tokio::test]
async fn a_request_is_sent_as_the_protocol_says() {
    let server = Server::replying(vec![Reply::completion("ok \"é\"")]).await;
    let lm = builder(&server)
        .api_key("sk-123456")
        .header("x-team", "blue-team")
        .temperature(0.5)
        .max_tokens(64)
        .seed(3)
        .extra("top_k", 5)
        .build()
        .unwrap();
    let prefix = Arc::new(Prefix::new(vec![
        Message::system("be \"brief\"\n"),
        Message::user("1+1"),
        Message::assistant("2"),
    ]));
    for _ in 0..2 {
        let mut request = Request::new(Prompt::new(prefix.clone(), vec![Message::user("2+2 ✓")]));
        request.options = Options::new().temperature(0.0).stop(["\n", "END"]).n(2).top_p(0.9);
        let body = lm.request_body(request.clone()).unwrap();
        let answer = lm.generate(request).await.unwrap();
        assert!(!answer.cached);
        assert_eq!(server.last().body, body, "what is shown is what is sent");
        assert_eq!(answer.response.choices[0].text, "ok \"é\"");
        assert_eq!(answer.response.choices[0].finish, FinishReason::Stop);
        assert_eq!(answer.usage(), Usage::of_call(7, 3));
        assert_eq!((&*answer.response.id, &*answer.response.model), ("chatcmpl-1", "m-2025"));
        let call = server.last();
        assert_eq!((&*call.method, &*call.path), ("POST", "/v1/chat/completions"));
        assert_eq!(call.header("authorization"), Some("Bearer sk-123456"));
        assert_eq!(call.header("content-type"), Some("application/json"));
        assert_eq!(call.header("x-team"), Some("blue-team"));
        assert_eq!(
            call.json(),
            json!({
                "model": "org/m", "temperature": 0.0, "top_p": 0.9, "max_tokens": 64, "stop": ["\n", "END"],
                "seed": 3, "n": 2, "top_k": 5,
                "messages": [
                    {"role": "system", "content": "be \"brief\"\n"},
                    {"role": "user", "content": "1+1"},
                    {"role": "assistant", "content": "2"},
                    {"role": "user", "content": "2+2 ✓"},
                ]
            })
        );
    }
    assert_eq!(lm.usage().calls, 2);
    assert_eq!(lm.usage().prompt_tokens, 14);
}

#[tokio::test]
async fn formats_and_tools_are_sent() {
    let server = Server::replying(vec![Reply::completion("{}")]).await;
    let lm = builder(&server).max_completion_tokens(true).max_tokens(9).build().unwrap();
    let mut request = hello();
    request.format = ResponseFormat::JsonObject;
    lm.generate(request).await.unwrap();
    assert_eq!(server.last().json()["response_format"], json!({"type": "json_object"}));
    assert_eq!(server.last().json()["max_completion_tokens"], json!(9));
    assert_eq!(server.last().header("authorization"), None, "no key is set, so none is sent");

    let mut request = hello();
    let schema = json!({"type": "object", "properties": {}});
    request.format = ResponseFormat::JsonSchema { name: "out".into(), schema: Arc::new(schema.clone()) };
    request.tools = vec![
        ToolSpec { name: "f".into(), description: "does f".into(), parameters: schema.clone() },
        ToolSpec { name: "g".into(), description: String::new(), parameters: schema.clone() },
    ];
    lm.generate(request).await.unwrap();
    let body = server.last().json();
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "out", "strict": true, "schema": schema}});
    assert_eq!(body["response_format"], format);
    assert_eq!(
        body["tools"],
        json!([
            {"type": "function", "function": {"name": "f", "description": "does f", "parameters": schema}},
            {"type": "function", "function": {"name": "g", "description": "", "parameters": schema}},
        ])
    );
}

#[tokio::test]
async fn efforts_probabilities_and_choices_are_sent() {
    let server = Server::replying(vec![Reply::completion("x")]).await;
    let lm = builder(&server).reasoning_effort(ReasoningEffort::Low).build().unwrap();
    let mut request = hello();
    request.options = Options::new().logprobs(3).header("x-team", "blue");
    request.tool_choice = ToolChoice::Required;
    lm.generate(request.clone()).await.unwrap();
    let body = server.last().json();
    assert_eq!(
        (&body["reasoning_effort"], &body["logprobs"], &body["top_logprobs"]),
        (&json!("low"), &json!(true), &json!(3))
    );
    assert_eq!(server.last().header("x-team"), Some("blue"));
    assert!(body.get("tool_choice").is_none(), "there are no tools to choose from");
    request.tools = vec![ToolSpec::new("f", "", json!({"type": "object"}))];
    lm.generate(request.clone()).await.unwrap();
    assert_eq!(server.last().json()["tool_choice"], "required");
    request.tool_choice = ToolChoice::Tool("f".into());
    lm.generate(request).await.unwrap();
    assert_eq!(server.last().json()["tool_choice"], json!({"type": "function", "function": {"name": "f"}}));
    let lm =
        LM::builder("openai/gpt-5-mini").api_base(server.api_base()).cache(Cache::off()).temperature(0.5);
    let lm = lm.max_tokens(9).build().unwrap();
    lm.generate(hello()).await.unwrap();
    let body = server.last().json();
    assert_eq!(
        (body.get("temperature"), &body["max_completion_tokens"]),
        (None, &json!(9)),
        "as the model wants it"
    );
}

#[tokio::test]
async fn azure_has_its_own_address_and_header() {
    let server = Server::replying(vec![Reply::completion("x")]).await;
    let azure = || {
        let base = server.api_base();
        let lm = LM::builder("azure/gpt-4o mini").api_base(base.trim_end_matches("/v1")).cache(Cache::off());
        lm.api_key("azure-key-1")
    };
    azure().api_version("2024-10-21").build().unwrap().generate(hello()).await.unwrap();
    let call = server.last();
    assert_eq!(call.path, "/openai/deployments/gpt-4o%20mini/chat/completions?api-version=2024-10-21");
    assert_eq!((call.header("api-key"), call.header("authorization")), (Some("azure-key-1"), None));
    azure().build().unwrap().generate(hello()).await.unwrap();
    assert_eq!(server.last().path, "/openai/v1/chat/completions");
    assert_eq!(server.last().json()["model"], "gpt-4o mini");
    let error = LM::builder("azure/m").api_key("k").build().unwrap_err();
    assert!(error.message.contains("AZURE_API_BASE"), "{error}");
}

#[tokio::test]
async fn answers_are_read_in_every_shape_that_servers_send() {
    let response = answered(json!({
        "choices": [
            {"index": 1, "message": {"content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": [1, \"\\u00e9\"]}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{\"x\": "}},
                {"function": {"name": "h", "arguments": {"y": null}}},
                {"id": null, "function": {"name": "i", "arguments": ""}},
            ]}, "finish_reason": "stop"},
            {"index": 0, "message": {"content": [{"type": "text", "text": "two "}, "parts"], "reasoning": "so"},
             "finish_reason": "length", "logprobs": null},
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4},
                  "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": null}},
        "system_fingerprint": null
    }))
    .await;
    let [first, second] = &*response.choices else { panic!("two choices") };
    assert_eq!((&*first.text, first.reasoning.as_deref()), ("two parts", Some("so")));
    assert_eq!(first.finish, FinishReason::Length);
    assert_eq!(second.finish, FinishReason::ToolCalls);
    assert_eq!(second.tool_calls[0].args["x"], json!([1, "é"]));
    assert_eq!(second.tool_calls[1].unparsed(), Some("{\"x\": "), "a broken call is not lost");
    assert_eq!(second.tool_calls[2].args["y"], Value::Null);
    assert!(second.tool_calls[3].args.is_empty());
    let mut usage = Usage::of_call(9, 5);
    usage.cached_prompt_tokens = 4;
    usage.reasoning_tokens = 2;
    assert_eq!(response.usage, usage);

    let bare = answered(json!({"choices": [{"message": {"content": "x", "reasoning_content": ""}}]})).await;
    assert_eq!((&*bare.choices[0].text, &bare.choices[0].reasoning), ("x", &None));
    assert_eq!(bare.usage, Usage::of_call(0, 0));
    let empty =
        answered(json!({"choices": [{"message": {}, "finish_reason": "weird"}], "usage": null})).await;
    assert_eq!(empty.choices[0].finish, FinishReason::Other("weird".into()));
    let words =
        json!([{"message": {"content": "", "refusal": ""}}, {"index": 1, "message": {"refusal": "no"}}]);
    let refusal = answered(json!({ "choices": words })).await;
    assert_eq!(refusal.choices[0].finish, FinishReason::Stop);
    assert_eq!((&*refusal.choices[1].text, &refusal.choices[1].finish), ("no", &FinishReason::Refusal));
}

#[tokio::test]
async fn refusals_have_their_kind_status_and_message() {
    for (status, kind) in [
        (400, LmErrorKind::InvalidRequest),
        (401, LmErrorKind::Auth),
        (404, LmErrorKind::NotFound),
        (408, LmErrorKind::Server),
        (429, LmErrorKind::RateLimit),
        (503, LmErrorKind::Server),
    ] {
        let error = refused(Reply::error(status, "because")).await;
        assert_eq!((error.kind, error.status), (kind, Some(status)));
        assert!(error.message.starts_with("because"), "{error}");
    }
    let error = refused(Reply::error(500, &"x".repeat(5000))).await;
    assert!(error.message.len() < 700, "it is shortened");
    let error = refused(Reply::error(400, "This model's maximum context length is 10 tokens")).await;
    assert_eq!(error.kind, LmErrorKind::ContextWindow);
    let error = refused(Reply::json(200, &json!({"error": {"message": "later", "code": 429}}))).await;
    assert_eq!((error.kind, &*error.message), (LmErrorKind::RateLimit, "later"));
    for body in ["", "{\"choices\": [", "<html>", "{\"choices\": []}", "{}", "[]", "{\"choices\": 3}"] {
        let error = refused(Reply::text(200, body)).await;
        assert_eq!(error.kind, LmErrorKind::InvalidResponse, "{body}: {error}");
    }
    assert_eq!(refused(Reply::Reset).await.kind, LmErrorKind::Transport);
    assert_eq!(refused(Reply::HalfBody(vec![b' '; 100])).await.kind, LmErrorKind::Transport);
    let redirect = Reply::text(307, "").with_header("location", "http://127.0.0.1:1/v1");
    assert_eq!(refused(redirect).await.status, Some(307), "a key is not carried elsewhere");
}

#[tokio::test]
async fn the_key_is_never_shown() {
    let server = Server::start(|call| {
        let key = call.header("authorization").unwrap_or_default().to_owned();
        // Cut at the wrong place, half a key would be left.
        Reply::error(
            401,
            &format!(
                "{}wrong key: {key}; also {}",
                "x".repeat(560),
                call.header("x-secret").unwrap_or_default()
            ),
        )
    })
    .await;
    let builder = builder(&server).api_key("sk-topsecret").header("x-secret", "hidden-value");
    assert!(!format!("{builder:?}").contains("topsecret"));
    let lm = builder.build().unwrap();
    let error = lm.generate(hello()).await.unwrap_err();
    let shown = format!("{error} {error:?} {lm:?} {} {}", lm.state(), lm.inspect_history(9));
    assert!(!shown.contains("topsec") && !shown.contains("hidden-value"), "{shown}");
    assert!(error.message.contains("[redacted]"));
}

#[tokio::test]
async fn what_the_request_sets_itself_is_refused_as_extra() {
    let server = Server::replying(vec![Reply::completion("x")]).await;
    let lm = builder(&server).extra("messages", json!([])).build().unwrap();
    assert_eq!(lm.generate(hello()).await.unwrap_err().kind, LmErrorKind::InvalidRequest);
    assert_eq!(server.count(), 0);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn https_works_without_a_process_wide_provider() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lm = LM::builder("openai/m")
        .api_base(format!("https://127.0.0.1:{free}/v1"))
        .cache(Cache::off())
        .retries(0)
        .build()
        .unwrap();
    let error = lm.generate(hello()).await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Transport, "{error}");
    assert!(error.message.contains("refused"), "the cause is named: {error}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_without_tls_names_the_feature() {
    let error = LM::builder("openai/m").api_base("https://127.0.0.1:1/v1").build().unwrap_err();
    assert!(error.kind == LmErrorKind::Configuration && error.message.contains("`tls`"), "{error}");
}

#[test]
fn wrong_settings_are_refused_when_they_are_made() {
    for (what, builder) in [
        ("URL", LM::builder("openai/m").api_base("localhost")),
        ("http://", LM::builder("openai/m").api_base("ftp://x/v1")),
        ("password", LM::builder("openai/m").api_base("http://me:secret@x/v1")),
        ("concurrency", LM::builder("ollama/m").concurrency(0)),
        ("temperature", LM::builder("ollama/m").temperature(f64::NAN)),
        ("key", LM::builder("ollama/m").api_key("a\nb")),
        ("header", LM::builder("ollama/m").header("a b", "c")),
        ("api_key", LM::builder("ollama/m").extra("api_key", "secret")),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind, LmErrorKind::Configuration);
        assert!(error.message.contains(what) && !error.message.contains("secret"), "{what}: {error}");
    }
}
