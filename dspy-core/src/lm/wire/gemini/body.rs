//! A request as the bytes of its JSON body.

use serde_json::{Map, Value};

use super::read::{OWN_ID, WIRE};
use crate::{
    lm::{
        Message, ReasoningEffort, Request, ResponseFormat, Role, ToolChoice,
        facts::Thinking,
        wire::{
            interface::Setup,
            schema,
            write::{List, Names, Piece, as_text, bytes_of, extra, joined, json, member, name_of, pieces},
        },
    },
    value::Part,
};

/// The member that holds the options of generation.
const CONFIG: &str = "generationConfig";

/// The seed is written apart.
const NAMES: Names = Names {
    temperature: "temperature",
    top_p: "topP",
    max_tokens: Some("maxOutputTokens"),
    stop: Some("stopSequences"),
    seed: None,
};

pub(super) fn body(setup: &Setup, request: &Request) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    // Its models want signed calls since they take an effort.
    conversation(&mut out, request, setup.facts.thinking == Some(Thinking::Effort));
    tools(&mut out, request);
    config(&mut out, setup, request);
    if let Some(name) = &setup.rollout_name {
        member(&mut out, name, &request.rollout);
    }
    extra(&mut out, request.options.extra.iter().filter(|(name, _)| *name != CONFIG));
    out.push(b'}');
    out
}

/// The options of generation; those of the user's own, under the same name, take the place of ours.
fn config(out: &mut Vec<u8>, setup: &Setup, request: &Request) {
    let o = &request.options;
    let none = Map::new();
    let theirs = o.extra.get(CONFIG).and_then(Value::as_object).unwrap_or(&none);
    let own = |name: &str| !theirs.contains_key(name);
    let mut members = Vec::new();
    NAMES.write(&mut members, o, theirs, setup.facts.sampling != Some(false));
    // The protocol's seed has 32 bits with a sign.
    if let Some(seed) = o.seed.filter(|_| own("seed")) {
        member(&mut members, "seed", &(seed & 0x7FFF_FFFF));
    }
    if let Some(n) = o.n.filter(|n| *n != 1 && own("candidateCount")) {
        member(&mut members, "candidateCount", &n);
    }
    if let Some(top) = o.logprobs.filter(|_| own("responseLogprobs")) {
        member(&mut members, "responseLogprobs", &true);
        if top > 0 {
            member(&mut members, "logprobs", &top);
        }
    }
    if let Some(effort) = o.reasoning_effort.filter(|_| own("thinkingConfig")) {
        thinking(&mut members, setup, effort);
    }
    if own("responseMimeType") && request.format != ResponseFormat::Text {
        member(&mut members, "responseMimeType", "application/json");
        if let ResponseFormat::JsonSchema { schema, .. } = &request.format {
            match schema::inlined(schema) {
                Some(schema) => member(&mut members, "responseSchema", &schema),
                // A type that holds itself cannot be written without definitions.
                None => member(&mut members, "responseJsonSchema", &**schema),
            }
        }
    }
    extra(&mut members, theirs);
    if let Some(first) = members.first_mut() {
        *first = b'{';
        name_of(out, CONFIG);
        out.extend_from_slice(&members);
        out.push(b'}');
    }
}

fn thinking(out: &mut Vec<u8>, setup: &Setup, effort: ReasoningEffort) {
    name_of(out, "thinkingConfig");
    if setup.facts.thinking == Some(Thinking::Budget) {
        let budget = match effort {
            ReasoningEffort::None => 0,
            ReasoningEffort::Minimal => 512,
            ReasoningEffort::Low => 2048,
            ReasoningEffort::Medium => 8192,
            ReasoningEffort::High | ReasoningEffort::XHigh | ReasoningEffort::Max => 24_576,
        };
        out.extend_from_slice(b"{\"thinkingBudget\":");
        json(out, &budget);
    } else {
        let level = match effort {
            ReasoningEffort::None | ReasoningEffort::Minimal => "minimal",
            ReasoningEffort::Low => "low",
            ReasoningEffort::Medium => "medium",
            ReasoningEffort::High | ReasoningEffort::XHigh | ReasoningEffort::Max => "high",
        };
        out.extend_from_slice(b"{\"thinkingLevel\":");
        json(out, level);
    }
    if effort != ReasoningEffort::None {
        out.extend_from_slice(b",\"includeThoughts\":true");
    }
    out.push(b'}');
}

fn tools(out: &mut Vec<u8>, request: &Request) {
    if request.tools.is_empty() {
        return;
    }
    let own = |name: &str| !request.options.extra.contains_key(name);
    if own("tools") {
        out.extend_from_slice(br#","tools":[{"functionDeclarations":"#);
        let mut list = List::default();
        for tool in &request.tools {
            list.next(out);
            out.extend_from_slice(b"{\"name\":");
            json(out, &tool.name);
            member(out, "description", &tool.description);
            // An object without members is refused; a tool without parameters has none.
            let bare = tool.parameters["properties"].as_object().is_none_or(Map::is_empty);
            if !bare || tool.parameters.get("additionalProperties").is_some_and(Value::is_object) {
                member(out, "parametersJsonSchema", &tool.parameters);
            }
            out.push(b'}');
        }
        list.end(out);
        out.extend_from_slice(b"}]");
    }
    let mode = match &request.tool_choice {
        ToolChoice::Auto => return,
        ToolChoice::None => "NONE",
        ToolChoice::Required | ToolChoice::Tool(_) => "ANY",
    };
    if own("toolConfig") {
        out.extend_from_slice(br#","toolConfig":{"functionCallingConfig":{"mode":"#);
        json(out, mode);
        if let ToolChoice::Tool(name) = &request.tool_choice {
            member(out, "allowedFunctionNames", &[name]);
        }
        out.extend_from_slice(b"}}");
    }
}

/// System messages, wherever they stand, are one member; the others follow.
fn conversation(out: &mut Vec<u8>, request: &Request, signed: bool) {
    let (prefix, tail) = (&request.prompt.prefix, &request.prompt.tail);
    let name = if signed { "gemini signed contents" } else { "gemini contents" };
    let remembered = prefix.rendered(name, |all| {
        let mut out = Vec::new();
        contents(&mut out, all, &[], signed);
        out
    });
    out.extend_from_slice(b"{\"contents\":[");
    joined(out, &remembered, |out| contents(out, tail, prefix.messages(), signed));
    out.push(b']');
    let remembered = prefix.rendered("gemini system", |all| {
        let mut out = Vec::new();
        system(&mut out, all);
        out
    });
    let mut later = Vec::new();
    system(&mut later, tail);
    if !remembered.is_empty() || !later.is_empty() {
        out.extend_from_slice(br#","systemInstruction":{"parts":["#);
        joined(out, &remembered, |out| out.extend_from_slice(&later));
        out.extend_from_slice(b"]}");
    }
}

/// The texts of the system messages, separated by commas.
fn system(out: &mut Vec<u8>, messages: &[Message]) {
    let texts = messages.iter().filter(|m| m.role == Role::System).map(|m| m.content.text());
    for (i, text) in texts.filter(|text| !text.is_empty()).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        text_part(out, text);
    }
}

/// The signature of calls that none of Gemini's models has made, for the models that refuse calls without one.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// All messages but those of the system, separated by commas. The results of the tools that one answer calls are one
/// message.
fn contents(out: &mut Vec<u8>, all: &[Message], before: &[Message], signed: bool) {
    let spoken: Vec<(usize, &Message)> =
        all.iter().enumerate().filter(|(_, m)| m.role != Role::System).collect();
    let turns = spoken.chunk_by(|(_, a), (_, b)| a.role == Role::Tool && b.role == Role::Tool);
    for (i, turn) in turns.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let model = turn.first().is_some_and(|(_, m)| m.role == Role::Assistant);
        out.extend_from_slice(if model {
            br#"{"role":"model","parts":"#
        } else {
            br#"{"role":"user","parts":"#
        });
        let mut list = List::default();
        for (at, m) in turn {
            if let Some(items) = m.replay.as_ref().and_then(|replay| replay.items(WIRE)) {
                list.next(out);
                out.extend_from_slice(items.as_bytes());
            } else if m.role == Role::Tool {
                let earlier = all.get(..*at).unwrap_or_default().iter().rev().chain(before.iter().rev());
                result(out, &mut list, m, earlier);
            } else {
                content(out, &mut list, m);
                for (i, call) in m.tool_calls.iter().enumerate() {
                    list.next(out);
                    out.extend_from_slice(br#"{"functionCall":{"name":"#);
                    json(out, &call.name);
                    member(out, "args", &call.args);
                    if let Some(id) = call.id.as_deref().filter(|id| !id.starts_with(OWN_ID)) {
                        member(out, "id", id);
                    }
                    out.push(b'}');
                    if i == 0 && signed {
                        member(out, "thoughtSignature", UNSIGNED);
                    }
                    out.push(b'}');
                }
            }
        }
        list.end(out);
        out.push(b'}');
    }
}

/// The result of a tool, which is named as the call was that it answers.
fn result<'a>(
    out: &mut Vec<u8>,
    list: &mut List,
    m: &Message,
    mut earlier: impl Iterator<Item = &'a Message>,
) {
    let id = m.tool_call_id.as_deref().unwrap_or_default();
    let name = earlier.find_map(|m| m.tool_calls.iter().find(|call| call.id.as_deref() == Some(id)));
    list.next(out);
    out.extend_from_slice(br#"{"functionResponse":{"name":"#);
    json(out, name.map_or(id, |call| call.name.as_str()));
    if !id.starts_with(OWN_ID) {
        member(out, "id", id);
    }
    let text = m.content.text();
    name_of(out, "response");
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(object) => json(out, &object),
        Err(_) => {
            out.extend_from_slice(b"{\"result\":");
            json(out, text);
            out.push(b'}');
        }
    }
    out.extend_from_slice(b"}}");
    // Media stand beside the result.
    for (_, part) in m.content.parts() {
        list.next(out);
        medium(out, part);
    }
}

/// The pieces of a content as parts of a list.
fn content(out: &mut Vec<u8>, list: &mut List, m: &Message) {
    pieces(m.content.text(), m.content.parts(), |piece| {
        list.next(out);
        match piece {
            Piece::Text(text) => text_part(out, text),
            Piece::Part(part) => medium(out, part),
        }
    });
    // A message without parts is refused.
    if m.content.is_empty() && m.tool_calls.is_empty() {
        list.next(out);
        text_part(out, "");
    }
}

fn text_part(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"{\"text\":");
    json(out, text);
    out.push(b'}');
}

fn medium(out: &mut Vec<u8>, part: &Part) {
    let uri = part.get("url").or_else(|| part.get("file_id"));
    match (part.kind, bytes_of(part), uri) {
        ("image" | "audio" | "file", Some((kind, data)), _) => {
            out.extend_from_slice(br#"{"inlineData":{"mimeType":"#);
            json(out, &*kind);
            member(out, "data", data);
            out.extend_from_slice(b"}}");
        }
        ("image" | "audio" | "file", None, Some(uri)) => {
            out.extend_from_slice(br#"{"fileData":{"fileUri":"#);
            json(out, uri);
            if let Some(kind) = media_type_of(uri) {
                member(out, "mimeType", kind);
            }
            out.extend_from_slice(b"}}");
        }
        _ => text_part(out, &as_text(part)),
    }
}

/// The media type that an address tells by its end.
fn media_type_of(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        _ => return None,
    })
}
