//! A request as the bytes of its JSON body.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::read::WIRE;
use crate::{
    lm::{
        Message, ReasoningEffort, Request, ResponseFormat, Role, ToolChoice,
        facts::Thinking,
        wire::{
            claude,
            interface::Setup,
            schema,
            write::{List, Names, Piece, as_text, bytes_of, extra, joined, json, member, name_of, pieces},
        },
    },
    value::Part,
};

/// What the answer may be long where nothing is said: the protocol wants a number, and every model that is served today
/// can write as much.
const MAX_TOKENS: u64 = 4096;
/// The same for models that are known to write more.
const LONG_MAX_TOKENS: u64 = 16_384;
/// Marks the end of what the provider keeps in its cache.
const BREAKPOINT: &[u8] = br#","cache_control":{"type":"ephemeral"}"#;

/// There is no seed; the limit of tokens must always be there and is written apart.
const NAMES: Names = Names {
    temperature: "temperature",
    top_p: "top_p",
    max_tokens: None,
    stop: Some("stop_sequences"),
    seed: None,
};

/// The names under which a prefix remembers its parts, by whether its end is marked.
const SYSTEM: [&str; 2] = ["anthropic system", "anthropic system, marked"];
/// The same for the others, by whether documents are cited, too.
const MESSAGES: [[&str; 2]; 2] = [
    ["anthropic messages", "anthropic messages, marked"],
    ["anthropic messages with citations", "anthropic messages with citations, marked"],
];

pub(super) fn body(setup: &Setup, request: &Request, stream: bool) -> Result<Vec<u8>, String> {
    let options = &request.options;
    let own = |name: &str| !options.extra.contains_key(name);
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"{\"model\":");
    json(&mut out, &setup.name);
    let max_tokens = match options.max_tokens {
        Some(n) => u64::from(n),
        None => setup.facts.max_output.map_or(MAX_TOKENS, |most| most.min(LONG_MAX_TOKENS)),
    };
    if own("max_tokens") {
        member(&mut out, "max_tokens", &max_tokens);
    }
    let thinks = thinking(&mut out, setup, request, max_tokens)?;
    // With thinking on, and for models that have done away with it, the temperature must not be set.
    NAMES.write(&mut out, options, &options.extra, setup.facts.sampling != Some(false) && !thinks);
    if let Some(name) = &setup.rollout_name {
        member(&mut out, name, &request.rollout);
    }
    tools(&mut out, request);
    extra(&mut out, &options.extra);
    if stream {
        out.extend_from_slice(b",\"stream\":true");
    }
    conversation(&mut out, setup, request);
    out.push(b'}');
    Ok(out)
}

/// Writes how long to think and what form the answer has, which share a member. Whether the model thinks.
fn thinking(out: &mut Vec<u8>, setup: &Setup, request: &Request, max_tokens: u64) -> Result<bool, String> {
    let options = &request.options;
    let own = |name: &str| !options.extra.contains_key(name);
    let mut effort = None;
    let mut thinks = options.extra.get("thinking").is_some_and(|t| t["type"] != "disabled");
    if own("thinking") {
        match (options.reasoning_effort, setup.facts.thinking) {
            (None, _) => {}
            (Some(ReasoningEffort::None), _) => out.extend_from_slice(br#","thinking":{"type":"disabled"}"#),
            (Some(asked), Some(Thinking::Effort)) => {
                out.extend_from_slice(br#","thinking":{"type":"adaptive","display":"summarized"}"#);
                effort = Some(match asked {
                    ReasoningEffort::Minimal => "low",
                    other => other.as_str(),
                });
                thinks = true;
            }
            (Some(asked), Some(Thinking::Budget) | None) => {
                let budget = claude::budget(asked, Some(max_tokens))?;
                out.extend_from_slice(br#","thinking":{"type":"enabled","budget_tokens":"#);
                json(out, &budget);
                out.push(b'}');
                thinks = true;
            }
        }
    }
    let format = match &request.format {
        ResponseFormat::JsonSchema { schema, .. } => Some(schema::closed(schema)),
        // There is no such mode: the prompt asks for it.
        ResponseFormat::Text | ResponseFormat::JsonObject => None,
    };
    if own("output_config") && (effort.is_some() || format.is_some()) {
        name_of(out, "output_config");
        out.push(b'{');
        if let Some(effort) = effort {
            out.extend_from_slice(b"\"effort\":");
            json(out, effort);
        }
        if let Some(schema) = format {
            out.extend_from_slice(if effort.is_some() { b",\"format\":" } else { b"\"format\":" });
            out.extend_from_slice(br#"{"type":"json_schema","schema":"#);
            json(out, &schema);
            out.push(b'}');
        }
        out.push(b'}');
    }
    Ok(thinks)
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
            out.extend_from_slice(b"{\"name\":");
            json(out, &tool.name);
            if !tool.description.is_empty() {
                member(out, "description", &tool.description);
            }
            member(out, "input_schema", &tool.parameters);
            out.push(b'}');
        }
        list.end(out);
    }
    if own("tool_choice") {
        match &request.tool_choice {
            ToolChoice::Auto => {}
            ToolChoice::None => out.extend_from_slice(br#","tool_choice":{"type":"none"}"#),
            ToolChoice::Required => out.extend_from_slice(br#","tool_choice":{"type":"any"}"#),
            ToolChoice::Tool(name) => {
                out.extend_from_slice(br#","tool_choice":{"type":"tool","name":"#);
                json(out, name);
                out.push(b'}');
            }
        }
    }
}

/// System messages, wherever they stand, are one member; the others follow. What does not change ends with a mark.
fn conversation(out: &mut Vec<u8>, setup: &Setup, request: &Request) {
    let (prefix, tail) = (&request.prompt.prefix, &request.prompt.tail);
    let marked = setup.prompt_caching;
    let ends_in_system = prefix.messages().iter().all(|m| m.role == Role::System);
    let remembered = prefix.rendered(SYSTEM[usize::from(marked)], |messages| {
        let mut out = Vec::new();
        system(&mut out, messages, marked && ends_in_system);
        out
    });
    let is_system = |m: &Message| m.role == Role::System;
    if !remembered.is_empty() || tail.iter().any(is_system) {
        out.extend_from_slice(b",\"system\":[");
        joined(out, &remembered, |out| system(out, tail, false));
        out.push(b']');
    }
    let cites = claude::cites(request);
    let remembered = prefix.rendered(MESSAGES[usize::from(cites)][usize::from(marked)], |all| {
        let mut out = Vec::new();
        messages(&mut out, all, marked, cites);
        out
    });
    out.extend_from_slice(b",\"messages\":[");
    joined(out, &remembered, |out| messages(out, tail, false, cites));
    out.push(b']');
}

/// The texts of the system messages, separated by commas.
fn system(out: &mut Vec<u8>, messages: &[Message], marked: bool) {
    let texts = messages.iter().filter(|m| m.role == Role::System).map(|m| m.content.text());
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"type":"text","text":"#);
        json(out, text);
        if marked && i + 1 == texts.len() {
            out.extend_from_slice(BREAKPOINT);
        }
        out.push(b'}');
    }
}

/// All messages but those of the system, separated by commas. The results of the tools that one answer calls are one
/// message.
fn messages(out: &mut Vec<u8>, all: &[Message], marked: bool, cites: bool) {
    let spoken: Vec<_> = all.iter().filter(|m| m.role != Role::System).collect();
    let turns = spoken.chunk_by(|a, b| a.role == Role::Tool && b.role == Role::Tool);
    let last = turns.clone().count();
    for (i, turn) in turns.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let assistant = turn.first().is_some_and(|m| m.role == Role::Assistant);
        out.extend_from_slice(if assistant { br#"{"role":"assistant","# } else { br#"{"role":"user","# });
        let mark = marked && i + 1 == last;
        match turn {
            [only] if is_plain(only) && !mark => {
                out.extend_from_slice(b"\"content\":");
                json(out, only.content.text());
            }
            turn => {
                out.extend_from_slice(b"\"content\":");
                blocks(out, turn, mark, cites);
            }
        }
        out.push(b'}');
    }
}

/// Whether a message is nothing but its text.
fn is_plain(m: &Message) -> bool {
    m.role != Role::Tool && m.content.parts().is_empty() && m.tool_calls.is_empty() && m.replay.is_none()
}

/// The contents of the messages of one turn as a list of blocks.
fn blocks(out: &mut Vec<u8>, turn: &[&Message], marked: bool, cites: bool) {
    let mut list = List::default();
    for m in turn {
        if let Some(items) = m.replay.as_ref().and_then(|replay| replay.items(WIRE)) {
            list.next(out);
            out.extend_from_slice(items.as_bytes());
        } else if m.role == Role::Tool {
            list.next(out);
            out.extend_from_slice(br#"{"type":"tool_result","tool_use_id":"#);
            json(out, m.tool_call_id.as_deref().unwrap_or_default());
            out.extend_from_slice(b",\"content\":");
            if m.content.parts().is_empty() {
                json(out, m.content.text());
            } else {
                let mut inner = List::default();
                content(out, &mut inner, m, cites);
                inner.end(out);
            }
            out.push(b'}');
        } else {
            content(out, &mut list, m, cites);
            for call in &m.tool_calls {
                list.next(out);
                out.extend_from_slice(br#"{"type":"tool_use","id":"#);
                json(out, call.id.as_deref().unwrap_or(&call.name));
                member(out, "name", &call.name);
                member(out, "input", &call.args);
                out.push(b'}');
            }
        }
    }
    if marked && out.last() == Some(&b'}') {
        out.pop();
        out.extend_from_slice(BREAKPOINT);
        out.push(b'}');
    }
    list.end(out);
}

/// The pieces of a content as blocks of a list.
fn content(out: &mut Vec<u8>, list: &mut List, m: &Message, cites: bool) {
    pieces(m.content.text(), m.content.parts(), |piece| {
        list.next(out);
        match piece {
            Piece::Text(text) => text_block(out, text),
            Piece::Part(part) => medium(out, part, cites),
        }
    });
}

fn text_block(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(br#"{"type":"text","text":"#);
    json(out, text);
    out.push(b'}');
}

fn medium(out: &mut Vec<u8>, part: &Part, cites: bool) {
    match part.kind {
        "image" => image(out, part),
        "file" => match bytes_of(part) {
            Some((kind, _)) if kind.starts_with("image/") => image(out, part),
            Some((kind, data)) if kind.starts_with("text/") => {
                let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
                plain_document(out, &String::from_utf8_lossy(&bytes), part, "filename");
            }
            bytes => {
                out.extend_from_slice(br#"{"type":"document","source":"#);
                if let Some((kind, data)) = bytes {
                    base64_source(out, &kind, data);
                } else if let Some(id) = part.get("file_id") {
                    out.extend_from_slice(br#"{"type":"file","file_id":"#);
                    json(out, id);
                    out.push(b'}');
                } else {
                    url_source(out, part.get("url").unwrap_or_default());
                }
                if let Some(name) = part.get("filename") {
                    member(out, "title", name);
                }
                out.push(b'}');
            }
        },
        "document" => {
            plain_document(out, part.get("text").unwrap_or_default(), part, "title");
            // The document's own block is reopened for what else is known of it.
            out.pop();
            if let Some(context) = part.get("context") {
                member(out, "context", context);
            }
            if cites {
                out.extend_from_slice(br#","citations":{"enabled":true}"#);
            }
            out.push(b'}');
        }
        _ => text_block(out, &as_text(part)),
    }
}

fn image(out: &mut Vec<u8>, part: &Part) {
    out.extend_from_slice(br#"{"type":"image","source":"#);
    match bytes_of(part) {
        Some((kind, data)) => base64_source(out, &kind, data),
        None => url_source(out, part.get("url").unwrap_or_default()),
    }
    out.push(b'}');
}

fn base64_source(out: &mut Vec<u8>, media_type: &str, data: &str) {
    out.extend_from_slice(br#"{"type":"base64","media_type":"#);
    json(out, media_type);
    member(out, "data", data);
    out.push(b'}');
}

fn url_source(out: &mut Vec<u8>, url: &str) {
    out.extend_from_slice(br#"{"type":"url","url":"#);
    json(out, url);
    out.push(b'}');
}

fn plain_document(out: &mut Vec<u8>, text: &str, part: &Part, title: &str) {
    out.extend_from_slice(br#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"#);
    json(out, text);
    out.push(b'}');
    if let Some(title) = part.get(title) {
        member(out, "title", title);
    }
    out.push(b'}');
}
