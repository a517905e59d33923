//! Tools that a model may call, and the calls it asks for.

use std::{borrow::Cow, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};
use serde_json::{Map, Value, json};

use super::KIND_KEY;
use crate::{Raw, ReadOptions, read};

/// What a model is told of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name, unique among the tools of a request.
    pub name: String,
    /// What it does and when to use it.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {} })
}

impl ToolSpec {
    /// A tool with its name, description and the JSON Schema of its arguments.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self { name: name.into(), description: description.into(), parameters }
    }
}

impl JsonSchema for ToolSpec {
    fn schema_name() -> Cow<'static, str> {
        "ToolSpec".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "description": { "type": "string" },
                "parameters": { "type": "object" },
            },
            "required": ["name", "description", "parameters"],
            KIND_KEY: "tool",
        })
    }
}

/// One call of a tool that a model asks for.
///
/// It is read from `{"name", "args"}`, with `arguments`, `parameters` or `input` for `args` and JSON text for each, and
/// from the providers' `{"id", "type": "function", "function": {"name", "arguments"}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolCall {
    /// The provider's id of the call, to which the result must refer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tool's name.
    pub name: String,
    /// The arguments by name.
    pub args: Map<String, Value>,
}

impl ToolCall {
    /// A call without an id.
    pub fn new(name: impl Into<String>, args: Map<String, Value>) -> Self {
        Self { id: None, name: name.into(), args }
    }

    /// The one key of [`ToolCall::args`] when the model's arguments were not a JSON object.
    pub const UNPARSED: &'static str = "_unparsed";

    /// A call whose arguments arrive as text: a JSON object, or whatever else the model wrote, which is not lost but
    /// kept under [`ToolCall::UNPARSED`]. No arguments at all are an empty object, and an empty `id` is none.
    pub fn from_text(id: impl Into<String>, name: impl Into<String>, arguments: &str) -> Self {
        let args = if arguments.trim().is_empty() {
            Map::new()
        } else {
            serde_json::from_str(arguments).unwrap_or_else(|_| {
                Map::from_iter([(Self::UNPARSED.to_owned(), Value::String(arguments.to_owned()))])
            })
        };
        Self { id: Some(id.into()).filter(|id| !id.is_empty()), name: name.into(), args }
    }

    /// The raw arguments, when they were not a JSON object.
    pub fn unparsed(&self) -> Option<&str> {
        match self.args.get(Self::UNPARSED) {
            Some(Value::String(text)) if self.args.len() == 1 => Some(text),
            _ => None,
        }
    }

    fn from_value(value: Value) -> Result<Self, String> {
        let Value::Object(mut call) = value else {
            return Err(format!("expected a tool call with `name` and `args`, found {value}"));
        };
        let id = ["call_id", "id"].iter().find_map(|key| Some(call.get(*key)?.as_str()?.to_owned()));
        if let Some(Value::Object(function)) = call.remove("function") {
            call = function;
        }
        let Some(Value::String(name)) = call.remove("name") else {
            return Err("a tool call lacks `name`".into());
        };
        let args = ["args", "arguments", "parameters", "input"].iter().find_map(|key| call.remove(*key));
        let args = match args {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(args)) => args,
            Some(Value::String(text)) if text.trim().is_empty() => Map::new(),
            Some(Value::String(text)) => {
                read::<Map<String, Value>>(Raw::json(&text), &ReadOptions::default())
                    .map_err(|e| format!("the arguments of `{name}`: {e}"))?
                    .value
            }
            Some(other) => return Err(format!("the arguments of `{name}` are no object: {other}")),
        };
        Ok(Self { id, name, args })
    }
}

impl<'de> Deserialize<'de> for ToolCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for ToolCall {
    fn schema_name() -> Cow<'static, str> {
        "ToolCall".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "name": { "type": "string" }, "args": { "type": "object" } },
            "required": ["name", "args"],
            KIND_KEY: "tool_call",
        })
    }
}

/// The tool calls that a model asks for, as an output field.
///
/// It is written as `{"tool_calls": […]}`, and read from that, from a list, and from a single call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolCalls(pub Vec<ToolCall>);

impl Deref for ToolCalls {
    type Target = [ToolCall];
    fn deref(&self) -> &[ToolCall] {
        &self.0
    }
}

impl From<Vec<ToolCall>> for ToolCalls {
    fn from(calls: Vec<ToolCall>) -> Self {
        Self(calls)
    }
}

impl FromIterator<ToolCall> for ToolCalls {
    fn from_iter<I: IntoIterator<Item = ToolCall>>(calls: I) -> Self {
        Self(calls.into_iter().collect())
    }
}

impl IntoIterator for ToolCalls {
    type Item = ToolCall;
    type IntoIter = std::vec::IntoIter<ToolCall>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for ToolCalls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ToolCalls", 1)?;
        object.serialize_field("tool_calls", &self.0)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for ToolCalls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            // Calls in the middle of a text: only a reader that is asked for an object looks for one.
            Value::String(text) => read::<Map<String, Value>>(Raw::text(&text), &ReadOptions::default())
                .map(|reading| Value::Object(reading.value))
                .or_else(|_| {
                    read::<Vec<Value>>(Raw::text(&text), &ReadOptions::default())
                        .map(|reading| Value::Array(reading.value))
                })
                .map_err(de::Error::custom)?,
            other => other,
        };
        let calls = match value {
            Value::Array(calls) => calls,
            Value::Object(mut object) => match object.remove("tool_calls") {
                Some(Value::Array(calls)) => calls,
                Some(Value::Null) => Vec::new(),
                Some(call) => vec![call],
                None => vec![Value::Object(object)],
            },
            Value::Null => Vec::new(),
            other => {
                return Err(de::Error::custom(format!(
                    "expected an object with `tool_calls`, found {other}"
                )));
            }
        };
        calls
            .into_iter()
            .map(ToolCall::from_value)
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for ToolCalls {
    fn schema_name() -> Cow<'static, str> {
        "ToolCalls".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "tool_calls": { "type": "array", "items": ToolCall::json_schema(generator) } },
            "required": ["tool_calls"],
            KIND_KEY: "tool_calls",
        })
    }
}
