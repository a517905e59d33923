//! What a look at the text behind says.

use super::chars::{LONGEST_KEY, Place, blank, closing, count, skip_blank, starts_comment};

/// Whether a string can have ended before `rest`.
pub(in super::super) fn ends(rest: &str, place: Place) -> bool {
    ends_so_far(rest, place, false) == Some(true)
}

// Looks ahead in a text that may go on, as `more` tells: then its end so far says nothing, and the answer is `None` where
// more of it decides.

/// As [`ends`].
pub(in super::super) fn ends_so_far(rest: &str, place: Place, more: bool) -> Option<bool> {
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

/// Whether the quote at the start is that of a key, or of one that is cut off.
pub(in super::super) fn quoted_key(text: &str) -> bool {
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
pub(in super::super) fn unclosed_key(text: &str) -> Option<&str> {
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
pub(in super::super) fn unclosed_key_here(text: &str) -> Option<&str> {
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
pub(in super::super) fn key_follows(text: &str) -> bool {
    key_follows_so_far(text, false) == Some(true)
}

/// As [`key_follows`].
pub(in super::super) fn key_follows_so_far(text: &str, more: bool) -> Option<bool> {
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
pub(in super::super) fn loose_key_follows(text: &str, more: bool) -> Option<bool> {
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
pub(in super::super) fn opens_json(text: &str) -> bool {
    opens_json_so_far(text, false) == Some(true)
}

/// As [`opens_json`].
pub(in super::super) fn opens_json_so_far(text: &str, more: bool) -> Option<bool> {
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
