//! Providers that want their reasoning back with the results of the tools that it called, and refuse them without.

use dspy::{lm::ReasoningEffort, prelude::*};
use serde_json::{Value, json};

use super::{Qa, add, answer, look_up};
use crate::model::{
    Reply, run,
    server::{Call, Server},
};

/// Sets up the agent's model at a server that speaks a provider's protocol, and asks.
async fn work(model: &str, reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> (u64, Vec<Value>) {
    let server = Server::start(reply).await;
    let lm = LM::builder(model).api_base(server.api_base()).api_key("k").retries(0);
    let lm = lm
        .cache(dspy::lm::Cache::off())
        .reasoning_effort(ReasoningEffort::Low)
        .max_tokens(4000)
        .build()
        .unwrap();
    let agent = ReAct::<Qa>::builder().tool(look_up).tool(add).lm(lm).build();
    let p = agent.call("How many?").await.unwrap_or_else(|e| panic!("{model}: {e}"));
    assert_eq!(p.trajectory().unwrap().len(), 3, "{model}");
    (p.answer, server.calls().iter().map(Call::json).collect())
}

fn refused(why: &str) -> Reply {
    Reply::json(400, &json!({"error": {"message": why, "type": "invalid_request_error"}}))
}

/// What is asked for next: two tools at once, another one, the end, and then the answer.
fn script(step: usize) -> Vec<(&'static str, Value)> {
    match step {
        0 => vec![("look_up", json!({"town": "Tartu"})), ("add", json!({"numbers": [1, 2]}))],
        1 => vec![("look_up", json!({"town": "Paide"}))],
        2 => vec![("finish", json!({}))],
        _ => Vec::new(),
    }
}

#[test]
fn gemini_gets_the_signatures_of_its_calls_back() {
    run(async {
        let (answer, bodies) = work("gemini/gemini-3.5-flash", |call| {
            let contents = call.json()["contents"].clone();
            for content in contents.as_array().unwrap().iter().filter(|content| content["role"] == "model") {
                let mut calls =
                    content["parts"].as_array().unwrap().iter().filter(|p| p["functionCall"].is_object());
                if calls.next().is_some_and(|first| !first["thoughtSignature"].is_string()) {
                    return refused("Function call is missing a thought_signature in functionCall parts.");
                }
            }
            let calls = script(call.number);
            let mut parts: Vec<Value> = calls
                .iter()
                .map(|(name, args)| json!({"functionCall": {"name": name, "args": args}}))
                .collect();
            match parts.first_mut() {
                // Of several calls at once only the first is signed.
                Some(first) => first["thoughtSignature"] = json!(format!("c2lnbmVk{}", call.number)),
                None => parts.push(json!({"text": answer(7)})),
            }
            let candidate =
                json!({"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0});
            Reply::json(200, &json!({"candidates": [candidate], "modelVersion": "m", "responseId": "r"}))
        })
        .await;
        assert_eq!(answer, 7);
        let last = &bodies[2]["contents"];
        assert_eq!(last[1]["parts"][0]["thoughtSignature"], "c2lnbmVk0");
        assert!(
            last[1]["parts"][1]["functionCall"].is_object()
                && last[1]["parts"][1].get("thoughtSignature").is_none()
        );
        assert_eq!(last[2]["parts"].as_array().unwrap().len(), 2, "{last}");
    });
}

#[test]
fn anthropic_gets_its_thinking_back() {
    run(async {
        let (answer, bodies) = work("anthropic/claude-haiku-4-5", |call| {
            let body = call.json();
            let mut wanted: Vec<Value> = Vec::new();
            for message in body["messages"].as_array().unwrap() {
                let blocks = message["content"].as_array().cloned().unwrap_or_default();
                let of = |kind: &str| blocks.iter().filter(|b| b["type"] == kind).cloned().collect::<Vec<_>>();
                if message["role"] == "assistant" && !of("tool_use").is_empty() {
                    if blocks[0]["type"] != "thinking" {
                        return refused("Expected `thinking` or `redacted_thinking`, but found `tool_use`.");
                    }
                    wanted = of("tool_use").iter().map(|call| call["id"].clone()).collect();
                } else if !wanted.is_empty() {
                    let given: Vec<_> = of("tool_result").iter().map(|r| r["tool_use_id"].clone()).collect();
                    if given != wanted {
                        return refused("`tool_use` ids were found without `tool_result` blocks");
                    }
                    wanted.clear();
                }
            }
            let number = call.number;
            let mut content = vec![json!({"type": "thinking", "thinking": "hm", "signature": format!("s{number}")})];
            for (i, (name, args)) in script(number).iter().enumerate() {
                content.push(json!({"type": "tool_use", "id": format!("toolu_{number}_{i}"), "name": name, "input": args}));
            }
            let called = content.len() > 1;
            if !called {
                content.push(json!({"type": "text", "text": answer(7)}));
            }
            Reply::json(
                200,
                &json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content,
                    "stop_reason": if called { "tool_use" } else { "end_turn" },
                    "usage": {"input_tokens": 7, "output_tokens": 3}}),
            )
        })
        .await;
        assert_eq!(answer, 7);
        assert_eq!(bodies[2]["messages"][3]["content"][0]["signature"], "s1", "{}", bodies[2]);
    });
}

/// A server of chat completions, whose calls have these members besides.
async fn chat(
    model: &str,
    message: Value,
    beside_call: Value,
    missing: impl Fn(&Value) -> bool + Send + Sync + 'static,
) {
    let (answer, _) = work(model, move |call| {
        let body = call.json();
        for message in body["messages"].as_array().unwrap() {
            if message["tool_calls"].is_array() && missing(message) {
                return refused("The reasoning in the thinking mode must be passed back to the API.");
            }
        }
        let calls = script(call.number);
        let mut said = json!({"role": "assistant", "content": null});
        for (name, value) in message.as_object().unwrap() {
            said[name] = value.clone();
        }
        if calls.is_empty() {
            said["content"] = json!(answer(7));
        } else {
            let calls = calls.iter().enumerate().map(|(i, (name, args))| {
                let mut call = json!({"id": format!("c{}_{i}", call.number), "type": "function",
                    "function": {"name": name, "arguments": args.to_string()}});
                for (name, value) in beside_call.as_object().unwrap() {
                    call[name] = value.clone();
                }
                call
            });
            said["tool_calls"] = calls.collect();
        }
        Reply::json(
            200,
            &json!({"id": "x", "model": "m", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}),
        )
    })
    .await;
    assert_eq!(answer, 7);
}

#[test]
fn servers_of_chat_completions_get_back_what_they_sent_with_calls() {
    run(async {
        let none = json!({});
        let thinking = json!({"reasoning_content": "hm"});
        chat("deepseek/deepseek-v4-pro", thinking, none.clone(), |m| m["reasoning_content"] != "hm").await;
        let details = json!([{"type": "reasoning.encrypted", "data": "x", "index": 0}]);
        let message = json!({"reasoning": "hm", "reasoning_details": details});
        chat("openrouter/x/y", message, none.clone(), move |m| m["reasoning_details"] != details).await;
        let google = json!({"google": {"thought_signature": "s"}});
        let beside = json!({"extra_content": google});
        chat("groq/m", none, beside, move |m| m["tool_calls"][0]["extra_content"] != google).await;
    });
}
