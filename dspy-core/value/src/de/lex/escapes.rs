//! What stands behind a backslash.

use super::chars::count;

/// Writes what an escape stands for; its length without the backslash.
pub(in super::super) fn escape(text: &str, out: &mut String, escapes: Escapes) -> usize {
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
pub(in super::super) enum Escapes {
    /// What JSON says.
    Json,
    /// Itself: TeX or a path that was not escaped, as some other letter behind a backslash tells.
    Letters,
}

impl Escapes {
    /// Looks for a letter that JSON does not escape, up to where the string may end.
    pub(in super::super) fn of(text: &str) -> Self {
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
pub(in super::super) fn unescape(text: &str) -> String {
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
