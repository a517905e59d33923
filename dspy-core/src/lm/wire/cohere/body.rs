//! A request as the bytes of its JSON body.

use crate::lm::{
    Message, ReasoningEffort, Request, ResponseFormat, Role, ToolChoice, call,
    wire::{
        interface::Setup,
        schema,
        write::{List, Names, Piece, as_text, extra, joined, json, member, name_of, pieces},
    },
};

const NAMES: Names = Names {
    temperature: "temperature",
    top_p: "p",
    max_tokens: Some("max_tokens"),
    stop: Some("stop_sequences"),
    seed: Some("seed"),
};

pub(super) fn body(setup: &Setup, request: &Request, stream: bool) -> Vec<u8> {
    let o = &request.options;
    let own = |name: &str| !o.extra.contains_key(name);
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"model\":");
    json(&mut out, &setup.name);
    NAMES.write(&mut out, o, &o.extra, setup.facts.sampling != Some(false));
    if o.logprobs.is_some() && own("logprobs") {
        member(&mut out, "logprobs", &true);
    }
    if let Some(effort) = o.reasoning_effort.filter(|_| own("thinking")) {
        let budget = match effort {
            ReasoningEffort::None => None,
            ReasoningEffort::Minimal => Some(512),
            ReasoningEffort::Low => Some(2048),
            ReasoningEffort::Medium => Some(8192),
            ReasoningEffort::High => Some(16_384),
            ReasoningEffort::XHigh | ReasoningEffort::Max => Some(31_000),
        };
        match budget {
            None => out.extend_from_slice(br#","thinking":{"type":"disabled"}"#),
            Some(budget) => {
                out.extend_from_slice(br#","thinking":{"type":"enabled","token_budget":"#);
                json(&mut out, &budget);
                out.push(b'}');
            }
        }
    }
    if own("response_format") {
        match &request.format {
            ResponseFormat::Text => {}
            ResponseFormat::JsonObject => {
                out.extend_from_slice(br#","response_format":{"type":"json_object"}"#);
            }
            ResponseFormat::JsonSchema { schema, .. } => {
                out.extend_from_slice(br#","response_format":{"type":"json_object","json_schema":"#);
                json(&mut out, &schema::closed(schema));
                out.push(b'}');
            }
        }
    }
    tools(&mut out, request);
    if let Some(name) = &setup.rollout_name {
        member(&mut out, name, &request.rollout);
    }
    extra(&mut out, &o.extra);
    if stream {
        out.extend_from_slice(b",\"stream\":true");
    }
    let prefix = request.prompt.prefix.rendered("cohere", |all| {
        let mut out = Vec::new();
        messages(&mut out, all);
        out
    });
    out.extend_from_slice(b",\"messages\":[");
    joined(&mut out, &prefix, |out| messages(out, &request.prompt.tail));
    out.extend_from_slice(b"]}");
    out
}

/// A tool that must be called is one that stands alone and is required: there is no other way to say it.
fn tools(out: &mut Vec<u8>, request: &Request) {
    if request.tools.is_empty() {
        return;
    }
    let own = |name: &str| !request.options.extra.contains_key(name);
    if own("tools") {
        name_of(out, "tools");
        let mut list = List::default();
        let only = match &request.tool_choice {
            ToolChoice::Tool(name) => Some(name),
            _ => None,
        };
        for tool in request.tools.iter().filter(|tool| only.is_none_or(|name| *name == tool.name)) {
            list.next(out);
            out.extend_from_slice(br#"{"type":"function","function":{"name":"#);
            json(out, &tool.name);
            member(out, "description", &tool.description);
            member(out, "parameters", &tool.parameters);
            out.extend_from_slice(b"}}");
        }
        list.end(out);
    }
    if own("tool_choice") {
        match &request.tool_choice {
            ToolChoice::Auto => {}
            ToolChoice::None => member(out, "tool_choice", "NONE"),
            ToolChoice::Required | ToolChoice::Tool(_) => member(out, "tool_choice", "REQUIRED"),
        }
    }
}

/// Messages, separated by commas.
fn messages(out: &mut Vec<u8>, all: &[Message]) {
    for (i, m) in all.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"{\"role\":\"" } else { b",{\"role\":\"" });
        out.extend_from_slice(m.role.as_str().as_bytes());
        out.push(b'"');
        if !m.content.is_empty() || m.tool_calls.is_empty() {
            name_of(out, "content");
            content(out, m);
        }
        if !m.tool_calls.is_empty() {
            name_of(out, "tool_calls");
            let mut list = List::default();
            for call in &m.tool_calls {
                list.next(out);
                out.extend_from_slice(br#"{"id":"#);
                json(out, call.id.as_deref().unwrap_or_default());
                out.extend_from_slice(br#","type":"function","function":{"name":"#);
                json(out, &call.name);
                name_of(out, "arguments");
                json(out, &call::object_text(call));
                out.extend_from_slice(b"}}");
            }
            list.end(out);
        }
        if m.role == Role::Tool {
            member(out, "tool_call_id", m.tool_call_id.as_deref().unwrap_or_default());
        }
        out.push(b'}');
    }
}

fn content(out: &mut Vec<u8>, m: &Message) {
    if m.content.parts().is_empty() {
        return json(out, m.content.text());
    }
    let mut list = List::default();
    pieces(m.content.text(), m.content.parts(), |piece| {
        list.next(out);
        let text = match piece {
            Piece::Part(part) if part.kind == "image" => {
                out.extend_from_slice(br#"{"type":"image_url","image_url":{"url":"#);
                json(out, &*part.url().unwrap_or_default());
                if let Some(detail) = part.get("detail") {
                    member(out, "detail", detail);
                }
                out.extend_from_slice(b"}}");
                return;
            }
            Piece::Part(part) => as_text(part),
            Piece::Text(text) => text.to_owned(),
        };
        out.extend_from_slice(br#"{"type":"text","text":"#);
        json(out, &text);
        out.push(b'}');
    });
    list.end(out);
}
