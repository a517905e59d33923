//! A request as the bytes of its JSON body.

use super::read::WIRE;
use crate::{
    lm::{
        Message, ReasoningEffort, Request, ResponseFormat, Role, ToolChoice, call,
        wire::{
            interface::Setup,
            write::{List, Names, Piece, as_text, extra, joined, json, member, name_of, pieces},
        },
    },
    value::Part,
};

/// There are no others.
const NAMES: Names = Names {
    temperature: "temperature",
    top_p: "top_p",
    max_tokens: Some("max_output_tokens"),
    stop: None,
    seed: None,
};

pub(super) fn body(setup: &Setup, request: &Request, stream: bool) -> Vec<u8> {
    let o = &request.options;
    let own = |name: &str| !o.extra.contains_key(name);
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"model\":");
    json(&mut out, &setup.name);
    NAMES.write(&mut out, o, &o.extra, setup.facts.sampling != Some(false));
    if let Some(top) = o.logprobs.filter(|_| own("top_logprobs")) {
        member(&mut out, "top_logprobs", &top);
    }
    // Nothing is kept by the provider: what must come back with the conversation is asked for.
    if own("store") {
        member(&mut out, "store", &false);
    }
    if own("include") {
        let mut wanted = vec!["reasoning.encrypted_content"];
        wanted.extend(o.logprobs.map(|_| "message.output_text.logprobs"));
        member(&mut out, "include", &wanted);
    }
    if let Some(effort) = o.reasoning_effort.filter(|_| own("reasoning")) {
        out.extend_from_slice(br#","reasoning":{"effort":"#);
        json(&mut out, effort.as_str());
        if effort != ReasoningEffort::None {
            out.extend_from_slice(br#","summary":"auto""#);
        }
        out.push(b'}');
    }
    if own("text") {
        match &request.format {
            ResponseFormat::Text => {}
            ResponseFormat::JsonObject => {
                out.extend_from_slice(br#","text":{"format":{"type":"json_object"}}"#);
            }
            ResponseFormat::JsonSchema { name, schema } => {
                out.extend_from_slice(br#","text":{"format":{"type":"json_schema","name":"#);
                json(&mut out, name);
                out.extend_from_slice(br#","strict":true,"schema":"#);
                json(&mut out, &**schema);
                out.extend_from_slice(b"}}");
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
    let prefix = request.prompt.prefix.rendered(WIRE, |all| {
        let mut out = Vec::new();
        items(&mut out, all);
        out
    });
    out.extend_from_slice(b",\"input\":[");
    joined(&mut out, &prefix, |out| items(out, &request.prompt.tail));
    out.extend_from_slice(b"]}");
    out
}

fn tools(out: &mut Vec<u8>, request: &Request) {
    if request.tools.is_empty() {
        return;
    }
    let own = |name: &str| !request.options.extra.contains_key(name);
    if own("tools") {
        name_of(out, "tools");
        let mut list = List::default();
        for tool in &request.tools {
            list.next(out);
            out.extend_from_slice(br#"{"type":"function","name":"#);
            json(out, &tool.name);
            member(out, "description", &tool.description);
            member(out, "parameters", &tool.parameters);
            // Strict schemas would have to be closed and without optional members.
            out.extend_from_slice(br#","strict":false}"#);
        }
        list.end(out);
    }
    if own("tool_choice") {
        match &request.tool_choice {
            ToolChoice::Auto => {}
            ToolChoice::None => member(out, "tool_choice", "none"),
            ToolChoice::Required => member(out, "tool_choice", "required"),
            ToolChoice::Tool(name) => {
                out.extend_from_slice(br#","tool_choice":{"type":"function","name":"#);
                json(out, name);
                out.push(b'}');
            }
        }
    }
}

/// Messages, calls and their results as items, separated by commas.
fn items(out: &mut Vec<u8>, all: &[Message]) {
    let mut first = true;
    let mut next = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    for m in all {
        if let Some(items) = m.replay.as_ref().and_then(|replay| replay.items(WIRE)) {
            next(out);
            out.extend_from_slice(items.as_bytes());
            continue;
        }
        if m.role == Role::Tool {
            next(out);
            out.extend_from_slice(br#"{"type":"function_call_output","call_id":"#);
            json(out, m.tool_call_id.as_deref().unwrap_or_default());
            name_of(out, "output");
            content(out, m);
            out.push(b'}');
            continue;
        }
        if !m.content.is_empty() || m.tool_calls.is_empty() {
            next(out);
            out.extend_from_slice(b"{\"role\":\"");
            out.extend_from_slice(m.role.as_str().as_bytes());
            out.extend_from_slice(b"\",\"content\":");
            content(out, m);
            out.push(b'}');
        }
        for call in &m.tool_calls {
            next(out);
            out.extend_from_slice(br#"{"type":"function_call","call_id":"#);
            json(out, call.id.as_deref().unwrap_or_default());
            member(out, "name", &call.name);
            name_of(out, "arguments");
            json(out, &call::object_text(call));
            out.push(b'}');
        }
    }
}

fn content(out: &mut Vec<u8>, m: &Message) {
    if m.content.parts().is_empty() {
        return json(out, m.content.text());
    }
    let mut list = List::default();
    pieces(m.content.text(), m.content.parts(), |piece| {
        list.next(out);
        match piece {
            Piece::Text(text) => text_part(out, text),
            Piece::Part(part) => medium(out, part),
        }
    });
    list.end(out);
}

fn text_part(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(br#"{"type":"input_text","text":"#);
    json(out, text);
    out.push(b'}');
}

fn medium(out: &mut Vec<u8>, part: &Part) {
    match part.kind {
        "image" => {
            out.extend_from_slice(br#"{"type":"input_image","detail":"#);
            json(out, part.get("detail").unwrap_or("auto"));
            if let Some(url) = part.url() {
                member(out, "image_url", &*url);
            }
            out.push(b'}');
        }
        "file" => {
            out.extend_from_slice(br#"{"type":"input_file""#);
            if let Some(id) = part.get("file_id") {
                member(out, "file_id", id);
            } else if let Some(url) = part.get("url") {
                member(out, "file_url", url);
            } else if let Some(data) = part.url() {
                member(out, "filename", part.get("filename").unwrap_or("file"));
                member(out, "file_data", &*data);
            }
            out.push(b'}');
        }
        _ => text_part(out, &as_text(part)),
    }
}
