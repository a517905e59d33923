//! Whether enough of a text has arrived to decide what its end so far is.
//!
//! The reader of a whole text looks a little ahead, and takes the end of the text for the end of whatever stands there.
//! In a prefix, the end says nothing: these functions tell whether what is decided there still holds when the text
//! goes on. Each stands for the function of its name in [`lex`].

use super::super::lex::{self, Place};

/// Whether [`lex::ends`] can be asked.
pub(super) fn ends(rest: &str, place: Place) -> bool {
    let rest = &rest[lex::blank(rest)..];
    let Some(c) = rest.chars().next() else { return false };
    match (c, place) {
        ('`', _) => rest.len() > 2 || !"```".starts_with(rest),
        ('/', _) => rest.len() > 1,
        (')', _) => !rest[1..].trim_start().is_empty(),
        (',' | ';' | '，' | '、', Place::Key | Place::Object) => key_follows(&rest[c.len_utf8()..], ""),
        (',' | ';' | '，' | '、', Place::List) => value_follows(&rest[c.len_utf8()..]),
        ('"', Place::Key | Place::Object) => quoted_key(rest),
        ('"', Place::List) => !rest[1..].trim_start().is_empty(),
        _ => true,
    }
}

/// Whether [`lex::key_follows`] can be asked, or [`lex::loose_key_follows`] when `more` is a space.
pub(in super::super) fn key_follows(text: &str, more: &str) -> bool {
    let rest = lex::skip_blank(text);
    match rest.chars().next() {
        None => false,
        Some('.') => rest.len() > 2 || !"...".starts_with(rest),
        Some('/') => rest.len() > 1,
        Some(c) if lex::closing(c).is_some() => quoted_key(rest),
        Some(_) => {
            let part = |c: char| c.is_alphanumeric() || "_-$.".contains(c) || more.contains(c);
            let Some((end, _)) = rest.char_indices().take(lex::LONGEST_KEY).find(|(_, c)| !part(*c)) else {
                return rest.len() > lex::LONGEST_KEY;
            };
            let behind = rest[end..].strip_prefix('"').unwrap_or(&rest[end..]);
            !lex::skip_blank(behind).is_empty()
        }
    }
}

/// Whether [`lex::quoted_key`] can be asked.
fn quoted_key(text: &str) -> bool {
    let Some(close) = text.chars().next().and_then(lex::closing) else { return true };
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1).take(lex::LONGEST_KEY) {
        if c == '\n' {
            return true;
        }
        if close.contains(&c) && !escaped {
            return !lex::skip_blank(&text[at + c.len_utf8()..]).is_empty();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len() > lex::LONGEST_KEY
}

/// Whether `lex::value_follows` can be asked.
fn value_follows(text: &str) -> bool {
    let rest = lex::skip_blank(text);
    match rest.chars().next() {
        None => false,
        Some('.') => rest.len() > 2 || !"...".starts_with(rest),
        Some('/') => rest.len() > 1,
        Some(c) if c.is_alphanumeric() => {
            let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            !lex::skip_blank(&rest[word..]).is_empty()
        }
        Some(_) => true,
    }
}

/// Whether [`lex::escape`] can be asked of what stands behind a backslash.
pub(super) fn escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.first() {
        None => false,
        Some(b'u') => {
            let digits = bytes[1..].iter().take(4).take_while(|b| b.is_ascii_hexdigit()).count();
            if digits < 4 {
                return bytes.len() > 1 + digits;
            }
            let high = bytes[1].eq_ignore_ascii_case(&b'd') && b"89abAB".contains(&bytes[2]);
            let pair = |at: usize, b: &u8| match at {
                0 => *b == b'\\',
                1 => *b == b'u',
                _ => b.is_ascii_hexdigit(),
            };
            !high || bytes.len() > 10 || bytes[5..].iter().enumerate().any(|(at, b)| !pair(at, b))
        }
        Some(_) => true,
    }
}
