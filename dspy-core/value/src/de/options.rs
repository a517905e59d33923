//! What is read, how, and what comes of it.

use std::fmt;

use super::coercion::{Coercion, CoercionKind, Kinds};

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

/// Whether a number, a boolean or the name of a variant is taken out of a sentence.
///
/// Structure is read in any language: a value alone, in marks or quotes, behind a label, with its unit, or on a line of
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prose {
    /// No sentence is understood.
    Structure,
    /// Sentences of this language are read if every word of them is in its table, such as `The answer is 42.` A sentence
    /// with any other word is refused.
    Sentences(Language),
}

/// A language whose sentences may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
}

/// How tolerant reading is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How deep values may nest, 128 by default.
    pub max_depth: usize,
    /// Which sentences are understood, [`Language::English`] by default.
    pub prose: Prose,
    refused: Kinds,
    /// Whether the text was written by a program, so that nothing in it is a model's packing.
    pub(super) written: bool,
}

impl ReadOptions {
    /// Options that refuse everything that needs a coercion.
    pub fn strict() -> Self {
        Self { refused: Kinds::ALL, ..Self::default() }
    }

    /// Options for what a program wrote: strict, and program text stands without a fence.
    pub(crate) fn written() -> Self {
        Self { written: true, ..Self::strict() }
    }

    /// Refuses what needs one of these coercions.
    #[must_use]
    pub fn refuse(mut self, kinds: impl IntoIterator<Item = CoercionKind>) -> Self {
        kinds.into_iter().for_each(|kind| self.refused.insert(kind));
        self
    }

    /// Limits how deep values may nest, 128 by default.
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    /// Sets which sentences are understood.
    #[must_use]
    pub fn prose(mut self, prose: Prose) -> Self {
        self.prose = prose;
        self
    }

    /// Whether everything that needs a coercion is refused.
    pub fn is_strict(&self) -> bool {
        self.refused == Kinds::ALL
    }

    pub(super) fn refuses(&self, kind: CoercionKind) -> bool {
        self.refused.contains(kind)
    }

    /// The first refused kind among those that were used.
    pub(super) fn refused_of(&self, used: Kinds) -> Option<CoercionKind> {
        self.refused.common(used)
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_depth: 128,
            prose: Prose::Sentences(Language::English),
            refused: Kinds::default(),
            written: false,
        }
    }
}

/// A value together with what had to be bent to read it.
#[derive(Debug, Clone)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// The tolerances used, in the order of their use; of a value that needed very many, the first.
    pub coercions: Vec<Coercion>,
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

impl ReadError {
    /// An error of the value itself: what was expected, and what stood there.
    pub fn new(expected: impl Into<String>, found: &str) -> Self {
        Self {
            path: String::new(),
            expected: expected.into(),
            found: crate::shorten(found, 80).into_owned(),
            offset: 0,
            nearest: Vec::new(),
        }
    }

    /// The same error at this place in the value.
    #[must_use]
    pub fn inside(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
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
