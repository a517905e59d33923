//! The endpoint of `examples/serve`, over real HTTP: with the library's own client, with bare requests, and with the
//! client of OpenAI where `OPENAI_PEER_PYTHON` names an interpreter that can import `openai`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "../examples/serve/api/mod.rs"]
#[allow(dead_code)]
mod api;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use api::Service;
use dspy::{
    LanguageModel, LmError, LmErrorKind,
    lm::{
        BoxFuture, Cache, Capabilities, Choice, Delta, DeltaSink, FinishReason, Message, Request, Response,
        StreamEvent, TokenLogprob, ToolCall, Usage,
    },
    prelude::*,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// Says the words of the last message backwards, one after the other.
#[derive(Default)]
struct Backwards {
    /// The wait before each word.
    pause: Duration,
    /// Answers that are under way.
    running: Arc<AtomicUsize>,
    /// Words said so far.
    said: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl LanguageModel for Backwards {
    fn id(&self) -> &str {
        "local/models/backwards"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().streaming(true).tools(true)
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move { self.stream(request, &mut |_| {}).await })
    }

    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            self.running.fetch_add(1, SeqCst);
            let _running = Running(self.running.clone());
            let texts: Vec<&str> = request.prompt.messages().map(|m| m.content.text()).collect();
            let last = texts.last().copied().unwrap_or_default();
            let fail = |kind| Err(LmError::new(kind, self.id(), "so it was asked"));
            match last {
                "overflow" => return fail(LmErrorKind::ContextWindow),
                "break" => return fail(LmErrorKind::Auth),
                _ => {}
            }
            let options = &request.options;
            let n = options.n.unwrap_or(1) as usize;
            let mut choices = vec![Choice::default(); n];
            let mut words: Vec<&str> = last.split(' ').rev().collect();
            if let Some(at) = words.iter().position(|w| options.stop.iter().any(|stop| stop == w)) {
                words.truncate(at);
            }
            let most = options.max_tokens.map_or(usize::MAX, |n| n as usize);
            let mut said = 0;
            for (i, word) in words.iter().enumerate().take(most) {
                tokio::time::sleep(self.pause).await;
                if *word == "fail" {
                    return fail(LmErrorKind::Server);
                }
                let last = i + 1 == words.len().min(most) && options.stop.is_empty();
                let text = if last { (*word).to_owned() } else { format!("{word} ") };
                for (c, choice) in choices.iter_mut().enumerate() {
                    sink(Delta::text(c, text.clone()));
                    choice.text.push_str(&text);
                }
                said += 1;
                self.said.fetch_add(1, SeqCst);
            }
            for choice in &mut choices {
                if options.extra.get("logprobs") == Some(&json!(true)) {
                    let top = options.extra["top_logprobs"].as_u64().unwrap();
                    let top = (0..top).map(|i| (format!("t{i}"), -0.5)).collect();
                    choice.logprobs.push(TokenLogprob { token: "é".into(), logprob: -0.25, top });
                }
                if said == most && said < words.len() {
                    choice.finish = FinishReason::Length;
                }
                for tool in &request.tools {
                    let args = json!({ "seed": options.seed }).as_object().unwrap().clone();
                    choice.tool_calls.push(ToolCall { id: Some("c1".into()), name: tool.name.clone(), args });
                    choice.finish = FinishReason::ToolCalls;
                }
            }
            let prompt: usize = texts.iter().map(|t| t.split(' ').count()).sum();
            let mut usage = Usage::of_call(prompt as u64, (said * n) as u64);
            usage.cached_prompt_tokens = texts[0].split(' ').count() as u64;
            Ok(Response::new(choices).with_usage(usage))
        })
    }
}

/// A server of its own, on a free port.
struct Server {
    base: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
    http: Client,
    key: Option<&'static str>,
}

impl Server {
    async fn start(model: Backwards, key: Option<&'static str>) -> Self {
        // The bare client asks the process for its provider of cryptography. It may be there already.
        _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let lm = LM::wrap(model).retries(0).build().unwrap();
        let mut service = Service::new(lm);
        if let Some(key) = key {
            service = service.key(key);
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(service.run(listener, async { _ = stopped.await }));
        Self { base, stop: Some(stop), task, http: Client::new(), key }
    }

    fn lm(&self, model: &str) -> LM {
        let lm = LM::builder(format!("openai/{model}")).api_base(format!("{}/v1", self.base));
        let lm = lm.cache(Cache::off()).retries(0);
        match self.key {
            Some(key) => lm.api_key(key).build().unwrap(),
            None => lm.build().unwrap(),
        }
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/v1/chat/completions", self.base)).json(body);
        match self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The status of an answer, and its body.
    async fn ask(&self, body: &Value) -> (StatusCode, Value) {
        let reply = self.post(body).send().await.unwrap();
        (reply.status(), reply.json().await.unwrap())
    }

    /// The data of the events of a streamed answer.
    async fn events(&self, body: &Value) -> Vec<String> {
        let reply = self.post(body).send().await.unwrap();
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        let text = reply.text().await.unwrap();
        text.split("\n\n").filter_map(|e| e.strip_prefix("data: ")).map(str::to_owned).collect()
    }
}

fn asking(text: &str) -> Value {
    json!({ "model": "backwards", "messages": [{ "role": "user", "content": text }] })
}

fn with(text: &str, name: &str, value: Value) -> Value {
    let mut body = asking(text);
    body[name] = value;
    body
}

/// A request of the library.
fn request(options: Options) -> Request {
    let mut request = Request::new(vec![Message::system("Turn it round."), Message::user("one two three")]);
    request.options = options;
    request
}

#[tokio::test]
async fn the_librarys_own_client_is_served() {
    let server = Server::start(Backwards::default(), Some("k")).await;
    for model in ["backwards", "local/models/backwards"] {
        let answer = server.lm(model).generate(request(Options::new())).await.unwrap().response;
        assert_eq!(answer.choices, [Choice::text("three two one")]);
        assert_eq!(answer.model, "backwards");
        assert!(answer.id.starts_with("chatcmpl-"));
        let mut usage = Usage::of_call(6, 3);
        usage.cached_prompt_tokens = 3;
        assert_eq!(answer.usage, usage);
    }
    let lm = server.lm("backwards");
    let answer = lm.generate(request(Options::new().max_tokens(2).n(2))).await.unwrap().response;
    assert_eq!(answer.choices.len(), 2);
    assert!(answer.choices.iter().all(|c| c.text == "three two" && c.finish == FinishReason::Length));
    let answer = lm.generate(request(Options::new().stop(["two"]))).await.unwrap().response;
    assert_eq!(answer.choices[0].text, "three ");
}

#[tokio::test]
async fn the_librarys_own_client_is_served_as_words_are_said() {
    let server = Server::start(Backwards::default(), None).await;
    let mut stream = server.lm("backwards").stream(request(Options::new().n(2)));
    let (mut pieces, mut end) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            StreamEvent::Delta(delta) => pieces.push((delta.choice, delta.text)),
            StreamEvent::Done(answer) => end = Some(answer.response),
            _ => {}
        }
    }
    let said = |i| pieces.iter().filter(|(c, _)| *c == i).map(|(_, t)| t.as_str()).collect::<Vec<_>>();
    assert_eq!(said(0), ["three ", "two ", "one"]);
    assert_eq!(said(0), said(1));
    let end = end.unwrap();
    assert_eq!(end.choices, [Choice::text("three two one"), Choice::text("three two one")]);
    assert_eq!((end.usage.completion_tokens, end.usage.cached_prompt_tokens), (6, 3));
}

#[tokio::test]
async fn a_program_runs_against_it() {
    let server = Server::start(Backwards::default(), None).await;
    let classify = predict!("sentence -> answer");
    // Turned round, the prompt is no answer in the format; the way there and back is what is seen.
    let lm = server.lm("backwards");
    let error = dspy::with(|c| c.lm(lm), async { classify.call("x").await }).await.unwrap_err();
    // The second attempt asks for JSON, which this model cannot be held to: the client was not told of it.
    assert!(error.to_string().contains("`response_format` is not supported"), "{error}");
    let lm = LM::builder("openai/backwards").api_base(format!("{}/v1", server.base));
    let lm = lm.cache(Cache::off()).capabilities(Capabilities::none().streaming(true)).build().unwrap();
    let error = dspy::with(|c| c.lm(lm), async { classify.call("x").await }).await.unwrap_err();
    assert_eq!(error.kind(), "parse");
}

#[tokio::test]
async fn tools_are_called() {
    let server = Server::start(Backwards::default(), None).await;
    let tool =
        json!({ "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } });
    let mut body = with("x", "tools", json!([tool]));
    body["seed"] = json!(-1);
    let (status, answer) = server.ask(&body).await;
    assert_eq!(status, 200, "{answer}");
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(
        call["function"],
        json!({ "name": "look", "arguments": format!("{{\"seed\":{}}}", u64::MAX) })
    );

    body["stream"] = true.into();
    let events = server.events(&body).await;
    assert!(events.iter().any(|e| e.contains(r#""tool_calls":[{"id":"c1""#) && e.contains(r#""index":0"#)));

    body["stream"] = false.into();
    body["tool_choice"] = "none".into();
    assert_eq!(server.ask(&body).await.1["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn tokens_are_told_with_their_probability() {
    let server = Server::start(Backwards::default(), None).await;
    let mut body = with("one two", "logprobs", json!(true));
    body["top_logprobs"] = json!(2);
    let (_, answer) = server.ask(&body).await;
    let content = &answer["choices"][0]["logprobs"]["content"];
    assert_eq!((&content[0]["token"], &content[0]["bytes"]), (&json!("é"), &json!([195, 169])));
    let options = Options::new().extra("logprobs", true).extra("top_logprobs", 2);
    let lm = server.lm("backwards");
    let whole = lm.generate(request(options.clone())).await.unwrap().response;
    let streamed = lm.stream(request(options)).finish().await.unwrap().response;
    let top = vec![("t0".to_owned(), -0.5), ("t1".to_owned(), -0.5)];
    let told = TokenLogprob { token: "é".into(), logprob: -0.25, top };
    assert_eq!(whole.choices[0].logprobs, [told]);
    assert_eq!(streamed.choices, whole.choices);
}

#[tokio::test]
async fn streams_have_the_shape_of_openai() {
    let server = Server::start(Backwards::default(), None).await;
    let mut body = with("one two", "stream", true.into());
    let events = server.events(&body).await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|e| serde_json::from_str(e).unwrap()).collect();
    let deltas: Vec<&Value> = chunks.iter().map(|c| &c["choices"][0]["delta"]).collect();
    let said = |text: &str| json!({ "content": text });
    let role = json!({ "role": "assistant", "content": "" });
    assert_eq!(deltas, [&role, &said("two "), &said("one"), &json!({})]);
    let reasons: Vec<&Value> = chunks.iter().map(|c| &c["choices"][0]["finish_reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &Value::Null, &json!("stop")]);
    assert!(chunks.iter().all(|c| c["id"] == chunks[0]["id"] && c["object"] == "chat.completion.chunk"));
    assert!(chunks.iter().all(|c| c.get("usage").is_none()));

    body["stream_options"] = json!({ "include_usage": true });
    let events = server.events(&body).await;
    let last: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(4)));
    let first: Value = serde_json::from_str(&events[0]).unwrap();
    assert!(first.as_object().unwrap()["usage"].is_null());
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name() {
    let server = Server::start(Backwards::default(), None).await;
    let user = json!([{ "role": "user", "content": "x" }]);
    let image =
        json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "u" } }] }]);
    for (body, status, param, code) in [
        (json!([1]), 400, Value::Null, Value::Null),
        (json!({ "model": "backwards" }), 400, "messages".into(), "missing_required_parameter".into()),
        (json!({ "messages": user }), 400, "model".into(), "missing_required_parameter".into()),
        (json!({ "model": "gpt-4o", "messages": user }), 404, "model".into(), "model_not_found".into()),
        (json!({ "model": 7, "messages": user }), 400, "model".into(), "invalid_type".into()),
        (with("x", "messages", json!([])), 400, "messages".into(), "invalid_value".into()),
        (
            with("x", "messages", json!([{ "role": "king", "content": "x" }])),
            400,
            "messages[0].role".into(),
            "invalid_value".into(),
        ),
        (
            with("x", "messages", json!([{ "role": "user" }])),
            400,
            "messages[0].content".into(),
            "missing_required_parameter".into(),
        ),
        (with("x", "messages", image), 400, "messages[0].content[0]".into(), "invalid_value".into()),
        (with("x", "temperature", json!("hot")), 400, "temperature".into(), "invalid_type".into()),
        (with("x", "temperature", json!(2.5)), 400, "temperature".into(), "invalid_value".into()),
        (with("x", "top_p", json!(-0.1)), 400, "top_p".into(), "invalid_value".into()),
        (with("x", "max_tokens", json!(0)), 400, "max_tokens".into(), "invalid_value".into()),
        (with("x", "max_tokens", json!(1.5)), 400, "max_tokens".into(), "invalid_type".into()),
        (with("x", "n", json!(1000)), 400, "n".into(), "invalid_value".into()),
        (with("x", "seed", json!(0.5)), 400, "seed".into(), "invalid_value".into()),
        (with("x", "stop", json!([1])), 400, "stop".into(), "invalid_type".into()),
        (with("x", "stop", json!("")), 400, "stop".into(), "invalid_value".into()),
        (
            with("x", "stream_options", json!({ "include_usage": true })),
            400,
            "stream_options".into(),
            "invalid_value".into(),
        ),
        (
            with("x", "presence_penalty", json!(1)),
            400,
            "presence_penalty".into(),
            "unsupported_parameter".into(),
        ),
        (with("x", "top_logprobs", json!(2)), 400, "top_logprobs".into(), "invalid_value".into()),
        (with("x", "top_p", json!(0)), 400, "top_p".into(), "invalid_value".into()),
        (
            with("x", "response_format", json!({ "type": "json_object" })),
            400,
            "response_format".into(),
            "unsupported_parameter".into(),
        ),
        (with("x", "temprature", json!(1)), 400, "temprature".into(), "unknown_parameter".into()),
        (asking("overflow"), 400, Value::Null, "context_length_exceeded".into()),
        (asking("break"), 502, Value::Null, Value::Null),
        (asking("fail"), 500, Value::Null, Value::Null),
        (with("overflow", "stream", json!(true)), 400, Value::Null, "context_length_exceeded".into()),
    ] {
        let (found, answer) = server.ask(&body).await;
        let error = &answer["error"];
        assert_eq!(
            (found.as_u16(), &error["param"], &error["code"]),
            (status, &param, &code),
            "{body}\n{answer}"
        );
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{answer}");
    }
    // What asks for nothing is taken.
    let mut body = asking("a b");
    for (name, value) in [
        ("frequency_penalty", json!(0.0)),
        ("logprobs", json!(false)),
        ("logit_bias", Value::Null),
        ("user", json!("u")),
        ("response_format", json!({ "type": "text" })),
        ("max_completion_tokens", json!(9)),
        ("max_tokens", json!(9)),
        ("messages", json!([{ "role": "developer", "content": [{ "type": "text", "text": "a b" }] }])),
    ] {
        body[name] = value;
    }
    let (status, answer) = server.ask(&body).await;
    assert_eq!(
        (status.as_u16(), &answer["choices"][0]["message"]["content"]),
        (200, &json!("b a")),
        "{answer}"
    );
}

#[tokio::test]
async fn other_places_and_forms_are_refused() {
    let server = Server::start(Backwards::default(), Some("secret")).await;
    let url = |path: &str| format!("{}{path}", server.base);
    let chat = url("/v1/chat/completions");
    let keyed = |request: reqwest::RequestBuilder| request.bearer_auth("secret");
    let json = ("content-type", "application/json");
    for (request, status) in [
        (server.http.get(url("/health")), 200),
        (server.http.get(url("/v1/models")), 401),
        (server.http.get(url("/v1/models")).bearer_auth("secres"), 401),
        (keyed(server.http.get(url("/v1/models"))), 200),
        (keyed(server.http.get(url("/v1/models/backwards"))), 200),
        (keyed(server.http.get(url("/v1/models/local/models/backwards"))), 200),
        (keyed(server.http.get(url("/v1/models/other"))), 404),
        (server.http.get(url("/v2")), 404),
        (keyed(server.http.get(&chat)), 405),
        (server.http.post(&chat).json(&asking("x")), 401),
        (keyed(server.http.post(&chat).body(asking("x").to_string())), 415),
        (keyed(server.http.post(&chat).header(json.0, json.1).body("{")), 400),
        (keyed(server.http.post(&chat).header(json.0, json.1).body(vec![b' '; 65 << 20])), 413),
    ] {
        let reply = request.send().await.unwrap();
        let found = reply.status().as_u16();
        let place = reply.url().path().to_owned();
        let answer: Value = reply.json().await.unwrap();
        assert_eq!(found, status, "{place} {answer}");
        assert_eq!(answer.get("error").is_some(), status >= 400, "{place} {answer}");
    }
}

#[tokio::test]
async fn a_failure_in_the_midst_is_told_in_the_stream() {
    let server = Server::start(Backwards::default(), None).await;
    let events = server.events(&with("fail one", "stream", true.into())).await;
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(last["error"]["type"], "server_error");
    let error = server.lm("backwards").generate(request(Options::new().extra("stop", 7))).await.unwrap_err();
    assert_eq!((error.kind, error.status), (LmErrorKind::InvalidRequest, Some(400)));
}

/// Waits until something is so.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..500 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be");
}

#[tokio::test]
async fn a_client_that_hangs_up_stops_its_answer() {
    let model = Backwards { pause: Duration::from_millis(20), ..Backwards::default() };
    let (running, said) = (model.running.clone(), model.said.clone());
    let server = Server::start(model, None).await;
    let long = vec!["word"; 100_000].join(" ");
    for stream in [false, true] {
        said.store(0, SeqCst);
        let asked = tokio::spawn(server.post(&with(&long, "stream", stream.into())).send());
        until(|| said.load(SeqCst) >= 2).await;
        // A streamed reply has come with its first word and is dropped with the task's result.
        asked.abort();
        drop(asked);
        until(|| running.load(SeqCst) == 0).await;
        assert!(said.load(SeqCst) < 1000);
    }
}

#[tokio::test]
async fn it_stops_when_the_answers_under_way_are_given() {
    let model = Backwards { pause: Duration::from_millis(30), ..Backwards::default() };
    let said = model.said.clone();
    let mut server = Server::start(model, None).await;
    let asked = tokio::spawn(server.post(&asking("one two three four five")).send());
    until(|| said.load(SeqCst) >= 1).await;
    server.stop.take().unwrap().send(()).unwrap();
    let answer: Value = asked.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "five four three two one");
    let ended = tokio::time::timeout(Duration::from_secs(10), server.task).await;
    ended.unwrap().unwrap().unwrap();
    assert!(server.http.get(format!("{}/health", server.base)).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_openai_is_served() {
    let Some(python) = std::env::var("OPENAI_PEER_PYTHON").ok().filter(|path| !path.is_empty()) else {
        eprintln!("skipped: OPENAI_PEER_PYTHON names no interpreter that can import openai");
        return;
    };
    let server = Server::start(Backwards::default(), Some("k")).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/openai_client.py");
    let mut command = std::process::Command::new(python);
    command.arg(script).args([&format!("{}/v1", server.base), "k", "backwards"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        eprintln!("skipped: {errors}");
        return;
    }
    assert!(output.status.success(), "{errors}");
    println!("with openai {}", String::from_utf8_lossy(&output.stdout).trim());
}
