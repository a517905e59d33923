//! How a type is told to the model (placeholder: JSON Schema).

use schemars::{JsonSchema, Schema};

/// What the library needs to know of a field's type: how to show it, and its schema.
#[derive(Clone, Copy)]
pub struct TypeInfo {
    name: fn() -> String,
    schema: fn() -> Schema,
}

impl TypeInfo {
    /// The type `T`.
    pub const fn of<T: JsonSchema>() -> Self {
        Self { name: || T::schema_name().into_owned(), schema: || schemars::schema_for!(T) }
    }
    /// Its JSON Schema.
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }
    /// Whether a value is plain text.
    pub fn is_text(&self) -> bool {
        self.name() == "string"
    }
    /// Its short name.
    pub fn name(&self) -> String {
        (self.name)()
    }
}

/// A compact sketch of a schema for a prompt; empty for plain text.
pub fn hint(schema: &Schema) -> String {
    serde_json::to_string(schema).unwrap_or_default()
}

impl std::fmt::Debug for TypeInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}
