//! Requests and answers in the words of OpenTelemetry's semantic conventions for generative AI.

use std::{
    env,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};

use super::{FinishReason, Message, Prompt, Response, ToolCall, provider};
use crate::value::Part;

static CAPTURE: LazyLock<AtomicBool> = LazyLock::new(|| {
    let set = env::var("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT").unwrap_or_default();
    AtomicBool::new(
        ["true", "1", "span_only", "span_and_event"].contains(&set.trim().to_lowercase().as_str()),
    )
});

/// Sets whether `tracing` spans of this process contain what is said: messages and answers, the inputs and outputs of
/// modules and tools, queries and passages. They do not unless it is set here or the environment variable
/// `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` is `true`.
pub fn capture_content(on: bool) {
    CAPTURE.store(on, Relaxed);
}

/// Whether spans contain what is said.
pub(crate) fn captures_content() -> bool {
    CAPTURE.load(Relaxed)
}

/// The provider and the model of an identifier.
pub(crate) fn provider_and_model(id: &str) -> (Option<&str>, &str) {
    match id.split_once('/') {
        Some((prefix, model)) => (Some(provider::well_known(prefix)), model),
        None => (None, id),
    }
}

/// Why an answer ended.
pub(crate) fn finish_reason(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_call",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Refusal => "refusal",
        FinishReason::Other(reason) => reason,
    }
}

/// The messages of a prompt, as JSON (`gen_ai.input.messages`). Of media, their bytes are left out.
pub(crate) fn input_messages(prompt: &Prompt) -> Value {
    prompt.messages().map(message).collect()
}

fn message(message: &Message) -> Value {
    let text = message.content.text();
    let mut parts = Vec::new();
    let said = |text: &str| {
        if text.is_empty() {
            return None;
        }
        Some(match &message.tool_call_id {
            Some(id) => json!({"type": "tool_call_response", "id": id, "response": text}),
            None => json!({"type": "text", "content": text}),
        })
    };
    let mut done = 0;
    for (at, part) in message.content.parts() {
        parts.extend(said(text.get(done..*at).unwrap_or_default()));
        parts.push(media(part));
        done = *at;
    }
    parts.extend(said(text.get(done..).unwrap_or_default()));
    parts.extend(message.tool_calls.iter().map(tool_call));
    json!({"role": message.role.as_str(), "parts": parts})
}

fn media(part: &Part) -> Value {
    match part.get("url") {
        Some(url) if !url.starts_with("data:") => {
            json!({"type": "uri", "modality": part.kind, "uri": url})
        }
        _ => {
            let kind = part.get("media_type").or(part.get("format"));
            json!({"type": part.kind, "mime_type": kind, "name": part.get("filename").or(part.get("title"))})
        }
    }
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.args})
}

/// The answers of a response, as JSON (`gen_ai.output.messages`).
pub(crate) fn output_messages(response: &Response) -> Value {
    let choices = response.choices.iter().map(|choice| {
        let mut parts = Vec::new();
        parts.extend(choice.reasoning.as_ref().map(|text| json!({"type": "reasoning", "content": text})));
        if !choice.text.is_empty() {
            parts.push(json!({"type": "text", "content": choice.text}));
        }
        parts.extend(choice.tool_calls.iter().map(tool_call));
        json!({"role": "assistant", "parts": parts, "finish_reason": finish_reason(&choice.finish)})
    });
    choices.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lm::Choice, value::Content};

    #[test]
    fn messages_are_parts() {
        let mut content = Content::new();
        content.push_str("Look: ");
        content.push_part(Part::new("image", json!({"media_type": "image/png", "data": "AAAA"})));
        content.push_str("there");
        let call = ToolCall::new("find", [("city".to_owned(), json!("Tartu"))].into_iter().collect());
        let prompt: Prompt = vec![
            Message::system("Be brief."),
            Message::user(content),
            Message { tool_calls: vec![call.clone()], ..Message::assistant("") },
            Message::tool("7", "found"),
        ]
        .into();
        assert_eq!(
            input_messages(&prompt),
            json!([
                {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
                {"role": "user", "parts": [
                    {"type": "text", "content": "Look: "},
                    {"type": "image", "mime_type": "image/png", "name": null},
                    {"type": "text", "content": "there"},
                ]},
                {"role": "assistant", "parts": [
                    {"type": "tool_call", "id": null, "name": "find", "arguments": {"city": "Tartu"}},
                ]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "7", "response": "found"}]},
            ])
        );
        let mut choice = Choice::text("Paris");
        choice.reasoning = Some("well known".into());
        choice.finish = FinishReason::Length;
        assert_eq!(
            output_messages(&Response::new(vec![choice])),
            json!([{"role": "assistant", "finish_reason": "length", "parts": [
                {"type": "reasoning", "content": "well known"},
                {"type": "text", "content": "Paris"},
            ]}])
        );
        assert_eq!(provider_and_model("azure/gpt-4o"), (Some("azure.ai.openai"), "gpt-4o"));
        assert_eq!(provider_and_model("hosted_vllm/a/b"), (Some("hosted_vllm"), "a/b"));
        assert_eq!(provider_and_model("mine"), (None, "mine"));
    }
}
