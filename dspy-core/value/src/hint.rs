//! How a type is told to the model.

mod notes;
mod plain;
mod sketch;
mod strict;

use schemars::Schema;
use serde_json::Value;

pub(crate) use self::notes::is_natural_bound;
pub use self::strict::{strict_object, strict_schema};

/// How types are shown in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HintStyle {
    /// A sketch in the manner of TypeScript, with descriptions and constraints as comments: a fraction of the tokens
    /// of a JSON Schema.
    #[default]
    Sketch,
    /// The JSON Schema on one line, without what only tools need.
    JsonSchema,
}

/// A compact sketch of a type for a prompt; empty for plain text.
///
/// ```
/// # use dspy_value::hint;
/// #[derive(schemars::JsonSchema)]
/// struct Person {
///     /// full name
///     name: String,
///     age: Option<u8>,
///     tags: Vec<String>,
/// }
/// assert_eq!(hint(&schemars::schema_for!(Person)), "{\n name: string // full name\n age?: int\n tags: string[]\n}");
/// ```
pub fn hint(schema: &Schema) -> String {
    sketch::sketch(schema.as_value())
}

/// A type for a prompt in one of the styles; empty for plain text.
pub fn hint_with(schema: &Schema, style: HintStyle) -> String {
    match style {
        HintStyle::Sketch => hint(schema),
        HintStyle::JsonSchema if hint(schema).is_empty() => String::new(),
        HintStyle::JsonSchema => plain::plain(schema.as_value()).to_string(),
    }
}

/// The schema that a reference points to, and the name under which it stands; the root for `#`.
fn resolve<'a>(root: &'a Value, reference: &str) -> Option<(String, &'a Value)> {
    let pointer = reference.strip_prefix('#')?;
    let target = root.pointer(pointer)?;
    let name = match pointer.rsplit('/').next() {
        Some("") | None => target.get("title").and_then(Value::as_str).unwrap_or("Self").to_owned(),
        Some(name) => name.replace("~1", "/").replace("~0", "~"),
    };
    Some((name, target))
}

/// The texts that a type consists of, when it is a choice of texts and nothing else.
pub fn choices(schema: &Schema) -> Option<Vec<String>> {
    fn collect(root: &Value, node: &Value, depth: usize, out: &mut Vec<String>) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if let Some(reference) = node.get("$ref").and_then(Value::as_str) {
            return collect(root, resolve(root, reference)?.1, depth, out);
        }
        if let Some(value) = node.get("const") {
            out.push(value.as_str()?.to_owned());
            return Some(());
        }
        if let Some(values) = node.get("enum").and_then(Value::as_array) {
            return values.iter().try_for_each(|value| {
                out.push(value.as_str()?.to_owned());
                Some(())
            });
        }
        let variants = ["oneOf", "anyOf"].iter().find_map(|key| node.get(*key)?.as_array())?;
        variants.iter().try_for_each(|variant| collect(root, variant, depth, out))
    }
    let mut out = Vec::new();
    collect(schema.as_value(), schema.as_value(), 16, &mut out)?;
    (!out.is_empty()).then_some(out)
}

/// Whether the schema allows `null` beside other values.
pub(crate) fn is_nullable(node: &Value) -> bool {
    let is_null = |t: &Value| t == "null";
    match node.get("type") {
        Some(Value::Array(types)) if types.iter().any(is_null) => return true,
        Some(t) if is_null(t) => return true,
        _ => {}
    }
    ["anyOf", "oneOf"].iter().any(|key| {
        node.get(*key).and_then(Value::as_array).is_some_and(|variants| variants.iter().any(is_nullable))
    }) || node.get("enum").and_then(Value::as_array).is_some_and(|values| values.contains(&Value::Null))
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
