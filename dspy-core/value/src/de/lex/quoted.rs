//! Strings in quotes.

use std::borrow::Cow;

use super::{
    super::coercion::CoercionKind,
    ahead::ends,
    chars::{Place, closing, count, skip_blank},
    escapes::{Escapes, escape},
};

/// A string as it was found.
pub(in super::super) struct Quoted<'t> {
    pub(in super::super) text: Cow<'t, str>,
    /// How long it is, with its quotes.
    pub(in super::super) len: usize,
    /// What had to be bent.
    pub(in super::super) notes: [Option<CoercionKind>; 4],
}

/// The string at the start of `text`, which begins with a quote.
///
/// A quote ends it only when what follows can follow a value at this place, because models forget to escape.
pub(in super::super) fn quoted(text: &str, place: Place) -> Quoted<'_> {
    if let Some(plain) = plain(text, place) {
        return plain;
    }
    let open = text.chars().next().unwrap_or('"');
    let close = closing(open).unwrap_or(&['"']);
    let odd = (open != '"').then_some(CoercionKind::OtherQuotes);
    let triple = ["\"\"\"", "'''"].into_iter().find(|mark| text.starts_with(mark));
    if let Some((mark, body)) = triple.and_then(|mark| Some((mark, text.strip_prefix(mark)?))) {
        let (end, len) = match body.find(mark) {
            Some(end) => (end, end + 6),
            None => (body.len(), text.len()),
        };
        return Quoted {
            text: body[..end].into(),
            len,
            notes: [Some(CoercionKind::TripleQuotes), None, None, None],
        };
    }
    let (mut raw_break, mut unescaped, mut odd_escape) = (None, None, None);
    // How many brackets the text has opened: one that is closed behind a quote belongs to the text, if quotes do.
    let mut depth = 0i32;
    let escapes = Escapes::of(text);
    let start = open.len_utf8();
    let bytes = text.as_bytes();
    // Escapes make a copy necessary; until the first one the text itself is enough.
    let mut copy: Option<String> = None;
    let mut copied = start;
    let mut at = start;
    while at < bytes.len() {
        count(1);
        let b = bytes[at];
        if b == b'\\' {
            let out = copy.get_or_insert_with(String::new);
            out.push_str(&text[copied..at]);
            at += 1;
            if !matches!(bytes.get(at), Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) {
                odd_escape = Some(CoercionKind::OddEscape);
            }
            at += escape(&text[at..], out, escapes);
            copied = at;
            continue;
        }
        if b == b'\n' {
            raw_break = Some(CoercionKind::LineBreak);
            at += 1;
            continue;
        }
        if b < 0x80 && b != b'"' && b != b'\'' && b != b'`' {
            depth += i32::from(matches!(b, b'(' | b'[' | b'{')) - i32::from(matches!(b, b')' | b']' | b'}'));
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        if close.contains(&c) {
            let behind = &text[at + c.len_utf8()..];
            let inside = unescaped.is_some() && depth > 0;
            // `"name": "Bo, "age": 7`: the quote belongs to the next key, before which this text ends.
            if place == Place::Object
                && depth <= 0
                && skip_blank(behind).starts_with([':', '：'])
                && let Some(end) = before_key(&text[..at]).filter(|end| *end >= copied.max(start))
            {
                return Quoted {
                    text: finish(text, copy, copied, end),
                    len: end,
                    notes: [Some(CoercionKind::MissingQuote), raw_break, None, odd_escape],
                };
            }
            if !(inside && behind.starts_with([')', ']', '}', ','])) && ends(behind, place) {
                let found = finish(text, copy, copied, at);
                let found = match (open, found) {
                    // French leaves space inside its quotes.
                    ('«', Cow::Borrowed(text)) => text.trim().into(),
                    ('«', Cow::Owned(text)) => text.trim().to_owned().into(),
                    (_, text) => text,
                };
                return Quoted {
                    text: found,
                    len: at + c.len_utf8(),
                    notes: [odd, raw_break, unescaped, odd_escape],
                };
            }
            unescaped = Some(CoercionKind::UnescapedQuote);
        }
        at += c.len_utf8();
    }
    // Brackets that close what was opened before the string are none of its text.
    let closers = |c: char| c.is_whitespace() || matches!(c, '}' | ']');
    let end = text.trim_end_matches(closers).len().max(copied);
    let closed = place != Place::Alone && depth < 0 && text[end..].contains(['}', ']']);
    if closed {
        return Quoted {
            text: finish(text, copy, copied, end),
            len: end,
            notes: [Some(CoercionKind::MissingQuote), raw_break, unescaped, odd_escape],
        };
    }
    Quoted {
        text: finish(text, copy, copied, text.len()),
        len: text.len(),
        notes: [Some(CoercionKind::CutText), raw_break, unescaped, odd_escape],
    }
}

/// The string at the start of `text` when it is one of JSON without escapes: the usual case, in one pass.
fn plain(text: &str, place: Place) -> Option<Quoted<'_>> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let len = bytes[1..].iter().position(|b| matches!(b, b'"' | b'\\' | b'\n'))?;
    let end = len + 1;
    count(end);
    // An empty string may be the first two of three quotes.
    if bytes[end] != b'"' || (len == 0 && bytes.get(2) == Some(&b'"')) {
        return None;
    }
    let sure = match (bytes.get(end + 1), place) {
        (Some(b':'), Place::Key) => true,
        (Some(b'}' | b']'), Place::Object | Place::List) => true,
        _ => ends(&text[end + 1..], place),
    };
    sure.then(|| Quoted { text: text[1..end].into(), len: end + 1, notes: [None; 4] })
}

/// Where a text ends that goes on, after a comma or a new line and a quote, with a key.
pub(in super::super) fn before_key(text: &str) -> Option<usize> {
    // A bound, so that many quotes are not each looked behind for far.
    let near = (text.len().saturating_sub(68)..=text.len()).find(|at| text.is_char_boundary(*at))?;
    let open = near + text[near..].rfind(['"', '\''])?;
    let key = &text[open + 1..];
    let named =
        !key.is_empty() && key.len() <= 64 && key.chars().all(|c| c.is_alphanumeric() || "_-$. ".contains(c));
    let before = text[..open].trim_end_matches([' ', '\t']);
    (named && before.ends_with([',', '\n'])).then(|| before.trim_end_matches([',', '\n', '\r', ' ']).len())
}

fn finish(text: &str, copy: Option<String>, copied: usize, end: usize) -> Cow<'_, str> {
    match copy {
        None => text[copied..end].into(),
        Some(mut out) => {
            out.push_str(&text[copied..end]);
            out.into()
        }
    }
}
