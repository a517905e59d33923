//! A request as the bytes of its JSON body, written straight and without a tree.

use std::borrow::Cow;

use super::replay::WIRE;
use crate::{
    lm::{
        Message, Options, Request, ResponseFormat, Role, ToolChoice, ToolSpec, call,
        wire::{
            interface::Setup,
            write::{List, Names, Piece, as_text, extra, joined, json, member, pieces},
        },
    },
    value::Part,
};

/// The text of a member that is written when there is one.
type Member<'a> = Option<Cow<'a, str>>;

/// What the bodies of all requests to a model have in common.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// How every body begins: `{"model":"name"`.
    head: Box<[u8]>,
    /// What the options are called.
    names: Names,
    /// Whether the model takes a temperature.
    sampling: bool,
    /// The parameter that has the number of the draw.
    rollout_name: Option<String>,
}

impl Form {
    /// The form of requests to a model.
    pub(super) fn new(setup: &Setup) -> Self {
        let mut head = b"{\"model\":".to_vec();
        json(&mut head, &setup.name);
        Self {
            head: head.into(),
            names: Names {
                temperature: "temperature",
                top_p: "top_p",
                max_tokens: Some(match setup.max_completion_tokens {
                    true => "max_completion_tokens",
                    false => "max_tokens",
                }),
                stop: Some("stop"),
                seed: Some("seed"),
            },
            sampling: setup.facts.sampling != Some(false),
            rollout_name: setup.rollout_name.clone(),
        }
    }
}

/// The body of a request.
pub(super) fn body(form: &Form, request: &Request, stream: bool) -> Vec<u8> {
    let prefix = request.prompt.prefix.rendered(WIRE, |all| {
        let mut out = Vec::new();
        messages(&mut out, all);
        out
    });
    let tail: usize = request.prompt.tail.iter().map(|m| m.content.text().len() + 64).sum();
    let mut out = Vec::with_capacity(form.head.len() + prefix.len() + tail + tail / 8 + 256);
    out.extend_from_slice(&form.head);
    options(&mut out, &request.options, form);
    if let Some(name) = &form.rollout_name {
        out.push(b',');
        json(&mut out, name);
        out.push(b':');
        json(&mut out, &request.rollout);
    }
    match &request.format {
        ResponseFormat::Text => {}
        ResponseFormat::JsonObject => out.extend_from_slice(br#","response_format":{"type":"json_object"}"#),
        ResponseFormat::JsonSchema { name, schema } => {
            out.extend_from_slice(br#","response_format":{"type":"json_schema","json_schema":{"name":"#);
            json(&mut out, name);
            out.extend_from_slice(br#","strict":true,"schema":"#);
            json(&mut out, &**schema);
            out.extend_from_slice(b"}}");
        }
    }
    tools(&mut out, &request.tools);
    if !request.tools.is_empty() {
        tool_choice(&mut out, request);
    }
    if stream {
        out.extend_from_slice(br#","stream":true,"stream_options":{"include_usage":true}"#);
    }
    out.extend_from_slice(b",\"messages\":[");
    joined(&mut out, &prefix, |out| messages(out, &request.prompt.tail));
    out.extend_from_slice(b"]}");
    out
}

/// Whether and which tools are called. An extra parameter of the name takes its place.
fn tool_choice(out: &mut Vec<u8>, request: &Request) {
    if request.options.extra.contains_key("tool_choice") {
        return;
    }
    match &request.tool_choice {
        ToolChoice::Auto => {}
        ToolChoice::None => member(out, "tool_choice", "none"),
        ToolChoice::Required => member(out, "tool_choice", "required"),
        ToolChoice::Tool(name) => {
            out.extend_from_slice(br#","tool_choice":{"type":"function","function":{"name":"#);
            json(out, name);
            out.extend_from_slice(b"}}");
        }
    }
}

/// The options that are set. An extra parameter of the same name takes the place of one.
fn options(out: &mut Vec<u8>, o: &Options, form: &Form) {
    form.names.write(out, o, &o.extra, form.sampling);
    let own = |name: &str| !o.extra.contains_key(name);
    if let Some(n) = o.n.filter(|_| own("n")) {
        member(out, "n", &n);
    }
    if let Some(effort) = o.reasoning_effort.filter(|_| own("reasoning_effort")) {
        member(out, "reasoning_effort", effort.as_str());
    }
    if let Some(top) = o.logprobs {
        if own("logprobs") {
            member(out, "logprobs", &true);
        }
        if top > 0 && own("top_logprobs") {
            member(out, "top_logprobs", &top);
        }
    }
    extra(out, &o.extra);
}

/// Messages, separated by commas.
fn messages(out: &mut Vec<u8>, messages: &[Message]) {
    for (i, m) in messages.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        message(out, m);
    }
}

/// The member `tools` of an object that has others before it; nothing without tools.
pub(super) fn tools(out: &mut Vec<u8>, tools: &[ToolSpec]) {
    for (i, tool) in tools.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b",\"tools\":[" } else { b"," });
        out.extend_from_slice(br#"{"type":"function","function":{"name":"#);
        json(out, &tool.name);
        out.extend_from_slice(br#","description":"#);
        json(out, &tool.description);
        out.extend_from_slice(br#","parameters":"#);
        json(out, &tool.parameters);
        out.extend_from_slice(b"}}");
    }
    if !tools.is_empty() {
        out.push(b']');
    }
}

pub(super) fn message(out: &mut Vec<u8>, message: &Message) {
    if let Some(item) = message.replay.as_ref().and_then(|replay| replay.items(WIRE)) {
        return out.extend_from_slice(item.as_bytes());
    }
    out.extend_from_slice(b"{\"role\":\"");
    out.extend_from_slice(message.role.as_str().as_bytes());
    out.extend_from_slice(b"\",\"content\":");
    let text = message.content.text();
    let calls = &message.tool_calls;
    if !message.content.parts().is_empty() {
        parts(out, text, message.content.parts());
    } else if text.is_empty() && !calls.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        json(out, text);
    }
    for (i, call) in calls.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b",\"tool_calls\":[" } else { b"," });
        out.extend_from_slice(br#"{"id":"#);
        json(out, call.id.as_deref().unwrap_or_default());
        out.extend_from_slice(br#","type":"function","function":{"name":"#);
        json(out, &call.name);
        out.extend_from_slice(br#","arguments":"#);
        json(out, &call::object_text(call));
        out.extend_from_slice(b"}}");
    }
    if !calls.is_empty() {
        out.push(b']');
    }
    if message.role == Role::Tool || message.tool_call_id.is_some() {
        out.extend_from_slice(br#","tool_call_id":"#);
        json(out, message.tool_call_id.as_deref().unwrap_or_default());
    }
    out.push(b'}');
}

/// Text and media, alternating.
fn parts(out: &mut Vec<u8>, text: &str, parts: &[(usize, Part)]) {
    let mut list = List::default();
    let write_text = |out: &mut Vec<u8>, list: &mut List, text: &str| {
        list.next(out);
        out.extend_from_slice(br#"{"type":"text","text":"#);
        json(out, text);
        out.push(b'}');
    };
    pieces(text, parts, |piece| {
        let part = match piece {
            Piece::Text(text) => return write_text(out, &mut list, text),
            Piece::Part(part) => part,
        };
        // Bytes are sent as a data URI.
        let (kind, fields): (&[u8], [(&str, Member<'_>); 3]) = match part.kind {
            "image" => (b"image_url", [("url", part.url()), ("detail", text_of(part, "detail")), ("", None)]),
            "audio" => (
                b"input_audio",
                [("data", text_of(part, "data")), ("format", text_of(part, "format")), ("", None)],
            ),
            "file" => (
                b"file",
                [
                    ("file_data", part.url()),
                    ("file_id", text_of(part, "file_id")),
                    ("filename", text_of(part, "filename")),
                ],
            ),
            // The protocol has no documents: their text is sent. Of kinds unknown here, all is.
            _ => return write_text(out, &mut list, &as_text(part)),
        };
        list.next(out);
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind);
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(kind);
        out.extend_from_slice(b"\":{");
        let present = fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (i, (name, value)) in present.enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json(out, name);
            out.push(b':');
            json(out, value);
        }
        out.extend_from_slice(b"}}");
    });
    list.end(out);
}

fn text_of<'a>(part: &'a Part, name: &str) -> Option<Cow<'a, str>> {
    part.get(name).map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{lm::ToolCall, value::Content};

    fn read(message_: &Message) -> Value {
        let mut out = Vec::new();
        message(&mut out, message_);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn media_stand_between_the_texts_where_they_were_put() {
        let mut content = Content::from("look: ");
        content.push_part(Part::new("image", json!({"url": "https://x/y.png"})));
        content.push_str(" and \"hear\"");
        content.push_part(Part::new("audio", json!({"data": "QUJD", "format": "wav"})));
        content.push_part(Part::new("file", json!({"file_id": "f-1", "filename": null})));
        content.push_part(Part::new("document", json!({"text": "body", "title": "T"})));
        assert_eq!(
            read(&Message::user(content)),
            json!({"role": "user", "content": [
                {"type": "text", "text": "look: "},
                {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                {"type": "text", "text": " and \"hear\""},
                {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f-1"}},
                {"type": "text", "text": "T\n\nbody"},
            ]})
        );
    }

    #[test]
    fn calls_and_their_results_go_back_as_they_came() {
        let mut asked = Message::assistant("");
        asked.tool_calls = vec![
            ToolCall::from_text("c1", "add", r#"{"a":1}"#),
            ToolCall::from_text("c2", "add", r#"{"a":"#),
        ];
        assert_eq!(
            read(&asked),
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"a\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "add", "arguments": r#"{"_unparsed":"{\"a\":"}"#}},
            ]})
        );
        assert_eq!(
            read(&Message::tool("c1", "2")),
            json!({"role": "tool", "content": "2", "tool_call_id": "c1"})
        );
    }
}
