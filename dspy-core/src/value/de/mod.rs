//! Reading values from model text (placeholder of the tolerant reader: strict JSON and plain text).

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed};

/// How a raw piece of an answer is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Free text, as between two section markers: a string field is the text itself.
    Text,
    /// A JSON value as it stood in an object: a string field is a JSON string.
    Json,
}

/// A raw piece of an answer that should hold one value.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// The text.
    pub text: &'a str,
    /// How to understand it.
    pub form: Form,
}

impl<'a> Raw<'a> {
    /// Free text.
    pub fn text(text: &'a str) -> Self {
        Self { text, form: Form::Text }
    }
    /// A JSON value.
    pub fn json(text: &'a str) -> Self {
        Self { text, form: Form::Json }
    }
}

/// How tolerant reading is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Refuse everything that needs a coercion.
    pub strict: bool,
    /// How deep values may nest.
    pub max_depth: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { strict: false, max_depth: 128 }
    }
}

/// A value together with what had to be bent to read it.
#[derive(Debug, Clone)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// The tolerances used, in the order of their use.
    pub coercions: Vec<Coercion>,
}

/// One tolerance used while reading.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Coercion {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What was bent, such as `trailing comma`.
    pub what: &'static str,
    /// How far: the reading with the smallest sum wins.
    pub cost: u32,
}

/// Text that could not be read as a value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReadError {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What was expected.
    pub expected: String,
    /// What stood there, shortened.
    pub found: String,
    /// Byte offset in the raw text.
    pub offset: usize,
    /// The names that would have fitted, nearest first.
    pub nearest: Vec<String>,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at `{}`: ", self.path)?;
        }
        write!(f, "expected {}", self.expected)?;
        if !self.found.is_empty() {
            write!(f, ", found {:?} at byte {}", self.found, self.offset)?;
        }
        if !self.nearest.is_empty() {
            write!(f, "; did the model mean {}?", self.nearest.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ReadError {}

/// Reads a `T` from a raw piece of a model's answer.
///
/// # Errors
/// [`ReadError`] when the text holds no such value, or several that fit equally well.
pub fn read<T: DeserializeOwned>(raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<T>, ReadError> {
    read_seed(|| std::marker::PhantomData::<T>, raw, options)
}

/// Like [`read`], for values whose type is known only at run time. `seed` is called once for each attempt.
///
/// # Errors
/// As [`read`].
pub fn read_seed<'de, S: DeserializeSeed<'de>>(
    seed: impl Fn() -> S,
    raw: Raw<'de>,
    _options: &ReadOptions,
) -> Result<Reading<S::Value>, ReadError> {
    let fail = |e: serde_json::Error| ReadError {
        path: String::new(),
        expected: e.to_string(),
        found: raw.text.into(),
        offset: 0,
        nearest: Vec::new(),
    };
    let mut de = serde_json::Deserializer::from_str(raw.text);
    let first = seed().deserialize(&mut de);
    let value = match (first, raw.form) {
        (Err(_), Form::Text) => {
            seed().deserialize(serde::de::value::BorrowedStrDeserializer::new(raw.text)).map_err(fail)?
        }
        (other, _) => other.map_err(fail)?,
    };
    Ok(Reading { value, coercions: Vec::new() })
}

/// Reads a `T` from a JSON tree, strictly: for demos and saved state, which programs wrote.
///
/// # Errors
/// [`ReadError`] when the tree does not fit the type.
pub fn read_json<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, ReadError> {
    T::deserialize(value).map_err(|e| ReadError {
        path: String::new(),
        expected: e.to_string(),
        found: value.to_string(),
        offset: 0,
        nearest: Vec::new(),
    })
}
