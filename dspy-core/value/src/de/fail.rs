//! Why an attempt to read failed, with what another attempt could make of it.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::{
    options::ReadError,
    scalar::{is_literal, is_nothing, nearest},
    tree::{Fault, TooDeep},
};

/// A step into a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seg {
    Index(usize),
    Key(Box<str>),
}

/// The path of a value, such as `items[2].price`, from its steps, the innermost first.
pub(super) fn show_path(inside_out: &[Seg]) -> String {
    let mut out = String::new();
    for seg in inside_out.iter().rev() {
        match seg {
            Seg::Index(i) => out.push_str(&format!("[{i}]")),
            Seg::Key(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
        }
    }
    out
}

/// What another attempt could do about a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cure {
    /// Take a loosely spelt name for one of these.
    Variants(&'static [&'static str]),
    /// Take a loosely spelt key for this field.
    Field(&'static str),
    /// Keep the last of two equal keys.
    Duplicate,
    /// Take a quoted `"null"` for nothing where this type of option is asked.
    NothingFor(&'static str),
    /// Give the next other form of a text where this type is asked.
    Form(&'static str),
    /// Take quoted numbers and booleans for what they say.
    Literals,
    /// Take this number, if quoted, for text.
    Text(i128),
    /// No other attempt can help.
    None,
    /// Nothing is known of it.
    Unknown,
}

/// A failed attempt.
#[derive(Debug)]
pub struct Fail(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// Inside out.
    path: Vec<Seg>,
    offset: Option<usize>,
    expected: String,
    found: String,
    nearest: Vec<String>,
    cure: Cure,
}

impl Fail {
    pub(super) fn new(expected: impl Into<String>, found: &str) -> Self {
        Self(Box::new(Inner {
            path: Vec::new(),
            offset: None,
            expected: expected.into(),
            found: crate::shorten(found, 80).into_owned(),
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

    /// Whether it is the value itself that fails, and not a part of it.
    pub(super) fn is_here(&self) -> bool {
        self.0.path.is_empty()
    }

    /// How far the attempt came.
    pub(super) fn reach(&self) -> usize {
        self.0.offset.unwrap_or(0)
    }

    /// Notes where it happened and what stood there, unless that is known already.
    pub(super) fn at(mut self, offset: usize, found: &str) -> Self {
        if self.0.offset.is_none() {
            self.0.offset = Some(offset);
            if self.0.found.is_empty() {
                let line = found.trim_start().lines().next().unwrap_or_default();
                self.0.found = crate::shorten(line, 80).into_owned();
            }
        }
        self
    }

    /// Names the place in the value.
    pub(super) fn at_path(mut self, path: &str) -> Self {
        if !path.is_empty() {
            self.0.path = vec![Seg::Key(path.into())];
        }
        self
    }

    /// The same failure, seen from what holds the value.
    pub(super) fn inside(mut self, seg: Seg) -> Self {
        self.0.path.push(seg);
        self
    }

    pub(super) fn into_error(self) -> ReadError {
        let inner = *self.0;
        ReadError {
            path: show_path(&inner.path),
            expected: inner.expected,
            found: inner.found,
            offset: inner.offset.unwrap_or(0),
            nearest: inner.nearest,
        }
    }
}

impl From<&Fault> for Fail {
    fn from(fault: &Fault) -> Self {
        Self::new(&*fault.expected, &fault.found).at(fault.at, "")
    }
}

impl Fail {
    /// More levels than these.
    pub(super) fn too_deep(place: TooDeep, most: usize) -> Self {
        Self::new(format!("at most {most} levels of nesting"), "").with(Cure::None).at(place.0, "")
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
        let message = message.to_string();
        // Serde's words where no variant of an untagged enum fits: one may if quoted numbers are numbers.
        let cure = if message.contains("did not match any variant") { Cure::Literals } else { Cure::Unknown };
        Self::new(format!("a value that fits ({message})"), "").with(cure)
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let cure = match unexpected {
            Unexpected::Str(text) if is_literal(text) || is_nothing(text) => Cure::Literals,
            Unexpected::Unsigned(number) => Cure::Text(number.into()),
            Unexpected::Signed(number) => Cure::Text(number.into()),
            _ => Cure::Unknown,
        };
        Self::new(format!("{expected}, not {unexpected}"), "").with(cure)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{expected}, not {unexpected}"), "")
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("{expected}, not {length} items"), "")
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("one of {}", expected.join(", ")), variant)
            .nearest(nearest(variant, expected))
            .with(Cure::Variants(expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("one of the fields {}", expected.join(", ")), field)
            .nearest(nearest(field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}`"), "").with(Cure::Field(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}` once"), "").with(Cure::Duplicate)
    }
}
