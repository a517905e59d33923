//! Answers that cannot be read.

use std::{error::Error as StdError, fmt};

use crate::value::{ReadError, shorten};

/// Why an answer could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The adapter's format (section markers, the JSON object) was not found.
    Structure,
    /// The format was there, but fields are missing.
    Missing,
    /// The format was there, but a value does not fit its type.
    Value,
    /// The model stopped at its token limit before the answer was complete.
    Truncated,
    /// The answer was empty.
    Empty,
}

/// An answer that could not be read as the signature's outputs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ParseError {
    /// What was wrong.
    pub kind: ParseErrorKind,
    /// The signature's name.
    pub signature: String,
    /// The adapter that read the answer.
    pub adapter: &'static str,
    /// The fields that could not be read, with the reason of each.
    pub fields: Vec<FieldError>,
    /// The raw answer.
    pub response: String,
}

/// One output field that could not be read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// The expected type.
    pub expected: String,
    /// What was wrong with the text; `None` when the field was not in the answer.
    pub cause: Option<ReadError>,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            None => write!(f, "field `{}` ({}) is not in the answer", self.field, self.expected),
            Some(cause) => write!(f, "field `{}`: {cause}", self.field),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ParseErrorKind::Structure => "the answer does not have the expected format",
            ParseErrorKind::Missing => "the answer lacks fields",
            ParseErrorKind::Value => "the answer has values of the wrong type",
            ParseErrorKind::Truncated => "the answer was cut off at the token limit; raise max_tokens",
            ParseErrorKind::Empty => "the answer is empty",
        };
        write!(f, "{} ({} adapter): {what}", self.signature, self.adapter)?;
        for field in &self.fields {
            write!(f, "; {field}")?;
        }
        if !self.response.is_empty() {
            write!(f, "; the model wrote: {:?}", shorten(&self.response, 300))?;
        }
        Ok(())
    }
}

impl StdError for ParseError {}
