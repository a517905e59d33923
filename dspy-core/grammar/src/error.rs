//! What is wrong with a text that is no signature.

use std::{error, fmt, ops::Range};

/// A text that is no signature: where it goes wrong, what was expected there, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrammarError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub cure: String,
    /// The bytes at fault; empty where something is missing.
    pub span: Range<usize>,
    /// The whole text.
    pub source: String,
}

impl GrammarError {
    /// A fault in these bytes of a text. A range outside of the text is moved into it.
    pub fn new(
        source: &str,
        span: Range<usize>,
        problem: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let at = |i: usize| {
            (0..=i.min(source.len())).rev().find(|i| source.is_char_boundary(*i)).unwrap_or_default()
        };
        let (start, end) = (at(span.start), at(span.end));
        Self {
            problem: problem.into(),
            cure: cure.into(),
            span: start..end.max(start),
            source: source.into(),
        }
    }

    /// The first byte at fault.
    pub fn offset(&self) -> usize {
        self.span.start
    }

    /// What is wrong and what to write instead, on one line.
    pub fn message(&self) -> String {
        match self.cure.is_empty() {
            true => self.problem.clone(),
            false => format!("{}; {}", self.problem, self.cure),
        }
    }

    /// The line at fault, and under it a mark at the place.
    pub fn excerpt(&self) -> String {
        let before = self.source.get(..self.span.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let rest = self.source.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let width = |text: &str| text.chars().count();
        let column = width(before.get(start..).unwrap_or_default());
        let marked = self.source.get(self.span.clone()).unwrap_or_default();
        let marks = width(marked.lines().next().unwrap_or_default()).max(1);
        let line = line.replace(['\t', '\r'], " ");
        format!("  {line}\n  {:column$}{:^<marks$}", "", "")
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.message(), self.excerpt())
    }
}

impl error::Error for GrammarError {}
