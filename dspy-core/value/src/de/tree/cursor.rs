//! A place in a text, and what stands between values.

use super::{
    super::{
        coercion::{CoercionKind, Notes},
        lex::{self, Place},
    },
    node::Fault,
};

/// A place in a text from which values are taken.
pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) pos: usize,
    /// Where the text begins in the raw piece.
    pub(super) base: usize,
    pub(super) place: Place,
    /// How many more levels there may be.
    pub(super) depth: usize,
    pub(super) notes: Notes,
}

/// In place of a closing bracket, where none was opened.
pub(super) const OPEN: char = '\0';

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, base: usize, depth: usize) -> Self {
        Self { text, pos: 0, base, place: Place::Alone, depth, notes: Notes::default() }
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.pos..]
    }

    pub(super) fn fault(&self, expected: impl Into<String>) -> Box<Fault> {
        let rest = self.rest().trim();
        let found = if rest.is_empty() { "the end" } else { rest.lines().next().unwrap_or_default() };
        Box::new(Fault { at: self.base + self.pos, expected: expected.into(), found: found.to_owned() })
    }

    /// Goes on to what is neither white space nor a comment.
    pub(super) fn skip(&mut self) {
        loop {
            self.pos += lex::blank(self.rest());
            let Some(len) = lex::comment(self.rest()) else { return };
            if self.place == Place::Alone && self.rest().starts_with('#') {
                return;
            }
            self.notes.add(CoercionKind::Comment);
            self.pos += len;
        }
    }

    /// The next character that counts.
    pub(super) fn head(&mut self) -> Option<char> {
        match self.text.as_bytes().get(self.pos) {
            Some(b @ (b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':' | b'a'..=b'z' | b'0'..=b'9')) => {
                return Some(char::from(*b));
            }
            _ => self.skip(),
        }
        let rest = self.rest();
        match rest.as_bytes().first() {
            Some(b'`') if rest.starts_with("```") => None,
            Some(b) if *b < 0x80 => Some(char::from(*b)),
            _ => rest.chars().next(),
        }
    }

    /// Whether nothing is left but white space and brackets too many.
    pub(super) fn finish(&mut self) -> bool {
        self.place = Place::Alone;
        loop {
            match self.head() {
                None => return true,
                Some(';') => {}
                Some('}' | ']') => self.notes.add(CoercionKind::ExtraClose),
                Some(_) => return false,
            }
            self.pos += 1;
        }
    }
}

/// What stands between values: where the next one begins, or that there is none.
pub(super) struct Between {
    first: bool,
    pub(super) done: bool,
    close: char,
    place: Place,
    /// Whether the list is the value of a key, so that another key means that its bracket is missing.
    keyed: bool,
    /// Whether an ellipsis stands in front of further values: what it stands for is missing.
    pub(super) gap: bool,
}

impl Between {
    pub(super) fn new(close: char, place: Place, keyed: bool) -> Self {
        Self { first: true, done: false, close, place, keyed, gap: false }
    }

    /// Goes to the next value; whether there is one.
    pub(super) fn next(&mut self, parser: &mut Parser<'_>) -> bool {
        if self.done {
            return false;
        }
        parser.place = self.place;
        let mut comma = false;
        let mut ellipsis = false;
        loop {
            match parser.head() {
                None => {
                    if self.close != OPEN {
                        parser.notes.add(CoercionKind::CutOff);
                    }
                    self.done = true;
                }
                Some(c @ (',' | ';' | '，' | '、')) => {
                    if self.first || comma {
                        parser.notes.add(CoercionKind::ExtraComma);
                    }
                    if c != ',' {
                        parser.notes.add(CoercionKind::OtherComma);
                    }
                    comma = true;
                    parser.pos += c.len_utf8();
                    continue;
                }
                Some(c @ ('}' | ']' | ')')) => {
                    if comma {
                        parser.notes.add(CoercionKind::TrailingComma);
                    }
                    self.done = true;
                    if self.close == c {
                        parser.pos += 1;
                    } else {
                        parser.notes.add(CoercionKind::MissingClose);
                    }
                }
                Some('"') if self.keyed && lex::quoted_key(parser.rest()) => {
                    parser.notes.add(CoercionKind::MissingClose);
                    self.done = true;
                }
                Some('.' | '…') if parser.rest().starts_with("...") || parser.rest().starts_with('…') => {
                    parser.notes.add(CoercionKind::Ellipsis);
                    ellipsis = true;
                    let rest = parser.rest().trim_start_matches(['.', '…']);
                    parser.pos = parser.text.len() - rest.len();
                    comma = true;
                    continue;
                }
                // An object in place of a key: the next item of a list, before which this one was not closed.
                Some('{') if self.place == Place::Object && !self.first => {
                    parser.notes.add(CoercionKind::MissingClose);
                    self.done = true;
                }
                Some(_) => {
                    self.gap |= ellipsis;
                    if !self.first && !comma {
                        parser.notes.add(CoercionKind::MissingComma);
                    }
                    self.first = false;
                }
            }
            return !self.done;
        }
    }
}
