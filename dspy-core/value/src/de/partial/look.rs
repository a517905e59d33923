//! Looks ahead in a text of which a part has arrived.
//!
//! The reader of a whole text takes its end for the end of whatever stands there. In a prefix, the end says nothing:
//! each look is asked of [`lex`] only when its answer will hold however the text goes on. No look goes farther than
//! [`FARTHEST`], so that all of them together take linear time.

use super::super::lex::{self, Place, count};

/// How far is looked ahead, white space at the start not counted. What stands farther off is taken for the end.
pub(super) const FARTHEST: usize = 1024;

/// What stands behind an opening brace.
pub(super) enum Inside {
    /// Nothing.
    Empty,
    /// An item, not a key.
    Set,
    /// A key, the first character of its value, and how far that is from the brace.
    Key { key: String, behind: char, len: usize },
}

/// A text that is not read yet, and whether more of it may come. An answer of `None` is: more of it decides.
#[derive(Clone, Copy)]
pub(super) struct Rest<'t> {
    pub(super) text: &'t str,
    pub(super) more: bool,
}

impl<'t> Rest<'t> {
    pub(super) fn behind(self, at: usize) -> Self {
        Self { text: &self.text[at..], ..self }
    }

    /// The text as far as is looked ahead.
    pub(super) fn near(self) -> Self {
        let far = lex::blank(self.text) + FARTHEST;
        let cut = (far..self.text.len()).find(|at| self.text.is_char_boundary(*at));
        cut.map_or(self, |cut| Self { text: &self.text[..cut], more: false })
    }

    /// Whether a string can have ended before this.
    pub(super) fn ends(self, place: Place) -> Option<bool> {
        let near = self.near();
        lex::ends_so_far(near.text, place, near.more)
    }

    /// Whether the bracket at the start looks like one of JSON, and not of prose.
    pub(super) fn opens_json(self) -> Option<bool> {
        let near = self.near();
        lex::opens_json_so_far(near.text, near.more)
    }

    /// The length of the name at the start.
    pub(super) fn name(self) -> Option<usize> {
        let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
        let len = self.text.bytes().take(64).take_while(part).count();
        count(len);
        (len < self.text.len() || !self.more).then_some(len)
    }

    /// The key at the start and its length with the colon; `None` also when it is none.
    pub(super) fn key(self) -> Option<(String, usize)> {
        let near = self.near();
        let found = key(near.text);
        count(found.as_ref().map_or(near.text.len(), |(_, len)| *len));
        found.filter(|(_, len)| !near.more || *len < near.text.len() || near.text.ends_with(':'))
    }

    /// The length from a quote at the start up to the next one when what is between them is a key: 0 when it is none.
    pub(super) fn quoted_name(self, close: &[char]) -> Option<usize> {
        let near = self.near();
        let part = |c: char| c.is_alphanumeric() || "_-$. ".contains(c);
        let found = near.text.char_indices().skip(1).take(65).find(|(_, c)| !part(*c));
        count(found.map_or(65, |(end, _)| end));
        match found {
            None => (near.text.chars().nth(65).is_some() || !near.more).then_some(0),
            Some((end, c)) if close.contains(&c) => match lex::skip_blank(&near.text[end + c.len_utf8()..]) {
                "" if near.more => None,
                behind => Some(if behind.starts_with([':', '：']) { end } else { 0 }),
            },
            Some(_) => Some(0),
        }
    }

    /// What stands in the brace at the start; `None` also when it cannot be read.
    pub(super) fn inside(self) -> Option<Inside> {
        let Self { text, more } = self.near();
        let before = text.len() - lex::skip_blank(&text[1..]).len();
        let inside = Self { text: &text[before..], more };
        let first = match inside.text.chars().next() {
            None => return (!more).then_some(Inside::Empty),
            Some('}') => return Some(Inside::Empty),
            Some('{' | '[' | '(') => return Some(Inside::Set),
            Some(c) => c,
        };
        if let Some((key, len)) = inside.key() {
            let value = lex::skip_blank(&inside.text[len..]);
            return match value.chars().next() {
                Some('/') if more && value.len() < 2 => None,
                None if more => None,
                c => Some(Inside::Key { key, behind: c.unwrap_or('\0'), len: text.len() - value.len() }),
            };
        }
        count(inside.text.len());
        let len = match lex::closing(first) {
            Some(_) => lex::quoted(inside.text, Place::Key).len,
            None => inside.text.find([':', '=', ',', '}', '\n'])?,
        };
        lex::skip_blank(&inside.text[len..]).starts_with([',', '}']).then_some(Inside::Set)
    }

    /// The length of the value without quotes at the start, as [`lex::bare_len`].
    pub(super) fn bare_len(self, place: Place) -> Option<usize> {
        if let Some(len) = self.number_len(place)? {
            return Some(len);
        }
        lex::bare_len(self.text, place, self.more)
    }

    /// The length of the plain number at the start if it ends there, which needs no comma behind it.
    #[allow(clippy::option_option)]
    fn number_len(self, place: Place) -> Option<Option<usize>> {
        let text = self.text;
        if place == Place::Alone || !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Some(None);
        }
        let digits = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = text.bytes().take_while(digits).count();
        let behind = text[len..].trim_start_matches([' ', '\n', '\r', '\t']);
        count(text.len() - behind.len());
        let apart = behind.len() < text.len() - len;
        let ends = match (behind.as_bytes(), place) {
            ([], _) if self.more => return None,
            ([b']' | b'}', ..], _) => true,
            ([b',' | b';', ..], Place::List) => true,
            ([b',' | b';', ..], _) => {
                let near = self.behind(text.len() - behind.len() + 1).near();
                lex::key_follows_so_far(near.text, near.more)?
            }
            ([b'"', ..], _) => apart,
            ([b'0'..=b'9' | b'-' | b'{' | b'[', ..], Place::List) => apart,
            _ => false,
        };
        Some((ends && text[..len].parse::<f64>().is_ok()).then_some(len))
    }
}

/// The key at the start and its length with the colon.
fn key(text: &str) -> Option<(String, usize)> {
    // Where what counts stands from here on.
    let head = |mut at: usize| {
        loop {
            at += lex::blank(&text[at..]);
            match lex::comment(&text[at..]) {
                Some(len) => at += len,
                None => return at,
            }
        }
    };
    let colon = |at: usize| {
        let at = head(at);
        let signs = [(":", 1), ("：", 3), ("=>", 2), ("=", 1)];
        signs.iter().find(|(sign, _)| text[at..].starts_with(sign)).map(|(_, len)| at + len)
    };
    let start = head(0);
    let text_of_key = &text[start..];
    let first = text_of_key.chars().next().filter(|_| !text_of_key.starts_with("```"))?;
    if lex::closing(first).is_none() {
        let ends = |c: &char| matches!(c, ':' | '：' | '=' | '\n' | ',' | '{' | '}' | '[' | ']');
        let (end, _) = text_of_key.char_indices().take(256).find(|(_, c)| ends(c))?;
        let key = text_of_key[..end].trim().trim_matches(['*', '`', '"', '\'']);
        return Some((key.to_owned(), colon(start + end)?)).filter(|_| !key.is_empty());
    }
    let found = lex::quoted(text_of_key, Place::Key);
    if let Some(len) = colon(start + found.len) {
        return Some((found.text.into_owned(), len));
    }
    // A key without its closing quote.
    let inner = &text_of_key[first.len_utf8()..];
    let part = |c: char| c.is_alphanumeric() || "_-$. ".contains(c);
    let (end, _) = inner.char_indices().take(64).find(|(_, c)| !part(*c))?;
    let named = end > 0 && inner[end..].starts_with([':', '：']);
    Some((inner[..end].trim().to_owned(), colon(start + first.len_utf8() + end)?)).filter(|_| named)
}

/// Whether [`lex::escape`] can be asked of what stands behind a backslash.
pub(super) fn knows_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take(4).take_while(|b| b.is_ascii_hexdigit()).count();
    match (bytes.first(), digits(1)) {
        (None, _) => false,
        (Some(b'u'), len @ ..4) => bytes.len() > 1 + len,
        // The first of two that make one character, behind which `\u` and four digits may follow.
        (Some(b'u'), _) if bytes[1].eq_ignore_ascii_case(&b'd') && b"89abAB".contains(&bytes[2]) => {
            let pair = text.get(5..7.min(text.len()));
            bytes.len() > 10
                || !pair.is_some_and(|pair| "\\u".starts_with(pair))
                || bytes.len() > 7 + digits(7)
        }
        _ => true,
    }
}
