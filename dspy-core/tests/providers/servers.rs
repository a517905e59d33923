//! What servers of OpenAI's protocol answer, each in its own way.

use super::*;

/// A model of a provider, at a server.
pub(crate) fn at(model: &str, server: &Server) -> LM {
    let builder = LM::builder(model).api_base(server.api_base()).api_key("sk-topsecret-key");
    builder.cache(Cache::off()).retry(RetryPolicy::none()).build().unwrap()
}

pub(crate) async fn whole(model: &str, body: &Value) -> Result<Response, LmError> {
    let server = Server::replying(vec![Reply::json(200, body)]).await;
    at(model, &server).generate(hello()).await.map(|answer| Arc::unwrap_or_clone(answer.response))
}

pub(crate) async fn streamed(model: &str, text: &str) -> (String, Result<Response, LmError>) {
    let server =
        Server::replying(vec![Reply::stream("text/event-stream", vec![text.as_bytes().to_vec()])]).await;
    let mut stream = at(model, &server).stream(hello());
    let mut seen = String::new();
    loop {
        match stream.next().await {
            Some(Ok(StreamEvent::Delta(delta))) => seen.push_str(&delta.text),
            Some(Ok(StreamEvent::Done(answer))) => return (seen, Ok(Arc::unwrap_or_clone(answer.response))),
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(error)) => return (seen, Err(error)),
            None => panic!("the stream ended without an end"),
        }
    }
}

async fn refused(model: &str, status: u16, body: Value) -> LmError {
    let server = Server::replying(vec![Reply::json(status, &body)]).await;
    at(model, &server).generate(hello()).await.unwrap_err()
}

/// A whole answer with one choice.
pub(crate) fn one(message: Value, reason: &str, usage: Value) -> Value {
    json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage})
}

pub(crate) fn chunk(delta: Value, reason: Option<&str>) -> Value {
    json!({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
}

pub(crate) fn usage() -> Value {
    json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})
}

fn add_call(arguments: Value) -> Value {
    json!({"id": "c1", "type": "function", "function": {"name": "add", "arguments": arguments}})
}

#[tokio::test]
async fn whole_answers_of_every_server_are_read() {
    // The provider, the answer, and what it says: text, reasoning, the end, and the tokens of prompt and answer.
    let cases = [
        (
            "ollama/m",
            one(json!({"role": "assistant", "content": "4", "reasoning": "2 and 2"}), "stop", usage()),
            ("4", Some("2 and 2"), FinishReason::Stop, (7, 3)),
        ),
        (
            "hosted_vllm/m",
            json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{
                "index": 0, "finish_reason": "stop", "stop_reason": 128_009, "logprobs": null, "token_ids": null,
                "message": {"role": "assistant", "content": "4", "reasoning_content": "2 and 2", "refusal": null,
                    "annotations": null, "audio": null, "function_call": null, "tool_calls": []}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
                    "prompt_tokens_details": null},
                "prompt_logprobs": null, "kv_transfer_params": null}),
            ("4", Some("2 and 2"), FinishReason::Stop, (7, 3)),
        ),
        (
            "llamacpp/m",
            json!({"choices": [{"finish_reason": "length", "index": 0,
                    "message": {"role": "assistant", "content": "4", "reasoning_content": "2 and 2"}}],
                "created": 1, "model": "m.gguf", "system_fingerprint": "b1", "object": "chat.completion",
                "usage": usage(), "id": "x", "timings": {"cache_n": 7, "prompt_n": 1, "predicted_ms": 2.5}}),
            ("4", Some("2 and 2"), FinishReason::Length, (7, 3)),
        ),
        (
            "sglang/m",
            json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
                "message": {"role": "assistant", "content": "4", "reasoning_content": null, "tool_calls": null},
                "logprobs": null, "finish_reason": "stop", "matched_stop": 151_645}],
                "usage": {"prompt_tokens": 7, "total_tokens": 10, "completion_tokens": 3,
                    "prompt_tokens_details": null, "reasoning_tokens": 0}, "metadata": {"weight_version": "default"}}),
            ("4", None, FinishReason::Stop, (7, 3)),
        ),
        (
            "lm_studio/m",
            json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
                "logprobs": null, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "4", "reasoning_content": "", "tool_calls": []}}],
                "usage": usage(), "stats": {}, "system_fingerprint": "m"}),
            ("4", None, FinishReason::Stop, (7, 3)),
        ),
        (
            "databricks/m",
            one(
                json!({"role": "assistant", "content": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "2 and 2", "signature": "s"}]},
                    {"type": "text", "text": "4"}]}),
                "stop",
                usage(),
            ),
            ("4", Some("2 and 2"), FinishReason::Stop, (7, 3)),
        ),
        (
            "mistral/m",
            one(
                json!({"role": "assistant", "tool_calls": null, "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2 and 2"}]},
                    {"type": "text", "text": "4"}]}),
                "stop",
                usage(),
            ),
            ("4", Some("2 and 2"), FinishReason::Stop, (7, 3)),
        ),
        (
            "cerebras/m",
            json!({"id": "x", "choices": [{"finish_reason": "stop", "index": 0,
                "message": {"content": "4", "reasoning": "2 and 2", "role": "assistant"}}], "created": 1, "model": "m",
                "system_fingerprint": "fp", "object": "chat.completion", "usage": usage(),
                "time_info": {"queue_time": 0.1, "total_time": 0.2}}),
            ("4", Some("2 and 2"), FinishReason::Stop, (7, 3)),
        ),
        (
            "groq/m",
            json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
                "message": {"role": "assistant", "content": "4"}, "logprobs": null, "finish_reason": "stop"}],
                "usage": {"queue_time": 0.1, "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
                "usage_breakdown": null, "x_groq": {"id": "r"}, "service_tier": "on_demand"}),
            ("4", None, FinishReason::Stop, (7, 3)),
        ),
        (
            "deepseek/m",
            one(
                json!({"role": "assistant", "content": "", "reasoning_content": "2 and 2"}),
                "insufficient_system_resource",
                usage(),
            ),
            ("", Some("2 and 2"), FinishReason::Other("insufficient_system_resource".into()), (7, 3)),
        ),
        (
            "openrouter/m",
            json!({"id": "x", "provider": "P", "model": "m", "object": "chat.completion", "created": 1, "choices": [{
                "logprobs": null, "finish_reason": "stop", "native_finish_reason": "STOP", "index": 0,
                "message": {"role": "assistant", "content": "4", "refusal": null, "reasoning": "2 and 2",
                    "reasoning_details": [{"type": "reasoning.text", "text": "2 and 2"}]}}], "usage": usage()}),
            ("4", Some("2 and 2"), FinishReason::Stop, (7, 3)),
        ),
        // No usage at all, and no reason.
        (
            "openai/m",
            json!({"choices": [{"message": {"content": "4"}}]}),
            ("4", None, FinishReason::Stop, (0, 0)),
        ),
    ];
    for (model, body, (text, reasoning, finish, tokens)) in cases {
        let response = whole(model, &body).await.unwrap_or_else(|e| panic!("{model}: {e}"));
        let choice = &response.choices[0];
        assert_eq!((&*choice.text, choice.reasoning.as_deref()), (text, reasoning), "{model}");
        assert_eq!(choice.finish, finish, "{model}");
        let usage = response.usage;
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens, usage.calls),
            (tokens.0, tokens.1, 1),
            "{model}"
        );
    }
}

#[tokio::test]
async fn calls_are_read_however_their_arguments_come() {
    for (model, call, reason) in [
        ("ollama/m", add_call(json!({"a": 1})), "tool_calls"),
        ("ollama/m", add_call(json!("{\"a\": 1}")), "stop"),
        (
            "llamacpp/m",
            json!({"type": "function", "function": {"name": "add", "arguments": "{\"a\":1}"}}),
            "tool_calls",
        ),
        ("hosted_vllm/m", add_call(json!("\"{\\\"a\\\": 1}\"")), "stop"),
        (
            "sglang/m",
            json!({"id": "c1", "index": 0, "type": "function",
            "function": {"name": "add", "arguments": "{\"a\": 1}"}}),
            "tool_calls",
        ),
        (
            "lm_studio/m",
            json!({"id": "", "type": "function",
            "function": {"name": "add", "arguments": "```json\n{\"a\": 1}\n```"}}),
            "tool_calls",
        ),
    ] {
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        let response = whole(model, &one(message, reason, usage())).await.unwrap();
        let choice = &response.choices[0];
        let [read] = &*choice.tool_calls else { panic!("{model}: {choice:?}") };
        assert_eq!((&*read.name, &read.args["a"]), ("add", &json!(1)), "{model} {call}");
        assert_eq!((&*choice.text, &choice.finish), ("", &FinishReason::ToolCalls), "{model}");
    }
}

#[tokio::test]
async fn streams_of_every_server_are_read() {
    let first = chunk(json!({"role": "assistant", "content": null}), None);
    let (hel, lo) = (chunk(json!({"content": "Hel"}), None), chunk(json!({"content": "lo"}), None));
    let end = chunk(json!({}), Some("stop"));
    let with = |mut chunk: Value, name: &str, value: Value| {
        chunk[name] = value;
        chunk
    };
    let no_choices = json!({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
        "usage": usage()});
    let done = "data: [DONE]\n\n";
    let plain =
        |chunks: &[&Value]| chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect::<String>();
    let role = chunk(json!({"role": "assistant", "content": "", "tool_calls": []}), None);
    for (model, stream, tokens) in [
        // Usage in a last event without choices.
        ("hosted_vllm/m", plain(&[&role, &hel, &lo, &end, &no_choices]) + done, 7),
        ("ollama/m", plain(&[&first, &hel, &lo, &end, &no_choices]) + done, 7),
        // Usage in the event that ends the answer, with times beside it, and no empty line at the very end.
        (
            "llamacpp/m",
            plain(&[
                &first,
                &hel,
                &lo,
                &with(with(end.clone(), "usage", usage()), "timings", json!({"cache_n": 1})),
            ]) + "data: [DONE]",
            7,
        ),
        // Usage in every event, the whole text so far beside what is new, and no last word.
        (
            "perplexity/m",
            plain(&[
                &with(hel.clone(), "usage", json!({"prompt_tokens": 7, "completion_tokens": 1})),
                &with(with(lo.clone(), "usage", usage()), "citations", json!(["https://x"])),
                &with(end.clone(), "usage", usage()),
            ]),
            7,
        ),
        // Null where there is nothing to say.
        (
            "sglang/m",
            plain(&[
                &with(role.clone(), "usage", Value::Null),
                &with(hel.clone(), "usage", Value::Null),
                &lo,
                &with(
                    end.clone(),
                    "choices",
                    json!([{"index": 0, "delta": {"role": null, "content": null,
                    "reasoning_content": null, "tool_calls": null}, "logprobs": null, "finish_reason": "stop",
                    "matched_stop": 2}]),
                ),
            ]) + done,
            0,
        ),
        ("lm_studio/m", plain(&[&role, &hel, &lo, &end]) + done, 0),
        // Comments while the model is waited for.
        (
            "openrouter/m",
            ": OPENROUTER PROCESSING\n\n".to_owned() + &plain(&[&role, &hel, &lo, &end, &no_choices]) + done,
            7,
        ),
        // The end and the last piece in one event.
        ("groq/m", plain(&[&hel, &chunk(json!({"content": "lo"}), Some("stop")), &no_choices]) + done, 7),
    ] {
        let (text, response) = streamed(model, &stream).await;
        let response = response.unwrap_or_else(|e| panic!("{model}: {e}\n{stream}"));
        let choice = &response.choices[0];
        assert_eq!(
            (&*text, &*choice.text, &choice.finish),
            ("Hello", "Hello", &FinishReason::Stop),
            "{model}"
        );
        assert_eq!(response.usage.prompt_tokens, tokens, "{model}");
    }
}

#[tokio::test]
async fn calls_and_thoughts_are_streamed_in_every_form() {
    let call = |index: Value, id: Value, name: Value, arguments: Value| {
        chunk(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}}]}),
            None,
        )
    };
    let end = chunk(json!({"content": ""}), Some("tool_calls"));
    for (model, events) in [
        // Names that are empty after the first piece.
        (
            "lm_studio/m",
            vec![
                call(json!(0), json!("c1"), json!("add"), json!("")),
                call(json!(0), Value::Null, json!(""), json!("{\"a\"")),
                call(json!(0), Value::Null, json!(""), json!(": 1}")),
                end.clone(),
            ],
        ),
        // The whole call at once, without a number, its arguments as an object.
        ("ollama/m", vec![call(Value::Null, json!("c1"), json!("add"), json!({"a": 1})), end.clone()]),
        // Thinking before the call, and "stop" in spite of it.
        (
            "hosted_vllm/m",
            vec![
                chunk(json!({"reasoning": "hm"}), None),
                call(json!(0), json!("c1"), json!("add"), Value::Null),
                call(json!(0), Value::Null, Value::Null, json!("{\"a\": 1}")),
                chunk(json!({}), Some("stop")),
            ],
        ),
        (
            "databricks/m",
            vec![
                chunk(
                    json!({"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]}),
                    None,
                ),
                call(json!(0), json!("c1"), json!("add"), json!("{\"a\": 1}")),
                end.clone(),
            ],
        ),
    ] {
        let thinks = !matches!(model, "lm_studio/m" | "ollama/m");
        let (_, response) = streamed(model, &(super::events(&events) + "data: [DONE]\n\n")).await;
        let response = response.unwrap_or_else(|e| panic!("{model}: {e}"));
        let choice = &response.choices[0];
        let [read] = &*choice.tool_calls else { panic!("{model}: {choice:?}") };
        assert_eq!((&*read.name, &read.args["a"]), ("add", &json!(1)), "{model}");
        assert_eq!(choice.finish, FinishReason::ToolCalls, "{model}");
        assert_eq!(choice.reasoning.as_deref(), thinks.then_some("hm"), "{model}");
    }
}

#[tokio::test]
async fn failures_of_every_server_have_their_kind() {
    use LmErrorKind::*;
    for (model, status, body, kind) in [
        (
            "ollama/m",
            404,
            json!({"error": {"message": "model \"m\" not found, because", "type": "api_error",
            "param": null, "code": null}}),
            NotFound,
        ),
        (
            "hosted_vllm/m",
            400,
            json!({"object": "error", "message": "because: this model's maximum context length is 8",
            "type": "BadRequestError", "param": null, "code": 400}),
            ContextWindow,
        ),
        (
            "hosted_vllm/m",
            400,
            json!({"error": {"message": "because", "type": "BadRequestError", "param": null,
            "code": 400}}),
            InvalidRequest,
        ),
        (
            "llamacpp/m",
            400,
            json!({"error": {"code": 400, "message": "because", "type": "exceed_context_size_error",
            "n_prompt_tokens": 9, "n_ctx": 8}}),
            ContextWindow,
        ),
        (
            "llamacpp/m",
            503,
            json!({"error": {"code": 503, "message": "Loading model because",
            "type": "unavailable_error"}}),
            Server,
        ),
        (
            "sglang/m",
            400,
            json!({"object": "error", "message": "because", "type": "BadRequest", "param": null,
            "code": 400}),
            InvalidRequest,
        ),
        ("lm_studio/m", 400, json!({"error": "because"}), InvalidRequest),
        (
            "databricks/m",
            429,
            json!({"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "because"}),
            RateLimit,
        ),
        ("databricks/m", 403, json!({"error_code": "PERMISSION_DENIED", "message": "because"}), Auth),
        (
            "perplexity/m",
            401,
            json!({"error": {"message": "because", "type": "unauthorized", "code": 401}}),
            Auth,
        ),
        (
            "cerebras/m",
            429,
            json!({"message": "because", "type": "too_many_requests_error", "param": "quota",
            "code": "request_quota_exceeded"}),
            RateLimit,
        ),
        (
            "groq/m",
            400,
            json!({"error": {"message": "because", "type": "invalid_request_error",
            "code": "tool_use_failed", "failed_generation": "<f>"}}),
            InvalidRequest,
        ),
        ("openrouter/m", 200, json!({"error": {"message": "because", "code": 502}, "user_id": "u"}), Server),
    ] {
        let error = refused(model, status, body.clone()).await;
        assert_eq!(error.kind, kind, "{model} {body}: {error}");
        assert!(error.message.contains("because"), "{model}: {error}");
    }
    let begun = super::events(&[chunk(json!({"content": "Hel"}), None)]);
    for (model, failure, kind) in [
        (
            "hosted_vllm/m",
            "data: {\"error\": {\"message\": \"because\", \"type\": \"InternalServerError\", \"code\": 500}}\n\n",
            Server,
        ),
        (
            "llamacpp/m",
            "error: {\"code\": 400, \"message\": \"because: the request exceeds the available context size\", \
            \"type\": \"invalid_request_error\"}\n\ndata: [DONE]\n\n",
            ContextWindow,
        ),
        (
            "openrouter/m",
            "data: {\"id\": \"x\", \"error\": {\"code\": 429, \"message\": \"because\"}, \"choices\": [{\"index\": 0, \
            \"delta\": {\"content\": \"\"}, \"finish_reason\": \"error\"}]}\n\n",
            RateLimit,
        ),
    ] {
        let (text, response) = streamed(model, &(begun.clone() + failure)).await;
        let error = response.unwrap_err();
        assert_eq!((&*text, error.kind), ("Hel", kind), "{model}: {error}");
        assert!(error.message.contains("because"), "{model}: {error}");
    }
}

#[tokio::test]
async fn pages_that_an_answer_rests_on_are_named() {
    let mut body = one(json!({"role": "assistant", "content": "So it is.[1][2]"}), "stop", usage());
    body["usage"]["reasoning_tokens"] = json!(2);
    body["citations"] = json!(["https://x", "https://y"]);
    let response = whole("perplexity/sonar", &body).await.unwrap();
    let urls = |response: &Response| -> Vec<String> {
        response.choices[0].citations.iter().filter_map(|citation| citation.url.clone()).collect()
    };
    assert_eq!(
        (urls(&response), response.usage.reasoning_tokens),
        (vec!["https://x".into(), "https://y".into()], 2)
    );
    body["search_results"] = json!([{"title": "X", "url": "https://x", "date": null, "snippet": "so it is"}, {"title": "Y", "url": "https://y"}]);
    let response = whole("perplexity/sonar", &body).await.unwrap();
    let cited = &response.choices[0].citations[0];
    assert_eq!((&*cited.cited_text, cited.document_title.as_deref()), ("so it is", Some("X")));
    assert_eq!((urls(&response).len(), cited.document_index), (2, None));

    let annotation = json!({"type": "url_citation",
        "url_citation": {"url": "https://x", "title": "X", "start_index": 3, "end_index": 5}});
    let message = json!({"role": "assistant", "content": "é so it", "annotations": [annotation]});
    let response = whole("openai/gpt-4o", &one(message, "stop", usage())).await.unwrap();
    let choice = &response.choices[0];
    assert_eq!(choice.citations[0].supported(&choice.text), Some("o "));

    let events = [
        chunk(json!({"content": "é so it"}), None),
        chunk(json!({"annotations": [annotation]}), None),
        chunk(json!({}), Some("stop")),
    ];
    let (_, response) = streamed("openai/gpt-4o", &super::events(&events)).await;
    assert_eq!(urls(&response.unwrap()), ["https://x"]);
}
