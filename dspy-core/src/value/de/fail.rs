//! Why an attempt to read failed, with what another attempt could make of it.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::ReadError;

/// A step into a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seg {
    Index(usize),
    Field(&'static str),
    Key(Box<str>),
}

/// The path of a value, such as `items[2].price`.
pub(super) fn show_path(path: &[Seg]) -> String {
    let mut out = String::new();
    for seg in path {
        let name: &str = match seg {
            Seg::Index(i) => {
                out.push_str(&format!("[{i}]"));
                continue;
            }
            Seg::Field(name) => name,
            Seg::Key(name) => name,
        };
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(name);
    }
    out
}

/// What another attempt could do about a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cure {
    /// Take a loosely spelt name for one of these.
    Variant(&'static [&'static str]),
    /// Take a loosely spelt key for this field.
    Field(&'static str),
    /// Keep the last of two equal keys.
    Duplicate,
    /// Look inside: nothing of the object is known.
    Unwrap,
    /// No other attempt can help.
    None,
    /// Nothing is known of it.
    Unknown,
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Fail(Box<Inner>);

#[derive(Debug)]
struct Inner {
    place: Option<(String, usize)>,
    expected: String,
    found: String,
    nearest: Vec<String>,
    cure: Cure,
}

impl Fail {
    pub(super) fn new(expected: impl Into<String>, found: &str) -> Self {
        Self(Box::new(Inner {
            place: None,
            expected: expected.into(),
            found: crate::error::shorten(found, 80).into_owned(),
            nearest: Vec::new(),
            cure: Cure::Unknown,
        }))
    }

    pub(super) fn nearest(mut self, names: Vec<String>) -> Self {
        self.0.nearest = names;
        self
    }

    pub(super) fn with(mut self, cure: Cure) -> Self {
        self.0.cure = cure;
        self
    }

    pub(super) fn cure(&self) -> Cure {
        self.0.cure
    }

    /// How far the attempt came.
    pub(super) fn offset(&self) -> usize {
        self.0.place.as_ref().map_or(0, |(_, offset)| *offset)
    }

    /// Notes where it happened, unless that is known already.
    pub(super) fn at(mut self, path: &[Seg], offset: usize, found: &str) -> Self {
        if self.0.place.is_none() {
            self.0.place = Some((show_path(path), offset));
            if self.0.found.is_empty() {
                self.0.found = crate::error::shorten(found.lines().next().unwrap_or_default(), 80).into_owned();
            }
        }
        self
    }

    pub(super) fn into_error(self) -> ReadError {
        let (path, offset) = self.0.place.unwrap_or_default();
        ReadError { path, expected: self.0.expected, found: self.0.found, offset, nearest: self.0.nearest }
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {:?}", self.0.expected, self.0.found)
    }
}

impl std::error::Error for Fail {}

impl de::Error for Fail {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string(), "")
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{expected}, not {unexpected}"), "")
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{expected}, not {unexpected}"), "")
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("{expected}, not {length} items"), "")
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("one of {}", expected.join(", ")), variant)
            .nearest(super::names::nearest(variant, expected))
            .with(Cure::Variant(expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("one of the fields {}", expected.join(", ")), field)
            .nearest(super::names::nearest(field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}`"), "").with(Cure::Field(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}` once"), "").with(Cure::Duplicate)
    }
}
