//! Cohere's chat.

use dspy_core::lm::{ReasoningEffort, ToolChoice};

use super::*;

pub(crate) fn provider() -> Provider {
    let usage = json!({"billed_units": {"input_tokens": 5.0, "output_tokens": 3.0}, "tokens": {"input_tokens": 7.0, "output_tokens": 3.0}});
    let whole = |reason: &str, message: Value| json!({"id": "r1", "finish_reason": reason, "message": message, "usage": usage});
    let start = json!({"type": "message-start", "id": "r1", "delta": {"message": {"role": "assistant", "content": [],
        "tool_plan": "", "tool_calls": [], "citations": []}}});
    let content = |kind: &str, index: u32, content: Value| json!({"type": kind, "index": index, "delta": {"message": {"content": content}}});
    let end =
        |reason: &str| json!({"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}});
    let call = |kind: &str, call: Value| json!({"type": kind, "index": 0, "delta": {"message": {"tool_calls": call}}});
    let refusal = json!({"id": "e1", "message": "because"});
    Provider {
        model: "cohere/command-a-plus-05-2026",
        setup: |builder| builder,
        encode: EVENTS,
        plain: whole(
            "COMPLETE",
            json!({"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}),
        ),
        stream: events(&[
            start.clone(),
            content("content-start", 0, json!({"type": "text", "text": ""})),
            content("content-delta", 0, json!({"text": "Hel"})),
            content("content-delta", 0, json!({"text": "lo"})),
            json!({"type": "content-end", "index": 0}),
            end("COMPLETE"),
        ]),
        called: whole(
            "TOOL_CALL",
            json!({"role": "assistant", "tool_plan": "hm", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}),
        ),
        called_stream: events(&[
            start.clone(),
            content("content-start", 0, json!({"type": "thinking", "thinking": ""})),
            content("content-delta", 0, json!({"thinking": "h"})),
            content("content-delta", 0, json!({"thinking": "m"})),
            call(
                "tool-call-start",
                json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}),
            ),
            call("tool-call-delta", json!({"function": {"arguments": "{\"a\""}})),
            call("tool-call-delta", json!({"function": {"arguments": ": 1}"}})),
            json!({"type": "tool-call-end", "index": 0}),
            end("TOOL_CALL"),
        ]),
        refusals: vec![
            (400, refusal.clone(), LmErrorKind::InvalidRequest),
            (400, json!({"message": "too many tokens: because"}), LmErrorKind::ContextWindow),
            (401, refusal.clone(), LmErrorKind::Auth),
            (404, refusal.clone(), LmErrorKind::NotFound),
            (429, refusal.clone(), LmErrorKind::RateLimit),
            (500, refusal.clone(), LmErrorKind::Server),
            (200, refusal.clone(), LmErrorKind::Server),
        ],
        broken_stream: (
            events(&[start, content("content-delta", 0, json!({"text": "Hel"})), refusal]),
            LmErrorKind::Server,
        ),
    }
}

#[tokio::test]
async fn a_request_is_sent_as_the_protocol_says() {
    let provider = provider();
    let server = Server::replying(vec![Reply::json(200, &provider.plain)]).await;
    let lm = provider
        .builder(&server)
        .temperature(0.5)
        .top_p(0.9)
        .max_tokens(64)
        .stop(["END"])
        .seed(3)
        .build()
        .unwrap();
    lm.generate(rich()).await.unwrap();
    let call = server.last();
    assert_eq!((&*call.method, &*call.path), ("POST", "/v1/chat"));
    assert_eq!(call.header("authorization"), Some("Bearer sk-topsecret-key"));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    assert_eq!(
        call.json(),
        json!({
            "model": "command-a-plus-05-2026", "temperature": 0.5, "p": 0.9, "max_tokens": 64,
            "stop_sequences": ["END"], "seed": 3,
            "tools": [
                {"type": "function", "function": {"name": "f", "description": "does f", "parameters": parameters}},
                {"type": "function", "function": {"name": "g", "description": "",
                    "parameters": {"type": "object", "properties": {}}}},
            ],
            "messages": [
                {"role": "system", "content": "be \"brief\"\n"},
                {"role": "user", "content": "1+1"},
                {"role": "assistant", "content": "2"},
                {"role": "user", "content": "2+2 ✓"},
                {"role": "assistant", "content": "let me see", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{\"b\":\"é\"}"}},
                ]},
                {"role": "tool", "content": "four", "tool_call_id": "c1"},
                {"role": "tool", "content": "{\"x\": 5}", "tool_call_id": "c2"},
                {"role": "user", "content": [
                    {"type": "text", "text": "look: "},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                    {"type": "text", "text": " what is it?"},
                ]},
            ],
        })
    );
}

#[tokio::test]
async fn schemas_efforts_and_choices_are_sent() {
    let mut request = rich();
    request.format = schema();
    request.options.reasoning_effort = Some(ReasoningEffort::Low);
    request.options.logprobs = Some(0);
    request.tool_choice = ToolChoice::Tool("f".into());
    let body = sent(|b| b, &provider(), request.clone()).await;
    assert_eq!(body["response_format"]["type"], "json_object");
    assert_eq!(
        body["response_format"]["json_schema"]["properties"]["answer"]["description"],
        "(maxLength: 9)"
    );
    assert_eq!(body["thinking"], json!({"type": "enabled", "token_budget": 2048}));
    assert_eq!((&body["logprobs"], &body["tool_choice"]), (&json!(true), &json!("REQUIRED")));
    assert_eq!(body["tools"].as_array().unwrap().len(), 1, "the tool that must be called stands alone");
    request.options.reasoning_effort = Some(ReasoningEffort::None);
    assert_eq!(sent(|b| b, &provider(), request).await["thinking"], json!({"type": "disabled"}));
}

#[tokio::test]
async fn citations_tokens_and_probabilities_are_read() {
    let response = provider()
        .answered(Reply::json(200, &json!({
            "id": "r", "finish_reason": "MAX_TOKENS",
            "message": {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}],
                "citations": [{"start": 0, "end": 2, "text": "so", "type": "TEXT_CONTENT",
                    "sources": [{"type": "document", "id": "doc:0", "document": {"snippet": "x", "title": "T"}},
                        {"type": "tool", "id": "t:1", "tool_output": {}}]}]},
            "usage": {"tokens": {"input_tokens": 100.0, "output_tokens": 5.0}, "cached_tokens": 60.0},
            "logprobs": [{"text": "so", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}]
        })))
        .await
        .unwrap();
    let choice = &response.choices[0];
    assert_eq!(
        (&*choice.text, choice.reasoning.as_deref(), &choice.finish),
        ("so", Some("hm"), &FinishReason::Length)
    );
    let [document, tool] = &*choice.citations else { panic!("{choice:?}") };
    assert_eq!((&*document.cited_text, document.document_title.as_deref()), ("x", Some("T")));
    assert_eq!((tool.document_title.as_deref(), tool.supported("so")), (Some("t:1"), Some("so")));
    assert_eq!((&*choice.logprobs[0].token, choice.logprobs[0].logprob), ("so", -0.75));
    assert_eq!((response.usage.prompt_tokens, response.usage.cached_prompt_tokens), (100, 60));
    let failed =
        json!({"id": "r", "finish_reason": "ERROR", "message": {"role": "assistant", "content": []}});
    assert_eq!(provider().answered(Reply::json(200, &failed)).await.unwrap_err().kind, LmErrorKind::Server);
}
