//! Looks ahead at what a bracket holds, at keys and at words, as far as the text has arrived.

use super::{
    super::{
        lex::{self, Place},
        scalar, tree,
    },
    ahead,
    plan::Object,
};

/// What stands behind an opening brace.
pub(super) enum Inside {
    /// Nothing.
    Empty,
    /// An item, not a key.
    Set,
    /// A key, the first character of its value, and how far that is from the brace.
    Key { key: String, behind: char, len: usize },
}

/// What stands in the brace at the start; `None` when more of the text decides, or when it cannot be read.
pub(super) fn inside(text: &str, more: bool) -> Option<Inside> {
    let inside = lex::skip_blank(&text[1..]);
    let first = match inside.chars().next() {
        None => return (!more).then_some(Inside::Empty),
        Some('}') => return Some(Inside::Empty),
        Some('{' | '[' | '(') => return Some(Inside::Set),
        Some(c) => c,
    };
    let before = text.len() - inside.len();
    if let Some((key, len)) = key(inside, more) {
        let value = lex::skip_blank(&inside[len..]);
        let behind = match value.chars().next() {
            Some('/') if more && value.len() < 2 => return None,
            None if more => return None,
            c => c.unwrap_or('\0'),
        };
        let len = before + len + (inside[len..].len() - value.len());
        return Some(Inside::Key { key, behind, len });
    }
    let len = match lex::closing(first) {
        Some(_) => lex::quoted(inside, Place::Key).len,
        None => inside.find([':', '=', ',', '}', '\n'])?,
    };
    lex::skip_blank(&inside[len..]).starts_with([',', '}']).then_some(Inside::Set)
}

/// The key at the start and its length with the colon; `None` when more of the text decides, or when it is none.
pub(super) fn key(text: &str, more: bool) -> Option<(String, usize)> {
    let (key, end) = tree::key(text)?;
    let sure = !more || end < text.len() || text.ends_with(':');
    sure.then(|| (key.into_owned(), end))
}

/// The length of the name at the start; `None` when more of the text decides.
pub(super) fn name(text: &str) -> Option<usize> {
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    let len = text.bytes().take(64).take_while(part).count();
    (len < text.len()).then_some(len)
}

/// Which property a key names.
pub(super) fn property_at(object: &Object, key: &str) -> Option<usize> {
    let properties = &object.properties;
    properties.iter().position(|(name, _)| name == key).or_else(|| {
        let names: Vec<&str> = properties.iter().map(|(name, _)| name.as_str()).collect();
        let name = scalar::loosely(key, &names)?;
        properties.iter().position(|(known, _)| known == name)
    })
}

/// Whether a key names a property.
pub(super) fn is_property(object: &Object, key: &str) -> bool {
    property_at(object, key).is_some()
}

/// Whether the brace at the start is followed by a property in quotes: the usual case, at no cost.
pub(super) fn first_key_is(text: &str, object: &Object) -> bool {
    let key = text[1..].trim_start_matches([' ', '\n', '\t', '\r']).strip_prefix('"');
    key.is_some_and(|key| {
        object
            .properties
            .iter()
            .any(|(name, _)| key.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('"')))
    })
}

/// The length of the value without quotes at the start; `None` when more of the text decides.
pub(super) fn bare_len(text: &str, place: Place, more: bool) -> Option<usize> {
    if let Some(len) = number_len(text, place, more)? {
        return Some(len);
    }
    lex::bare_len(text, place, more)
}

/// The length of the plain number at the start if it ends there, which needs no comma behind it; `None` when more of
/// the text decides.
#[allow(clippy::option_option)]
fn number_len(text: &str, place: Place, more: bool) -> Option<Option<usize>> {
    if place == Place::Alone || !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Some(None);
    }
    let digits = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let len = text.bytes().take_while(digits).count();
    let behind = text[len..].trim_start_matches([' ', '\n', '\r', '\t']);
    let apart = behind.len() < text.len() - len;
    let ends = match (behind.as_bytes(), place) {
        ([], _) if more => return None,
        ([b']' | b'}', ..], _) => true,
        ([b',' | b';', ..], Place::List) => true,
        ([b',' | b';', ..], _) => {
            if more && !ahead::key_follows(&behind[1..], "") {
                return None;
            }
            lex::key_follows(&behind[1..])
        }
        ([b'"', ..], _) => apart,
        ([b'0'..=b'9' | b'-' | b'{' | b'[', ..], Place::List) => apart,
        _ => false,
    };
    Some((ends && text[..len].parse::<f64>().is_ok()).then_some(len))
}
