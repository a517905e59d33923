//! Google's `generateContent`.

use dspy_core::lm::{ReasoningEffort, ToolChoice};

use super::*;

pub(crate) fn provider() -> Provider {
    let usage = json!({"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10});
    let piece = |parts: Value, reason: Value| {
        json!({
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}],
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
            "modelVersion": "gemini-m", "responseId": "r1"
        })
    };
    let error =
        |code: u16, status: &str| json!({"error": {"code": code, "message": "because", "status": status}});
    let mut counted = piece(json!([{"text": "Hel"}, {"text": "lo"}]), json!("STOP"));
    counted["usageMetadata"] = usage;
    let call = json!({"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"});
    Provider {
        model: "gemini/gemini-2.5-flash",
        setup: |builder| builder,
        encode: EVENTS,
        plain: counted,
        stream: events(&[
            piece(json!([{"text": "Hel"}]), Value::Null),
            piece(json!([{"text": "lo"}]), Value::Null),
            piece(json!([{"text": ""}]), json!("STOP")),
        ]),
        called: piece(json!([{"text": "hm", "thought": true}, call]), json!("STOP")),
        called_stream: events(&[
            piece(json!([{"text": "h", "thought": true}]), Value::Null),
            piece(json!([{"text": "m", "thought": true}]), Value::Null),
            piece(json!([call]), Value::Null),
            piece(json!([{"text": ""}]), json!("STOP")),
        ]),
        refusals: vec![
            (400, error(400, "INVALID_ARGUMENT"), LmErrorKind::InvalidRequest),
            (
                400,
                json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid, because", "details": [
                    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]}}),
                LmErrorKind::Auth,
            ),
            (
                400,
                json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message":
                    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576). because"}}),
                LmErrorKind::ContextWindow,
            ),
            (403, error(403, "PERMISSION_DENIED"), LmErrorKind::Auth),
            (404, error(404, "NOT_FOUND"), LmErrorKind::NotFound),
            (429, error(429, "RESOURCE_EXHAUSTED"), LmErrorKind::RateLimit),
            (500, error(500, "INTERNAL"), LmErrorKind::Server),
            (503, error(503, "UNAVAILABLE"), LmErrorKind::Server),
        ],
        broken_stream: (
            events(&[piece(json!([{"text": "Hel"}]), Value::Null), error(503, "UNAVAILABLE")]),
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
    assert_eq!((&*call.method, &*call.path), ("POST", "/v1/models/gemini-2.5-flash:generateContent"));
    assert_eq!(call.header("x-goog-api-key"), Some("sk-topsecret-key"));
    let parameters = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    assert_eq!(
        call.json(),
        json!({
            "contents": [
                {"role": "user", "parts": [{"text": "1+1"}]},
                {"role": "model", "parts": [{"text": "2"}]},
                {"role": "user", "parts": [{"text": "2+2 ✓"}]},
                {"role": "model", "parts": [
                    {"text": "let me see"},
                    {"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}},
                    {"functionCall": {"name": "g", "args": {"b": "é"}, "id": "c2"}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "f", "id": "c1", "response": {"result": "four"}}},
                    {"functionResponse": {"name": "g", "id": "c2", "response": {"x": 5}}},
                ]},
                {"role": "user", "parts": [
                    {"text": "look: "},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
                    {"text": " what is it?"},
                ]},
            ],
            "systemInstruction": {"parts": [{"text": "be \"brief\"\n"}]},
            "tools": [{"functionDeclarations": [
                {"name": "f", "description": "does f", "parametersJsonSchema": parameters},
                {"name": "g", "description": ""},
            ]}],
            "generationConfig": {"temperature": 0.5, "maxOutputTokens": 64, "stopSequences": ["END"], "seed": 3},
        })
    );
    let server = Server::replying(vec![provider.streams(vec![provider.stream.clone().into_bytes()])]).await;
    provider.builder(&server).build().unwrap().stream(hello()).finish().await.unwrap();
    assert_eq!(server.last().path, "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
}

#[tokio::test]
async fn options_of_ones_own_are_laid_over_those_of_generation() {
    let mut request = hello();
    request.options.temperature = Some(0.5);
    request.options.logprobs = Some(2);
    request.options.extra.insert("generationConfig".into(), json!({"temperature": 1, "topK": 4}));
    request.options.extra.insert("safetySettings".into(), json!([]));
    let body = sent(|b| b, &provider(), request).await;
    assert_eq!(
        body["generationConfig"],
        json!({"responseLogprobs": true, "logprobs": 2, "temperature": 1, "topK": 4})
    );
    assert_eq!(body["safetySettings"], json!([]));
}

#[tokio::test]
async fn thinking_is_asked_for_as_the_model_wants_it() {
    let asked = |model: &'static str, effort| async move {
        let mut request = hello();
        request.options.reasoning_effort = Some(effort);
        sent(|b| b, &Provider { model, ..provider() }, request).await["generationConfig"]["thinkingConfig"]
            .clone()
    };
    let medium = asked("gemini/gemini-2.5-flash", ReasoningEffort::Medium).await;
    assert_eq!(medium, json!({"thinkingBudget": 8192, "includeThoughts": true}));
    assert_eq!(asked("gemini/gemini-2.5-flash", ReasoningEffort::None).await, json!({"thinkingBudget": 0}));
    let low = asked("gemini/gemini-3.5-flash", ReasoningEffort::Low).await;
    assert_eq!(low, json!({"thinkingLevel": "low", "includeThoughts": true}));
}

#[tokio::test]
async fn a_schema_is_sent_in_the_dialect_of_the_provider() {
    let mut request = hello();
    request.format = schema();
    let body = sent(|b| b, &provider(), request).await;
    assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
    assert_eq!(
        body["generationConfig"]["responseSchema"],
        json!({
            "type": "OBJECT",
            "properties": {
                "answer": {"maxLength": 9, "type": "STRING"},
                "places": {"type": "ARRAY", "items": {
                    "type": "OBJECT",
                    "properties": {"page": {"type": "INTEGER"}, "kind": {"type": "STRING", "enum": ["a", "b"]}},
                    "propertyOrdering": ["page", "kind"],
                    "required": ["page", "kind"],
                }},
                "sure": {"nullable": true, "type": "BOOLEAN"},
            },
            "propertyOrdering": ["answer", "places", "sure"],
            "required": ["answer", "places", "sure"],
        })
    );
    // A type that holds itself cannot be written out.
    let node = json!({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}});
    let schema = json!({"$ref": "#/$defs/N", "$defs": {"N": node}});
    let mut request = hello();
    request.format = ResponseFormat::JsonSchema { name: "N".into(), schema: Arc::new(schema.clone()) };
    let body = sent(|b| b, &provider(), request).await;
    assert_eq!(body["generationConfig"]["responseJsonSchema"], schema);
}

#[tokio::test]
async fn tools_are_chosen_as_asked() {
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!({"functionCallingConfig": {"mode": "NONE"}})),
        (ToolChoice::Required, json!({"functionCallingConfig": {"mode": "ANY"}})),
        (
            ToolChoice::Tool("f".into()),
            json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}),
        ),
    ] {
        let mut request = rich();
        request.tool_choice = choice;
        assert_eq!(sent(|b| b, &provider(), request).await["toolConfig"], expected);
    }
}

#[tokio::test]
async fn signatures_go_back_and_ids_of_our_own_do_not() {
    let provider = provider();
    let whole = provider.answered(Reply::json(200, &provider.called)).await.unwrap();
    let (_, streamed) = provider.streamed(&provider.called_stream).await;
    for response in [whole, streamed.unwrap()] {
        let choice = &response.choices[0];
        let mut request = hello();
        let result = Message::tool(choice.tool_calls[0].id.clone().unwrap(), "4");
        request.prompt.tail.extend([choice.to_message(), result]);
        let body = sent(|b| b, &provider, request).await;
        let parts = body["contents"][1]["parts"].as_array().unwrap();
        assert!(parts.contains(&provider.called["candidates"][0]["content"]["parts"][1]), "{body}");
        assert_eq!(
            body["contents"][2],
            json!({"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"result": "4"}}}]})
        );
    }
}

#[tokio::test]
async fn calls_that_no_model_of_gemini_made_are_marked_for_models_that_want_signatures() {
    let parts = |model: &str| {
        let lm = LM::builder(model).api_base("http://127.0.0.1:1/v1beta").api_key("k").build().unwrap();
        let body: Value = serde_json::from_slice(&lm.request_body(rich()).unwrap()).unwrap();
        let contents = body["contents"].as_array().unwrap().clone();
        let calls = |content: &Value| {
            content["parts"].as_array().unwrap().iter().any(|p| p["functionCall"].is_object())
        };
        contents.iter().find(|content| calls(content)).unwrap()["parts"].clone()
    };
    let signatures = |model: &str| -> Vec<Value> {
        let parts = parts(model);
        let calls = parts.as_array().unwrap().iter().filter(|part| part["functionCall"].is_object());
        calls.map(|call| call["thoughtSignature"].clone()).collect()
    };
    assert_eq!(
        signatures("gemini/gemini-3.5-flash"),
        [json!("skip_thought_signature_validator"), Value::Null]
    );
    assert_eq!(signatures("gemini/gemini-2.5-flash"), [Value::Null, Value::Null]);
}

#[tokio::test]
async fn blocks_reasons_tokens_and_probabilities_are_read() {
    let provider = provider();
    let blocked =
        json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7}});
    let (_, streamed) = provider.streamed(&events(std::slice::from_ref(&blocked))).await;
    for error in [provider.answered(Reply::json(200, &blocked)).await, streamed].map(Result::unwrap_err) {
        assert!(error.kind == LmErrorKind::ContentFilter && error.message.contains("SAFETY"), "{error}");
    }
    for (reason, finish) in [
        ("SAFETY", FinishReason::ContentFilter),
        ("MAX_TOKENS", FinishReason::Length),
        ("MALFORMED_FUNCTION_CALL", FinishReason::Other("MALFORMED_FUNCTION_CALL".into())),
    ] {
        let mut body = provider.plain.clone();
        body["candidates"][0]["finishReason"] = json!(reason);
        match provider.answered(Reply::json(200, &body)).await {
            Ok(response) => assert_eq!(response.choices[0].finish, finish),
            Err(error) => {
                assert_eq!((error.kind, finish), (LmErrorKind::ContentFilter, FinishReason::ContentFilter));
            }
        }
    }
    let response = provider
        .answered(Reply::json(200, &json!({
            "candidates": [
                {"index": 1, "content": {"parts": [{"text": "two"}]}, "finishReason": "STOP"},
                {"index": 0, "content": {"parts": [{"text": "one"}]}, "finishReason": "STOP", "logprobsResult": {
                    "chosenCandidates": [{"token": "one", "logProbability": -0.5, "tokenId": 3}],
                    "topCandidates": [{"candidates": [{"token": "uno", "logProbability": -1.5}]}]},
                 "citationMetadata": {"citations": [{"startIndex": 1, "endIndex": 3, "uri": "https://x"}]}},
                {"index": 2, "content": {"parts": [{"text": "é three"}]}, "finishReason": "STOP", "groundingMetadata": {
                    "groundingChunks": [{"web": {"uri": "https://x", "title": "X"}},
                        {"retrievedContext": {"uri": "https://y", "title": "Y", "text": "three it is"}}],
                    "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 8, "text": "three"},
                        "groundingChunkIndices": [0, 1, 9]}]}},
            ],
            "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 5,
                "thoughtsTokenCount": 20, "toolUsePromptTokenCount": 2},
        })))
        .await
        .unwrap();
    let texts: Vec<_> = response.choices.iter().map(|c| &*c.text).collect();
    assert_eq!(texts, ["one", "two", "é three"]);
    let [page, found] = &*response.choices[2].citations else { panic!("{response:?}") };
    assert_eq!((page.url.as_deref(), &*found.cited_text), (Some("https://x"), "three it is"));
    assert_eq!((page.supported(texts[2]), found.supported(texts[2])), (Some("three"), Some("three")));
    let token = &response.choices[0].logprobs[0];
    assert_eq!((&*token.token, token.logprob, &token.top), ("one", -0.5, &vec![("uno".to_owned(), -1.5)]));
    let cited = &response.choices[0].citations[0];
    assert_eq!((cited.url.as_deref(), cited.supported(texts[0])), (Some("https://x"), Some("ne")));
    let usage = response.usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (102, 25));
    assert_eq!((usage.cached_prompt_tokens, usage.reasoning_tokens), (60, 20));
    let busy = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "because", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}]}});
    let error = provider.answered(Reply::json(429, &busy)).await.unwrap_err();
    assert_eq!(error.retry_after, Some(std::time::Duration::from_millis(1500)));
}

#[tokio::test]
async fn vertex_takes_a_token() {
    let server = Server::replying(vec![Reply::json(200, &provider().plain)]).await;
    let vertex = Provider { model: "vertex_ai/gemini-2.5-flash", ..provider() };
    let lm = vertex.builder(&server).build().unwrap();
    lm.generate(hello()).await.unwrap();
    let call = server.last();
    assert_eq!(call.path, "/v1/models/gemini-2.5-flash:generateContent");
    assert_eq!(
        (call.header("authorization"), call.header("x-goog-api-key")),
        (Some("Bearer sk-topsecret-key"), None)
    );
}
