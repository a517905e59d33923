//! Where in a text a structure stands.

use std::ops::Range;

use super::{
    lex::{self, Place},
    tree::{self, Kind, Node, TooDeep},
};

/// A fenced block.
pub(super) struct Fence<'t> {
    /// What is said of its content, such as its language.
    pub(super) info: &'t str,
    pub(super) text: &'t str,
    /// Where the block itself begins and ends.
    pub(super) range: Range<usize>,
    pub(super) closed: bool,
}

/// The fenced blocks of a text, in order.
pub(super) fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(mark) = text[at..].find(['`', '~']).map(|o| at + o) {
        let line = text[..mark].rfind('\n').map_or(0, |end| end + 1);
        let c = text[mark..].chars().next().unwrap_or('`');
        let ticks = text[mark..].len() - text[mark..].trim_start_matches(c).len();
        let opens = ticks >= 3 && text[line.max(at)..mark].trim().is_empty();
        let found = if opens { block(text, mark, c, ticks) } else { None };
        at = found.as_ref().map_or(mark + ticks, |fence| fence.range.end);
        out.extend(found);
    }
    out
}

/// The block whose mark stands at `mark`.
fn block(text: &str, mark: usize, c: char, ticks: usize) -> Option<Fence<'_>> {
    let info = mark + ticks;
    let first = text[info..].find('\n').map_or(text.len(), |end| info + end);
    let closing: String = std::iter::repeat_n(c, ticks).collect();
    // All on one line.
    if let Some(end) = text[info..first].find(&closing) {
        let inner = &text[info..info + end];
        let word = inner.find(|c: char| !(c.is_ascii_alphanumeric() || "+#-_.".contains(c)));
        let start = match word {
            Some(len) if inner[len..].starts_with(' ') => info + len,
            _ => info,
        };
        let range = mark..info + end + ticks;
        return Some(Fence { info: &text[info..start], text: &text[start..info + end], range, closed: true });
    }
    let start = (first + 1).min(text.len());
    // The closing mark stands on a line of its own, or glued to the last one.
    let (mut at, mut line) = (start, start);
    while let Some(run) = text[at..].find(c).map(|o| at + o) {
        if let Some(end) = text[at..run].rfind('\n') {
            line = at + end + 1;
        }
        let len = text[run..].len() - text[run..].trim_start_matches(c).len();
        at = run + len;
        if len < ticks {
            continue;
        }
        let behind = text[at..].trim_start_matches([' ', '\t', '\r']);
        let alone = text[line..run].trim().is_empty();
        if (behind.is_empty() || behind.starts_with('\n')) && (alone || len == ticks) {
            let inner = &text[start..if alone { line } else { run }];
            let inner = inner.strip_suffix('\n').unwrap_or(inner);
            let inner = inner.strip_suffix('\r').unwrap_or(inner);
            let range = mark..text.len() - behind.len() + usize::from(!behind.is_empty());
            return Some(Fence { info: text[info..first].trim(), text: inner, range, closed: true });
        }
    }
    let (info, text, end) = (text[info..first].trim(), &text[start..], text.len());
    Some(Fence { info, text, range: mark..end, closed: false })
}

/// What stands in the fence that a whole text is, or the text.
pub(super) fn unfenced(text: &str) -> &str {
    if !text.trim_start().starts_with(['`', '~']) {
        return text;
    }
    match &fences(text)[..] {
        [only] if text[..only.range.start].trim().is_empty() && text[only.range.end..].trim().is_empty() => {
            only.text
        }
        _ => text,
    }
}

/// What stands in the only fence of a text, or the text.
pub(super) fn only_fence(text: &str) -> &str {
    match &fences(text)[..] {
        [only] if !only.text.trim().is_empty() => only.text,
        _ => text,
    }
}

/// The answer behind thoughts that a reasoning model wrote down, or nothing where these have no end. The opening tag
/// may be missing; then the closing one must end a line, and the text may not begin as an answer does.
pub(super) fn without_thoughts(text: &str) -> Option<&str> {
    if !text.contains('<') {
        return Some(text);
    }
    let begun = text.trim_start().starts_with(['[', '{', '`', '~']);
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        let opened = text.trim_start().starts_with(open);
        match text.find(close).map(|end| &text[end + close.len()..]) {
            Some(after) if opened || after.starts_with(['\n', '\r']) && !text.contains(open) && !begun => {
                return Some(after);
            }
            None if opened => return None,
            _ => {}
        }
    }
    Some(text)
}

/// A structure in a text.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) node: Node<'t>,
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
    /// Whether something else stands around it.
    pub(super) around: bool,
    /// Whether it is all of a fence.
    pub(super) fenced: bool,
    /// Whether it stands on lines of its own, behind a label at most.
    pub(super) apart: bool,
}

/// Whether a part of a text stands on lines of its own, behind a label at most.
fn stands_apart(text: &str, range: &Range<usize>) -> bool {
    // Far enough for a label.
    let before = text[..range.start].char_indices().rev().take(120).take_while(|(_, c)| *c != '\n').last();
    let before = before.map_or("", |(at, _)| &text[at..range.start]).trim();
    let behind = text[range.end..].trim_start_matches([' ', '\t', '\r']);
    let ends = behind.is_empty() || behind.starts_with('\n');
    // In an element or a box of its own.
    let boxed = before.ends_with('>') && behind.starts_with("</")
        || before.ends_with("boxed{") && behind.starts_with('}');
    boxed || ends && (before.is_empty() || before.ends_with([':', '：', '=']))
}

/// How often a text is looked through for structures that have no end, with some look for free.
const LOOKS: usize = 8;

/// The lists and objects of a text, those that stand in a fence first taken as they stand there.
pub(super) fn structures(text: &str, base: usize, depth: usize) -> Result<Vec<Found<'_>>, TooDeep> {
    // What a model makes up behind its answer is no answer.
    let turn = ["\nUser:", "\nHuman:"].iter().filter_map(|turn| text.find(turn)).min();
    let text = &text[..turn.filter(|turn| text[..*turn].contains('}')).unwrap_or(text.len())];
    let core = text.trim();
    let lead = core.as_ptr() as usize - text.as_ptr() as usize;
    let mut out: Vec<Found<'_>> = Vec::new();
    let opens = core.starts_with(['{', '[', '(']);
    let quoted = core.chars().next().is_some_and(|c| lex::closing(c).is_some()) && !core.starts_with("```");
    let called = || {
        let name =
            core.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.' | b' '));
        core.starts_with(|c: char| c.is_ascii_alphabetic()) && core[name.count()..].starts_with(['(', '{'])
    };
    if (opens || quoted || called())
        && let Ok(node) = tree::whole(core, base + lead, depth)?
        && match &node.kind {
            Kind::Bare(_) => false,
            Kind::Text(text) => text.trim().starts_with(['{', '[']),
            _ => opens || node.complete(),
        }
    {
        let complete = node.complete() && !quoted;
        let range = lead..lead + core.len();
        out.push(Found { node, range, around: false, fenced: false, apart: true });
        if complete {
            return Ok(out);
        }
    }
    let whole = !out.is_empty();
    // Where there are structures in fences, and whether they are complete.
    let mut fenced: Vec<(Range<usize>, bool)> = Vec::new();
    for fence in fences(text) {
        let inner = fence.text.trim();
        if inner.starts_with(['{', '[', '"', '\'', '(']) {
            let at = inner.as_ptr() as usize - text.as_ptr() as usize;
            if let Ok(node) = tree::whole(inner, base + at, depth)? {
                let range = at..at + inner.len();
                fenced.push((range.clone(), node.complete()));
                out.push(Found { node, range, around: true, fenced: true, apart: true });
            }
        }
    }
    let mut budget = text.len() * LOOKS + 65_536;
    // Up to where a structure goes that has no end: what stands in it as its part is not the value.
    let (mut at, mut unclosed, mut passed) = (0, 0, 0);
    while let Some(open) = text[at..].find(['{', '[']).map(|o| at + o) {
        at = open + 1;
        // What is complete in a fence is known, and what is cut off in one ends there.
        while fenced.get(passed).is_some_and(|(range, _)| range.end <= open) {
            passed += 1;
        }
        let in_fence = fenced.get(passed).filter(|(range, _)| range.contains(&open));
        if let Some((range, true)) = in_fence {
            at = range.end;
            continue;
        }
        // `\boxed{…}`
        let command = text[..open].trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if text[open..].starts_with('{') && command.len() < open && command.ends_with('\\') {
            continue;
        }
        let before = text[..open].trim_end();
        let part = before.ends_with([':', ',', '[', '{', '(', '=']);
        // The value of a member, where the object has no opening brace.
        let member = before.strip_suffix(':').is_some_and(|before| before.trim_end().ends_with('"'));
        if member {
            at = open + lex::value_len(&text[open..], Place::Alone);
            continue;
        }
        if open < unclosed && part {
            continue;
        }
        let (node, len) = tree::value(&text[open..], base + open, depth)?;
        let range = open..open + len;
        let known = whole && range == (lead..lead + core.len());
        if node.complete() && text[..range.end].ends_with(['}', ']']) {
            at = range.end;
            // Brackets of prose, unless they stand apart.
            let before = text[..open].trim_end_matches([' ', '*', '`']);
            let apart = before.is_empty() || before.ends_with(['\n', ':', '：', '=']);
            if !lex::opens_json(&text[open..]) && !apart {
                continue;
            }
        } else {
            match budget.checked_sub(len) {
                Some(left) => budget = left,
                None => break,
            }
            // A bracket of prose.
            if !lex::opens_json(&text[open..]) {
                continue;
            }
            unclosed = unclosed.max(range.end);
        }
        if !known && (in_fence.is_none() || node.complete()) {
            let apart = stands_apart(text, &range);
            out.push(Found { node, range, around: true, fenced: false, apart });
        }
    }
    out.sort_by_key(|found| (found.range.start, found.range.end));
    Ok(out)
}

/// JSON without its opening bracket, and where it stands: what a fence holds, or the lines up to the closing one.
pub(super) fn unopened(text: &str, close: char) -> Option<(usize, &str)> {
    let begins = |inner: &str| match close {
        '}' => inner.starts_with(['"', '\'']) && lex::quoted_key(inner),
        _ => {
            inner.starts_with(|c: char| c.is_ascii_digit() || "\"'{-".contains(c))
                && !inner.starts_with("- ")
                && inner.matches(close).count() > inner.matches('[').count()
        }
    };
    let whole = |inner: &str| inner.ends_with(close) && begins(inner);
    let place = |inner: &str| inner.as_ptr() as usize - text.as_ptr() as usize;
    let core = text.trim();
    if whole(core) || close == '}' && begins(core) {
        return Some((place(core), core));
    }
    let mut fences = fences(text).into_iter().map(|fence| fence.text.trim());
    if let Some(inner) = fences.find(|inner| whole(inner)) {
        return Some((place(inner), inner));
    }
    if close != '}' {
        return None;
    }
    let end = text.rfind(close)? + 1;
    let mut at = 0;
    for line in text[..end].split_inclusive('\n') {
        let inner = text[at..end].trim();
        if whole(inner) && line.trim_start().starts_with(['"', '\'']) {
            return Some((place(inner), inner));
        }
        at += line.len();
    }
    None
}
