//! The inline grammar of signatures: `question, context: list[str] -> answer: str`.

use std::{fmt, ops::Range};

/// An inline signature that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrammarError {
    /// What is wrong and what would be right.
    pub message: String,
    /// The byte range at fault in the source.
    pub span: Range<usize>,
    /// The source text.
    pub source: String,
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.source.get(..self.span.start).map_or(0, |s| s.chars().count());
        let width = self.source.get(self.span.clone()).map_or(1, |s| s.chars().count().max(1));
        write!(f, "{}\n  {}\n  {:column$}{:^<width$}", self.message, self.source, "", "")
    }
}

impl std::error::Error for GrammarError {}
