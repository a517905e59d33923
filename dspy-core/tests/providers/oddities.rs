//! Peculiarities of streams and answers that no protocol allows and some servers have all the same.

use super::{
    servers::{chunk, one, streamed, usage, whole},
    *,
};

fn call(index: Value, id: Value, name: Value, arguments: Value) -> Value {
    json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn calls(calls: &[Value]) -> Value {
    chunk(json!({"tool_calls": calls}), None)
}

/// The names and arguments of the calls that a stream ends with.
async fn called(events: &[Value]) -> Vec<(String, Value)> {
    let mut events = events.to_vec();
    events.push(chunk(json!({}), Some("tool_calls")));
    let (_, response) = streamed("openai/m", &(super::events(&events) + "data: [DONE]\n\n")).await;
    let calls = response.unwrap().choices.remove(0).tool_calls;
    calls.into_iter().map(|call| (call.name.clone(), Value::Object(call.args.clone()))).collect()
}

#[tokio::test]
async fn calls_are_told_apart_however_they_are_numbered() {
    let expected = vec![("f".to_owned(), json!({"a": 1})), ("g".to_owned(), json!({"b": 2}))];
    let (null, zero) = (Value::Null, json!(0));
    let (f, g) = (json!({"a": 1}).to_string(), json!({"b": 2}).to_string());
    let whole_f = |index: &Value| call(index.clone(), json!("c1"), json!("f"), json!(f));
    let whole_g = |index: &Value| call(index.clone(), json!("c2"), json!("g"), json!(g));
    for (what, events) in [
        ("one number for all", vec![calls(&[whole_f(&zero)]), calls(&[whole_g(&zero)])]),
        ("one number for all, in one event", vec![calls(&[whole_f(&zero), whole_g(&zero)])]),
        ("no numbers", vec![calls(&[whole_f(&null)]), calls(&[whole_g(&null)])]),
        ("numbers from 1", vec![calls(&[whole_f(&json!(1))]), calls(&[whole_g(&json!(2))])]),
        (
            "no numbers, in pieces",
            vec![
                calls(&[call(null.clone(), json!("c1"), json!("f"), json!(""))]),
                calls(&[call(null.clone(), null.clone(), null.clone(), json!("{\"a\""))]),
                calls(&[call(null.clone(), null.clone(), null.clone(), json!(": 1}"))]),
                calls(&[call(null.clone(), json!("c2"), json!("g"), json!(g))]),
            ],
        ),
        (
            "the id and the name with every piece",
            vec![
                calls(&[call(json!(0), json!("c1"), json!("f"), json!("{\"a\""))]),
                calls(&[call(json!(0), json!("c1"), json!("f"), json!(": 1}"))]),
                calls(&[call(json!(1), json!("c2"), json!("g"), json!(""))]),
                calls(&[call(json!(1), json!("c2"), json!("g"), json!(g))]),
            ],
        ),
        (
            "the id with every piece, without numbers, in turns",
            vec![
                calls(&[call(null.clone(), json!("c1"), json!("f"), json!("{\"a\""))]),
                calls(&[call(null.clone(), json!("c2"), json!("g"), json!("{\"b\""))]),
                calls(&[call(null.clone(), json!("c1"), null.clone(), json!(": 1}"))]),
                calls(&[call(null.clone(), json!("c2"), null.clone(), json!(": 2}"))]),
            ],
        ),
        (
            "another id with every piece",
            vec![
                calls(&[call(json!(0), json!("c1"), json!("f"), json!(""))]),
                calls(&[call(json!(0), json!("c7"), null.clone(), json!("{\"a\": "))]),
                calls(&[call(json!(0), json!("c8"), json!(""), json!("1}"))]),
                calls(&[call(json!(1), json!("c2"), json!("g"), json!(g))]),
            ],
        ),
        (
            "no ids, one number for all",
            vec![
                calls(&[call(zero.clone(), null.clone(), json!("f"), json!(f))]),
                calls(&[call(zero.clone(), null.clone(), json!("g"), json!(g))]),
            ],
        ),
    ] {
        assert_eq!(called(&events).await, expected, "{what}");
    }
    // The same function twice, whole each time.
    let twice = [
        calls(&[call(json!(0), json!("c1"), json!("f"), json!(f))]),
        calls(&[call(json!(0), json!("c2"), json!("f"), json!("{\"a\": 2}"))]),
    ];
    let expected = vec![("f".to_owned(), json!({"a": 1})), ("f".to_owned(), json!({"a": 2}))];
    assert_eq!(called(&twice).await, expected);
    // A name in pieces.
    let pieces = [
        calls(&[call(json!(0), json!("c1"), json!("look"), json!(""))]),
        calls(&[call(json!(0), null, json!("_up"), json!("{}"))]),
    ];
    assert_eq!(called(&pieces).await, [("look_up".to_owned(), json!({}))]);
}

#[tokio::test]
async fn a_stream_is_read_whatever_surrounds_its_events() {
    let (hel, lo) = (chunk(json!({"content": "Hé"}), None), chunk(json!({"content": "llo"}), None));
    let end = chunk(json!({}), Some("stop"));
    let plain = super::events(&[hel.clone(), lo.clone(), end.clone()]);
    for (what, stream) in [
        ("a mark of the byte order", format!("\u{feff}{plain}data: [DONE]\n\n")),
        ("carriage returns", plain.replace('\n', "\r") + "data: [DONE]\r\r"),
        ("events that are blank", plain.replace("\n\n", "\n\ndata: \n\ndata:   \n\n") + "data: [DONE]\n\n"),
        ("blanks behind the last word", plain.clone() + "data: [DONE]  \n\n"),
        ("no blanks", plain.replace("data: ", "data:") + "data:[DONE]\n\n"),
        ("names and numbers", plain.replace("data: ", "event: message\nid: 7\nretry: 9\ndata: ")),
        ("events without choices", plain.clone() + "data: {\"type\": \"ping\"}\n\ndata: [DONE]\n\n"),
        ("no reason", super::events(&[hel.clone(), lo.clone()]) + "data: [DONE]\n\n"),
    ] {
        let (text, response) = streamed("openai/m", &stream).await;
        let response = response.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!((&*text, &*response.choices[0].text), ("Héllo", "Héllo"), "{what}");
    }
    let body = one(json!({"role": "assistant", "content": "4"}), "stop", usage());
    let server = Server::replying(vec![Reply::text(200, &format!("\u{feff}\n\n {body}"))]).await;
    let answer = super::servers::at("openai/m", &server).generate(hello()).await.unwrap();
    assert_eq!(answer.response.choices[0].text, "4");
}

#[tokio::test]
async fn several_answers_are_told_apart_in_one_stream() {
    let piece = |index: u32, text: &str, reason: Option<&str>| {
        let mut piece = chunk(json!({"content": text}), reason);
        piece["choices"][0]["index"] = json!(index);
        piece
    };
    let both = json!({"choices": [
        {"index": 1, "delta": {"content": "d"}, "finish_reason": "length"},
        {"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"},
    ]});
    let events = [piece(1, "c", None), piece(0, "a", None), both];
    let (_, response) = streamed("openai/m", &(super::events(&events) + "data: [DONE]\n\n")).await;
    let choices = response.unwrap().choices;
    let read: Vec<_> = choices.iter().map(|c| (&*c.text, &c.finish)).collect();
    assert_eq!(read, [("ab", &FinishReason::Stop), ("cd", &FinishReason::Length)]);
}

#[tokio::test]
async fn what_is_beside_an_answer_does_not_spoil_it() {
    // Numbers with a fraction, as text, below zero; lists for objects; annotations and probabilities of other forms.
    let odd_usage = json!({"prompt_tokens": 7.0, "completion_tokens": "3", "total_tokens": null,
        "prompt_tokens_details": [], "completion_tokens_details": {"reasoning_tokens": -1}});
    let message = json!({"role": "assistant", "content": "4", "annotations": [{"type": "file_path", "url_citation": 3},
        {"url_citation": {"url": "https://x", "start_index": "3"}}, "odd", null]});
    let mut body = one(message, "stop", odd_usage.clone());
    body["choices"][0]["logprobs"] =
        json!({"content": [{"token": "4", "logprob": null, "top_logprobs": {}}]});
    body["citations"] = json!({"https://x": 1});
    body["search_results"] = json!([7, {"url": 3}, {"url": "https://y"}]);
    let response = whole("openai/m", &body).await.unwrap();
    assert_eq!(response.choices[0].text, "4");
    assert_eq!((response.usage.prompt_tokens, response.usage.completion_tokens), (7, 3));
    assert_eq!(response.usage.reasoning_tokens, 0);
    let urls: Vec<_> = response.choices[0].citations.iter().filter_map(|c| c.url.as_deref()).collect();
    assert!(urls.contains(&"https://y"), "{urls:?}");

    let mut last = chunk(json!({"content": "4", "annotations": [{"url_citation": 3}, 5]}), Some("stop"));
    last["usage"] = odd_usage;
    last["choices"][0]["logprobs"] = json!([]);
    let (_, response) = streamed("openai/m", &(super::events(&[last]) + "data: [DONE]\n\n")).await;
    let response = response.unwrap();
    assert_eq!((&*response.choices[0].text, response.usage.prompt_tokens), ("4", 7));
    // A usage that says nothing.
    for usage in [json!([]), json!(""), json!(false)] {
        let response = whole("openai/m", &one(json!({"content": "4"}), "stop", usage)).await.unwrap();
        assert_eq!((&*response.choices[0].text, response.usage.prompt_tokens), ("4", 0));
    }
}

#[tokio::test]
async fn thinking_is_found_under_either_name() {
    for delta in [
        json!({"reasoning_content": "", "reasoning": "hm"}),
        json!({"reasoning_content": "hm", "reasoning": ""}),
        json!({"reasoning_content": "hm", "reasoning": "hm"}),
        json!({"content": "", "reasoning_content": "hm"}),
    ] {
        let events = [chunk(delta.clone(), None), chunk(json!({"content": "4"}), Some("stop"))];
        let (_, response) = streamed("openrouter/m", &super::events(&events)).await;
        assert_eq!(response.unwrap().choices[0].reasoning.as_deref(), Some("hm"), "{delta}");
    }
}

#[tokio::test]
async fn errors_are_found_in_whatever_form_they_come() {
    let begun = super::events(&[chunk(json!({"content": "Hel"}), None)]);
    for failure in [
        "event: error\ndata: {\"error\": {\"message\": \"because\"}}\n\n",
        "data: {\"object\": \"error\", \"message\": \"because\", \"type\": \"x\", \"code\": 500}\n\ndata: [DONE]\n\n",
        "data: {\"error\": \"because\", \"error_type\": \"generation\"}\n\n",
        "event: error\ndata: {\"message\": \"because\", \"code\": 500}\n\n",
        "data: {\"detail\": \"because\"}\n\n",
    ] {
        let (text, response) = streamed("openai/m", &(begun.clone() + failure)).await;
        let error = response.unwrap_err();
        assert_eq!(text, "Hel");
        assert!(error.message.contains("because") && error.retryable(), "{failure}: {error}");
    }
    for body in [
        json!({"object": "error", "message": "because", "type": "x", "code": 500}),
        json!({"detail": "because"}),
        json!({"message": "because", "choices": null}),
    ] {
        let error = whole("openai/m", &body).await.unwrap_err();
        assert!(error.message.contains("because"), "{body}: {error}");
    }
}
