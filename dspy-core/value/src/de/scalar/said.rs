//! Where in a text a scalar stands alone: as all of it, in marks, behind a label, in brackets of its own, or on a line.

use super::{
    bare::{Bare, Said, unmarked},
    english,
    labels::{announces, turns},
};
use crate::de::{
    coercion::CoercionKind,
    find::{fences, without_thoughts},
    options::ReadOptions,
};

/// Why a text says no scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::de) enum Unsaid {
    /// It has none.
    Nothing,
    /// It has several, and none that it calls the answer.
    Several,
    /// It stops amid its thoughts.
    Thinking,
}

/// A scalar that a text says, and what had to be bent.
pub(super) struct Settled {
    pub(super) value: Said,
    pub(super) kind: Option<CoercionKind>,
}

/// Lines that are longer hold no scalar alone.
const LONGEST_LINE: usize = 240;

/// How many lines of a text are looked at, at its ends.
const MOST_LINES: usize = 400;

/// The scalar that a text says.
pub(super) fn settle(text: &str, bare: &dyn Bare, options: &ReadOptions) -> Result<Settled, Unsaid> {
    let text = without_thoughts(text).ok_or(Unsaid::Thinking)?;
    let core = text.trim();
    if core.is_empty() {
        return Err(Unsaid::Nothing);
    }
    if let Some((value, kind)) = one(core, bare) {
        return Ok(Settled { value, kind: Some(kind) });
    }
    if core.contains('\n') {
        match lines(core, bare) {
            Ok(Some((value, kind))) => return Ok(Settled { value, kind: Some(kind) }),
            Ok(None) => {}
            Err(why) => return Err(why),
        }
    }
    match english::sentence(core, bare, options) {
        Some(value) => Ok(Settled { value, kind: Some(CoercionKind::Sentence) }),
        None => Err(Unsaid::Nothing),
    }
}

/// The scalar that a text is, with marks, a label or an explanation in brackets at most.
fn one(text: &str, bare: &dyn Bare) -> Option<(Said, CoercionKind)> {
    let text = text.trim();
    if let Some(found) = plain(text, bare) {
        return Some(found);
    }
    if let Some(inner) = tagged(text).or_else(|| boxed(text)).or_else(|| opened(text)) {
        return plain(inner, bare).map(|(value, _)| (value, CoercionKind::Around));
    }
    if text.contains('\n') || text.len() > LONGEST_LINE {
        return None;
    }
    labelled(text, bare).map(|label| (label.value, CoercionKind::Label))
}

/// The scalar that a text is, with marks or an explanation in brackets at most.
fn plain(text: &str, bare: &dyn Bare) -> Option<(Said, CoercionKind)> {
    if text.len() > LONGEST_LINE {
        return None;
    }
    let inner = unmarked(text);
    for text in [text, inner] {
        if let Some(found) = bare.bare(text) {
            return Some(found);
        }
    }
    // "3.14 (rounded)"
    let open = inner.rfind(['(', '（']).filter(|_| inner.ends_with([')', '）']))?;
    let inside = inner[open..].trim_matches(['(', '（', ')', '）']);
    let (value, _) = bare.bare(unmarked(&inner[..open]))?;
    bare.explains(&value, inside).then_some((value, CoercionKind::Explanation))
}

/// What stands in the last box of a formula.
fn boxed(text: &str) -> Option<&str> {
    let start = text.rfind("\\boxed{")? + "\\boxed{".len();
    let mut depth = 1;
    let end = text[start..].find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    })?;
    Some(&text[start..start + end])
}

/// What stands in the last element.
fn tagged(text: &str) -> Option<&str> {
    let close = text.rfind("</")?;
    let name = text[close + 2..].split_once('>')?.0;
    if name.is_empty()
        || name.len() > 64
        || name.contains(|c: char| !(c.is_alphanumeric() || "_-".contains(c)))
    {
        return None;
    }
    // What is struck out, or called wrong.
    if turns(name) || matches!(name, "s" | "del" | "strike") {
        return None;
    }
    let open = text[..close].rfind(&*format!("<{name}>"))?;
    let inner = &text[open + name.len() + 2..close];
    match inner.contains('<') {
        true => tagged(inner),
        false => Some(inner.trim()),
    }
}

/// What stands behind an opening tag that is never closed.
fn opened(text: &str) -> Option<&str> {
    let (name, inner) = text.strip_prefix('<')?.split_once('>')?;
    let plain = name.len() <= 64 && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    (plain && !inner.contains('<')).then(|| inner.trim())
}

/// A scalar behind a label.
struct Labelled {
    value: Said,
    announced: bool,
}

fn labelled(line: &str, bare: &dyn Bare) -> Option<Labelled> {
    let arrow = |at: usize| line[..at].ends_with(['-', '=']);
    let sign = |(at, c): &(usize, char)| matches!(c, ':' | '：' | '=' | '→') || *c == '>' && arrow(*at);
    for (at, sign) in line.char_indices().rev().filter(sign).take(4) {
        let before = if sign == '>' { line[..at].trim_end_matches(['-', '=']) } else { &line[..at] };
        let label = unmarked(before);
        let behind = &line[at + sign.len_utf8()..];
        if behind.starts_with('>') {
            continue;
        }
        // A time of day, a comparison.
        let term = sign == '='
            && label.contains(char::is_alphabetic)
            && label.contains(|c: char| c.is_ascii_digit());
        let glued = label.ends_with(|c: char| c.is_ascii_digit()) && sign != '='
            || term
            || before.ends_with(['<', '>', '!', '=', '≈']);
        let words = label.split_whitespace().count();
        let sentence = label.contains(['.', '!', '?', ';', '。', '\n', '|', ':', '：', '→', ',', '、'])
            || label.contains('=')
            || turns(label);
        if glued || sentence || words > 8 || !(label.contains(char::is_alphabetic) || sign == '=') {
            continue;
        }
        // A value before a value: neither is sure.
        if mentioned(label, bare).iter().any(|value| !matches!(value, Said::Number(_))) {
            continue;
        }
        if let Some((value, _)) = plain(behind, bare) {
            return Some(Labelled { value, announced: announces(label) });
        }
    }
    None
}

/// The value that the lines of a text have alone: one that is called the answer, or the only one.
fn lines(text: &str, bare: &dyn Bare) -> Result<Option<(Said, CoercionKind)>, Unsaid> {
    if let [fence] = &fences(text)[..]
        && let Some((value, _)) = plain(fence.text.trim(), bare)
    {
        return Ok(Some((value, CoercionKind::Around)));
    }
    let all: Vec<&str> = text.lines().map(str::trim).collect();
    let skipped = all.len().saturating_sub(MOST_LINES);
    let near = |at: usize| at < MOST_LINES / 2 || at >= skipped + MOST_LINES / 2;
    // Values that are called the answer, and values alone on a line.
    let mut called: Vec<(Said, CoercionKind)> = Vec::new();
    let mut alone: Vec<Said> = Vec::new();
    let mut heading = false;
    for (at, line) in all.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let announced = std::mem::take(&mut heading) || line.starts_with("####");
        if !near(at) || line.len() > LONGEST_LINE {
            continue;
        }
        if let Some((value, _)) = plain(line, bare) {
            match announced {
                true => called.push((value, CoercionKind::Label)),
                false => alone.push(value),
            }
        } else if let Some(label) = labelled(line, bare).filter(|label| label.announced) {
            called.push((label.value, CoercionKind::Label));
        } else if let Some(inner) = boxed(line) {
            let value = plain(inner, bare).map(|(value, _)| value);
            let value = value.or_else(|| labelled(inner, bare).map(|label| label.value));
            called.extend(value.map(|value| (value, CoercionKind::Around)));
        } else {
            let title = unmarked(line).trim_end_matches([':', '：']);
            let short = title.split_whitespace().count() <= 3 && title.len() <= 40;
            heading = short && announces(title) && !turns(title);
        }
    }
    if let Some((value, kind)) = called.first().cloned() {
        let agreed = called.iter().all(|(other, _)| *other == value);
        return if agreed { Ok(Some((value, kind))) } else { Err(Unsaid::Several) };
    }
    let last = all.iter().rposition(|line| !line.is_empty()).unwrap_or(0);
    let blank = last > 0 && all[last - 1].is_empty();
    let Some((value, _)) = plain(all[last], bare) else {
        // A name behind a label that stands apart; numbers are found behind labels of many kinds.
        let label = labelled(all[last], bare)
            .filter(|label| blank && alone.is_empty() && !matches!(label.value, Said::Number(_)));
        return Ok(label.map(|label| (label.value, CoercionKind::Label)));
    };
    if alone.iter().any(|other| *other != value) {
        return Err(Unsaid::Several);
    }
    // A line that goes on may say anything of the value.
    let before = all[..last].iter().rfind(|line| !line.is_empty()).copied().unwrap_or_default();
    let brake = before.split_whitespace().count() <= 3 && turns(before);
    let sentence = before.ends_with(['.', '!', '。', '！', '…', '"', '”', '»', '」', ')', '|', '`']);
    let ended = before.is_empty() || !brake && (sentence || before.contains('=')) || alone.len() > 1;
    let label = before.ends_with([':', '：']) && !turns(before) && before.len() <= LONGEST_LINE;
    Ok((ended || label).then_some((value, CoercionKind::LastLine)))
}

/// The values that occur in a text as words.
pub(super) fn mentioned(text: &str, bare: &dyn Bare) -> Vec<Said> {
    let mut out: Vec<Said> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || "/|,;:()".contains(c)).take(200) {
        if let Some((value, _)) = bare.bare(unmarked(word))
            && !out.contains(&value)
        {
            out.push(value);
        }
    }
    out
}
