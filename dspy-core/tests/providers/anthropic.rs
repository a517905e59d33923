//! Anthropic's messages.

use dspy_core::lm::{ReasoningEffort, ToolChoice};

use super::*;

pub(crate) fn provider() -> Provider {
    let start = json!({"type": "message_start", "message": {
        "id": "r1", "type": "message", "role": "assistant", "content": [], "model": "claude-m", "stop_reason": null,
        "stop_sequence": null, "usage": {"input_tokens": 7, "output_tokens": 1}
    }});
    let delta =
        |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let block = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let stop = |index: u32| json!({"type": "content_block_stop", "index": index});
    let end = |reason: &str| {
        [
            json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 3}}),
            json!({"type": "message_stop"}),
        ]
    };
    let text = block(0, json!({"type": "text", "text": ""}));
    let [plain_end, plain_stop] = end("end_turn");
    let [called_end, called_stop] = end("tool_use");
    let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "because"}, "request_id": null});
    Provider {
        model: "anthropic/claude-haiku-4-5",
        setup: |builder| builder,
        encode: EVENTS,
        plain: json!({
            "id": "r1", "type": "message", "role": "assistant", "model": "claude-m", "stop_reason": "end_turn",
            "stop_sequence": null, "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}],
            "usage": {"input_tokens": 7, "output_tokens": 3}
        }),
        stream: events(&[
            start.clone(),
            text.clone(),
            json!({"type": "ping"}),
            delta(0, json!({"type": "text_delta", "text": "Hel"})),
            delta(0, json!({"type": "text_delta", "text": "lo"})),
            stop(0),
            plain_end,
            plain_stop,
        ]),
        called: json!({
            "id": "r1", "type": "message", "role": "assistant", "model": "claude-m", "stop_reason": "tool_use",
            "stop_sequence": null, "usage": {"input_tokens": 7, "output_tokens": 3},
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s1=="},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
            ]
        }),
        called_stream: events(&[
            start.clone(),
            block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "h"})),
            delta(0, json!({"type": "thinking_delta", "thinking": "m"})),
            delta(0, json!({"type": "signature_delta", "signature": "s1=="})),
            stop(0),
            block(1, json!({"type": "redacted_thinking", "data": "xyz"})),
            stop(1),
            block(2, json!({"type": "tool_use", "id": "c1", "name": "f", "input": {}})),
            delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "{\"a\""})),
            delta(2, json!({"type": "input_json_delta", "partial_json": ": 1}"})),
            stop(2),
            called_end,
            called_stop,
        ]),
        refusals: vec![
            (400, error("invalid_request_error"), LmErrorKind::InvalidRequest),
            (
                400,
                json!({"type": "error", "error": {"type": "invalid_request_error",
                    "message": "prompt is too long: 210000 tokens > 200000 maximum because"}}),
                LmErrorKind::ContextWindow,
            ),
            (401, error("authentication_error"), LmErrorKind::Auth),
            (402, error("billing_error"), LmErrorKind::Quota),
            (403, error("permission_error"), LmErrorKind::Auth),
            (404, error("not_found_error"), LmErrorKind::NotFound),
            (413, error("request_too_large"), LmErrorKind::InvalidRequest),
            (429, error("rate_limit_error"), LmErrorKind::RateLimit),
            (500, error("api_error"), LmErrorKind::Server),
            (529, error("overloaded_error"), LmErrorKind::Server),
            (200, error("overloaded_error"), LmErrorKind::Server),
            (200, error("rate_limit_error"), LmErrorKind::RateLimit),
        ],
        broken_stream: (
            events(&[
                start,
                text,
                delta(0, json!({"type": "text_delta", "text": "Hel"})),
                error("overloaded_error"),
            ]),
            LmErrorKind::Server,
        ),
    }
}

#[tokio::test]
async fn a_request_is_sent_as_the_protocol_says() {
    let provider = provider();
    let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
    let lm = provider.builder(&server).temperature(0.5).max_tokens(64).stop(["END"]).seed(3).build().unwrap();
    lm.generate(rich()).await.unwrap();
    let call = server.last();
    assert_eq!((&*call.method, &*call.path), ("POST", "/v1/messages"));
    assert_eq!(call.header("x-api-key"), Some("sk-topsecret-key"));
    assert_eq!((call.header("anthropic-version"), call.header("authorization")), (Some("2023-06-01"), None));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    assert_eq!(
        call.json(),
        json!({
            "model": "claude-haiku-4-5", "max_tokens": 64, "temperature": 0.5, "stop_sequences": ["END"],
            "tools": [
                {"name": "f", "description": "does f", "input_schema": parameters},
                {"name": "g", "input_schema": {"type": "object", "properties": {}}},
            ],
            "system": [{"type": "text", "text": "be \"brief\"\n"}],
            "messages": [
                {"role": "user", "content": "1+1"},
                {"role": "assistant", "content":
                    [{"type": "text", "text": "2", "cache_control": {"type": "ephemeral"}}]},
                {"role": "user", "content": "2+2 ✓"},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "let me see"},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
                    {"type": "tool_use", "id": "c2", "name": "g", "input": {"b": "é"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "four"},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "{\"x\": 5}"},
                ]},
                {"role": "user", "content": [
                    {"type": "text", "text": "look: "},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
                    {"type": "text", "text": " what is it?"},
                ]},
            ]
        })
    );
}

#[tokio::test]
async fn the_end_of_the_constant_prefix_is_marked_unless_that_is_not_wanted() {
    let of = |messages: Vec<Message>| {
        Request::new(Prompt::new(Arc::new(Prefix::new(messages)), vec![Message::user("hi")]))
    };
    let only_system = of(vec![Message::system("s")]);
    let body = sent(|b| b, &provider(), only_system.clone()).await;
    assert_eq!(
        body["system"],
        json!([{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}])
    );
    assert_eq!(body["messages"], json!([{"role": "user", "content": "hi"}]));
    let body = sent(|b| b.prompt_caching(false), &provider(), only_system).await;
    assert_eq!(body["system"], json!([{"type": "text", "text": "s"}]));
    let body = sent(|b| b, &provider(), Request::new(vec![Message::system("s"), Message::user("hi")])).await;
    assert_eq!(body["system"], json!([{"type": "text", "text": "s"}]), "what is not constant is not marked");
}

#[tokio::test]
async fn thinking_is_asked_for_as_the_model_wants_it() {
    let asked = |model: &'static str, effort, max_tokens| async move {
        let mut request = hello();
        request.options.reasoning_effort = Some(effort);
        request.options.max_tokens = max_tokens;
        request.options.temperature = Some(0.0);
        sent(|b| b, &Provider { model, ..provider() }, request).await
    };
    let body = asked("anthropic/claude-haiku-4-5", ReasoningEffort::Medium, Some(9000)).await;
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 4096}));
    assert!(body.get("temperature").is_none(), "it must not be set with thinking");
    let body = asked("anthropic/claude-haiku-4-5", ReasoningEffort::Max, Some(2000)).await;
    assert_eq!(body["thinking"]["budget_tokens"], 1999, "the budget is part of the answer");
    let body = asked("anthropic/claude-haiku-4-5", ReasoningEffort::None, None).await;
    assert_eq!((&body["thinking"], &body["temperature"]), (&json!({"type": "disabled"}), &json!(0.0)));
    let body = asked("anthropic/claude-sonnet-4-6", ReasoningEffort::Minimal, None).await;
    assert_eq!(body["thinking"]["type"], "adaptive");
    assert_eq!(body["output_config"], json!({"effort": "low"}));
    let body =
        sent(|b| b.temperature(0.3), &Provider { model: "anthropic/claude-opus-4-7", ..provider() }, hello())
            .await;
    assert!(body.get("temperature").is_none(), "the model does not take it");
    let lm = LM::builder("anthropic/claude-haiku-4-5")
        .api_base("http://127.0.0.1:1")
        .api_key("k")
        .build()
        .unwrap();
    let mut request = hello();
    request.options.reasoning_effort = Some(ReasoningEffort::Low);
    request.options.max_tokens = Some(500);
    assert!(lm.request_body(request).unwrap_err().to_string().contains("max_tokens"));
}

#[tokio::test]
async fn a_schema_is_sent_in_the_dialect_of_the_provider() {
    let mut request = hello();
    request.format = schema();
    request.options.reasoning_effort = Some(ReasoningEffort::High);
    let body = sent(|b| b, &Provider { model: "anthropic/claude-opus-4-6", ..provider() }, request).await;
    assert_eq!(body["output_config"]["effort"], "high");
    let format = &body["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    let answer = &format["schema"]["properties"]["answer"];
    assert_eq!(answer, &json!({"type": "string", "description": "(maxLength: 9)"}));
    assert_eq!(format["schema"]["$defs"]["Place"]["additionalProperties"], false);
}

#[tokio::test]
async fn tools_are_chosen_as_asked() {
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!({"type": "none"})),
        (ToolChoice::Required, json!({"type": "any"})),
        (ToolChoice::Tool("f".into()), json!({"type": "tool", "name": "f"})),
    ] {
        let mut request = rich();
        request.tool_choice = choice;
        assert_eq!(sent(|b| b, &provider(), request).await["tool_choice"], expected);
    }
}

#[tokio::test]
async fn files_and_documents_are_blocks_of_their_own() {
    let mut content = Content::from("");
    for (kind, data) in [
        ("file", json!({"media_type": "application/pdf", "data": "JVBERg==", "filename": "a.pdf"})),
        ("file", json!({"media_type": "text/csv", "data": "YSxi"})),
        ("file", json!({"url": "https://x/y.pdf"})),
        ("image", json!({"url": "https://x/y.png"})),
        ("document", json!({"text": "body", "title": "T", "context": "C", "media_type": "text/plain"})),
    ] {
        content.push_part(Part::new(kind, data));
    }
    let body = sent(|b| b, &provider(), Request::new(vec![Message::user(content)])).await;
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "document", "title": "a.pdf",
             "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
            {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "document", "title": "T", "context": "C", "citations": {"enabled": true},
             "source": {"type": "text", "media_type": "text/plain", "data": "body"}},
        ])
    );
}

#[tokio::test]
async fn nothing_is_cited_in_answers_whose_form_is_enforced() {
    let mut content = Content::from("");
    content.push_part(Part::new("document", json!({"text": "body"})));
    let mut request = Request::new(vec![Message::user(content)]);
    request.format = schema();
    let body = sent(|b| b, &provider(), request).await;
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "body"}}])
    );
}

#[tokio::test]
async fn citations_cached_tokens_and_reasons_are_read() {
    let response = provider()
        .answered(Reply::json(200, &json!({
            "id": "r", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", "stop_sequence": null,
            "content": [{"type": "text", "text": "so", "citations": [{
                "type": "char_location", "cited_text": "body", "document_index": 1, "document_title": "T",
                "start_char_index": 3, "end_char_index": 7, "file_id": null}]}],
            "usage": {"input_tokens": 1, "output_tokens": 5, "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 300, "output_tokens_details": {"thinking_tokens": 2}}
        })))
        .await
        .unwrap();
    let choice = &response.choices[0];
    let mut refused = provider().plain;
    refused["stop_reason"] = json!("refusal");
    let error = provider().answered(Reply::json(200, &refused)).await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Refusal);
    let cited = &choice.citations[0];
    assert_eq!(
        (&*cited.cited_text, cited.document_index, cited.start, cited.end),
        ("body", Some(1), Some(3), Some(7))
    );
    assert_eq!(cited.supported(&choice.text), Some("so"));
    let usage = response.usage;
    assert_eq!((usage.prompt_tokens, usage.cached_prompt_tokens, usage.cache_write_tokens), (321, 20, 300));
    assert_eq!((usage.completion_tokens, usage.reasoning_tokens), (5, 2));
    for (reason, finish) in [
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("stop_sequence", FinishReason::Stop),
        ("pause_turn", FinishReason::Other("pause_turn".into())),
    ] {
        let mut body = provider().plain;
        body["stop_reason"] = json!(reason);
        assert_eq!(provider().answered(Reply::json(200, &body)).await.unwrap().choices[0].finish, finish);
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
        assert_eq!(body["messages"][1], json!({"role": "assistant", "content": provider.called["content"]}));
    }
}
