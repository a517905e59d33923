//! Answers in the form that OpenAI gives them: whole, or as the events of a stream.

use std::collections::VecDeque;

use dspy::{
    LmError,
    lm::{Choice, Delta, FinishReason, Response, ResponseStream, StreamEvent, TokenLogprob, ToolCall, Usage},
};
use serde_json::{Map, Value, json};

use super::ApiError;

/// What every event of an answer repeats.
#[derive(Debug)]
pub struct Head {
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    pub model: String,
}

impl Head {
    /// A whole answer.
    pub fn completion(&self, response: &Response) -> Value {
        let choices: Vec<Value> = response.choices.iter().enumerate().map(|(i, c)| whole(i, c)).collect();
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage(&response.usage),
        })
    }

    fn chunk(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

fn whole(index: usize, choice: &Choice) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), "assistant".into());
    let text = Some(&choice.text).filter(|text| !text.is_empty() || choice.tool_calls.is_empty());
    message.insert("content".into(), text.map_or(Value::Null, |text| text.as_str().into()));
    if let Some(reasoning) = &choice.reasoning {
        message.insert("reasoning_content".into(), reasoning.as_str().into());
    }
    if !choice.tool_calls.is_empty() {
        message.insert("tool_calls".into(), choice.tool_calls.iter().map(call).collect());
    }
    json!({
        "index": index,
        "message": message,
        "logprobs": logprobs(&choice.logprobs),
        "finish_reason": finish(&choice.finish),
    })
}

/// How likely the tokens were; null where nobody asked.
fn logprobs(tokens: &[TokenLogprob]) -> Value {
    let one =
        |token: &str, logprob: f64| json!({ "token": token, "logprob": logprob, "bytes": token.as_bytes() });
    let content = tokens.iter().map(|token| {
        let mut entry = one(&token.token, token.logprob);
        entry["top_logprobs"] = token.top.iter().map(|(token, logprob)| one(token, *logprob)).collect();
        entry
    });
    match tokens {
        [] => Value::Null,
        _ => json!({ "content": content.collect::<Vec<_>>(), "refusal": null }),
    }
}

fn call(call: &ToolCall) -> Value {
    let arguments = match call.unparsed() {
        Some(raw) => raw.to_owned(),
        None => Value::Object(call.args.clone()).to_string(),
    };
    let id = call.id.as_deref().unwrap_or_default();
    json!({ "id": id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

fn finish(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Other(reason) => reason,
        _ => "stop",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": { "cached_tokens": usage.cached_prompt_tokens },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
    })
}

/// The events of a streamed answer. Dropping it stops the generation.
pub struct Events {
    head: Head,
    stream: ResponseStream,
    include_usage: bool,
    /// Which choices have begun.
    begun: Vec<bool>,
    /// The data of events that are to be sent next.
    ready: VecDeque<String>,
}

impl Events {
    /// Waits until the answer begins, so that a request which fails at once is answered with its status.
    pub async fn begin(head: Head, stream: ResponseStream, include_usage: bool) -> Result<Self, LmError> {
        let mut events = Self { head, stream, include_usage, begun: Vec::new(), ready: VecDeque::new() };
        if let Some(first) = events.stream.next().await {
            events.take(first?);
        }
        Ok(events)
    }

    /// The data of the next event; none after the last.
    pub async fn next(&mut self) -> Option<String> {
        while self.ready.is_empty() {
            match self.stream.next().await? {
                Ok(event) => self.take(event),
                // The status is sent already: the failure becomes an event, and the stream ends without `[DONE]`.
                Err(e) => self.ready.push_back(ApiError::from(e).body().to_string()),
            }
        }
        self.ready.pop_front()
    }

    fn take(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Delta(delta) => self.piece(delta),
            StreamEvent::Done(answer) => self.end(&answer.response),
            _ => {}
        }
    }

    fn piece(&mut self, piece: Delta) {
        self.begin_choice(piece.choice);
        let mut delta = Map::new();
        if !piece.reasoning.is_empty() {
            delta.insert("reasoning_content".into(), piece.reasoning.into());
        }
        if !piece.text.is_empty() {
            delta.insert("content".into(), piece.text.into());
        }
        self.push(piece.choice, &delta.into());
    }

    fn end(&mut self, response: &Response) {
        for (i, choice) in response.choices.iter().enumerate() {
            self.begin_choice(i);
            let calls = choice.tool_calls.iter().enumerate().map(|(at, tool_call)| {
                let mut call = call(tool_call);
                call["index"] = at.into();
                call
            });
            let calls: Vec<Value> = calls.collect();
            if !calls.is_empty() {
                self.push(i, &json!({ "tool_calls": calls }));
            }
            // The pieces came without: all that there is to tell of the tokens comes here.
            let choice = json!({
                "index": i,
                "delta": {},
                "logprobs": logprobs(&choice.logprobs),
                "finish_reason": finish(&choice.finish),
            });
            self.push_choice(&choice);
        }
        if self.include_usage {
            let mut chunk = self.head.chunk(&json!([]));
            chunk["usage"] = usage(&response.usage);
            self.ready.push_back(chunk.to_string());
        }
        self.ready.push_back("[DONE]".into());
    }

    /// Tells the role before anything else is told of a choice.
    fn begin_choice(&mut self, index: usize) {
        if self.begun.len() <= index {
            self.begun.resize(index + 1, false);
        }
        if !std::mem::replace(&mut self.begun[index], true) {
            self.push(index, &json!({ "role": "assistant", "content": "" }));
        }
    }

    fn push(&mut self, index: usize, delta: &Value) {
        let choice = json!({ "index": index, "delta": delta, "logprobs": null, "finish_reason": null });
        self.push_choice(&choice);
    }

    fn push_choice(&mut self, choice: &Value) {
        let mut chunk = self.head.chunk(&json!([choice]));
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        self.ready.push_back(chunk.to_string());
    }
}
