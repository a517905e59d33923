//! Text that is no JSON.

use serde_json::Value;

use super::{
    super::lex::{self, count},
    whole,
};

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
    pub(super) value: Option<Value>,
}

/// Longer text is no word for nothing.
const LONGEST_NOTHING: usize = 32;

/// A fence with a longer text holds no word for nothing.
const LONGEST_FENCE: usize = 256;

/// A longer line does not close a fence.
const LONGEST_MARK: usize = 64;

impl Prose {
    pub(super) fn new(optional: bool) -> Self {
        Self { optional, ..Self::default() }
    }

    pub(super) fn push(&mut self, chunk: &str) {
        count(chunk.len() + 1);
        let Some(Value::String(text)) = &mut self.value else {
            self.held.push_str(chunk);
            self.begin();
            return;
        };
        let end = chunk.trim_end();
        if !end.is_empty() {
            text.push_str(&self.held);
            text.push_str(end);
            self.held.clear();
        }
        self.held.push_str(&chunk[end.len()..]);
    }

    /// Looks for the first line, whose indentation belongs to the text if that has several lines.
    fn begin(&mut self) {
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
        let indented = start < self.seen && !self.has_second_line();
        if indented || (self.optional && may_be_nothing(&self.held[self.seen..])) {
            return;
        }
        let mut text = std::mem::take(&mut self.held);
        self.held = text.split_off(text.trim_end().len());
        self.value = Some(text.split_off(start).into());
    }

    fn has_second_line(&mut self) -> bool {
        if !self.broken {
            let len = self.held[self.line..].find('\n');
            let end = len.map_or(self.held.len(), |len| self.line + len);
            count(end - self.line + 1);
            (self.broken, self.line) = (len.is_some(), end);
        }
        if self.broken {
            self.line += lex::blank(&self.held[self.line..]);
        }
        self.line < self.held.len()
    }

    pub(super) fn finish(&mut self) {
        if self.value.is_none() {
            let core = self.held[self.seen..].trim_end();
            let short = self.optional && core.len() <= LONGEST_FENCE + LONGEST_NOTHING;
            let nothing = short && whole::text::<Option<String>>(&self.held) == Some(None);
            self.value = Some(if nothing { Value::Null } else { core.into() });
        }
    }
}

/// Whether a text may become a word for nothing, perhaps one in a fence.
fn may_be_nothing(text: &str) -> bool {
    if text.starts_with("```") || text.starts_with("~~~") {
        let inside = || text.split_once('\n').is_none_or(|(_, inside)| may_be_nothing(inside));
        return text.len() <= LONGEST_FENCE && inside();
    }
    text.len() <= LONGEST_NOTHING && {
        let core = text.trim().trim_matches(|c: char| "\"'`~*_.()".contains(c)).to_ascii_lowercase();
        whole::NOTHING.iter().any(|word| word.starts_with(&core))
    }
}

/// The text in the fence that a text begins with.
pub(super) fn fenced(text: &str) -> Option<Value> {
    let mut fenced = Fenced::default();
    fenced.push(Some(text).filter(|text| text.trim_start().starts_with("```"))?);
    fenced.finish();
    fenced.value
}

/// Program text: what stands in the first fence, or all of it where there is none.
#[derive(Debug, Default)]
pub(super) struct Fenced {
    /// The text up to the line that opens the fence; then what is not shown yet.
    held: String,
    /// Where its last line begins, and how far that has no end.
    line: usize,
    seen: usize,
    /// What closes the fence.
    mark: Option<(char, usize)>,
    closed: bool,
    /// Whether a part of the line at hand was given out, and how the line before it ended.
    within: bool,
    end_of_line: &'static str,
    pub(super) value: Option<Value>,
}

impl Fenced {
    pub(super) fn push(&mut self, chunk: &str) {
        if self.closed {
            return;
        }
        count(chunk.len() + 1);
        self.held.push_str(chunk);
        while self.mark.is_none() && !self.closed {
            let Some(len) = self.held[self.seen..].find('\n') else {
                self.seen = self.held.len();
                return;
            };
            self.seen += len + 1;
            self.open(self.seen);
        }
        self.lines();
    }

    /// Takes the line up to `end` if it opens a fence.
    fn open(&mut self, end: usize) {
        let line = self.held[self.line..end].trim_start();
        count(end - self.line);
        self.line = end;
        let Some(mark) = line.chars().next().filter(|c| matches!(c, '`' | '~')) else { return };
        let (ticks, behind) = line.split_at(line.len() - line.trim_start_matches(mark).len());
        if ticks.len() < 3 {
            return;
        }
        // It may be all on one line.
        let within = behind.find(ticks).map(|len| &behind[..len]);
        self.closed = within.is_some();
        self.mark = Some((mark, ticks.len()));
        self.value = Some(within.unwrap_or_default().into());
        self.held.drain(..end);
    }

    /// Gives out the lines that do not close the fence, each without its end, which may be that of the last line.
    fn lines(&mut self) {
        let (Some((mark, ticks)), Some(Value::String(text))) = (self.mark, &mut self.value) else { return };
        if self.closed {
            return;
        }
        let mut used = 0;
        for line in self.held.split_inclusive('\n') {
            count(line.len());
            let content = line.strip_suffix('\n').unwrap_or(line);
            let whole = content.len() < line.len();
            let marks = content.trim();
            if !self.within && marks.chars().all(|c| c == mark) {
                self.closed = whole && marks.len() >= ticks;
                if self.closed || (!whole && content.len() <= LONGEST_MARK) {
                    break;
                }
            }
            if !self.within {
                text.push_str(self.end_of_line);
            }
            let content = content.strip_suffix('\r').unwrap_or(content);
            // Marks at the end of a line may close the fence, too.
            let inner = content.trim_end();
            let inner = inner.trim_end_matches(mark);
            let tail = content.trim_end().len() - inner.len();
            if whole && tail == ticks {
                text.push_str(inner);
                self.closed = true;
                break;
            }
            let content = if !whole && (1..=ticks).contains(&tail) { inner } else { content };
            text.push_str(content);
            used += if whole { line.len() } else { content.len() };
            self.within = !whole;
            self.end_of_line = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
        }
        self.held.drain(..used);
    }

    pub(super) fn finish(&mut self) {
        if !self.closed && self.mark.is_none() {
            self.open(self.held.len());
        }
        match (self.mark, &mut self.value) {
            _ if self.closed => {}
            (Some((mark, ticks)), Some(Value::String(text))) => {
                let line = self.held.trim();
                let marks = line.chars().all(|c| c == mark);
                let closes = if self.within { line.len() == ticks } else { line.len() >= ticks };
                if !(marks && closes) {
                    text.push_str(if self.within { "" } else { self.end_of_line });
                    text.push_str(&self.held);
                }
            }
            _ => {
                let mut prose = Prose::default();
                prose.push(&self.held);
                prose.finish();
                self.value = prose.value;
            }
        }
    }
}
