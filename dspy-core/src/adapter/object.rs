//! Splitting a JSON object into its members without reading them.

use super::headers::position;
use crate::signature::{FieldRole, Section, Sections, SignatureSpec};

/// Finds the object that has the most outputs of the signature, the last one on a tie, and the raw texts of its
/// members.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let mut best: Option<Sections<'a>> = None;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|o| at + o) {
        let (sections, end) = members(spec, text, open);
        if !sections.is_empty() && best.as_ref().is_none_or(|b| sections.iter().count() >= b.iter().count()) {
            best = Some(sections);
        }
        at = end.max(open + 1);
    }
    best
}

/// The members of the object at `open`, and where it ends.
fn members<'a>(spec: &SignatureSpec, text: &'a str, open: usize) -> (Sections<'a>, usize) {
    let mut sections = Sections::new();
    let mut at = open + 1;
    loop {
        at += blank(&text[at..]);
        match text[at..].chars().next() {
            None => return (sections, text.len()),
            Some('}') => return (sections, at + 1),
            Some(',') => {
                at += 1;
                continue;
            }
            Some(_) => {}
        }
        let Some((name, after)) = key(text, at) else { return (sections, at.max(open + 1)) };
        let start = after + blank(&text[after..]);
        let end = value_end(text, start);
        let value = text[start..end].trim();
        if let Some(index) = position(spec, name)
            && spec.fields[index].role == FieldRole::Output
        {
            sections.replace(index, Section::json(value));
        }
        at = end;
    }
}

fn blank(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// A key at `at` and where its colon ends.
fn key(text: &str, at: usize) -> Option<(&str, usize)> {
    let rest = &text[at..];
    let quote = rest.chars().next().filter(|c| "\"'`“”".contains(*c));
    let (name, after) = match quote {
        Some(q) => {
            let inner = &rest[q.len_utf8()..];
            let close = inner.find(|c| c == q || (q == '“' && c == '”'))?;
            let width = inner[close..].chars().next().map_or(1, char::len_utf8);
            (&inner[..close], q.len_utf8() + close + width)
        }
        None => {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || "_- ".contains(c)))?;
            (rest[..end].trim(), end)
        }
    };
    let gap = blank(&rest[after..]);
    let colon = after + gap;
    let separator = ["=>", ":", "="].into_iter().find(|s| rest[colon..].starts_with(s))?;
    (!name.is_empty()).then_some((name, at + colon + separator.len()))
}

/// Where the value at `start` ends: before the comma or the bracket that belongs to the object around it.
fn value_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'\'' if depth > 0 || at == start => {
                at = string_end(text, at);
                continue;
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' if depth == 0 => return at,
            b'}' | b']' | b')' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Where the string at `start` ends. A quote ends it only when what follows could follow a value, because models
/// forget to escape.
fn string_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b if b == quote => {
                let next = text[at + 1..].trim_start().chars().next();
                if next.is_none_or(|c| matches!(c, ',' | '}' | ']' | ':' | ')')) {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
