//! Amazon Bedrock's `Converse`.

use dspy_core::lm::{AwsCredentials, ReasoningEffort, ToolChoice};

use super::*;

/// Events as the messages of a binary stream: of `{"type": payload}` each.
pub(crate) fn frames(events: &str) -> Vec<u8> {
    let events = events.split("\n\n").filter_map(|event| event.trim().strip_prefix("data: "));
    events.flat_map(|event| frame(&serde_json::from_str(event).unwrap())).collect()
}

fn frame(event: &Value) -> Vec<u8> {
    let (name, payload) = event.as_object().unwrap().iter().next().unwrap();
    let kind = if name.ends_with("Exception") { "exception" } else { "event" };
    let mut headers = Vec::new();
    let typed = format!(":{kind}-type");
    for (header, value) in
        [(&*typed, &**name), (":content-type", "application/json"), (":message-type", kind)]
    {
        headers.push(header.len() as u8);
        headers.extend_from_slice(header.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let length = 12 + headers.len() + payload.len() + 4;
    let mut out = (length as u32).to_be_bytes().to_vec();
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

fn whole(reason: &str, content: &Value) -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason,
        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, "metrics": {"latencyMs": 1}
    })
}

pub(crate) fn provider() -> Provider {
    let start = json!({"messageStart": {"role": "assistant"}});
    let delta =
        |index: u32, delta: Value| json!({"contentBlockDelta": {"delta": delta, "contentBlockIndex": index}});
    let stop = |index: u32| json!({"contentBlockStop": {"contentBlockIndex": index}});
    let end = |reason: &str| json!({"messageStop": {"stopReason": reason}});
    let usage = json!({"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
        "metrics": {"latencyMs": 1}}});
    let because = || json!({"message": "because"});
    Provider {
        model: "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        setup: |builder| builder.region("us-west-2"),
        encode: (frames, "application/vnd.amazon.eventstream"),
        plain: whole("end_turn", &json!([{"text": "Hel"}, {"text": "lo"}])),
        stream: events(&[
            start.clone(),
            delta(0, json!({"text": "Hel"})),
            delta(0, json!({"text": "lo"})),
            stop(0),
            end("end_turn"),
            usage.clone(),
        ]),
        called: whole(
            "tool_use",
            &json!([
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s1=="}}},
                {"reasoningContent": {"redactedContent": "eHl6"}},
                {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"a": 1}}},
            ]),
        ),
        called_stream: events(&[
            start.clone(),
            delta(0, json!({"reasoningContent": {"text": "h"}})),
            delta(0, json!({"reasoningContent": {"text": "m"}})),
            delta(0, json!({"reasoningContent": {"signature": "s1=="}})),
            stop(0),
            delta(1, json!({"reasoningContent": {"redactedContent": "eHl6"}})),
            stop(1),
            json!({"contentBlockStart": {"start": {"toolUse": {"toolUseId": "c1", "name": "f"}}, "contentBlockIndex": 2}}),
            delta(2, json!({"toolUse": {"input": "{\"a\""}})),
            delta(2, json!({"toolUse": {"input": ": 1}"}})),
            stop(2),
            end("tool_use"),
            usage,
        ]),
        refusals: vec![
            (400, because(), LmErrorKind::InvalidRequest),
            (
                400,
                json!({"message": "Input is too long for requested model. because"}),
                LmErrorKind::ContextWindow,
            ),
            (403, because(), LmErrorKind::Auth),
            (404, because(), LmErrorKind::NotFound),
            (408, because(), LmErrorKind::Server),
            (424, because(), LmErrorKind::Server),
            (429, because(), LmErrorKind::RateLimit),
            (429, json!({"message": "Too many tokens per day, because"}), LmErrorKind::Quota),
            (500, because(), LmErrorKind::Server),
            (503, because(), LmErrorKind::Server),
        ],
        broken_stream: (
            events(&[
                start,
                delta(0, json!({"text": "Hel"})),
                json!({"throttlingException": {"message": "because"}}),
            ]),
            LmErrorKind::RateLimit,
        ),
    }
}

/// A request that was signed, with the credentials `AKIDEXAMPLE` and `the-secret`, a token, and the region us-west-2.
pub(crate) async fn signed(model: &str) -> support::Call {
    let server = Server::replying(vec![Reply::json(200, &provider().plain)]).await;
    let credentials = AwsCredentials::new("AKIDEXAMPLE", "the-secret").session_token("topsecret-token+/==");
    let lm = LM::builder(model)
        .api_base(server.api_base())
        .region("us-west-2")
        .aws_credentials(credentials)
        .cache(Cache::off())
        .build()
        .unwrap();
    lm.generate(rich()).await.unwrap();
    server.last()
}

/// A model that nobody asks.
fn offline(model: &str) -> LM {
    LM::builder(model).api_base("http://127.0.0.1:1").region("eu-west-1").api_key("k").build().unwrap()
}

#[tokio::test]
async fn a_request_is_sent_as_the_protocol_says() {
    let provider = provider();
    let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
    let lm = provider
        .builder(&server)
        .temperature(0.5)
        .max_tokens(64)
        .stop(["END"])
        .extra("top_k", 5)
        .extra("serviceTier", json!({"type": "flex"}))
        .build()
        .unwrap();
    lm.generate(rich()).await.unwrap();
    let call = server.last();
    let path = "/v1/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse";
    assert_eq!((&*call.method, &*call.path), ("POST", path));
    assert_eq!(call.header("authorization"), Some("Bearer sk-topsecret-key"));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(
        call.json(),
        json!({
            "messages": [
                {"role": "user", "content": [{"text": "1+1"}]},
                {"role": "assistant", "content": [{"text": "2"}, point]},
                {"role": "user", "content": [{"text": "2+2 ✓"}]},
                {"role": "assistant", "content": [
                    {"text": "let me see"},
                    {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"a": 1}}},
                    {"toolUse": {"toolUseId": "c2", "name": "g", "input": {"b": "é"}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "c1", "content": [{"text": "four"}]}},
                    {"toolResult": {"toolUseId": "c2", "content": [{"text": "{\"x\": 5}"}]}},
                    {"text": "look: "},
                    {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}},
                    {"text": " what is it?"},
                ]},
            ],
            "system": [{"text": "be \"brief\"\n"}],
            "inferenceConfig": {"maxTokens": 64, "temperature": 0.5, "stopSequences": ["END"]},
            "toolConfig": {"tools": [
                {"toolSpec": {"name": "f", "description": "does f", "inputSchema": {"json": parameters}}},
                {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            ]},
            "additionalModelRequestFields": {"top_k": 5},
            "serviceTier": {"type": "flex"},
        })
    );
    let mut stream = lm.stream(hello());
    while stream.next().await.is_some() {}
    assert_eq!(server.last().path, format!("{path}-stream"));
}

#[tokio::test]
async fn messages_of_one_speaker_are_one_turn() {
    let of = |prefix: Vec<Message>, tail: Vec<Message>| {
        Request::new(Prompt::new(Arc::new(Prefix::new(prefix)), tail))
    };
    let request = of(
        vec![Message::system("s"), Message::user("a"), Message::user("b")],
        vec![Message::user("c"), Message::assistant(" "), Message::system("t"), Message::user("d")],
    );
    let body = sent(|b| b, &provider(), request.clone()).await;
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content":
            [{"text": "a"}, {"text": "b"}, point, {"text": "c"}, {"text": "d"}]}])
    );
    assert_eq!(body["system"], json!([{"text": "s"}, {"text": "t"}]));
    let body = sent(|b| b.prompt_caching(false), &provider(), request.clone()).await;
    assert!(!body.to_string().contains("cachePoint"));
    let llama = Provider { model: "bedrock/meta.llama3-3-70b-instruct-v1:0", ..provider() };
    assert!(!sent(|b| b, &llama, request).await.to_string().contains("cachePoint"), "it has no such cache");
    let body = sent(|b| b, &provider(), of(vec![Message::system("s")], vec![Message::user("a")])).await;
    assert_eq!(body["system"], json!([{"text": "s"}, point]));
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"text": "a"}]}]));
}

#[tokio::test]
async fn thinking_schemas_and_choices_are_sent_as_the_model_wants_them() {
    let asked = |model: &'static str, effort, max_tokens| async move {
        let mut request = hello();
        request.options.reasoning_effort = Some(effort);
        request.options.max_tokens = max_tokens;
        request.options.temperature = Some(0.0);
        sent(|b| b, &Provider { model, ..provider() }, request).await
    };
    let claude = "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let body = asked(claude, ReasoningEffort::Max, Some(2000)).await;
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"thinking": {"type": "enabled", "budget_tokens": 1999}})
    );
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 2000}), "no temperature while it thinks");
    let body = asked("bedrock/global.anthropic.claude-opus-4-6-v1", ReasoningEffort::XHigh, None).await;
    assert_eq!(
        (&body["outputConfig"], &body["additionalModelRequestFields"]),
        (&json!({"effort": "xhigh"}), &json!({"thinking": {"type": "adaptive"}}))
    );
    let body = asked("bedrock/eu.amazon.nova-2-lite-v1:0", ReasoningEffort::Minimal, None).await;
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}})
    );
    let body = asked("bedrock/openai.gpt-oss-120b-1:0", ReasoningEffort::High, None).await;
    assert_eq!(body["additionalModelRequestFields"], json!({"reasoning_effort": "high"}));
    let mut request = hello();
    request.options.reasoning_effort = Some(ReasoningEffort::Low);
    let other = offline("bedrock/mistral.m-v1:0");
    assert!(other.request_body(request).unwrap_err().to_string().contains("`extra`"));

    let mut request = rich();
    request.format = schema();
    request.tool_choice = ToolChoice::Tool("f".into());
    let body = sent(|b| b, &provider(), request.clone()).await;
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": "f"}}));
    let format = &body["outputConfig"]["textFormat"];
    assert_eq!(
        (&format["type"], &format["structure"]["jsonSchema"]["name"]),
        (&json!("json_schema"), &json!("Out"))
    );
    let schema: Value =
        serde_json::from_str(format["structure"]["jsonSchema"]["schema"].as_str().unwrap()).unwrap();
    assert_eq!(schema["properties"]["answer"]["description"], "(maxLength: 9)");
    request.tool_choice = ToolChoice::None;
    let body = sent(|b| b, &provider(), request.clone()).await;
    assert!(body["toolConfig"]["tools"].is_array(), "the conversation has calls of them");
    let mut request = hello();
    (request.tools, request.tool_choice) = (rich().tools, ToolChoice::None);
    assert!(sent(|b| b, &provider(), request).await.get("toolConfig").is_none());
}

#[tokio::test]
async fn files_and_documents_have_names_of_their_own() {
    let mut content = Content::from("see");
    for (kind, data) in [
        ("file", json!({"media_type": "application/pdf", "data": "JVBERg==", "filename": "a_b.pdf"})),
        ("file", json!({"media_type": "image/png", "data": "iVBORw=="})),
        ("file", json!({"url": "s3://b/c.docx"})),
        ("document", json!({"text": "body", "title": "T\n#2", "context": "C", "media_type": "text/plain"})),
    ] {
        content.push_part(Part::new(kind, data));
    }
    let request = Request::new(vec![Message::user(content)]);
    let body = sent(|b| b, &provider(), request.clone()).await;
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"text": "see"},
            {"document": {"format": "pdf", "name": "a b pdf", "source": {"bytes": "JVBERg=="}}},
            {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}},
            {"document": {"format": "docx", "name": "document 2", "source": {"s3Location": {"uri": "s3://b/c.docx"}}}},
            {"document": {"format": "txt", "name": "T 2 (3)", "source": {"text": "body"}, "context": "C",
                "citations": {"enabled": true}}},
        ])
    );
    let nova = Provider { model: "bedrock/amazon.nova-lite-v1:0", ..provider() };
    let body = sent(|b| b, &nova, request).await;
    assert_eq!(body["messages"][0]["content"][4], json!({"text": "T\n#2\n\nbody"}), "it cites nothing");
    let lm = offline(nova.model);
    for (kind, data) in [
        ("image", json!({"url": "https://x/y.png"})),
        ("file", json!({"media_type": "application/x-unknown", "data": "AA=="})),
    ] {
        let mut content = Content::from("");
        content.push_part(Part::new(kind, data));
        let error = lm.request_body(Request::new(vec![Message::user(content)])).unwrap_err();
        assert!(error.to_string().contains("Bedrock"), "{error}");
    }
}

#[tokio::test]
async fn citations_cached_tokens_and_reasons_are_read() {
    let mut body = whole(
        "end_turn",
        &json!([{"citationsContent": {"content": [{"text": "so"}], "citations": [{
            "title": "T", "sourceContent": [{"text": "body"}],
            "location": {"documentChar": {"documentIndex": 1, "start": 3, "end": 7}}}]}}]),
    );
    body["usage"] = json!({"inputTokens": 1, "outputTokens": 5, "totalTokens": 326,
        "cacheReadInputTokens": 20, "cacheWriteInputTokens": 300});
    let response = provider().answered(Reply::json(200, &body)).await.unwrap();
    let cited = &response.choices[0].citations[0];
    assert_eq!((&*response.choices[0].text, &*cited.cited_text), ("so", "body"));
    assert_eq!((cited.document_index, cited.start, cited.end), (Some(1), Some(3), Some(7)));
    assert_eq!(cited.supported("so"), Some("so"));
    let usage = response.usage;
    assert_eq!((usage.prompt_tokens, usage.cached_prompt_tokens, usage.cache_write_tokens), (321, 20, 300));
    for (reason, finish) in [
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("stop_sequence", FinishReason::Stop),
        ("malformed_model_output", FinishReason::Other("malformed_model_output".into())),
    ] {
        let body = whole(reason, &json!([{"text": "x"}]));
        assert_eq!(provider().answered(Reply::json(200, &body)).await.unwrap().choices[0].finish, finish);
    }
    for reason in ["guardrail_intervened", "content_filtered"] {
        let body = whole(reason, &json!([{"text": "x"}]));
        let error = provider().answered(Reply::json(200, &body)).await.unwrap_err();
        assert_eq!(error.kind, LmErrorKind::ContentFilter);
    }
}

#[tokio::test]
async fn thinking_goes_back_as_it_came() {
    let provider = provider();
    let whole = provider.answered(Reply::json(200, &provider.called)).await.unwrap();
    let (_, streamed) = provider.streamed(&provider.called_stream).await;
    for response in [whole, streamed.unwrap()] {
        let mut request = hello();
        request.prompt.tail.push(response.choices[0].to_message());
        let body = sent(|b| b, &provider, request).await;
        let content = &provider.called["output"]["message"]["content"];
        assert_eq!(body["messages"][1], json!({"role": "assistant", "content": content}));
    }
}

#[tokio::test]
async fn damaged_streams_are_refused() {
    let provider = provider();
    let bytes = frames(&provider.stream);
    for (at, byte) in bytes.iter().enumerate() {
        let mut damaged = bytes.clone();
        damaged[at] = byte ^ 0x41;
        let (_, result) = provider.streamed_as(vec![damaged]).await;
        assert_eq!(result.unwrap_err().kind, LmErrorKind::InvalidResponse, "{at}");
    }
    let huge = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let mut head = huge.to_vec();
    head.extend_from_slice(&crc32fast::hash(&huge).to_be_bytes());
    let (_, result) = provider.streamed_as(vec![head]).await;
    assert!(result.unwrap_err().message.contains("16 MiB"));
    let mut error = Vec::new();
    for (name, value) in [(":message-type", "error"), (":error-code", "500"), (":error-message", "because")] {
        error.push(name.len() as u8);
        error.extend_from_slice(name.as_bytes());
        error.extend_from_slice(&[7, 0, value.len() as u8]);
        error.extend_from_slice(value.as_bytes());
    }
    let mut message = ((error.len() + 16) as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&(error.len() as u32).to_be_bytes());
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&error);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    let (_, result) = provider.streamed_as(vec![message]).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, &*error.message), (LmErrorKind::Server, "because"));
}

#[tokio::test]
async fn requests_are_signed_and_signatures_are_not_shown() {
    let call = signed(provider().model).await;
    let authorization = call.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/us-west-2/bedrock/aws4_request"), "{authorization}");
    assert_eq!(call.header("x-amz-security-token"), Some("topsecret-token+/=="));
    assert!(!format!("{:?}", call.headers).contains("the-secret"));

    let server = Server::start(|call| {
        let shown: Vec<_> = call.headers.iter().map(|(_, value)| value.as_str()).collect();
        Reply::json(403, &json!({"message": format!("wrong: {}", shown.join(" "))}))
    })
    .await;
    let credentials = AwsCredentials::new("AKIDEXAMPLE", "the-secret").session_token("topsecret-token");
    let builder = LM::builder("bedrock/m").api_base(server.api_base()).region("us-west-2");
    let builder = builder.aws_credentials(credentials.clone()).retry(RetryPolicy::none());
    let shown = format!("{builder:?} {credentials:?}");
    let lm = builder.build().unwrap();
    let error = lm.generate(hello()).await.unwrap_err();
    let shown = format!("{shown} {error} {error:?} {lm:?} {} {}", lm.state(), lm.inspect_history(9));
    for secret in ["the-secret", "topsecret", "Signature=", "AKIDEXAMPLE"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(error.kind, LmErrorKind::Auth);
    assert!(error.message.contains("[redacted]"), "{error}");
}

#[tokio::test]
async fn every_attempt_is_signed_anew() {
    let refused = Reply::json(503, &json!({"message": "because"}));
    let server = Server::replying(vec![refused, Reply::json(200, &provider().plain)]).await;
    let lm = LM::builder("bedrock/m")
        .api_base(server.api_base())
        .region("us-west-2")
        .aws_credentials(AwsCredentials::new("AKIDEXAMPLE", "the-secret"))
        .cache(Cache::off())
        .retry(RetryPolicy::new().base(std::time::Duration::from_millis(1)))
        .build()
        .unwrap();
    lm.generate(hello()).await.unwrap();
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.header("x-amz-date").is_some()));
    assert!(calls.iter().all(|call| call.header("x-amz-security-token").is_none()));
}

#[test]
fn what_is_missing_or_too_much_is_said() {
    let built = |builder: LMBuilder| builder.build().unwrap_err().to_string();
    let given = || AwsCredentials::new("a", "b");
    let elsewhere = LM::builder("bedrock/m").api_base("http://127.0.0.1:1");
    assert!(built(elsewhere.region("eu-west-1")).contains("aws_credentials"));
    assert!(built(LM::builder("bedrock/m").region("a.b/c").api_key("k")).contains("name of a region"));
    assert!(built(LM::builder("openai/m").region("eu-west-1").api_key("k")).contains("no regions"));
    assert!(
        built(LM::builder("openai/m").aws_credentials(given()).api_base("http://127.0.0.1:1"))
            .contains("AWS")
    );
    assert!(built(LM::builder("bedrock/m").api_key("k").aws_credentials(given())).contains("not both"));
    let arn =
        "bedrock/arn:aws:bedrock:eu-west-3:1:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0";
    assert!(offline(arn).capabilities().json_schema, "the model of the profile is known");
}
