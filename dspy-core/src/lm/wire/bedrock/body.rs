//! A request as the bytes of its JSON body.

use serde_json::{Map, Value, json};

use super::read::WIRE;
use crate::{
    lm::{
        Message, ReasoningEffort, Request, ResponseFormat, Role, ToolChoice,
        facts::Thinking,
        wire::{
            claude,
            interface::Setup,
            schema,
            write::{List, Piece, as_text, bytes_of, json as write, member, pieces},
        },
    },
    value::Part,
};

/// Marks the end of what the provider keeps in its cache.
const BREAKPOINT: &[u8] = br#"{"cachePoint":{"type":"default"}}"#;

/// The names under which a prefix remembers its parts, by whether its end is marked.
const SYSTEM: [&str; 2] = ["bedrock system", "bedrock system, marked"];
/// The same for turns, by whether the model cites documents, too.
const TURNS: [[&str; 2]; 2] =
    [["bedrock", "bedrock, marked"], ["bedrock with citations", "bedrock with citations, marked"]];

/// Members of a request that every model has. Other extra parameters are those of single models, and go where the
/// protocol has them.
const MEMBERS: &[&str] = &[
    ADDITIONAL,
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "toolConfig",
];
/// What only some models take.
const ADDITIONAL: &str = "additionalModelRequestFields";

pub(super) fn body(setup: &Setup, request: &Request) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(1024);
    conversation(&mut out, setup, request);
    let mut members = Map::new();
    options(&mut members, setup, request)?;
    if let Some(tools) = tools(request) {
        members.insert("toolConfig".into(), tools);
    }
    if let ResponseFormat::JsonSchema { name, schema } = &request.format {
        let schema = schema::closed(schema).to_string();
        let format =
            json!({"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": name}}});
        insert(&mut members, "outputConfig", "textFormat", format);
    }
    for (name, value) in &request.options.extra {
        if !MEMBERS.contains(&&**name) {
            insert(&mut members, ADDITIONAL, name, value.clone());
        } else if let Value::Object(theirs) = value {
            for (inner, value) in theirs {
                insert(&mut members, name, inner, value.clone());
            }
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    if let Some(name) = &setup.rollout_name {
        insert(&mut members, ADDITIONAL, name, request.rollout.into());
    }
    for (name, value) in &members {
        member(&mut out, name, value);
    }
    out.push(b'}');
    Ok(out)
}

/// Sets a member of a member.
fn insert(members: &mut Map<String, Value>, outer: &str, name: &str, value: Value) {
    let outer = members.entry(outer).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(outer) = outer {
        outer.insert(name.to_owned(), value);
    }
}

fn options(members: &mut Map<String, Value>, setup: &Setup, request: &Request) -> Result<(), String> {
    const INFERENCE: &str = "inferenceConfig";
    let o = &request.options;
    let thinks = match o.reasoning_effort {
        None => o.extra.contains_key("thinking"),
        Some(effort) => reason(members, setup, effort, o.max_tokens)?,
    };
    if let Some(n) = o.max_tokens {
        insert(members, INFERENCE, "maxTokens", n.into());
    }
    // A model that thinks takes no temperature.
    if setup.facts.sampling != Some(false) && !thinks {
        if let Some(t) = o.temperature {
            insert(members, INFERENCE, "temperature", t.into());
        }
        if let Some(p) = o.top_p {
            insert(members, INFERENCE, "topP", p.into());
        }
    }
    if !o.stop.is_empty() {
        insert(members, INFERENCE, "stopSequences", o.stop.clone().into());
    }
    Ok(())
}

/// Says how long to think, in the words of the model's maker. Whether the model thinks.
fn reason(
    members: &mut Map<String, Value>,
    setup: &Setup,
    effort: ReasoningEffort,
    max_tokens: Option<u32>,
) -> Result<bool, String> {
    let is = |maker: &str| setup.name.contains(maker);
    let level = match effort {
        ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High | ReasoningEffort::XHigh | ReasoningEffort::Max => "high",
    };
    let off = effort == ReasoningEffort::None;
    if is("anthropic.") {
        let thinking = match setup.facts.thinking {
            _ if off => json!({"type": "disabled"}),
            Some(Thinking::Effort) => {
                let level = if effort <= ReasoningEffort::Low { level } else { effort.as_str() };
                insert(members, "outputConfig", "effort", level.into());
                json!({"type": "adaptive"})
            }
            Some(Thinking::Budget) | None => {
                let budget = claude::budget(effort, max_tokens.map(u64::from))?;
                json!({"type": "enabled", "budget_tokens": budget})
            }
        };
        insert(members, ADDITIONAL, "thinking", thinking);
        return Ok(!off);
    }
    if is("amazon.nova") {
        let config = match off {
            true => json!({"type": "disabled"}),
            false => json!({"type": "enabled", "maxReasoningEffort": level}),
        };
        insert(members, ADDITIONAL, "reasoningConfig", config);
        return Ok(!off);
    }
    if is("openai.") {
        insert(members, ADDITIONAL, "reasoning_effort", level.into());
        return Ok(false);
    }
    match off {
        true => Ok(false),
        false => Err(
            "it is not known how this model is told how long to reason; take `reasoning_effort` out of the \
                      options, and send the parameter that it has with `extra`"
                .into(),
        ),
    }
}

/// There is no way to forbid all tools, and they must be known where the conversation has calls of them.
fn tools(request: &Request) -> Option<Value> {
    let called = request.prompt.messages().any(|m| !m.tool_calls.is_empty() || m.role == Role::Tool);
    if request.tools.is_empty() || request.tool_choice == ToolChoice::None && !called {
        return None;
    }
    let specs = request.tools.iter().map(|tool| {
        let mut spec = json!({"name": tool.name, "inputSchema": {"json": tool.parameters}});
        if !tool.description.is_empty() {
            spec["description"] = json!(tool.description);
        }
        json!({ "toolSpec": spec })
    });
    let mut config = json!({"tools": specs.collect::<Vec<_>>()});
    match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => {}
        ToolChoice::Required => config["toolChoice"] = json!({"any": {}}),
        ToolChoice::Tool(name) => config["toolChoice"] = json!({"tool": {"name": name}}),
    }
    Some(config)
}

/// System messages, wherever they stand, are one member; the others are turns. What does not change ends with a mark.
fn conversation(out: &mut Vec<u8>, setup: &Setup, request: &Request) {
    let (prefix, tail) = (&request.prompt.prefix, &request.prompt.tail);
    let marked = setup.prompt_caching && setup.facts.prompt_caching == Some(true);
    let mark = usize::from(marked);
    let constant = prefix.messages();
    let ends_in_system = constant.iter().all(|m| m.role == Role::System);
    out.extend_from_slice(b"{\"messages\":[");
    // The last turn of the prefix is left open, because the next message may belong to it.
    let cites = setup.facts.citations == Some(true) && claude::cites(request);
    out.extend_from_slice(&prefix.rendered(TURNS[usize::from(cites)][mark], |all| {
        let mut turns = Turns { cites, ..Turns::default() };
        turns.add_all(all);
        if marked && turns.speaker.is_some() {
            turns.block(BREAKPOINT);
        }
        turns.out
    }));
    let mut turns = Turns { out: std::mem::take(out), cites, ..Turns::after(constant) };
    turns.add_all(tail);
    turns.close();
    *out = turns.out;
    out.push(b']');

    let remembered = prefix.rendered(SYSTEM[mark], |messages| {
        let mut out = Vec::new();
        let mut list = List::default();
        system(&mut out, &mut list, messages);
        if marked && ends_in_system && !out.is_empty() {
            list.next(&mut out);
            out.extend_from_slice(BREAKPOINT);
        }
        out
    });
    let mut later = Vec::new();
    system(&mut later, &mut List::default(), tail);
    if !remembered.is_empty() || !later.is_empty() {
        out.extend_from_slice(b",\"system\":");
        out.extend_from_slice(&remembered);
        if !remembered.is_empty() && !later.is_empty() {
            later[0] = b',';
        }
        out.extend_from_slice(&later);
        out.push(b']');
    }
}

/// The texts of the system messages: a list that is not closed.
fn system(out: &mut Vec<u8>, list: &mut List, messages: &[Message]) {
    let texts = messages.iter().filter(|m| m.role == Role::System).map(|m| m.content.text());
    for text in texts.filter(|text| !text.trim().is_empty()) {
        list.next(out);
        out.extend_from_slice(b"{\"text\":");
        write(out, text);
        out.push(b'}');
    }
}

/// Turns of a conversation, in which user and assistant speak alternately: messages of one speaker that follow each other
/// are one turn.
#[derive(Default)]
struct Turns {
    out: Vec<u8>,
    /// Whose turn is open: `true` for the assistant's.
    speaker: Option<bool>,
    /// Whether the model cites documents.
    cites: bool,
    /// How many documents there are, whose names must differ.
    documents: usize,
}

impl Turns {
    /// After these messages have been added to another one.
    fn after(messages: &[Message]) -> Self {
        let mut turns = Self::default();
        for message in messages {
            let is_document = |part: &Part| matches!(part.kind, "file" | "document");
            turns.documents += message.content.parts().iter().filter(|(_, part)| is_document(part)).count();
            if message.role != Role::System && has_blocks(message) {
                turns.speaker = Some(message.role == Role::Assistant);
            }
        }
        turns
    }

    fn add_all(&mut self, messages: &[Message]) {
        for message in messages.iter().filter(|m| m.role != Role::System && has_blocks(m)) {
            self.add(message);
        }
    }

    /// Writes a block into the turn that is open.
    fn block(&mut self, block: &[u8]) {
        self.next();
        self.out.extend_from_slice(block);
    }

    fn next(&mut self) {
        if self.out.last() != Some(&b'[') {
            self.out.push(b',');
        }
    }

    fn close(&mut self) {
        if self.speaker.take().is_some() {
            self.out.extend_from_slice(b"]}");
        }
    }

    fn add(&mut self, m: &Message) {
        let assistant = m.role == Role::Assistant;
        if self.speaker != Some(assistant) {
            let follows = self.speaker.is_some();
            self.close();
            if follows {
                self.out.push(b',');
            }
            let role = if assistant { "assistant" } else { "user" };
            self.out.extend_from_slice(format!("{{\"role\":\"{role}\",\"content\":[").as_bytes());
            self.speaker = Some(assistant);
        }
        if let Some(items) = m.replay.as_ref().and_then(|replay| replay.items(WIRE)) {
            self.block(items.as_bytes());
        } else if m.role == Role::Tool {
            self.next();
            self.out.extend_from_slice(br#"{"toolResult":{"toolUseId":"#);
            write(&mut self.out, m.tool_call_id.as_deref().unwrap_or_default());
            self.out.extend_from_slice(b",\"content\":[");
            if m.content.is_empty() {
                self.out.extend_from_slice(br#"{"text":""}"#);
            }
            self.content(m);
            self.out.extend_from_slice(b"]}}");
        } else {
            self.content(m);
            for call in &m.tool_calls {
                self.next();
                let id = call.id.as_deref().unwrap_or(&call.name);
                write(
                    &mut self.out,
                    &json!({"toolUse": {"toolUseId": id, "name": call.name, "input": call.args}}),
                );
            }
        }
    }

    fn content(&mut self, m: &Message) {
        pieces(m.content.text(), m.content.parts(), |piece| {
            let block = match piece {
                // Blank texts are refused.
                Piece::Text(text) if text.trim().is_empty() => return,
                Piece::Text(text) => json!({ "text": text }),
                Piece::Part(part) => self.medium(part),
            };
            self.next();
            write(&mut self.out, &block);
        });
    }

    fn medium(&mut self, part: &Part) -> Value {
        let kind = match part.kind {
            "file" if is_image(part) => "image",
            kind => kind,
        };
        match kind {
            "image" | "audio" => json!({ kind: {"format": format(part), "source": source(part)} }),
            "file" => {
                let name = self.name(part.get("filename"));
                json!({"document": {"format": format(part), "name": name, "source": source(part)}})
            }
            "document" if self.cites => {
                let name = self.name(part.get("title"));
                let mut document = json!({
                    "format": "txt", "name": name, "source": {"text": part.get("text").unwrap_or_default()},
                    "citations": {"enabled": true},
                });
                if let Some(context) = part.get("context") {
                    document["context"] = json!(context);
                }
                json!({ "document": document })
            }
            _ => json!({ "text": as_text(part) }),
        }
    }

    /// A name for the next document: of the characters that names may have, and unlike the others.
    fn name(&mut self, wanted: Option<&str>) -> String {
        self.documents += 1;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
        let words = wanted.unwrap_or_default().split(|c| !allowed(c)).filter(|word| !word.is_empty());
        let mut name = words.collect::<Vec<_>>().join(" ");
        name.truncate(150);
        match (name.is_empty(), self.documents) {
            (true, n) => format!("document {n}"),
            (false, 1) => name,
            (false, n) => format!("{name} ({n})"),
        }
    }
}

/// Whether anything of a message is sent.
fn has_blocks(m: &Message) -> bool {
    let content = !m.content.text().trim().is_empty() || !m.content.parts().is_empty();
    content || !m.tool_calls.is_empty() || m.role == Role::Tool || m.replay.is_some()
}

fn is_image(part: &Part) -> bool {
    bytes_of(part).is_some_and(|(kind, _)| kind.starts_with("image/"))
}

fn source(part: &Part) -> Value {
    match bytes_of(part) {
        Some((_, data)) => json!({ "bytes": data }),
        None => json!({"s3Location": {"uri": part.get("url").unwrap_or_default()}}),
    }
}

/// The protocol's name for the format of a medium.
pub(super) fn format(part: &Part) -> Option<&str> {
    let ending = |url: &'_ str| url.rsplit_once('.').map(|(_, ending)| ending.to_owned());
    let media_type = bytes_of(part).map(|(kind, _)| kind.into_owned());
    let kind = media_type.or_else(|| ending(part.get("url")?))?;
    Some(match kind.rsplit_once('/').map_or(&*kind, |(_, subtype)| subtype) {
        "png" => "png",
        "jpeg" | "jpg" => "jpeg",
        "gif" => "gif",
        "webp" => "webp",
        "wav" | "x-wav" | "wave" => "wav",
        "mp3" | "mpeg" => "mp3",
        "flac" => "flac",
        "ogg" => "ogg",
        "opus" => "opus",
        "aac" => "aac",
        "m4a" | "x-m4a" => "m4a",
        "webm" => "webm",
        "pdf" => "pdf",
        "csv" => "csv",
        "html" | "htm" => "html",
        "plain" | "txt" => "txt",
        "markdown" | "md" => "md",
        "msword" | "doc" => "doc",
        "vnd.openxmlformats-officedocument.wordprocessingml.document" | "docx" => "docx",
        "vnd.ms-excel" | "xls" => "xls",
        "vnd.openxmlformats-officedocument.spreadsheetml.sheet" | "xlsx" => "xlsx",
        _ => return None,
    })
}
