//! The protocols of providers other than OpenAI's chat completions: what is sent, and how answers, streams and refusals
//! are read.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::needless_pass_by_value)]

#[path = "providers/anthropic.rs"]
mod anthropic;
#[cfg(feature = "bedrock")]
#[path = "providers/bedrock.rs"]
mod bedrock;
#[path = "providers/cohere.rs"]
mod cohere;
#[path = "providers/gemini.rs"]
mod gemini;
#[path = "providers/litellm.rs"]
mod litellm;
#[path = "providers/oddities.rs"]
mod oddities;
#[path = "providers/openai_responses.rs"]
mod openai_responses;
#[path = "providers/sdk.rs"]
mod sdk;
#[cfg(feature = "disk-cache")]
#[path = "providers/secrets.rs"]
mod secrets;
#[path = "providers/servers.rs"]
mod servers;
mod support;
#[path = "providers/tokens.rs"]
mod tokens;

use std::sync::{Arc, Mutex};

use dspy_core::{
    LmError, LmErrorKind,
    lm::{
        Cache, Capabilities, Delta, FinishReason, LM, LMBuilder, Message, Prefix, Prompt, Request, Response,
        ResponseFormat, RetryPolicy, StreamEvent, ToolCall, ToolSpec,
    },
    value::{Content, Part},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Reply, Server};

/// A provider, with what it answers.
pub(crate) struct Provider {
    /// The model.
    pub(crate) model: &'static str,
    /// How it is set up besides.
    pub(crate) setup: fn(LMBuilder) -> LMBuilder,
    /// How its events come over the wire, and as what.
    pub(crate) encode: (fn(&str) -> Vec<u8>, &'static str),
    /// A whole answer: the text "Hello", of 7 and 3 tokens, with the id `r1`.
    pub(crate) plain: Value,
    /// The same as events.
    pub(crate) stream: String,
    /// An answer with thinking "hm" and a call of `f` with `{"a": 1}` and the id `c1`.
    pub(crate) called: Value,
    /// The same as events.
    pub(crate) called_stream: String,
    /// Refusals: the status, the body and the kind of error.
    pub(crate) refusals: Vec<(u16, Value, LmErrorKind)>,
    /// An error in mid-stream, after a piece of text, with its kind.
    pub(crate) broken_stream: (String, LmErrorKind),
}

/// Server-sent events, as they are written here.
pub(crate) const EVENTS: (fn(&str) -> Vec<u8>, &str) = (|text| text.as_bytes().to_vec(), "text/event-stream");

impl Provider {
    pub(crate) fn builder(&self, server: &Server) -> LMBuilder {
        let builder = LM::builder(self.model)
            .api_base(server.api_base())
            .api_key("sk-topsecret-key")
            .cache(Cache::off())
            .retry(RetryPolicy::none());
        (self.setup)(builder)
    }

    async fn answered(&self, reply: Reply) -> Result<Response, LmError> {
        let server = Server::replying(vec![reply.with_header("x-amzn-requestid", "r1")]).await;
        let answer = self.builder(&server).build().unwrap().generate(hello()).await?;
        Ok(Arc::unwrap_or_clone(answer.response))
    }

    fn streams(&self, chunks: Vec<Vec<u8>>) -> Reply {
        Reply::stream(self.encode.1, chunks).with_header("x-amzn-requestid", "r1")
    }

    async fn streamed(&self, events: &str) -> (Vec<Delta>, Result<Response, LmError>) {
        self.streamed_as(vec![(self.encode.0)(events)]).await
    }

    async fn streamed_as(&self, chunks: Vec<Vec<u8>>) -> (Vec<Delta>, Result<Response, LmError>) {
        let server = Server::replying(vec![self.streams(chunks)]).await;
        let mut stream = self.builder(&server).build().unwrap().stream(hello());
        let mut deltas = Vec::new();
        loop {
            match stream.next().await {
                Some(Ok(StreamEvent::Delta(delta))) => deltas.push(delta),
                Some(Ok(StreamEvent::Done(answer))) => {
                    return (deltas, Ok(Arc::unwrap_or_clone(answer.response)));
                }
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(e)) => return (deltas, Err(e)),
                None => panic!("the stream ended without an end"),
            }
        }
    }
}

pub(crate) fn providers() -> Vec<Provider> {
    vec![
        anthropic::provider(),
        #[cfg(feature = "bedrock")]
        bedrock::provider(),
        cohere::provider(),
        gemini::provider(),
        openai_responses::provider(),
    ]
}

pub(crate) fn hello() -> Request {
    Request::new(vec![Message::user("hi")])
}

/// Events as they come over the wire.
pub(crate) fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// The body of a request, as it is sent.
pub(crate) async fn sent(
    builder: impl FnOnce(LMBuilder) -> LMBuilder,
    provider: &Provider,
    request: Request,
) -> Value {
    let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
    let lm = builder(provider.builder(&server)).build().unwrap();
    let shown = lm.request_body(request.clone()).unwrap();
    lm.generate(request).await.unwrap();
    assert_eq!(server.last().body, shown, "what is shown is what is sent");
    server.last().json()
}

/// A request with everything that all providers can be sent.
pub(crate) fn rich() -> Request {
    let prefix =
        Prefix::new(vec![Message::system("be \"brief\"\n"), Message::user("1+1"), Message::assistant("2")]);
    let mut asked = Message::assistant("let me see");
    asked.tool_calls =
        vec![ToolCall::from_text("c1", "f", r#"{"a":1}"#), ToolCall::from_text("c2", "g", r#"{"b":"é"}"#)];
    let mut content = Content::from("look: ");
    content.push_part(Part::new("image", json!({"media_type": "image/png", "data": "iVBORw=="})));
    content.push_str(" what is it?");
    let tail = vec![
        Message::user("2+2 ✓"),
        asked,
        Message::tool("c1", "four"),
        Message::tool("c2", "{\"x\": 5}"),
        Message::user(content),
    ];
    let mut request = Request::new(Prompt::new(Arc::new(prefix), tail));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    request.tools = vec![
        ToolSpec::new("f", "does f", parameters.clone()),
        ToolSpec::new("g", "", json!({"type": "object", "properties": {}})),
    ];
    request
}

/// A schema with a definition, and with limits that not every provider can enforce.
pub(crate) fn schema() -> ResponseFormat {
    let schema = json!({
        "type": "object",
        "properties": {
            "answer": {"type": "string", "maxLength": 9},
            "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
            "sure": {"type": ["boolean", "null"]},
        },
        "required": ["answer", "places", "sure"],
        "additionalProperties": false,
        "$defs": {"Place": {
            "type": "object",
            "properties": {"page": {"type": "integer"}, "kind": {"enum": ["a", "b"]}},
            "required": ["page", "kind"],
            "additionalProperties": false,
        }},
    });
    ResponseFormat::JsonSchema { name: "Out".into(), schema: Arc::new(schema) }
}

#[tokio::test]
async fn a_whole_answer_is_read() {
    for provider in providers() {
        let response = provider.answered(Reply::json(200, &provider.plain)).await.unwrap();
        let choice = &response.choices[0];
        assert_eq!((&*choice.text, &choice.finish), ("Hello", &FinishReason::Stop), "{}", provider.model);
        assert_eq!(choice.reasoning, None);
        assert_eq!(&*response.id, "r1", "{}", provider.model);
        assert!(!response.model.is_empty() || provider.model.starts_with("cohere"));
        assert_eq!(
            (response.usage.calls, response.usage.prompt_tokens, response.usage.completion_tokens),
            (1, 7, 3),
            "{}",
            provider.model
        );
    }
}

#[tokio::test]
async fn thinking_and_calls_are_read_and_go_back() {
    for provider in providers() {
        let whole = provider.answered(Reply::json(200, &provider.called)).await.unwrap();
        let (_, streamed) = provider.streamed(&provider.called_stream).await;
        for response in [whole, streamed.unwrap()] {
            let choice = &response.choices[0];
            assert_eq!(choice.finish, FinishReason::ToolCalls, "{}", provider.model);
            assert_eq!(choice.reasoning.as_deref(), Some("hm"), "{}", provider.model);
            let [call] = &*choice.tool_calls else { panic!("{}: {choice:?}", provider.model) };
            assert_eq!((&*call.name, &call.args["a"]), ("f", &json!(1)));
            assert!(call.id.is_some(), "{}", provider.model);
            // The answer is part of the next request, and nothing of it is lost.
            let mut request = hello();
            let result = Message::tool(call.id.clone().unwrap(), "4");
            request.prompt.tail.extend([choice.to_message(), result]);
            let body = sent(|b| b, &provider, request).await.to_string();
            for part in ["\"f\"", "\"4\""] {
                assert!(body.contains(part), "{}: {part} in {body}", provider.model);
            }
        }
    }
}

#[tokio::test]
async fn refusals_have_their_kind_and_message() {
    for provider in providers() {
        for (status, body, kind) in &provider.refusals {
            let error = provider.answered(Reply::json(*status, body)).await.unwrap_err();
            assert_eq!(error.kind, *kind, "{} {status} {body}: {error}", provider.model);
            assert!(error.message.contains("because"), "{}: {error}", provider.model);
        }
        for body in ["", "{", "<html>", "{}", "[]", "{\"content\": 3, \"candidates\": 3, \"output\": 3}"] {
            let error = provider.answered(Reply::text(200, body)).await.unwrap_err();
            assert_eq!(error.kind, LmErrorKind::InvalidResponse, "{} {body}: {error}", provider.model);
        }
        let (deltas, result) = provider.streamed(&provider.broken_stream.0).await;
        assert!(!deltas.is_empty(), "{}", provider.model);
        assert_eq!(result.unwrap_err().kind, provider.broken_stream.1, "{}", provider.model);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error() {
    for provider in providers() {
        let whole = &provider.stream;
        // All events but the last two: none of them says that the answer is complete.
        let events: Vec<_> = whole.trim_end().split("\n\n").collect();
        for kept in 1..events.len().min(3) {
            let part: String = events[..kept].iter().map(|e| format!("{e}\n\n")).collect();
            let (_, result) = provider.streamed(&part).await;
            assert_eq!(result.unwrap_err().kind, LmErrorKind::Transport, "{} {part}", provider.model);
        }
    }
}

#[tokio::test]
async fn several_answers_are_asked_for_at_once_or_one_by_one() {
    for provider in providers() {
        let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
        let lm = provider.builder(&server).build().unwrap();
        let mut request = hello();
        request.options.n = Some(3);
        let answer = lm.generate(request.clone()).await.unwrap();
        // Where one request asks for several, this server still gives one.
        let expected = if server.count() == 1 { 1 } else { 3 };
        assert_eq!(answer.response.choices.len(), expected, "{}", provider.model);
        assert_eq!(answer.usage().calls, server.count() as u64);
        let server =
            Server::replying(vec![provider.streams(vec![(provider.encode.0)(&provider.stream)])]).await;
        let mut stream = provider.builder(&server).build().unwrap().stream(request);
        let texts = Mutex::new(vec![String::new(); 3]);
        while let Some(Ok(event)) = stream.next().await {
            if let StreamEvent::Delta(delta) = event {
                texts.lock().unwrap()[delta.choice].push_str(&delta.text);
            }
        }
        assert!(texts.lock().unwrap()[..expected].iter().all(|text| text == "Hello"), "{}", provider.model);
    }
}

#[tokio::test]
async fn keys_and_headers_are_sent_and_never_shown() {
    for provider in providers() {
        let server = Server::start(|call| {
            let shown: Vec<_> = call.headers.iter().map(|(_, value)| value.as_str()).collect();
            Reply::error(401, &format!("wrong key: {}", shown.join(" ")))
        })
        .await;
        let builder = provider.builder(&server).header("x-secret", "hidden-value");
        let built = format!("{builder:?}");
        let lm = builder.build().unwrap();
        for streamed in [false, true] {
            let mut request = hello();
            request.options.headers.insert("x-team".into(), "blue".into());
            let outcome = match streamed {
                false => lm.generate(request).await,
                true => lm.stream(request).finish().await,
            };
            let error = outcome.unwrap_err();
            let shown = format!("{built} {error} {error:?} {lm:?} {} {}", lm.state(), lm.inspect_history(9));
            assert!(!shown.contains("topsecret") && !shown.contains("hidden-value"), "{shown}");
            assert_eq!(error.kind, LmErrorKind::Auth, "{}", provider.model);
            let call = server.last();
            assert!(
                call.headers.iter().any(|(_, value)| value.contains("sk-topsecret-key")),
                "{}",
                provider.model
            );
            assert_eq!(
                (call.header("x-team"), call.header("x-secret")),
                (Some("blue"), Some("hidden-value"))
            );
        }
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is_sent() {
    for provider in providers() {
        let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
        let lm = provider.builder(&server).capabilities(Capabilities::none()).build().unwrap();
        let mut several = Vec::new();
        for kind in ["image", "audio", "file"] {
            let mut content = Content::from("");
            content.push_part(Part::new(kind, json!({"media_type": "x/y", "format": "wav", "data": "AA=="})));
            several.push(Request::new(vec![Message::user(content)]));
        }
        let mut request = hello();
        request.options.logprobs = Some(1);
        several.push(request);
        for name in ["model", "stream"] {
            let mut request = hello();
            request.options.extra.insert(name.into(), json!(1));
            several.push(request);
        }
        for request in several {
            let error = lm.generate(request).await.unwrap_err();
            assert_eq!(error.kind, LmErrorKind::InvalidRequest, "{}: {error}", provider.model);
        }
        assert_eq!(server.count(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_stream_is_read_however_it_is_cut(
        cuts in prop::collection::vec(0usize..10_000, 0..12),
        crlf: bool,
        pings: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for provider in providers() {
            for (stream, called) in [(&provider.stream, false), (&provider.called_stream, true)] {
                let mut stream = stream.clone();
                let events = provider.encode.1 == EVENTS.1;
                if events && pings {
                    stream = stream.replace("\n\n", "\n\n: keep-alive\n\n");
                }
                if events && crlf {
                    stream = stream.replace('\n', "\r\n");
                }
                let bytes = (provider.encode.0)(&stream);
                let mut at: Vec<_> = cuts.iter().map(|cut| cut % bytes.len()).collect();
                at.extend([0, bytes.len()]);
                at.sort_unstable();
                at.dedup();
                let chunks = at.windows(2).map(|w| bytes[w[0]..w[1]].to_vec()).collect();
                let (deltas, response) = runtime.block_on(provider.streamed_as(chunks));
                let response = response.unwrap();
                let choice = &response.choices[0];
                let text: String = deltas.iter().map(|d| &*d.text).collect();
                let reasoning: String = deltas.iter().map(|d| &*d.reasoning).collect();
                prop_assert_eq!(&text, &choice.text);
                prop_assert_eq!(&reasoning, choice.reasoning.as_deref().unwrap_or_default());
                if called {
                    prop_assert_eq!(choice.tool_calls.len(), 1);
                } else {
                    prop_assert_eq!(&*choice.text, "Hello");
                    prop_assert_eq!((response.usage.prompt_tokens, response.usage.completion_tokens), (7, 3));
                }
            }
        }
    }
}
