//! What a single line of an answer may be: a header, a heading, the edge of a code block.

use std::borrow::Cow;

use super::names::{labelled, position};
use crate::signature::{FieldRole, SignatureSpec};

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The output at this position of the specification.
    Output(usize),
    /// The end of the answer.
    Completed,
    /// An input, which the model repeats.
    Input,
    /// A field that nobody asked for.
    Unknown,
}

/// A header at the start of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) target: Target,
    /// Whether it has its marks, as in `[[ ## name ## ]]`; `[[ name ]]` has none.
    pub(super) marked: bool,
    /// How far the value is from the start of the line.
    pub(super) end: usize,
}

/// What stands in brackets at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bracketed<'a> {
    pub(super) name: &'a str,
    /// How long it is, with its brackets.
    pub(super) len: usize,
    pub(super) marked: bool,
}

/// Longer text in brackets is no header.
const LONGEST_HEADER: usize = 256;

/// Longer lines are no headings.
pub(super) const LONGEST_HEADING: usize = 200;

/// More decoration stands before no header.
pub(super) const LONGEST_LEAD: usize = 64;

/// What may stand behind a header as a part of it.
pub(super) const TAIL: [char; 4] = ['*', '_', '`', ':'];

/// The header at the start of a line, behind emphasis, heading marks, list marks and blanks. Of a field that nobody
/// asked for, only the exact form counts.
pub(super) fn header(spec: &SignatureSpec, line: &str) -> Option<Header> {
    if !line.contains('[') {
        return None;
    }
    let lead = lead(line);
    let text = &line[lead..];
    let Bracketed { name, len, marked } = bracketed(text).filter(|_| lead <= LONGEST_LEAD)?;
    let target = target(spec, name);
    let counts = match target {
        Target::Output(_) | Target::Completed => true,
        Target::Input => marked,
        Target::Unknown => text[..len] == format!("[[ ## {name} ## ]]"),
    };
    let (decoration, after) = (line[..lead].trim(), &text[len..]);
    // A decoration is taken off behind the header only if one stands before it.
    let plain = decoration.is_empty() && !after.starts_with(':');
    let tail = if plain { 0 } else { after.len() - after.trim_start_matches(TAIL).len() };
    let alone = after[tail..].trim().is_empty();
    // In back-ticks with more behind it, it is quoted.
    let quoted = decoration.contains('`') && !alone;
    let end = !marked && target == Target::Completed && !alone;
    (counts && !quoted && !end).then_some(Header { target, marked, end: lead + len + tail })
}

/// What a header of this name announces.
pub(super) fn target(spec: &SignatureSpec, name: &str) -> Target {
    if name.eq_ignore_ascii_case("completed") {
        return Target::Completed;
    }
    match position(spec, name) {
        Some(index) if spec.fields[index].role == FieldRole::Output => Target::Output(index),
        Some(_) => Target::Input,
        None => Target::Unknown,
    }
}

/// The length of the emphasis, heading marks, list marks and blanks before a line's text.
pub(super) fn lead(line: &str) -> usize {
    let mut rest = line;
    loop {
        let text = rest.trim_start_matches(|c: char| c.is_whitespace() || "*#_`-+•".contains(c));
        let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = text.len() - number.len();
        if !(1..=3).contains(&digits) || !number.starts_with(['.', ')']) {
            return line.len() - text.len();
        }
        rest = &number[1..];
    }
}

/// A name in brackets at the start of a text: `[[ ## name ## ]]` with any spacing, with one bracket or two, with the
/// marks of both sides, of one side, or, in two brackets, of none.
pub(super) fn bracketed(text: &str) -> Option<Bracketed<'_>> {
    let double = text.starts_with("[[");
    let inner = text.trim_start_matches('[');
    let opened = inner.trim_start_matches([' ', '\t']);
    let hashes = opened.trim_start_matches('#');
    let first = hashes.len() < opened.len();
    let body = hashes.trim_start_matches([' ', '\t', '*', '`']);
    let rest = body.trim_start_matches(in_name);
    let name = body[..body.len() - rest.len()].trim();
    let rest = rest.trim_start_matches([' ', '\t', '*', '`', ':']);
    let closed = rest.trim_start_matches('#');
    let second = closed.len() < rest.len();
    let closed = closed.trim_start_matches([' ', '\t']);
    let close = if closed.starts_with("]]") { 2 } else { usize::from(closed.starts_with(']')) };
    let marked = first || second;
    let brackets = match (double, close) {
        (_, 0) => false,
        (true, 2) => true,
        (true, _) | (false, 2) => marked,
        (false, _) => first && second,
    };
    let len = text.len() - closed.len() + close;
    (text.starts_with('[') && brackets && !name.is_empty() && len <= LONGEST_HEADER).then_some(Bracketed {
        name,
        len,
        marked,
    })
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | ' ') || !c.is_ascii() && !c.is_whitespace()
}

/// Whether a text that begins with a bracket may be the beginning of a header.
pub(super) fn may_be_bracketed(text: &str) -> bool {
    if text.len() > LONGEST_HEADER {
        return false;
    }
    let opened = text.trim_start_matches('[').trim_start_matches([' ', '\t']);
    let body = opened.trim_start_matches('#').trim_start_matches([' ', '\t', '*', '`']);
    let closed = body.trim_start_matches(in_name).trim_start_matches([' ', '\t', '*', '`', ':']);
    closed.trim_start_matches('#').trim_start_matches([' ', '\t']).trim_start_matches(']').is_empty()
}

/// Whether what stands before a line's text may be that of a heading.
pub(super) fn heading_lead(lead: &str) -> bool {
    lead.contains('#') || lead.contains("**") || lead.contains("__")
}

/// The output that a heading names: `## Name`, `### name:`, `**Name**`, and nothing else on the line.
pub(super) fn heading(spec: &SignatureSpec, line: &str) -> Option<usize> {
    // Most lines begin with a word.
    if line.starts_with(char::is_alphabetic) {
        return None;
    }
    let (before, text) = line.split_at(lead(line));
    if line.len() > LONGEST_HEADING || !heading_lead(before) || text.contains(['[', '\\']) {
        return None;
    }
    let text = text.trim_end();
    let label = text.trim_end_matches(['*', '_', '#', '`', ':', '：', ' ']);
    let closed = text[label.len()..].contains("**") || text[label.len()..].contains("__");
    if before.contains('#') || closed { labelled(spec, label) } else { None }
}

/// The edge of a code block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    mark: char,
    len: usize,
    /// Whether nothing stands behind it, so that it can close a block.
    bare: bool,
}

impl Fence {
    /// The edge of a block that stands on this line.
    pub(super) fn on(line: &str) -> Option<Self> {
        let text = line.trim();
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let len = text.len() - info.len();
        (len >= 3 && !info.contains('`')).then_some(Self { mark, len, bare: info.is_empty() })
    }

    /// Whether this is the other edge of the block that `open` began.
    pub(super) fn closes(self, open: Self) -> bool {
        self.bare && self.mark == open.mark && self.len >= open.len
    }
}

/// Where on a line a header stands that is written as text, by a backslash before it: where its backslashes begin, and
/// how many there are. Without any, it is a header.
pub(super) fn guarded(line: &str) -> Option<(usize, usize)> {
    let lead = lead(line);
    let text = line[lead..].trim_start_matches('\\');
    bracketed(text).filter(|b| b.marked && lead <= LONGEST_LEAD)?;
    Some((lead, line.len() - lead - text.len()))
}

/// Puts a backslash before what would be read as a header.
pub(super) fn guard(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    if text.contains('#') && text.contains('[') {
        for line in text.split_inclusive('\n') {
            if let Some((at, _)) = guarded(line) {
                let at = line.as_ptr() as usize - text.as_ptr() as usize + at;
                out.push_str(&text[done..at]);
                out.push('\\');
                done = at;
            }
        }
    }
    finish(text, out, done)
}

/// Takes off what [`guard`] has put there. The first line of the text is the rest of one, with nothing to take off.
pub(super) fn unguard(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    if text.contains("\\[") {
        for line in text.split_inclusive('\n').skip(1) {
            if let Some((at, 1..)) = guarded(line) {
                let at = line.as_ptr() as usize - text.as_ptr() as usize + at;
                out.push_str(&text[done..at]);
                done = at + 1;
            }
        }
    }
    finish(text, out, done)
}

fn finish(text: &str, mut out: String, done: usize) -> Cow<'_, str> {
    if done == 0 && out.is_empty() {
        return text.into();
    }
    out.push_str(&text[done..]);
    out.into()
}
