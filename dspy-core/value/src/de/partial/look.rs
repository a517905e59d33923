//! Looks ahead in a text of which a part has arrived.
//!
//! The reader of a whole text takes its end for the end of whatever stands there. In a prefix, the end says nothing:
//! each look is asked of [`lex`] only when its answer will hold however the text goes on. No look goes farther than
//! [`FARTHEST`], so that all of them together take linear time.

use super::super::lex::{self, Place};

/// How far is looked ahead, white space at the start not counted. What stands farther off is taken for the end.
pub(super) const FARTHEST: usize = 1024;

/// Counts steps, to show in tests that they are linear.
#[cfg(test)]
pub(super) mod steps {
    use std::cell::Cell;

    thread_local!(static STEPS: Cell<usize> = const { Cell::new(0) });

    pub(in super::super) fn add(more: usize) {
        STEPS.set(STEPS.get() + more);
    }

    pub(in super::super) fn take() -> usize {
        STEPS.take()
    }
}

/// Notes that so many characters were looked at.
pub(super) fn count(steps: usize) {
    #[cfg(test)]
    steps::add(steps);
    #[cfg(not(test))]
    let _ = steps;
}

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
        count(far - FARTHEST);
        let cut = (far..self.text.len()).find(|at| self.text.is_char_boundary(*at));
        cut.map_or(self, |cut| Self { text: &self.text[..cut], more: false })
    }

    /// Whether a string can have ended before this.
    pub(super) fn ends(self, place: Place) -> Option<bool> {
        let near = self.near();
        (knows_end(near.text, place) || !near.more).then(|| lex::ends(near.text, place))
    }

    /// Whether the bracket at the start looks like one of JSON, and not of prose.
    pub(super) fn opens_json(self) -> Option<bool> {
        let near = self.near();
        let known = match near.text.starts_with('{') {
            true => knows_key(&near.text[1..], ""),
            false => !skip(&near.text[1..]).is_empty(),
        };
        (known || !near.more).then(|| lex::opens_json(near.text))
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
            Some((end, c)) if close.contains(&c) => match skip(&near.text[end + c.len_utf8()..]) {
                "" if near.more => None,
                behind => Some(if behind.starts_with([':', '：']) { end } else { 0 }),
            },
            Some(_) => Some(0),
        }
    }

    /// What stands in the brace at the start; `None` also when it cannot be read.
    pub(super) fn inside(self) -> Option<Inside> {
        let Self { text, more } = self.near();
        let before = text.len() - skip(&text[1..]).len();
        let inside = Self { text: &text[before..], more };
        let first = match inside.text.chars().next() {
            None => return (!more).then_some(Inside::Empty),
            Some('}') => return Some(Inside::Empty),
            Some('{' | '[' | '(') => return Some(Inside::Set),
            Some(c) => c,
        };
        if let Some((key, len)) = inside.key() {
            let value = skip(&inside.text[len..]);
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
        skip(&inside.text[len..]).starts_with([',', '}']).then_some(Inside::Set)
    }

    /// The length of the value without quotes at the start, as [`lex::bare_len`].
    pub(super) fn bare_len(self, place: Place) -> Option<usize> {
        if let Some(len) = self.number_len(place)? {
            return Some(len);
        }
        let Self { text, more } = self;
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
                '(' | ')' => {
                    let closes = c == ')' && parens == 0;
                    parens = if c == '(' { parens + 1 } else { parens.saturating_sub(1) };
                    closes
                }
                ',' | ';' | '，' | '、' | '\n' if place == Place::List => true,
                '\n' if at < no_key => false,
                ',' | ';' | '，' | '\n' => {
                    let behind = self.behind(at + c.len_utf8()).near();
                    if !knows_key(behind.text, " ") && behind.more {
                        return None;
                    }
                    no_key = at + c.len_utf8() + lex::blank(behind.text);
                    lex::loose_key_follows(behind.text)
                }
                '/' if more && rest.len() < 2 => return None,
                '/' | '#' => previous.is_whitespace() && lex::starts_comment(rest),
                _ => false,
            };
            if ends {
                return Some(at);
            }
            previous = c;
        }
        (!more).then_some(text.len())
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
                if !knows_key(near.text, "") && near.more {
                    return None;
                }
                lex::key_follows(near.text)
            }
            ([b'"', ..], _) => apart,
            ([b'0'..=b'9' | b'-' | b'{' | b'[', ..], Place::List) => apart,
            _ => false,
        };
        Some((ends && text[..len].parse::<f64>().is_ok()).then_some(len))
    }
}

/// The text behind white space and comments.
fn skip(text: &str) -> &str {
    let rest = lex::skip_blank(text);
    count(text.len() - rest.len() + 1);
    rest
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

// Whether the functions of `lex` can be asked.

fn knows_end(rest: &str, place: Place) -> bool {
    let rest = &rest[lex::blank(rest)..];
    let Some(c) = rest.chars().next() else { return false };
    match (c, place) {
        ('`', _) => !is_part(rest, "```"),
        ('/', _) => rest.len() > 1,
        (')', _) | ('"', Place::List) => {
            let behind = rest[1..].trim_start();
            count(rest.len() - behind.len());
            !behind.is_empty()
        }
        (',' | ';' | '，' | '、', Place::Key | Place::Object) => knows_key(&rest[c.len_utf8()..], ""),
        (',' | ';' | '，' | '、', Place::List) => knows_value(&rest[c.len_utf8()..]),
        ('"', Place::Key | Place::Object) => knows_quoted_key(rest),
        _ => true,
    }
}

/// Whether the text may be the beginning of this mark.
fn is_part(text: &str, mark: &str) -> bool {
    text.len() < mark.len() && mark.starts_with(text)
}

/// For [`lex::key_follows`], or for [`lex::loose_key_follows`] when `more` is a space.
fn knows_key(text: &str, more: &str) -> bool {
    let rest = skip(text);
    match rest.chars().next() {
        None => false,
        Some('.') => !is_part(rest, "..."),
        Some('/') => rest.len() > 1,
        Some(c) if lex::closing(c).is_some() => knows_quoted_key(rest),
        Some(_) => {
            let part = |c: char| c.is_alphanumeric() || "_-$.".contains(c) || more.contains(c);
            let found = rest.char_indices().take(lex::LONGEST_KEY).find(|(_, c)| !part(*c));
            count(found.map_or(lex::LONGEST_KEY, |(end, _)| end));
            let Some((end, _)) = found else { return rest.len() > lex::LONGEST_KEY };
            let behind = rest[end..].strip_prefix('"').unwrap_or(&rest[end..]);
            !skip(behind).is_empty()
        }
    }
}

fn knows_quoted_key(text: &str) -> bool {
    let Some(close) = text.chars().next().and_then(lex::closing) else { return true };
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1).take(lex::LONGEST_KEY) {
        count(1);
        if c == '\n' {
            return true;
        }
        if close.contains(&c) && !escaped {
            return !skip(&text[at + c.len_utf8()..]).is_empty();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len() > lex::LONGEST_KEY
}

fn knows_value(text: &str) -> bool {
    let rest = skip(text);
    match rest.chars().next() {
        None => false,
        Some('.') => !is_part(rest, "..."),
        Some('/') => rest.len() > 1,
        Some(c) if c.is_alphanumeric() => {
            let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            count(word);
            !skip(&rest[word..]).is_empty()
        }
        Some(_) => true,
    }
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
