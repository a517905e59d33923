//! Values by field name.

use std::{fmt, ops::Index};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    Error, Result,
    value::{read_json, write_json},
};

/// Values by field name, in the order in which they were given: the input and the output of a signature that is known
/// only at run time.
///
/// ```
/// # use dspy_core::signature::Record;
/// let input = Record::new().with("question", "How many moons has Mars?").with("most", 3);
/// assert_eq!(input.text("question"), Some("How many moons has Mars?"));
/// assert_eq!(input.get::<u8>("most")?, 3);
/// assert_eq!(input["most"], 3);
/// # Ok::<(), dspy_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Record(Map<String, Value>);

impl Record {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// The fields of a value that serialises to a map, such as a struct.
    ///
    /// # Errors
    /// [`Error::Other`] when it serialises to something else, or not at all.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        match write_json(value).map_err(Error::other)? {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(Error::other(format!(
                "a record is a map of fields, such as a struct, but this is {}",
                crate::error::shorten(&other.to_string(), 80)
            ))),
        }
    }

    /// Adds a value, or replaces the one of this name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(name, value);
        self
    }

    /// Adds a value, or replaces the one of this name, which is returned.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(name.into(), value.into())
    }

    /// The value of a field as a `T`.
    ///
    /// # Errors
    /// [`Error::Other`] names the field when there is none of this name, or when its value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let Some(value) = self.0.get(name) else {
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            return Err(Error::other(format!(
                "the record has no field `{name}`; it has {}",
                if names.is_empty() { "none".into() } else { names.join(", ") }
            )));
        };
        read_json(value).map_err(|e| Error::other(format!("the field `{name}`: {e}")))
    }

    /// The value of a field that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The value of a field as JSON.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields.
    pub fn into_fields(self) -> Map<String, Value> {
        self.0
    }
}

/// The value of a field; null when there is none of this name.
impl Index<&str> for Record {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }
}

impl From<Map<String, Value>> for Record {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

impl From<&Self> for Record {
    fn from(record: &Self) -> Self {
        record.clone()
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Record {
    fn from(fields: [(K, V); N]) -> Self {
        fields.into_iter().collect()
    }
}

/// The only field.
impl<K: Into<String>, V: Into<Value>> From<(K, V)> for Record {
    fn from(field: (K, V)) -> Self {
        [field].into()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Record {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl IntoIterator for Record {
    type Item = (String, Value);
    type IntoIter = serde_json::map::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record ")?;
        f.debug_map().entries(&self.0).finish()
    }
}
