//! OpenAI's responses.

use dspy_core::lm::{ReasoningEffort, ToolChoice};

use super::*;

fn whole(output: &Value) -> Value {
    json!({
        "id": "r1", "object": "response", "created_at": 0, "status": "completed", "error": null,
        "incomplete_details": null, "model": "m-2026", "output": output, "parallel_tool_calls": true,
        "tool_choice": "auto", "tools": [],
        "usage": {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10}
    })
}

fn message(text: &str) -> Value {
    json!({"type": "message", "id": "m1", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]})
}

pub(crate) fn provider() -> Provider {
    let called = whole(&json!([
        {"type": "reasoning", "id": "rs1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "xyz"},
        {"type": "function_call", "id": "fc1", "call_id": "c1", "name": "f", "arguments": "{\"a\": 1}", "status": "completed"},
    ]));
    let created = json!({"type": "response.created", "sequence_number": 0, "response": {"id": "r1", "status": "in_progress", "output": []}});
    let text = |piece: &str| {
        json!({"type": "response.output_text.delta", "sequence_number": 2, "item_id": "m1",
        "output_index": 0, "content_index": 0, "delta": piece, "logprobs": []})
    };
    let thought = |piece: &str| {
        json!({"type": "response.reasoning_summary_text.delta", "sequence_number": 2,
        "item_id": "rs1", "output_index": 0, "summary_index": 0, "delta": piece})
    };
    let end =
        |response: &Value| json!({"type": "response.completed", "sequence_number": 9, "response": response});
    let plain = whole(&json!([message("Hello")]));
    let error =
        |code: &str| json!({"error": {"message": "because", "type": "t", "param": null, "code": code}});
    Provider {
        model: "openai/gpt-4.1",
        setup: |builder| builder.responses_api(true),
        encode: EVENTS,
        stream: events(&[created.clone(), text("Hel"), text("lo"), end(&plain)]),
        plain,
        called_stream: events(&[
            created.clone(),
            thought("h"),
            thought("m"),
            json!({"type": "response.function_call_arguments.delta", "sequence_number": 3, "item_id": "fc1",
                "output_index": 1, "delta": "{\"a\": 1}"}),
            end(&called),
        ]),
        called,
        refusals: vec![
            (400, error("invalid_value"), LmErrorKind::InvalidRequest),
            (400, error("context_length_exceeded"), LmErrorKind::ContextWindow),
            (401, error("invalid_api_key"), LmErrorKind::Auth),
            (429, error("rate_limit_exceeded"), LmErrorKind::RateLimit),
            (429, error("insufficient_quota"), LmErrorKind::Quota),
            (500, error("server_error"), LmErrorKind::Server),
            (
                200,
                json!({"id": "r1", "status": "failed", "output": [],
                    "error": {"code": "rate_limit_exceeded", "message": "because"}}),
                LmErrorKind::RateLimit,
            ),
        ],
        broken_stream: (
            events(&[
                created,
                text("Hel"),
                json!({"type": "error", "code": "server_error", "message": "because", "param": null, "sequence_number": 3}),
            ]),
            LmErrorKind::Server,
        ),
    }
}

#[tokio::test]
async fn a_request_is_sent_as_the_protocol_says() {
    let provider = provider();
    let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
    let lm = provider.builder(&server).temperature(0.5).max_tokens(64).build().unwrap();
    assert_eq!(lm.state()["model_type"], "responses");
    lm.generate(rich()).await.unwrap();
    let call = server.last();
    assert_eq!((&*call.method, &*call.path), ("POST", "/v1/responses"));
    assert_eq!(call.header("authorization"), Some("Bearer sk-topsecret-key"));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    assert_eq!(
        call.json(),
        json!({
            "model": "gpt-4.1", "temperature": 0.5, "max_output_tokens": 64, "store": false,
            "include": ["reasoning.encrypted_content"],
            "tools": [
                {"type": "function", "name": "f", "description": "does f", "parameters": parameters, "strict": false},
                {"type": "function", "name": "g", "description": "",
                 "parameters": {"type": "object", "properties": {}}, "strict": false},
            ],
            "input": [
                {"role": "system", "content": "be \"brief\"\n"},
                {"role": "user", "content": "1+1"},
                {"role": "assistant", "content": "2"},
                {"role": "user", "content": "2+2 ✓"},
                {"role": "assistant", "content": "let me see"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"},
                {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{\"b\":\"é\"}"},
                {"type": "function_call_output", "call_id": "c1", "output": "four"},
                {"type": "function_call_output", "call_id": "c2", "output": "{\"x\": 5}"},
                {"role": "user", "content": [
                    {"type": "input_text", "text": "look: "},
                    {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,iVBORw=="},
                    {"type": "input_text", "text": " what is it?"},
                ]},
            ],
        })
    );
}

#[tokio::test]
async fn schemas_efforts_probabilities_and_choices_are_sent() {
    let mut request = rich();
    request.format = schema();
    request.options.reasoning_effort = Some(ReasoningEffort::Low);
    request.options.logprobs = Some(2);
    request.tool_choice = ToolChoice::Tool("f".into());
    let body = sent(|b| b, &provider(), request).await;
    assert_eq!(body["text"]["format"]["type"], "json_schema");
    assert_eq!(
        (&body["text"]["format"]["name"], &body["text"]["format"]["strict"]),
        (&json!("Out"), &json!(true))
    );
    assert_eq!(body["reasoning"], json!({"effort": "low", "summary": "auto"}));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content", "message.output_text.logprobs"]));
    assert_eq!(
        (&body["top_logprobs"], &body["tool_choice"]),
        (&json!(2), &json!({"type": "function", "name": "f"}))
    );
}

#[tokio::test]
async fn reasoning_goes_back_as_it_came() {
    let provider = provider();
    let response = provider.answered(Reply::json(200, &provider.called)).await.unwrap();
    let mut request = hello();
    request.prompt.tail.push(response.choices[0].to_message());
    let body = sent(|b| b, &provider, request).await;
    assert_eq!(&body["input"].as_array().unwrap()[1..], &provider.called["output"].as_array().unwrap()[..]);
}

#[tokio::test]
async fn reasons_tokens_probabilities_and_sources_are_read() {
    let mut body = whole(
        &json!([{"type": "message", "id": "m", "role": "assistant", "status": "incomplete", "content": [{
        "type": "output_text", "text": "so",
        "annotations": [{"type": "url_citation", "url": "https://x", "title": "T", "start_index": 0, "end_index": 2}],
        "logprobs": [{"token": "so", "bytes": [], "logprob": -0.5,
            "top_logprobs": [{"token": "as", "bytes": [], "logprob": -1.5}]}]}]}]),
    );
    body["status"] = json!("incomplete");
    body["incomplete_details"] = json!({"reason": "max_output_tokens"});
    body["usage"] = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 4},
        "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 40}, "total_tokens": 150});
    let response = provider().answered(Reply::json(200, &body)).await.unwrap();
    let choice = &response.choices[0];
    assert_eq!(
        (&choice.finish, choice.citations[0].document_title.as_deref()),
        (&FinishReason::Length, Some("T"))
    );
    assert_eq!(choice.logprobs[0].top, [("as".to_owned(), -1.5)]);
    let usage = response.usage;
    assert_eq!((usage.cached_prompt_tokens, usage.cache_write_tokens, usage.reasoning_tokens), (60, 4, 40));
    let refusal = whole(&json!([{"type": "message", "id": "m", "role": "assistant", "status": "completed",
        "content": [{"type": "refusal", "refusal": "no"}]}]));
    let error = provider().answered(Reply::json(200, &refusal)).await.unwrap_err();
    assert_eq!(error.kind, LmErrorKind::Refusal);
}
