//! How a type is told to the model.

mod node;
mod notes;
mod plain;
mod sketch;
mod strict;

use schemars::Schema;
use serde_json::Value;

use self::node::resolve;
pub use self::strict::{strict_object, strict_schema};
pub(crate) use self::{node::is_nullable, notes::is_natural_bound};

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

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
