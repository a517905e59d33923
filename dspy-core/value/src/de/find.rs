//! Where in a text a value may stand.

use std::ops::Range;

use super::{
    lex::{self, Place},
    prose::Piece,
};

/// How many structures of one text are looked at.
const MOST_REGIONS: usize = 16;

/// A fenced block.
pub(super) struct Fence<'t> {
    pub(super) text: &'t str,
    /// Where its text begins.
    pub(super) start: usize,
    /// Where the block itself ends.
    end: usize,
    pub(super) closed: bool,
}

/// The first fenced block of a text.
pub(super) fn fence(text: &str) -> Option<Fence<'_>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let trimmed = line.trim_start();
        let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let ticks = trimmed.len() - trimmed.trim_start_matches(mark).len();
        if ticks < 3 {
            continue;
        }
        return Some(body(text, start + (line.len() - trimmed.len()) + ticks, at, mark, ticks));
    }
    None
}

/// What stands in the fence that a whole text is, or the text.
pub(super) fn unfenced(text: &str) -> &str {
    if !text.trim_start().starts_with(['`', '~']) {
        return text;
    }
    let fence = fence(text.trim_start()).filter(|f| text.trim_start()[f.end..].trim().is_empty());
    fence.map_or(text, |f| f.text)
}

/// The first fenced block of a text that may have anything before it.
pub(super) fn fence_within(text: &str) -> Option<Fence<'_>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if (trimmed.starts_with("```") || trimmed.starts_with("~~~"))
            && let Some(found) = fence(&text[at..])
        {
            return Some(Fence { start: at + found.start, end: at + found.end, ..found });
        }
        at += line.len();
    }
    None
}

/// The block whose opening line ends at `start`; `info` is where its language would stand.
fn body(text: &str, info: usize, start: usize, mark: char, ticks: usize) -> Fence<'_> {
    // All on one line.
    let rest = &text[info..start];
    let closing: String = std::iter::repeat_n(mark, ticks).collect();
    if let Some(end) = rest.find(&closing) {
        return Fence { text: &rest[..end], start: info, end: info + end + ticks, closed: true };
    }
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.len() >= ticks && trimmed.chars().all(|c| c == mark) {
            let inner = &text[start..at];
            let inner = inner.strip_suffix('\n').unwrap_or(inner);
            let inner = inner.strip_suffix('\r').unwrap_or(inner);
            return Fence { text: inner, start, end: at + line.len(), closed: true };
        }
        at += line.len();
    }
    Fence { text: &text[start..], start, end: text.len(), closed: false }
}

/// The texts of all fenced blocks.
pub(super) fn fences(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(found) = fence_within(&text[at..]) {
        out.push(at + found.start..at + found.start + found.text.len());
        at += found.end;
        if out.len() == MOST_REGIONS {
            break;
        }
    }
    out
}

/// An object or a list in a text.
pub(super) struct Region {
    pub(super) range: Range<usize>,
    /// Whether it lies inside another one, which has no end.
    pub(super) inner: bool,
}

/// The objects and lists of a text.
pub(super) fn regions(text: &str) -> Vec<Region> {
    let mut out: Vec<Region> = Vec::new();
    let (mut at, mut unclosed) = (0, 0);
    while let Some(open) = text[at..].find(['{', '[']).map(|o| at + o) {
        // `\\boxed{…}`
        let command = text[..open].trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if text[open..].starts_with('{') && command.len() < open && command.ends_with('\\') {
            at = open + 1;
            continue;
        }
        let end = open + lex::value_len(&text[open..], Place::Alone);
        out.push(Region { range: open..end, inner: unclosed > 0 });
        let closed = text[..end].ends_with(['}', ']', ')']);
        // What is cut off is not to be taken for one of its parts.
        if !closed && lex::opens_json(&text[open..]) {
            break;
        }
        unclosed += usize::from(!closed);
        // A bracket that is never closed may be one of prose, before the value.
        at = if closed { end } else { open + 1 };
        if out.len() == MOST_REGIONS || unclosed == 3 {
            break;
        }
    }
    out
}

/// Whether the words before a structure call it wrong or an example, or make it the answer of a later turn.
pub(super) fn is_aside(text: &str, start: usize) -> bool {
    const ASIDES: [&str; 9] = [
        "incorrect",
        "wrong",
        "example",
        "invalid",
        "instead of",
        "note that",
        "would have",
        "not ",
        "rather than",
    ];
    let before = &text[..start];
    let turn = before.rfind("\nUser:").or_else(|| before.rfind("\nHuman:"));
    if turn.is_some_and(|turn| before[..turn].contains(['{', '['])) {
        return true;
    }
    // The words of the same sentence, after the structure before.
    let sentence = before.rfind(['}', ']', '\n']).map_or(0, |at| at + 1);
    let sentence = &before[sentence..];
    let near = &sentence[sentence.char_indices().rev().nth(120).map_or(0, |(at, _)| at)..];
    let lower = near.to_ascii_lowercase();
    ASIDES.iter().any(|word| lower.contains(word))
}

/// The objects of a text that has nothing else beside fences, when they are several.
pub(super) fn only_objects(text: &str) -> Option<Vec<Piece<'_>>> {
    let regions = regions(text);
    let mut end = 0;
    for region in &regions {
        let Range { start, end: next } = region.range;
        if region.inner || start < end || !text[start..].starts_with('{') {
            return None;
        }
        let mut words = text[end..start].lines().filter(|line| !line.trim_start().starts_with("```"));
        if words.any(|line| line.contains(char::is_alphanumeric)) {
            return None;
        }
        end = next;
    }
    let rest = text[end..].chars().any(char::is_alphanumeric);
    let piece =
        |region: &Region| Piece { text: text[region.range.clone()].into(), offset: region.range.start };
    (regions.len() > 1 && !rest).then(|| regions.iter().map(piece).collect())
}

/// The text behind the last announcement of an answer.
pub(super) fn announced(text: &str) -> Option<&str> {
    const LEADS: [&str; 9] = [
        "answer is",
        "answer:",
        "answer**:",
        "result is",
        "result:",
        "output:",
        "conclusion:",
        "therefore,",
        "value:",
    ];
    // Only ASCII letters change, so places stay the same.
    let lower = text.to_ascii_lowercase();
    let end = LEADS.iter().filter_map(|lead| lower.rfind(lead).map(|at| at + lead.len())).max()?;
    Some(text[end..].trim_start_matches(|c: char| c.is_whitespace() || "*_:".contains(c)))
        .filter(|t| !t.is_empty())
}

/// The only word of a text that has digits or signs in it, such as a date or an address; of two that look alike, none.
pub(super) fn notations(text: &str) -> Vec<&str> {
    let trim = |c: char| c.is_whitespace() || "\"'`*_“”‘’<>()[].,;:!".contains(c);
    let odd = |word: &&str| {
        word.contains(|c: char| c.is_ascii_digit()) || word.contains("://") || word.contains('@')
    };
    let shape =
        |word: &str| -> String { word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect() };
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(trim)).collect();
    // Half past two at noon is not half past two at night.
    let half = |word: &str| matches!(&*word.to_ascii_lowercase(), "am" | "pm" | "a.m" | "p.m" | "bc" | "bce");
    if words.iter().any(|word| half(word)) {
        return Vec::new();
    }
    let found: Vec<&str> = words.into_iter().filter(odd).take(8).collect();
    let mut shapes: Vec<String> = found.iter().map(|word| shape(word)).collect();
    shapes.sort_unstable();
    let several = shapes.windows(2).any(|pair| pair[0] == pair[1]);
    if several { Vec::new() } else { found }
}
