//! Text that is no JSON.

use serde_json::Value;

use super::super::{find, lex, scalar};

/// Free text, without the space around it.
#[derive(Debug, Default)]
pub(super) struct Prose {
    /// Whether a word for nothing is nothing.
    optional: bool,
    /// What is not shown yet: what may be space at the beginning or the end, or a word for nothing.
    held: String,
    /// How far that is known to be space.
    seen: usize,
    /// Where the first line begins that is not empty, once there is one.
    first: Option<usize>,
    /// How far a second line was looked for, and whether the first one has ended.
    line: usize,
    broken: bool,
    value: Option<Value>,
}

/// Longer text is no word for nothing.
const LONGEST_NOTHING: usize = 32;

/// A fence with a longer text holds no word for nothing.
const LONGEST_FENCE: usize = 256;

impl Prose {
    pub(super) fn new(optional: bool) -> Self {
        Self { optional, ..Self::default() }
    }

    pub(super) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    pub(super) fn into_value(self) -> Option<Value> {
        self.value
    }

    pub(super) fn push(&mut self, chunk: &str) {
        let Some(Value::String(text)) = &mut self.value else { return self.begin(chunk) };
        let end = chunk.trim_end();
        if end.is_empty() {
            self.held.push_str(chunk);
            return;
        }
        text.push_str(&self.held);
        text.push_str(end);
        self.held.clear();
        self.held.push_str(&chunk[end.len()..]);
    }

    /// Looks for the first line.
    fn begin(&mut self, chunk: &str) {
        self.held.push_str(chunk);
        let start = match self.first {
            Some(first) => first,
            None => {
                self.seen += lex::blank(&self.held[self.seen..]);
                if self.seen == self.held.len() {
                    return;
                }
                self.line = self.seen;
                *self.first.insert(self.held[..self.seen].rfind('\n').map_or(0, |newline| newline + 1))
            }
        };
        // The indentation of a text belongs to it if it has several lines.
        if start < self.seen && !self.has_second_line() {
            return;
        }
        if self.optional && may_be_nothing(&self.held[self.seen..]) {
            return;
        }
        let text = std::mem::take(&mut self.held);
        let end = text.trim_end().len();
        self.value = Some(text[start..end].into());
        self.held = text[end..].to_owned();
    }

    fn has_second_line(&mut self) -> bool {
        if !self.broken {
            let Some(len) = self.held[self.line..].find('\n') else {
                self.line = self.held.len();
                return false;
            };
            (self.broken, self.line) = (true, self.line + len);
        }
        self.line += lex::blank(&self.held[self.line..]);
        self.line < self.held.len()
    }

    pub(super) fn finish(&mut self) {
        if self.value.is_some() {
            return;
        }
        let core = self.held[self.seen..].trim_end();
        self.value = Some(match self.optional && scalar::is_nothing(find::unfenced(&self.held)) {
            true => Value::Null,
            false => core.into(),
        });
    }
}

/// Whether a text may become a word for nothing, perhaps one in a fence.
fn may_be_nothing(text: &str) -> bool {
    if text.starts_with("```") || text.starts_with("~~~") {
        return match text.find('\n') {
            _ if text.len() > LONGEST_FENCE => false,
            None => true,
            Some(newline) => may_be_nothing(&text[newline + 1..]),
        };
    }
    text.len() <= LONGEST_NOTHING && {
        let core = text.trim().trim_matches(|c: char| "\"'`~*_.()".contains(c)).to_ascii_lowercase();
        ["null", "none", "nil", "n/a", "na", "undefined", "not available", "not applicable"]
            .iter()
            .any(|word| word.starts_with(&core))
    }
}

/// Program text: what stands in the first fence, or all of it where there is none.
#[derive(Debug, Default)]
pub(super) struct Fenced {
    /// The text up to the line that opens the fence; then what is not shown yet.
    held: String,
    /// How far there is no fence.
    seen: usize,
    /// What closes the fence.
    mark: Option<(char, usize)>,
    closed: bool,
    /// Whether a part of the line at hand was given out, and how the line before it ended.
    within: bool,
    end_of_line: String,
    value: Option<Value>,
}

impl Fenced {
    pub(super) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    pub(super) fn into_value(self) -> Option<Value> {
        self.value
    }

    pub(super) fn push(&mut self, chunk: &str) {
        if self.closed {
            return;
        }
        self.held.push_str(chunk);
        if self.mark.is_none() {
            self.open();
        }
        if let Some((mark, ticks)) = self.mark {
            self.lines(mark, ticks);
        }
    }

    /// Looks for the line that opens a fence.
    fn open(&mut self) {
        while let Some(len) = self.held[self.seen..].find('\n').map(|at| at + 1) {
            let line = self.held[self.seen..self.seen + len].trim_start();
            let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'));
            let ticks = mark.map_or(0, |mark| line.len() - line.trim_start_matches(mark).len());
            if let Some(mark) = mark.filter(|_| ticks >= 3) {
                // All on one line: it is read at the end.
                if line[ticks..].contains(&line[..ticks]) {
                    self.value = find::fences(&self.held).first().map(|fence| fence.text.into());
                    self.closed = true;
                    return;
                }
                self.mark = Some((mark, ticks));
                self.value = Some(Value::String(String::new()));
                self.held.drain(..self.seen + len);
                return;
            }
            self.seen += len;
        }
    }

    /// Gives out the lines that do not close the fence, each without its end, which may be that of the last line.
    fn lines(&mut self, mark: char, ticks: usize) {
        let Some(Value::String(text)) = &mut self.value else { return };
        let marks = |line: &str| line.trim().chars().all(|c| c == mark);
        let mut used = 0;
        for line in self.held.split_inclusive('\n') {
            let whole = line.ends_with('\n');
            if !self.within
                && marks(line)
                && if whole { line.trim().len() >= ticks } else { line.len() <= 64 }
            {
                self.closed = whole;
                break;
            }
            if !self.within {
                text.push_str(&self.end_of_line);
            }
            let content = line.strip_suffix('\n').unwrap_or(line);
            let content = content.strip_suffix('\r').unwrap_or(content);
            if whole {
                text.push_str(content);
                self.end_of_line = line[content.len()..].to_owned();
                used += line.len();
            } else {
                text.push_str(content);
                used += content.len();
            }
            self.within = !whole;
        }
        self.held.drain(..used);
    }

    pub(super) fn finish(&mut self) {
        if self.closed {
            return;
        }
        match (self.mark, &mut self.value) {
            (Some((mark, ticks)), Some(Value::String(text))) => {
                let line = self.held.trim();
                let closes = line.len() >= ticks && line.chars().all(|c| c == mark);
                if !closes || self.within {
                    text.push_str(if self.within { "" } else { &self.end_of_line });
                    text.push_str(&self.held);
                }
            }
            _ => {
                self.value = match find::fences(&self.held).first() {
                    Some(fence) => Some(fence.text.into()),
                    None => {
                        let mut prose = Prose::default();
                        prose.push(&self.held);
                        prose.finish();
                        prose.into_value()
                    }
                };
            }
        }
    }
}
