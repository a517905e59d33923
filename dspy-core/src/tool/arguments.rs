//! Arguments of a call: read by their types, all mistakes at once.

use std::{any::type_name, fmt::Display};

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    signature::dedented,
    value::{
        Raw, ReadError, ReadOptions, ToolCall,
        erased::{Slot, Write, read_missing, read_slot, tree, without_own_patterns},
    },
};

/// The arguments of a call. They are taken one by one, and [`done`](Self::done) tells what was wrong with any.
#[derive(Debug)]
pub struct Arguments {
    given: Map<String, Value>,
    mistakes: Vec<String>,
}

/// Why a tool gave no result, without its name.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolFailure {
    /// The arguments are not its own.
    Arguments(String),
    /// It returned an error.
    Failed(String),
    /// It panicked.
    Panicked(String),
}

/// The requirements on an argument of a tool.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a tool",
    label = "not an argument type",
    note = "mark your own type with `#[dspy::value]`, which derives `Deserialize` and `JsonSchema` among others",
    note = "an argument owns its value: `String` instead of `&str`, `Vec<T>` instead of `&[T]`"
)]
pub trait ToolArgument: DeserializeOwned + JsonSchema + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema + Send + 'static> ToolArgument for T {}

/// The requirements on the result of a tool.
#[diagnostic::on_unimplemented(
    message = "a tool cannot return `{Self}`",
    label = "not a result of a tool",
    note = "return a value that implements `serde::Serialize`, such as a `String`, or a `Result` of one whose error can be shown with `Display`",
    note = "mark your own type with `#[dspy::value]`"
)]
pub trait ToolOutput: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> ToolOutput for T {}

/// The requirements on the error of a tool.
#[diagnostic::on_unimplemented(
    message = "a tool cannot fail with `{Self}`",
    label = "the model is told of an error by its `Display`",
    note = "implement or derive `std::fmt::Display` for it, or return a `String` or a `dspy::Error` in its place"
)]
pub trait ToolFault: Display {}

#[diagnostic::do_not_recommend]
impl<T: Display> ToolFault for T {}

/// The requirements on a type whose methods are tools.
#[diagnostic::on_unimplemented(
    message = "the methods of `{Self}` cannot be tools",
    label = "cannot be shared between threads",
    note = "agents call tools from several threads: put what changes into a `Mutex` or an atomic in place of a `Cell` or \
            `RefCell`, and share by `Arc` in place of `Rc`"
)]
pub trait ToolOwner: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> ToolOwner for T {}

/// A place for an argument of any type.
trait Place: for<'de> Slot<'de> {}

impl<T: DeserializeOwned> Place for Option<T> {}

impl Arguments {
    /// The arguments of a call, as the model gave them.
    pub fn new(given: Map<String, Value>) -> Self {
        Self { given, mistakes: Vec::new() }
    }

    /// Takes an argument. `None` when it is missing or not of its type, which is noted.
    pub fn take<T: ToolArgument>(&mut self, name: &str) -> Option<T> {
        let mut slot = None::<T>;
        let read = match self.find(name) {
            Some(value) => self.read(name, &value, &mut slot, type_name::<T>()),
            None => self.absent(name, &mut slot, type_name::<T>()),
        };
        if read { slot } else { None }
    }

    /// Takes an argument; in place of one that is missing or null, the default.
    pub fn take_or<T: ToolArgument>(&mut self, name: &str, default: impl FnOnce() -> T) -> Option<T> {
        let mut slot = None::<T>;
        match self.find(name).filter(|value| !value.is_null()) {
            Some(value) => match self.read(name, &value, &mut slot, type_name::<T>()) {
                true => slot,
                false => None,
            },
            None => Some(default()),
        }
    }

    /// Takes all arguments as one struct.
    pub(super) fn whole<T: DeserializeOwned>(self) -> Result<T, ToolFailure> {
        let mut slot = None::<T>;
        let read = self.read_whole(&mut slot, type_name::<T>());
        read.and_then(|()| slot.ok_or_else(|| ToolFailure::Arguments("they cannot be read".into())))
    }

    /// That all arguments were taken and could be read.
    ///
    /// # Errors
    /// [`ToolFailure::Arguments`] with every mistake.
    pub fn done(mut self) -> Result<(), ToolFailure> {
        for (name, value) in &self.given {
            match name.as_str() {
                ToolCall::UNPARSED => self.mistakes.insert(
                    0,
                    format!(
                        "the arguments are no JSON object: {}",
                        crate::error::shorten(text_of(value), 200)
                    ),
                ),
                name if !value.is_null() => self.mistakes.push(format!("there is no argument `{name}`")),
                _ => {}
            }
        }
        match self.mistakes.is_empty() {
            true => Ok(()),
            false => Err(ToolFailure::Arguments(self.mistakes.join("; "))),
        }
    }

    /// All arguments, as they are.
    pub(super) fn into_given(self) -> Map<String, Value> {
        self.given
    }

    /// The argument of this name; of a name that differs in case and underscores only, when there is just one.
    fn find(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.given.shift_remove(name) {
            return Some(value);
        }
        let mut near = self.given.keys().filter(|key| plain(key) == plain(name));
        let key = near.next().filter(|_| near.next().is_none()).cloned();
        if let Some(key) = key {
            return self.given.shift_remove(&key);
        }
        None
    }

    fn read(&mut self, name: &str, value: &Value, slot: &mut dyn Place, kind: &'static str) -> bool {
        let read = read_value(value, slot, kind);
        read.map_err(|error| self.mistakes.push(format!("`{name}`: {error}"))).is_ok()
    }

    fn absent(&mut self, name: &str, slot: &mut dyn Place, kind: &'static str) -> bool {
        if read_missing(slot, kind) {
            return true;
        }
        if !self.given.contains_key(ToolCall::UNPARSED) {
            self.mistakes.push(format!("`{name}` is missing"));
        }
        false
    }

    fn read_whole(self, slot: &mut dyn Place, kind: &'static str) -> Result<(), ToolFailure> {
        let wrong = |error: ReadError| ToolFailure::Arguments(error.to_string());
        read_value(&Value::Object(self.given), slot, kind).map_err(wrong)
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A name without what models get wrong about names.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Reads what a model gave for an argument: JSON, or text that stands for what the type wants.
fn read_value(value: &Value, slot: &mut dyn Place, kind: &'static str) -> Result<(), ReadError> {
    let options = ReadOptions::default();
    let strict = read_slot(slot, kind, Raw::json(&value.to_string()), &options).map(drop);
    let Err(error) = strict else { return Ok(()) };
    match value {
        // A value that the model wrote as the text of itself: `"[1, 2]"`, `"3 km"`.
        Value::String(text) => read_slot(slot, kind, Raw::text(text), &options).map(drop).map_err(|_| error),
        _ => Err(error),
    }
}

/// What is known of one argument.
#[derive(Debug)]
pub struct ToolArg {
    name: &'static str,
    docs: String,
    schema: fn(&mut SchemaGenerator) -> Schema,
    optional: bool,
    default: Option<Value>,
}

impl ToolArg {
    /// An argument of this name, with what is said of it.
    pub fn new<T: ToolArgument>(name: &'static str, docs: &str) -> Self {
        Self {
            name,
            docs: dedented(docs),
            schema: SchemaGenerator::subschema_for::<T>,
            optional: read_missing(&mut None::<T>, type_name::<T>()),
            default: None,
        }
    }

    /// Sets what stands for it when it is missing.
    #[must_use]
    pub fn default<T: Serialize>(mut self, value: &T) -> Self {
        self.optional = true;
        self.default = to_json(&value).ok();
        self
    }
}

/// The JSON Schema of these arguments.
pub(crate) fn parameters(arguments: Vec<ToolArg>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for argument in arguments {
        let schema = without_own_patterns((argument.schema)(&mut generator));
        let mut schema = schema.to_value();
        if let Value::Bool(_) = schema {
            schema = json!({});
        }
        if let Value::Object(schema) = &mut schema {
            if !argument.docs.is_empty() {
                schema.insert("description".into(), argument.docs.into());
            }
            if let Some(default) = argument.default {
                schema.insert("default".into(), default);
            }
        }
        properties.insert(argument.name.into(), schema);
        if !argument.optional {
            required.push(Value::from(argument.name));
        }
    }
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = required.into();
    }
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        object["$defs"] = definitions.into();
    }
    object
}

/// The JSON Schema of the fields of a struct, as the arguments of a tool.
pub(super) fn struct_parameters<T: JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = without_own_patterns(schema).to_value();
    if let Value::Object(schema) = &mut schema {
        for key in ["$schema", "title", "description"] {
            schema.remove(key);
        }
    }
    schema
}

/// What a function gave.
pub(super) fn outcome<T: Serialize, E: Display>(result: Result<T, E>) -> Result<Value, ToolFailure> {
    match result {
        Ok(value) => to_json(&&value),
        Err(error) => Err(failed(&error)),
    }
}

pub(crate) fn failed(error: &dyn Display) -> ToolFailure {
    ToolFailure::Failed(error.to_string())
}

/// A result as JSON.
pub(crate) fn to_json(value: &dyn Write) -> Result<Value, ToolFailure> {
    tree(value).map_err(|e| ToolFailure::Failed(format!("its result cannot be written as JSON: {e}")))
}
