//! How a type is told to the model (placeholder: JSON Schema).

use std::sync::Arc;

use schemars::{JsonSchema, Schema};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Raw, ReadError, ReadOptions, Reading, read, read_json, write_json};

/// A type that is known only at run time.
pub trait DynTypeInfo: Send + Sync {
    /// Its short name.
    fn name(&self) -> String;

    /// Its JSON Schema.
    fn schema(&self) -> Schema;

    /// Reads a value from a raw piece of a model's answer.
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

/// What the library needs to know of a field's type: how to show it, and its schema.
#[derive(Clone)]
pub struct TypeInfo(Inner);

#[derive(Clone)]
enum Inner {
    Static(&'static Functions),
    Dyn(Arc<dyn DynTypeInfo>),
}

struct Functions {
    name: fn() -> String,
    schema: fn() -> Schema,
    read: fn(Raw<'_>, &ReadOptions) -> Result<Reading<Value>, ReadError>,
    check: fn(&Value) -> Result<(), ReadError>,
}

struct Of<T>(std::marker::PhantomData<T>);

impl<T: JsonSchema + Serialize + DeserializeOwned> Of<T> {
    const FUNCTIONS: Functions = Functions {
        name: || T::schema_name().into_owned(),
        schema: || schemars::schema_for!(T),
        read: |raw, options| {
            let reading = read::<T>(raw, options)?;
            let value = write_json(&reading.value).map_err(|e| ReadError {
                path: String::new(),
                expected: e.to_string(),
                found: String::new(),
                offset: 0,
                nearest: Vec::new(),
            })?;
            Ok(Reading { value, coercions: reading.coercions })
        },
        check: |value| read_json::<T>(value).map(drop),
    };
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
    /// Its JSON Schema.
    pub fn schema(&self) -> Schema {
        match &self.0 {
            Inner::Static(of) => (of.schema)(),
            Inner::Dyn(of) => of.schema(),
        }
    }
    /// Whether a value is plain text.
    pub fn is_text(&self) -> bool {
        self.schema().get("type").is_some_and(|t| t == "string") && self.schema().get("enum").is_none()
    }
    /// Its short name.
    pub fn name(&self) -> String {
        match &self.0 {
            Inner::Static(of) => (of.name)(),
            Inner::Dyn(of) => of.name(),
        }
    }
    /// Reads a value from a raw piece of a model's answer, as JSON.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read(&self, raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<Value>, ReadError> {
        match &self.0 {
            Inner::Static(of) => (of.read)(raw, options),
            Inner::Dyn(of) => of.read(raw, options),
        }
    }
    /// Whether a JSON value is one of this type.
    ///
    /// # Errors
    /// [`ReadError`] tells what does not fit.
    pub fn check(&self, value: &Value) -> Result<(), ReadError> {
        match &self.0 {
            Inner::Static(of) => (of.check)(value),
            Inner::Dyn(of) => of.check(value),
        }
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
