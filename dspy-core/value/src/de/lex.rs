//! The characters of JSON and of what models write in its place.

use std::borrow::Cow;

use super::coercion::CoercionKind;

#[cfg(test)]
thread_local!(
    /// How many characters were looked at.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) }
);

/// Notes that so many characters were looked at, for tests of how the work grows with the text.
#[inline]
pub(super) fn count(steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + steps);
    let _ = steps;
}

/// Length of the white space at the start, of every kind that models write.
pub(super) fn blank(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\n' | b'\t' | b'\r' => at += 1,
            b if b < 0x80 => break,
            _ => {
                let Some(c) = text[at..].chars().next() else { break };
                if !(c.is_whitespace()
                    || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'))
                {
                    break;
                }
                at += c.len_utf8();
            }
        }
    }
    count(at + 1);
    at
}

/// Length of the comment at the start, if there is one.
pub(super) fn comment(text: &str) -> Option<usize> {
    if !matches!(text.as_bytes().first(), Some(b'/' | b'#')) {
        return None;
    }
    let len = if text.starts_with("//") || text.starts_with('#') {
        text.find('\n')
    } else if text.starts_with("/*") {
        text.find("*/").map(|end| end + 2)
    } else {
        return None;
    };
    let len = len.unwrap_or(text.len());
    count(len);
    Some(len)
}

/// Whether a comment stands at the start.
pub(super) fn starts_comment(text: &str) -> bool {
    text.starts_with("//") || text.starts_with("/*") || text.starts_with('#')
}

/// Whether a string begins with this character, and what ends it.
pub(super) fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        '`' => Some(&['`']),
        '“' | '”' | '„' => Some(&['”', '“', '"']),
        '‘' | '’' => Some(&['’', '‘', '\'']),
        '«' => Some(&['»']),
        '「' => Some(&['」']),
        _ => None,
    }
}

/// Where a value stands, which decides what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Alone.
    Alone,
    /// In an object, before `:`.
    Key,
    /// In an object, before `,` or `}`.
    Object,
    /// In a list, before `,` or `]`.
    List,
}

/// A string as it was found.
pub(super) struct Quoted<'t> {
    pub(super) text: Cow<'t, str>,
    /// How long it is, with its quotes.
    pub(super) len: usize,
    /// What had to be bent.
    pub(super) notes: [Option<CoercionKind>; 4],
}

/// The string at the start of `text`, which begins with a quote.
///
/// A quote ends it only when what follows can follow a value at this place, because models forget to escape.
pub(super) fn quoted(text: &str, place: Place) -> Quoted<'_> {
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
pub(super) fn before_key(text: &str) -> Option<usize> {
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

/// Writes what an escape stands for; its length without the backslash.
pub(super) fn escape(text: &str, out: &mut String, escapes: Escapes) -> usize {
    // An escape that is cut off with its text stands for nothing.
    let Some(c) = text.chars().next() else { return 0 };
    let followed = text[c.len_utf8()..].starts_with(|c: char| c.is_ascii_alphabetic());
    match c {
        'n' | 't' | 'r' | 'b' | 'f' | 'u' if escapes == Escapes::Letters && followed => {
            out.push('\\');
            out.push(c);
        }
        'n' => out.push('\n'),
        't' => out.push('\t'),
        'r' => out.push('\r'),
        'b' => out.push('\u{8}'),
        'f' => out.push('\u{c}'),
        '"' | '\\' | '/' | '\'' | '`' => out.push(c),
        '\n' => {}
        'u' => return unicode(text, out),
        // No escape of JSON: a path or a pattern that was not escaped.
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    c.len_utf8()
}

/// What a backslash before a letter means in a string.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Escapes {
    /// What JSON says.
    Json,
    /// Itself: TeX or a path that was not escaped, as some other letter behind a backslash tells.
    Letters,
}

impl Escapes {
    /// Looks for a letter that JSON does not escape, up to where the string may end.
    fn of(text: &str) -> Self {
        let quote = text.bytes().next();
        let mut bytes = text.bytes().skip(1).take(4096);
        while let Some(b) = bytes.next() {
            count(1);
            match b {
                b'\\' => match bytes.next() {
                    Some(b'b' | b'f' | b'n' | b'r' | b't' | b'u') | None => {}
                    Some(c) if c.is_ascii_alphabetic() => return Self::Letters,
                    Some(_) => {}
                },
                _ if b == b'"' || Some(b) == quote => break,
                _ => {}
            }
        }
        Self::Json
    }
}

/// A text without its escapes.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let len = escape(&rest[at + 1..], &mut out, Escapes::Json);
        rest = &rest[at + 1 + len..];
    }
    out.push_str(rest);
    out
}

fn unicode(text: &str, out: &mut String) -> usize {
    let unit = |at: usize| text.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(1) else {
        if text.len() < 5 && text[1..].bytes().all(|b| b.is_ascii_hexdigit()) {
            return text.len();
        }
        out.push_str("\\u");
        return 1;
    };
    if (0xd800..0xdc00).contains(&first)
        && text.get(5..7) == Some("\\u")
        && let Some(second) = unit(7)
        && (0xdc00..0xe000).contains(&second)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return 11;
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    5
}

/// Whether a string can have ended before `rest`.
pub(super) fn ends(rest: &str, place: Place) -> bool {
    ends_so_far(rest, place, false) == Some(true)
}

// Looks ahead in a text that may go on, as `more` tells: then its end so far says nothing, and the answer is `None` where
// more of it decides.

/// As [`ends`].
pub(super) fn ends_so_far(rest: &str, place: Place, more: bool) -> Option<bool> {
    let (gap, rest) = rest.split_at(blank(rest));
    let Some(c) = rest.chars().next() else { return at_end(more) };
    Some(match (c, place) {
        // Texts that stand below each other, which Python joins.
        ('\'', Place::List) => gap.contains('\n'),
        ('{' | '[' | '0'..='9', Place::List) if gap.contains('\n') => true,
        // A blank line, and prose behind what is cut off.
        (_, Place::Object | Place::List) if c.is_alphabetic() && gap.matches('\n').count() > 1 => true,
        (':' | '：' | '=', _) => place == Place::Key,
        ('`' | '/', _) if more && (rest.len() == 1 || rest == "``") => return None,
        ('`', _) => rest.starts_with("```"),
        ('/', _) => starts_comment(rest),
        (_, Place::Alone) => false,
        ('}' | ']', _) => true,
        (')', _) => {
            let behind = rest[1..].trim_start();
            return if behind.is_empty() {
                at_end(more)
            } else {
                Some(behind.starts_with([',', '}', ']', ')']))
            };
        }
        (',' | ';' | '，' | '、', Place::List) => return value_follows(&rest[c.len_utf8()..], more),
        (',' | ';' | '，' | '、', _) => return key_follows_so_far(&rest[c.len_utf8()..], more),
        // A missing comma: a key or a value begins.
        ('"', Place::List) => {
            let behind = rest[1..].trim_start();
            return if behind.is_empty() { at_end(more) } else { Some(!behind.starts_with([',', ']'])) };
        }
        ('"', _) => return quoted_key_so_far(rest, more),
        ('#', _) => true,
        // `"one, " + "two"`
        ('+', Place::Object | Place::List) => match skip_blank(&rest[1..]) {
            "" if more => return None,
            behind => behind.starts_with(['"', '\'']),
        },
        _ => false,
    })
}

/// What the end of the text says.
fn at_end(more: bool) -> Option<bool> {
    (!more).then_some(true)
}

/// How far a key is looked for.
pub(super) const LONGEST_KEY: usize = 128;

/// Whether the quote at the start is that of a key, or of one that is cut off.
pub(super) fn quoted_key(text: &str) -> bool {
    quoted_key_so_far(text, false) == Some(true)
}

/// As [`quoted_key`].
fn quoted_key_so_far(text: &str, more: bool) -> Option<bool> {
    let Some(close) = text.chars().next().and_then(closing) else { return Some(false) };
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1).take(LONGEST_KEY) {
        count(1);
        if c == '\n' {
            return Some(false);
        }
        if close.contains(&c) && !escaped {
            let behind = skip_blank(&text[at + c.len_utf8()..]);
            return (!more || !behind.is_empty()).then(|| behind.starts_with([':', '：', '=']));
        }
        escaped = c == '\\' && !escaped;
    }
    // A long key, or one that is cut off with the text.
    let long = text.len() > LONGEST_KEY;
    (!more || long).then(|| long || !text.contains(['}', ']']))
}

/// The key that begins with a quote and goes up to a colon.
pub(super) fn unclosed_key(text: &str) -> Option<&str> {
    let inner = &text[text.chars().next().filter(|c| closing(*c).is_some())?.len_utf8()..];
    let (end, _) =
        inner.char_indices().take(64).find(|(_, c)| !(c.is_alphanumeric() || "_-$. ".contains(*c)))?;
    (end > 0 && inner[end..].starts_with([':', '：'])).then_some(&inner[..end])
}

/// Whether a key whose closing quote is missing stands at the start, with a value as JSON writes it.
fn unclosed_key_follows(text: &str) -> bool {
    let Some(key) = unclosed_key(text) else { return false };
    let quote = text.chars().next().map_or(0, char::len_utf8);
    let behind = &text[quote + key.len()..];
    let behind = behind.trim_start_matches([':', '：']).trim_start_matches([' ', '\n', '\t']);
    let number = behind.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && (number || !key.contains(' '))
        && (behind.starts_with(['"', '{', '[', '-'])
            || behind.starts_with(|c: char| c.is_ascii_digit())
            || ["true", "false", "null"].iter().any(|word| behind.starts_with(word)))
}

/// The key that stands here without its closing quote: the next quote is that of another key or of its value.
pub(super) fn unclosed_key_here(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let (quote, _) = inner.char_indices().find(|(_, c)| {
        let found = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        found
    })?;
    if skip_blank(&inner[quote + 1..]).starts_with([':', '：', '=']) || !unclosed_key_follows(text) {
        return None;
    }
    unclosed_key(text)
}

/// Whether a key or the end of the object follows.
pub(super) fn key_follows(text: &str) -> bool {
    key_follows_so_far(text, false) == Some(true)
}

/// As [`key_follows`].
pub(super) fn key_follows_so_far(text: &str, more: bool) -> Option<bool> {
    let rest = skip_blank(text);
    match rest.chars().next() {
        None => at_end(more),
        // An object in place of a key: this one was not closed.
        Some('}' | ']' | ',' | '{' | '…') => Some(true),
        Some('.' | '/') if more && matches!(rest, "." | ".." | "/") => None,
        Some('.') => Some(rest.starts_with("...")),
        Some(c) if closing(c).is_some() => Some(quoted_key_so_far(rest, more)? || unclosed_key_follows(rest)),
        Some(c) => bare_key(rest, c, "", more),
    }
}

/// As [`key_follows`], where nothing is in quotes: then a key may have several words.
fn loose_key_follows(text: &str, more: bool) -> Option<bool> {
    let rest = skip_blank(text);
    match (key_follows_so_far(text, more)?, rest.chars().next()) {
        (false, Some(c)) => bare_key(rest, c, " ", more),
        (follows, _) => Some(follows),
    }
}

/// Whether a key without quotes, or without its first one, stands at the start.
fn bare_key(text: &str, first: char, others: &str, more: bool) -> Option<bool> {
    if !(first.is_alphanumeric() || first == '_' || first == '$') {
        return Some(false);
    }
    let part = |c: char| c.is_alphanumeric() || "_-$.".contains(c) || others.contains(c);
    let found = text.char_indices().take(LONGEST_KEY).find(|(_, c)| !part(*c));
    count(found.map_or(LONGEST_KEY, |(end, _)| end));
    let Some((end, _)) = found else {
        return (!more || text.len() > LONGEST_KEY).then_some(text.len() < LONGEST_KEY);
    };
    let after = skip_blank(text[end..].strip_prefix('"').unwrap_or(&text[end..]));
    if after.is_empty() { at_end(more) } else { Some(after.starts_with([':', '：', '='])) }
}

/// Whether the bracket at the start looks like one of JSON, and not of prose.
pub(super) fn opens_json(text: &str) -> bool {
    opens_json_so_far(text, false) == Some(true)
}

/// As [`opens_json`].
pub(super) fn opens_json_so_far(text: &str, more: bool) -> Option<bool> {
    let inside = skip_blank(&text[1..]);
    match text.as_bytes().first() {
        Some(b'{') => key_follows_so_far(inside, more),
        _ if more && inside.is_empty() => None,
        _ => Some(inside.starts_with(|c: char| "{[\"'".contains(c) || c.is_ascii_digit())),
    }
}

/// Whether a value or the end of the list follows.
fn value_follows(text: &str, more: bool) -> Option<bool> {
    let rest = skip_blank(text);
    Some(match rest.chars().next() {
        None => return at_end(more),
        Some(c) if closing(c).is_some() || "{[(]},-…".contains(c) || c.is_ascii_digit() => true,
        Some('r' | 'u' | 'b' | 'f') if rest[1..].starts_with(['"', '\'']) => true,
        Some('.' | '/') if more && matches!(rest, "." | ".." | "/") => return None,
        Some('.') => rest.starts_with("..."),
        Some(_) => {
            let word = &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())];
            count(word.len());
            let next = skip_blank(&rest[word.len()..]);
            if more && next.is_empty() {
                return None;
            }
            ["true", "false", "null", "True", "False", "None", "NaN", "Infinity"].contains(&word)
                || (!word.is_empty() && (next.is_empty() || next.starts_with([',', ']'])))
                // On a line of its own, an item whose opening quote is missing.
                || text[..text.len() - rest.len()].contains('\n')
                    && match rest.char_indices().take(LONGEST_KEY).find(|(_, c)| matches!(c, '"' | '\n')) {
                        None if more && rest.len() < LONGEST_KEY => return None,
                        end => end.is_some_and(|(end, _)| {
                            let behind = rest[end..].strip_prefix('"').map(str::trim_start);
                            behind.is_some_and(|behind| behind.starts_with([',', ']']))
                        }),
                    }
        }
    })
}

/// The text behind white space and comments.
pub(super) fn skip_blank(mut text: &str) -> &str {
    // A look ahead is kept short, or many of them would go through a long text again and again.
    for _ in 0..4 {
        text = &text[blank(text)..];
        if !text.starts_with(['/', '#']) {
            break;
        }
        let end = (LONGEST_KEY..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let near = &text[..end];
        match comment(near) {
            Some(len) => text = &text[len..],
            None => break,
        }
    }
    text
}

/// Length of the value at the start of `text`, however broken, without reading it.
pub(super) fn value_len(text: &str, place: Place) -> usize {
    let bytes = text.as_bytes();
    let mut open: Vec<u8> = Vec::new();
    let mut at = blank(text);
    // A quote opens a string only where a value or a key can begin: prose has apostrophes.
    let mut fresh = true;
    // In an object, a string before the colon is a key.
    let mut key = true;
    while at < bytes.len() {
        count(1);
        let here = match open.last() {
            None => place,
            Some(b'{') if key => Place::Key,
            Some(b'{') => Place::Object,
            Some(_) => Place::List,
        };
        let b = bytes[at];
        match b {
            b'{' | b'[' | b'(' => {
                open.push(b);
                (fresh, key) = (true, true);
                at += 1;
                continue;
            }
            b'}' | b']' | b')' => {
                // A bracket of another kind closes too: one of the two was forgotten.
                if open.pop().is_none() {
                    return at;
                }
                at += 1;
                if open.is_empty() {
                    return at;
                }
                (fresh, key) = (false, true);
                continue;
            }
            b',' if open.is_empty() && place != Place::Alone => return at,
            b',' => (fresh, key) = (true, true),
            b':' | b'=' => (fresh, key) = (true, false),
            b'/' if fresh && comment(&text[at..]).is_some() => {
                at += comment(&text[at..]).unwrap_or(1);
                continue;
            }
            _ if b == b'"' || fresh || b >= 0x80 => {
                let Some(c) = text[at..].chars().next() else { break };
                if closing(c).is_some() && (fresh || c == '"') {
                    at += quoted(&text[at..], here).len;
                    (fresh, key) = (false, true);
                    if open.is_empty() && place == Place::Alone {
                        return at;
                    }
                    continue;
                }
                fresh = fresh && c.is_whitespace();
                at += c.len_utf8();
                continue;
            }
            _ => fresh = fresh && b.is_ascii_whitespace(),
        }
        at += 1;
    }
    text.len()
}

/// Length of the value without quotes at the start of `text`: up to what ends it at this place. With `more`, the text
/// may go on; `None` when that decides.
pub(super) fn bare_len(text: &str, place: Place, more: bool) -> Option<usize> {
    // How far is white space of which is known that no key stands behind it.
    let (mut parens, mut previous, mut no_key) = (0usize, ' ', 0);
    for (at, c) in text.char_indices() {
        count(1);
        let rest = &text[at..];
        let ends = match c {
            '`' if more && rest.len() < 3 && "```".starts_with(rest) => return None,
            '`' if rest.starts_with("```") => true,
            _ if place == Place::Alone => false,
            ']' | '}' => true,
            '(' => {
                parens += 1;
                false
            }
            ')' if parens > 0 => {
                parens -= 1;
                false
            }
            ')' => true,
            ',' | ';' | '，' | '、' | '\n' if place == Place::List => true,
            '\n' if at < no_key => false,
            ',' | ';' | '，' | '、' | '\n' => {
                let behind = &rest[c.len_utf8()..];
                no_key = at + c.len_utf8() + blank(behind);
                loose_key_follows(behind, more)?
            }
            '/' if more && rest.len() < 2 => return None,
            '/' | '#' => previous.is_whitespace() && starts_comment(rest),
            _ => false,
        };
        if ends {
            return Some(at);
        }
        previous = c;
    }
    (!more).then_some(text.len())
}
