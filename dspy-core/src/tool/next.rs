//! What an agent does next, as fields of a signature.

use std::sync::Arc;

use schemars::{Schema, json_schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use crate::{
    lm::{Choice, Replay},
    signature::{Field, FieldReader},
    value::{
        Coercion, CoercionKind, DynTypeInfo, Raw, ReadError, ReadOptions, Reading, ToolCall, TypeInfo, read,
    },
};

/// The input that holds the steps so far.
pub(crate) const TRAJECTORY: &str = "trajectory";
/// The output that holds the thought.
pub(crate) const THOUGHT: &str = "next_thought";
/// The output that names the tool.
pub(crate) const TOOL: &str = "next_tool_name";
/// The output that holds the arguments.
pub(crate) const ARGUMENTS: &str = "next_tool_args";

/// What an agent does next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NextStep {
    /// What the model thinks before.
    pub thought: String,
    /// The calls; more than one when the model makes several at once.
    pub calls: Vec<ToolCall>,
    /// The answer as its provider wants it back with the results, if it does.
    pub replay: Option<Arc<Replay>>,
}

impl NextStep {
    /// Adds what an answer with native calls has besides: their ids, and what its provider wants back.
    pub(crate) fn answered(&mut self, choice: &Choice) {
        let same = |(own, call): (&ToolCall, &ToolCall)| own.name == call.name;
        if self.calls.len() != choice.tool_calls.len() || !self.calls.iter().zip(&choice.tool_calls).all(same)
        {
            return;
        }
        for (own, call) in self.calls.iter_mut().zip(&choice.tool_calls) {
            own.id.clone_from(&call.id);
        }
        self.replay.clone_from(&choice.replay);
    }

    /// The outputs of a step; the types of the calls are those of these tools.
    pub(crate) fn fields(tools: &[String]) -> [Field; 3] {
        let no_arguments = || json!({});
        [
            Field::output(THOUGHT, TypeInfo::of::<String>()).default_value(""),
            Field::output(TOOL, tool_names(tools)),
            Field::output(ARGUMENTS, TypeInfo::dynamic(ToolArguments)).default_value(no_arguments()),
        ]
    }

    /// Reads the outputs of a step.
    pub(crate) fn read(reader: &mut FieldReader<'_>) -> Option<Self> {
        let (thought, names, arguments) =
            (reader.value(THOUGHT), reader.value(TOOL), reader.value(ARGUMENTS));
        let thought = match thought? {
            Value::String(thought) => thought,
            other => other.to_string(),
        };
        let object = |value: Value| match value {
            Value::Object(arguments) => arguments,
            Value::Null => Map::new(),
            other => unparsed(other.to_string()),
        };
        let calls = match (names?, arguments?) {
            (Value::Array(names), arguments) => {
                let mut arguments = match arguments {
                    Value::Array(arguments) => arguments,
                    one => vec![one],
                }
                .into_iter();
                let call = |name: Value| {
                    let arguments = arguments.next().unwrap_or_default();
                    Some(ToolCall::new(name.as_str()?, object(arguments)))
                };
                names.into_iter().filter_map(call).collect()
            }
            (Value::String(name), Value::Array(mut one)) if one.len() == 1 => {
                vec![ToolCall::new(name, object(one.remove(0)))]
            }
            (Value::String(name), arguments) => vec![ToolCall::new(name, object(arguments))],
            (name, arguments) => vec![ToolCall::new(name.to_string(), object(arguments))],
        };
        Some(Self { thought, calls, replay: None })
    }
}

/// As the outputs of a step; of several calls, the names and the arguments as lists.
impl Serialize for NextStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry(THOUGHT, &self.thought)?;
        match &self.calls[..] {
            [call] => {
                map.serialize_entry(TOOL, &call.name)?;
                map.serialize_entry(ARGUMENTS, &call.args)?;
            }
            calls => {
                map.serialize_entry(TOOL, &calls.iter().map(|call| &call.name).collect::<Vec<_>>())?;
                map.serialize_entry(ARGUMENTS, &calls.iter().map(|call| &call.args).collect::<Vec<_>>())?;
            }
        }
        map.end()
    }
}

/// Arguments that are no JSON object.
pub(crate) fn unparsed(text: String) -> Map<String, Value> {
    Map::from_iter([(ToolCall::UNPARSED.to_owned(), Value::String(text))])
}

/// The type of a field with the name of a tool.
pub(crate) fn tool_names(names: &[String]) -> TypeInfo {
    TypeInfo::dynamic(ToolName(names.into()))
}

/// The name of one of these tools. Other names are read, too: the model is told when it has called one.
struct ToolName(Arc<[String]>);

impl DynTypeInfo for ToolName {
    fn name(&self) -> String {
        "ToolName".into()
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "string", "enum": &*self.0 })
    }

    fn read(&self, raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<Value>, ReadError> {
        let trimmed = raw.text.trim();
        if trimmed.starts_with('[')
            && let Ok(names) = read::<Vec<String>>(raw, options)
        {
            return Ok(Reading { value: names.value.into(), coercions: names.coercions });
        }
        let found = read::<String>(raw, options)?;
        let quotes: &[char] = &['`', '"', '\'', '*', '.', ' '];
        // A name stands on one line; what follows is none of it.
        let name =
            found.value.lines().map(|line| line.trim().trim_matches(quotes)).find(|line| !line.is_empty());
        match name {
            Some(name) => Ok(Reading { value: name.into(), coercions: found.coercions }),
            None => Err(ReadError::new(format!("one of {}", self.0.join(", ")), raw.text)),
        }
    }

    fn check(&self, value: &Value) -> Result<(), ReadError> {
        let text = value.is_string();
        let texts = || value.as_array().is_some_and(|names| names.iter().all(Value::is_string));
        match text || texts() {
            true => Ok(()),
            false => Err(ReadError::new("the name of a tool", &value.to_string())),
        }
    }
}

/// The arguments of a call, or of several. Text that is no object is kept: the tool says what it wants instead.
struct ToolArguments;

impl DynTypeInfo for ToolArguments {
    fn name(&self) -> String {
        "ToolArguments".into()
    }

    fn schema(&self) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }

    fn read(&self, raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<Value>, ReadError> {
        let (value, coercions) = read_arguments(raw, options);
        Ok(Reading { value, coercions })
    }

    fn check(&self, value: &Value) -> Result<(), ReadError> {
        let objects = || value.as_array().is_some_and(|all| all.iter().all(Value::is_object));
        match value.is_object() || objects() {
            true => Ok(()),
            false => Err(ReadError::new("the arguments of a tool", &value.to_string())),
        }
    }
}

fn read_arguments(raw: Raw<'_>, options: &ReadOptions) -> (Value, Vec<Coercion>) {
    if raw.text.trim().is_empty() {
        return (json!({}), Vec::new());
    }
    if raw.text.trim_start().starts_with('[')
        && let Ok(several) = read::<Vec<Map<String, Value>>>(raw, options)
    {
        let several = several.value.into_iter().map(reread).collect();
        return (several, Vec::new());
    }
    match read::<Map<String, Value>>(raw, options) {
        Ok(one) => (reread(one.value), one.coercions),
        Err(_) if matches!(raw.text.trim(), "null" | "None" | "none" | "\"\"") => (json!({}), Vec::new()),
        Err(_) => (unparsed(raw.text.to_owned()).into(), Vec::new()),
    }
}

/// Arguments that a client could not parse, read as tolerantly as answers are; but a call whose arguments break off must not
/// be made with what there is of them.
fn reread(arguments: Map<String, Value>) -> Value {
    let text = match arguments.get(ToolCall::UNPARSED) {
        Some(Value::String(text)) if arguments.len() == 1 => text,
        _ => return arguments.into(),
    };
    let whole = ReadOptions::default().refuse([CoercionKind::CutOff, CoercionKind::CutText]);
    match read::<Map<String, Value>>(Raw::json(text), &whole) {
        Ok(read) => read.value.into(),
        Err(_) => arguments.into(),
    }
}
