//! A text that is read from left to right.

use std::ops::Range;

use crate::GrammarError;

/// What reading gives.
pub(crate) type Result<T> = std::result::Result<T, GrammarError>;

#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) source: &'a str,
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// What is left behind spaces.
    fn ahead(&self) -> &'a str {
        self.rest().trim_start()
    }

    /// The next character that is no space.
    pub(crate) fn peek(&self) -> Option<char> {
        self.ahead().chars().next()
    }

    pub(crate) fn starts_with(&self, text: &str) -> bool {
        self.ahead().starts_with(text)
    }

    /// Whether the text goes on like this; then goes past it.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let found = self.starts_with(text);
        if found {
            self.skip_space();
            self.at += text.len();
        }
        found
    }

    /// A name: letters, digits and `_`, no digit first.
    pub(crate) fn name(&mut self) -> Option<(&'a str, Range<usize>)> {
        let (rest, start) = (self.ahead(), self.start());
        let starts = rest.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest.get(..end).filter(|_| starts)?;
        let span = start..start + end;
        self.at = span.end;
        Some((name, span))
    }

    /// Where that begins, in bytes.
    pub(crate) fn start(&self) -> usize {
        self.source.len() - self.ahead().len()
    }

    /// The bytes of what stands next: a word, or a single character, or nothing at the end.
    pub(crate) fn next_span(&self) -> Range<usize> {
        let (rest, start) = (self.ahead(), self.start());
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let len = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
        start..start + len
    }

    /// That something else was expected where the cursor stands.
    pub(crate) fn expected(&self, what: &str, cure: impl Into<String>) -> GrammarError {
        let span = self.next_span();
        let problem = match self.source.get(span.clone()).unwrap_or_default() {
            "" => format!("expected {what}, found the end"),
            found => format!("expected {what}, found `{found}`"),
        };
        GrammarError::new(self.source, span, problem, cure)
    }

    pub(crate) fn error(
        &self,
        span: Range<usize>,
        problem: impl Into<String>,
        cure: impl Into<String>,
    ) -> GrammarError {
        GrammarError::new(self.source, span, problem, cure)
    }
}
