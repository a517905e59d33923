//! How far a value goes.

use super::{
    ahead::loose_key_follows,
    chars::{Place, blank, closing, comment, count, starts_comment},
    quoted::quoted,
};

/// Length of the value at the start of `text`, however broken, without reading it.
pub(in super::super) fn value_len(text: &str, place: Place) -> usize {
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
pub(in super::super) fn bare_len(text: &str, place: Place, more: bool) -> Option<usize> {
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
