//! What the library knows of a field's type.

use std::{borrow::Cow, cell::Cell, fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Coercion, Content, Raw, ReadError, ReadOptions, Reading,
    de::{Slot, read_slot},
    foreign::without_own_patterns,
    hint::is_nullable,
    read,
    ser::{Write, WriteError, Writer, answer_tree, saved_tree, tree, write_output_value, write_value},
    types::{KIND_KEY, LANGUAGE_KEY, has_marks},
};

/// What sort of type a field has, as far as prompts and adapters treat it differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Free text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Program text in the named language.
    Code(String),
    /// The thinking before the answer, which some models return apart from it.
    Reasoning,
    /// Earlier turns, which become messages.
    History,
    /// An image, a sound, a file or a document.
    Media,
    /// Places of documents, which some providers return apart from the answer.
    Citations,
    /// One tool call or several, which some models return apart from the answer.
    ToolCalls,
    /// One tool or several, which some models take apart from the prompt.
    Tools,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of the type with this schema; that of `T` for an `Option<T>`.
    pub fn of(schema: &Schema) -> Self {
        kind_of(schema.as_value(), schema.as_value(), 16)
    }

    /// Whether this is the schema of a [`Document`](crate::Document).
    pub fn is_document(schema: &Value) -> bool {
        schema.get(KIND_KEY).is_some_and(|kind| kind == "document")
    }
}

/// Looks through at most `depth` references: those of a schema that arrived as data may go in a circle.
fn kind_of(root: &Value, node: &Value, depth: usize) -> Kind {
    let Some(depth) = depth.checked_sub(1) else { return Kind::Other };
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    match text(KIND_KEY) {
        Some("code") => return Kind::Code(text(LANGUAGE_KEY).unwrap_or_default().to_owned()),
        Some("reasoning") => return Kind::Reasoning,
        Some("history") => return Kind::History,
        Some("image" | "audio" | "file" | "document") => return Kind::Media,
        Some("citations") => return Kind::Citations,
        Some("tool_call" | "tool_calls") => return Kind::ToolCalls,
        Some("tool") => return Kind::Tools,
        _ => {}
    }
    if node.get("enum").is_some() || node.get("const").is_some() {
        return Kind::Other;
    }
    if let Some(target) = text("$ref").and_then(|r| r.strip_prefix('#')).and_then(|r| root.pointer(r)) {
        return kind_of(root, target, depth);
    }
    let not_null = |of: &&Value| of.get("type").unwrap_or(of) != "null";
    if let Some(Value::Array(parts)) = node.get("anyOf") {
        let mut parts = parts.iter().filter(not_null);
        return match (parts.next(), parts.next()) {
            (Some(only), None) => kind_of(root, only, depth),
            _ => Kind::Other,
        };
    }
    let name = match node.get("type") {
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter(not_null);
            names.next().filter(|_| names.next().is_none())
        }
        other => other,
    };
    match name.and_then(Value::as_str) {
        Some("string") => Kind::Text,
        Some("boolean") => Kind::Bool,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("array") => match node.get("items").map(|items| kind_of(root, items, depth)) {
            Some(Kind::Tools) => Kind::Tools,
            Some(Kind::ToolCalls) => Kind::ToolCalls,
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

/// A type that is known only at run time.
///
/// What is not overridden treats values as the JSON they are.
pub trait DynTypeInfo: Send + Sync {
    /// Its short name.
    fn name(&self) -> String;

    /// Its JSON Schema.
    fn schema(&self) -> Schema;

    /// Its kind.
    fn kind(&self) -> Kind {
        Kind::of(&self.schema())
    }

    /// Writes a value as an input.
    fn write_input(&self, value: &Value, out: &mut Content) {
        write_untyped(value, out, write_value);
    }

    /// Writes a value as an output.
    fn write_output(&self, value: &Value, out: &mut Content) {
        write_untyped(value, out, write_output_value);
    }

    /// An output as a member of the JSON object that an answer is.
    fn to_answer(&self, value: &Value) -> Value {
        value.clone()
    }

    /// A value as a saved program holds it: media in DSPy's marks.
    fn to_saved(&self, value: &Value) -> Value {
        value.clone()
    }

    /// Reads a value from a raw piece of an answer.
    ///
    /// # Errors
    /// [`ReadError`] when the text holds no such value.
    fn read(&self, raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<Value>, ReadError> {
        let reading = read::<Value>(raw, options)?;
        self.check(&reading.value)?;
        Ok(reading)
    }

    /// Whether a value is one of the type.
    ///
    /// # Errors
    /// [`ReadError`] tells what does not fit.
    fn check(&self, value: &Value) -> Result<(), ReadError>;
}

/// What the library needs to know of a field's type: its name, its schema, and how its values are written and checked.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct TypeInfo(Inner);

#[derive(Clone)]
enum Inner {
    Static(&'static Functions),
    Dyn(Arc<dyn DynTypeInfo>),
}

/// What is done with a place for a value of a type.
type Work<'w> = &'w mut dyn FnMut(&mut dyn Held);

/// What is made for each type: little, and the rest is done through it.
struct Functions {
    kind: fn() -> &'static str,
    name: fn() -> Cow<'static, str>,
    id: fn() -> Cow<'static, str>,
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// Lends a place for a value of the type.
    hold: fn(Work<'_>),
}

/// A place for a value of a type: it is read into, and what was read is written.
trait Held: for<'de> Slot<'de> + Write {}

impl<T: Serialize + DeserializeOwned> Held for Option<T> {}

// The value that is in it: there is one by then.
impl<T: Serialize> Write for Option<T> {
    fn write(&self, to: Writer<'_, '_>) -> Result<(), WriteError> {
        match self {
            Some(value) => value.serialize(to),
            None => Ok(()),
        }
    }
}

fn hold<T: Serialize + DeserializeOwned>(with: &mut dyn FnMut(&mut dyn Held)) {
    with(&mut None::<T>);
}

struct Of<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema + Serialize + DeserializeOwned> Of<T> {
    const FUNCTIONS: Functions = Functions {
        kind: std::any::type_name::<T>,
        name: T::schema_name,
        id: T::schema_id,
        schema: T::json_schema,
        hold: hold::<T>,
    };
}

thread_local! {
    /// The type whose schema is being made.
    static ROOT: Cell<Option<&'static Functions>> = const { Cell::new(None) };
}

/// The type whose schema is being made, whichever it is: what `schemars` does around it is compiled once.
struct Root;

impl Root {
    fn with<R>(of: impl FnOnce(&Functions) -> R, none: impl FnOnce() -> R) -> R {
        ROOT.get().map_or_else(none, of)
    }
}

impl JsonSchema for Root {
    fn schema_name() -> Cow<'static, str> {
        Self::with(|of| (of.name)(), || "Root".into())
    }

    fn schema_id() -> Cow<'static, str> {
        Self::with(|of| (of.id)(), || "Root".into())
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Self::with(|of| (of.schema)(generator), Schema::default)
    }
}

impl Functions {
    fn schema(&'static self) -> Schema {
        // A schema may be asked for while another one is made.
        let outer = ROOT.replace(Some(self));
        let schema = SchemaGenerator::default().into_root_schema_for::<Root>();
        ROOT.set(outer);
        without_own_patterns(schema)
    }

    /// Reads a value and lends it to `then`.
    fn read(
        &self,
        raw: Raw<'_>,
        options: &ReadOptions,
        then: &mut dyn FnMut(&dyn Write),
    ) -> Result<Vec<Coercion>, ReadError> {
        let mut result = Ok(Vec::new());
        (self.hold)(&mut |held| {
            result = read_slot(held, (self.kind)(), raw, options);
            if result.is_ok() {
                then(held);
            }
        });
        result
    }

    /// Writes a value as its type is written; as the JSON it is where it is none of the type.
    fn write(&self, value: &Value, out: &mut Content, with: WriteValue) {
        let mut done = false;
        let text = value.to_string();
        let _ = self.read(Raw::json(&text), &ReadOptions::written(), &mut |typed| {
            done = with(typed, out).is_ok();
        });
        if !done {
            write_untyped(value, out, with);
        }
    }

    /// A value in another JSON form. One that the form does not change, or that is none of the type, stays as it is.
    fn rewritten(&self, value: &Value, form: fn(&dyn Write) -> Result<Value, WriteError>) -> Value {
        let (mut own, mut other) = (None, None);
        let _ = self.read(Raw::json(&value.to_string()), &ReadOptions::written(), &mut |typed| {
            (own, other) = (tree(typed).ok(), form(typed).ok());
        });
        match other {
            Some(other) if own.as_ref() != Some(&other) => other,
            _ => value.clone(),
        }
    }
}

type WriteValue = fn(&dyn Write, &mut Content) -> Result<(), WriteError>;

/// Writes JSON as it is. Numbers of a tree are finite and its keys are texts, so this does not fail.
fn write_untyped(value: &Value, out: &mut Content, with: WriteValue) {
    let _ = with(&value, out);
}

impl TypeInfo {
    /// The type `T`.
    pub const fn of<T: JsonSchema + Serialize + DeserializeOwned>() -> Self {
        Self(Inner::Static(&Of::<T>::FUNCTIONS))
    }

    /// A type that is known only at run time.
    pub fn dynamic(info: impl DynTypeInfo + 'static) -> Self {
        Self(Inner::Dyn(Arc::new(info)))
    }

    /// Its short name.
    pub fn name(&self) -> String {
        match &self.0 {
            Inner::Static(of) => (of.name)().into_owned(),
            Inner::Dyn(of) => of.name(),
        }
    }

    /// Its JSON Schema, made anew at each call: keep it where it is needed often.
    pub fn schema(&self) -> Schema {
        match &self.0 {
            Inner::Static(of) => of.schema(),
            Inner::Dyn(of) => of.schema(),
        }
    }

    /// Its kind, from its schema.
    pub fn kind(&self) -> Kind {
        match &self.0 {
            Inner::Static(of) => Kind::of(&of.schema()),
            Inner::Dyn(of) => of.kind(),
        }
    }

    /// Whether a value is free text, which needs no hint and no JSON.
    pub fn is_text(&self) -> bool {
        matches!(self.kind(), Kind::Text | Kind::Reasoning)
    }

    /// Whether a value may be missing, as for an `Option`.
    pub fn is_optional(&self) -> bool {
        is_nullable(self.schema().as_value())
    }

    /// Writes a JSON value, as it is kept in a demonstration, like an input of this type. A value that is none of
    /// the type is written as the JSON it is.
    pub fn write_input(&self, value: &Value, out: &mut Content) {
        match &self.0 {
            Inner::Static(of) => of.write(value, out, write_value),
            Inner::Dyn(of) => of.write_input(value, out),
        }
    }

    /// Writes a JSON value, as it is kept in a demonstration, like an output of this type. A value that is none of
    /// the type is written as the JSON it is.
    ///
    /// A text that would be read as something else, such as `42` where any JSON may stand, is written as a JSON string.
    pub fn write_output(&self, value: &Value, out: &mut Content) {
        let start = out.mark();
        match &self.0 {
            Inner::Static(of) => of.write(value, out, write_output_value),
            Inner::Dyn(of) => of.write_output(value, out),
        }
        if value.is_string() && !self.reads_as(&out.text()[start.0..], value) {
            let quoted = value.to_string();
            if self.reads_as(&quoted, value) {
                out.rewind(start);
                out.push_str(&quoted);
            }
        }
    }

    /// Whether a text of a model is read as this value.
    fn reads_as(&self, text: &str, value: &Value) -> bool {
        self.read(Raw::text(text), &ReadOptions::default()).is_ok_and(|reading| reading.value == *value)
    }

    /// A JSON value, as it is kept in a demonstration, as a member of the JSON object that an answer is: as it is, but
    /// program text that would be taken for a fence stands in one.
    pub fn to_answer(&self, value: &Value) -> Value {
        match &self.0 {
            Inner::Static(of) => of.rewritten(value, answer_tree),
            Inner::Dyn(of) => of.to_answer(value),
        }
    }

    /// A JSON value, as it is kept in a demonstration, in the form in which a saved program holds it: the media in it
    /// become the marked texts that DSPy reads. A value without media, and one that is none of the type, stays as it
    /// is.
    pub fn to_saved(&self, value: &Value) -> Value {
        match &self.0 {
            Inner::Static(of) => of.rewritten(value, saved_tree),
            Inner::Dyn(of) => of.to_saved(value),
        }
    }

    /// A value that a saved program holds in the form in which demonstrations keep it: media in DSPy's marks become
    /// their plain objects. A value without marks, and one that is none of the type, stays as it is.
    pub fn from_saved(&self, value: &Value) -> Value {
        if !has_marks(value) {
            return value.clone();
        }
        let read = self.read(Raw::json(&value.to_string()), &ReadOptions::written());
        read.map_or_else(|_| value.clone(), |reading| reading.value)
    }

    /// Whether a JSON value is one of this type.
    ///
    /// # Errors
    /// [`ReadError`] tells what does not fit.
    pub fn check(&self, value: &Value) -> Result<(), ReadError> {
        match &self.0 {
            Inner::Static(of) => {
                of.read(Raw::json(&value.to_string()), &ReadOptions::written(), &mut |_| {}).map(drop)
            }
            Inner::Dyn(of) => of.check(value),
        }
    }

    /// Reads a value from a raw piece of a model's answer, as a field of the type is read, into the JSON in which
    /// demonstrations keep it.
    ///
    /// # Errors
    /// [`ReadError`] when the text holds no such value, or several that fit equally well.
    pub fn read(&self, raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<Value>, ReadError> {
        match &self.0 {
            Inner::Static(of) => {
                let mut written = Ok(Value::Null);
                let coercions = of.read(raw, options, &mut |held| written = tree(held))?;
                let value = written.map_err(|e| ReadError::new(e.message, "").inside(e.path))?;
                Ok(Reading { value, coercions })
            }
            Inner::Dyn(of) => of.read(raw, options),
        }
    }
}

impl fmt::Debug for TypeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypeInfo").field(&self.name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Code, History, Image, Reasoning, ToolCalls, ToolSpec, lang};

    const STATIC: TypeInfo = TypeInfo::of::<Vec<Image>>();

    #[test]
    fn kinds() {
        fn kind<T: JsonSchema + Serialize + DeserializeOwned>() -> Kind {
            TypeInfo::of::<T>().kind()
        }
        assert_eq!(kind::<String>(), Kind::Text);
        assert_eq!(kind::<Option<String>>(), Kind::Text);
        assert_eq!(kind::<bool>(), Kind::Bool);
        assert_eq!(kind::<Option<u8>>(), Kind::Integer);
        assert_eq!(kind::<f32>(), Kind::Number);
        assert_eq!(kind::<Code<lang::Sql>>(), Kind::Code("sql".into()));
        assert_eq!(kind::<Option<Reasoning>>(), Kind::Reasoning);
        assert_eq!(kind::<History>(), Kind::History);
        assert_eq!(kind::<Image>(), Kind::Media);
        assert_eq!(kind::<Vec<ToolSpec>>(), Kind::Tools);
        assert_eq!(kind::<ToolCalls>(), Kind::ToolCalls);
        assert_eq!(kind::<Vec<String>>(), Kind::Other);
        assert_eq!(kind::<Option<Image>>(), Kind::Media);
    }

    #[test]
    fn typed_values_are_written_by_their_type() {
        let mut out = Content::new();
        STATIC.write_input(&json!([{"url": "https://a.b/c.png"}]), &mut out);
        assert_eq!((out.text(), out.parts().len()), ("[1] ", 1));
        // Does not fit, so it stands as it is.
        let mut out = Content::new();
        STATIC.write_input(&json!([{"urn": "x"}]), &mut out);
        assert_eq!((out.text(), out.parts().len()), (r#"[{"urn":"x"}]"#, 0));
        assert!(STATIC.check(&json!([{"urn": "x"}])).is_err());

        let mut out = Content::new();
        TypeInfo::of::<Code<lang::Rust>>().write_output(&json!("f()"), &mut out);
        assert_eq!(out.text(), "```rust\nf()\n```");
    }

    #[test]
    fn run_time_types_need_little() {
        struct Any;
        impl DynTypeInfo for Any {
            fn name(&self) -> String {
                "any".into()
            }
            fn schema(&self) -> Schema {
                true.into()
            }
            fn check(&self, _: &Value) -> Result<(), ReadError> {
                Ok(())
            }
        }
        let info = TypeInfo::dynamic(Any);
        let mut out = Content::new();
        info.write_input(&json!(["a", "b"]), &mut out);
        assert_eq!(out.text(), "[1] a\n[2] b");
        assert_eq!((info.kind(), info.clone().name()), (Kind::Other, "any".into()));
    }
}
