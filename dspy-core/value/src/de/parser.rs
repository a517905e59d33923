//! JSON as models write it, read by whatever type asks: no tree in between.

use std::{borrow::Cow, str::FromStr};

use serde::de::{DeserializeSeed, Visitor};

use super::{
    access::object_members,
    cx::{Cx, Plan},
    fail::{Cure, Fail, Seg},
    find,
    lex::{self, Place},
    names, scalar,
    word::Word,
};

/// A place in a text from which values are read.
pub(super) struct Parser<'t, 'c> {
    pub(super) text: &'t str,
    pub(super) pos: usize,
    /// Where the text begins in the raw piece.
    pub(super) base: usize,
    pub(super) place: Place,
    pub(super) cx: &'c Cx,
}

pub(super) const CUT_OFF: (&str, u32) = ("an end that is missing", 3);

impl<'t, 'c> Parser<'t, 'c> {
    pub(super) fn new(text: &'t str, base: usize, cx: &'c Cx) -> Self {
        Self { text, pos: 0, base, place: Place::Alone, cx }
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.pos..]
    }

    pub(super) fn offset(&self) -> usize {
        self.base + self.pos
    }

    pub(super) fn refuse(&self, expected: impl Into<String>) -> Fail {
        let found = if self.rest().trim().is_empty() { "the end" } else { "" };
        Fail::new(expected, found).at(self.offset(), self.rest())
    }

    /// Goes on to what is neither white space nor a comment.
    pub(super) fn skip(&mut self) {
        loop {
            self.pos += lex::blank(self.rest());
            let Some(len) = lex::comment(self.rest()) else { return };
            if self.place == Place::Alone && self.rest().starts_with('#') {
                return;
            }
            self.cx.bend("a comment", 1);
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

    /// Demands that nothing is left but white space and brackets too many.
    pub(super) fn finish(&mut self) -> Result<(), Fail> {
        loop {
            match self.head() {
                None => return Ok(()),
                Some(';') => {}
                Some('}' | ']') => self.cx.bend("a closing bracket too many", 2),
                // That a value could be read before it says little.
                Some(_) => return Err(self.refuse("nothing behind the value").aside()),
            }
            self.pos += 1;
        }
    }

    /// Reads a value that stands at `seg` of what is around it.
    pub(super) fn value<'de, S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
        place: Place,
        seg: impl Fn() -> Seg,
    ) -> Result<S::Value, Fail> {
        let mark = self.cx.mark();
        match self.seeded(seed, place) {
            Ok(value) => {
                self.cx.placed(mark, seg);
                Ok(value)
            }
            Err(fail) => Err(fail.inside(seg())),
        }
    }

    /// Reads a value of the type that `seed` asks for. When a type refuses what stands in quotes, the next attempt
    /// takes a word for nothing for nothing, or leaves out space and marks around the value, wherever this type is
    /// asked: text, which refuses nothing, stays as it is.
    pub(super) fn seeded<'de, S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
        place: Place,
    ) -> Result<S::Value, Fail> {
        self.place = place;
        let quoted = self.head().is_some_and(|c| lex::closing(c).is_some());
        let (start, kind, plan) = (self.pos, std::any::type_name::<S::Value>(), &self.cx.plan);
        if quoted && (plan.nothing.contains(&kind) || plan.bare.contains(&kind)) {
            let found = self.peek()?;
            let nothing = scalar::is_nothing_for_scalar(&found.text) && plan.nothing.contains(&kind);
            if nothing || plan.bare.contains(&kind) {
                self.take(&found);
                self.cx.bend(if nothing { "a word for nothing" } else { "space or marks around a value" }, 1);
                let text = if nothing { "null" } else { bare(&found.text) };
                let word = Word { text, cx: self.cx, quoted: !nothing };
                return seed.deserialize(word).map_err(|fail| fail.at(self.base + start, &found.text));
            }
        }
        let result = seed.deserialize(&mut *self);
        self.place = place;
        result.map_err(|fail| {
            let fail = fail.at(self.base + start, &self.text[start..]);
            if !quoted || !fail.is_here() {
                return fail;
            }
            let text = lex::quoted(&self.text[start..], place).text;
            let unknown = fail.cure() == Cure::Unknown;
            match scalar::is_nothing_for_scalar(&text) {
                true if kind.starts_with("core::option::Option<") => fail.with(Cure::NothingFor(kind)),
                false if unknown && bare(&text) != text => fail.with(Cure::Bare(kind)),
                _ => fail,
            }
        })
    }

    /// The length of a value without quotes: up to what ends it at this place.
    pub(super) fn bare_len(&self) -> usize {
        lex::bare_len(self.rest(), self.place, false).unwrap_or(self.rest().len())
    }

    /// The scalar that stands here.
    pub(super) fn peek(&mut self) -> Result<Found<'t>, Fail> {
        let Some(head) = self.head() else { return Err(self.refuse("a value")) };
        if lex::closing(head).is_some() {
            let lex::Quoted { text, len, notes } = lex::quoted(self.rest(), self.place);
            return Ok(Found { text, len, notes, quoted: true });
        }
        if let Some(found) = self.prefixed() {
            return Ok(found);
        }
        let len = self.bare_len();
        let text = self.rest()[..len].trim_end();
        if text.is_empty() {
            return Err(self.refuse("a value"));
        }
        let nested = self.place != Place::Alone;
        match text.strip_suffix('"').filter(|text| nested && !text.contains('"')) {
            Some(text) => {
                let note = Some(("an opening quote that is missing", 2));
                Ok(Found { text: text.into(), len, notes: [note, None, None], quoted: true })
            }
            None => Ok(Found { text: text.into(), len, notes: [None; 3], quoted: false }),
        }
    }

    /// A string with a letter before it, as Python writes raw and other strings.
    pub(super) fn prefixed(&self) -> Option<Found<'t>> {
        let rest = self.rest();
        let (letter, string) = rest.split_at_checked(1)?;
        if !"rRuUbBfF".contains(letter) || !string.starts_with(['"', '\'']) {
            return None;
        }
        let lex::Quoted { mut text, len, notes } = lex::quoted(string, self.place);
        if letter.eq_ignore_ascii_case("r") && notes[0] != Some(lex::CUT_OFF) {
            text = string[1..len - 1].into();
        }
        let note = Some(("a string of another language", 1));
        Some(Found { text, len: len + 1, notes: [note, notes[1], notes[2]], quoted: true })
    }

    /// Goes behind a scalar.
    pub(super) fn take(&mut self, found: &Found<'_>) {
        self.pos += found.len;
        found.notes.into_iter().for_each(|note| self.cx.bend_by(note));
    }

    /// Reads a scalar with what `read` makes of its text.
    pub(super) fn scalar<'de, V, F>(&mut self, visitor: V, read: F) -> Result<V::Value, Fail>
    where
        V: Visitor<'de>,
        F: FnOnce(Word<'_, '_>, V) -> Result<V::Value, Fail>,
    {
        if let Some('{' | '[') = self.head() {
            return self.unwrapped(|inner| inner.scalar(visitor, read));
        }
        let start = self.pos;
        let found = self.peek()?;
        self.take(&found);
        let word = Word { text: &found.text, cx: self.cx, quoted: found.quoted };
        read(word, visitor).map_err(|fail| fail.at(self.base + start, &found.text))
    }

    /// A number as JSON writes it, when one stands here and ends here.
    pub(super) fn plain<T: FromStr>(&mut self, fits: impl FnOnce(&T) -> bool) -> Option<T> {
        self.skip();
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let len =
            bytes.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        if !bytes.first().is_some_and(|b| b.is_ascii_digit() || *b == b'-') {
            return None;
        }
        let behind = rest[len..].trim_start_matches([' ', '\n', '\r', '\t']);
        let apart = behind.len() < rest.len() - len;
        let ended = match (behind.as_bytes(), self.place) {
            ([], _) | ([b']' | b'}', ..], Place::Object | Place::List) => true,
            ([b',' | b';', ..], Place::List) => true,
            ([b',' | b';', ..], Place::Object) => lex::key_follows(&behind[1..]),
            // A missing comma.
            ([b'"', ..], Place::Object | Place::List) => apart,
            ([b'0'..=b'9' | b'-' | b'{' | b'[', ..], Place::List) => apart,
            _ => false,
        };
        let value = rest[..len].parse().ok().filter(|_| ended).filter(fits)?;
        self.pos += len;
        Some(value)
    }

    /// A word of JSON, when it stands here and ends here.
    pub(super) fn literal(&mut self, word: &str) -> bool {
        self.skip();
        let Some(behind) = self.rest().strip_prefix(word) else { return false };
        let ends = match behind.as_bytes().first() {
            None => true,
            Some(b',' | b'}' | b']') => self.place != Place::Alone,
            Some(_) => false,
        };
        if ends {
            self.pos += word.len();
        }
        ends
    }

    /// Opens the bracket that stands here.
    pub(super) fn open(&mut self) -> Result<(), Fail> {
        self.cx.enter().map_err(|fail| fail.at(self.offset(), self.rest()))?;
        self.pos += 1;
        Ok(())
    }

    /// The key that stands here, and the colon behind it.
    pub(super) fn key(&mut self) -> Result<Cow<'t, str>, Fail> {
        let Some(head) = self.head() else { return Err(self.refuse("a key")) };
        let start = self.pos;
        let mut key = if lex::closing(head).is_some() {
            let found = lex::quoted(self.rest(), Place::Key);
            found.notes.into_iter().for_each(|note| self.cx.bend_by(note));
            self.pos += found.len;
            found.text
        } else {
            // A bound, so that text without any key is not searched to its end.
            let (at, _) = self
                .rest()
                .char_indices()
                .take(256)
                .find(|(_, c)| matches!(c, ':' | '：' | '=' | '\n' | ',' | '{' | '}' | '[' | ']'))
                .ok_or_else(|| self.refuse("a key"))?;
            let key = self.rest()[..at].trim().trim_matches(['*', '`', '"', '\'']);
            if key.is_empty() {
                return Err(self.refuse("a key"));
            }
            self.cx.bend("a key without quotes", 1);
            self.pos += at;
            Cow::Borrowed(key)
        };
        if !matches!(self.head(), Some(':' | '：' | '='))
            && let Some(name) = unclosed_key(&self.text[start..])
        {
            self.cx.bend("a closing quote that is missing", 2);
            self.pos = start + head.len_utf8() + name.len();
            key = Cow::Borrowed(name.trim());
        }
        match self.head() {
            Some(':') => self.pos += 1,
            Some('：') => {
                self.cx.bend("another sign in place of a colon", 1);
                self.pos += '：'.len_utf8();
            }
            Some('=') => {
                self.cx.bend("another sign in place of a colon", 1);
                self.pos += if self.rest().starts_with("=>") { 2 } else { 1 };
            }
            _ => return Err(self.refuse(format!("`:` behind the key `{}`", crate::shorten(&key, 40)))),
        }
        Ok(key)
    }

    /// Closes the object that stands around the one value that was read.
    pub(super) fn close(&mut self) -> Result<(), Fail> {
        if self.head() == Some(',') {
            self.pos += 1;
        }
        match self.head() {
            Some('}') => self.pos += 1,
            None => self.cx.bend(CUT_OFF.0, CUT_OFF.1),
            Some(_) => return Err(self.refuse("the end of the object: it may have one key only")),
        }
        self.cx.leave();
        Ok(())
    }

    /// A look at what follows, without a trace.
    pub(super) fn look<T>(&self, see: impl FnOnce(&mut Parser<'_, '_>) -> Option<T>) -> Option<T> {
        self.look_from(self.pos + 1, see)
    }

    pub(super) fn look_from<T>(
        &self,
        pos: usize,
        see: impl FnOnce(&mut Parser<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let silent = Cx::new(Plan::default(), 0, usize::MAX);
        see(&mut Parser { text: self.text, pos, base: 0, place: Place::Object, cx: &silent })
    }

    /// Whether the list that stands here holds one text and nothing else.
    pub(super) fn one_text(&self) -> bool {
        self.look(|look| {
            let found = look.head().filter(|c| lex::closing(*c).is_some()).and_then(|_| {
                look.place = Place::List;
                look.peek().ok()
            })?;
            look.pos += found.len;
            look.head().filter(|c| *c == ']')
        })
        .is_some()
    }

    /// The variant that stands before its fields, as in `Circle(radius=2)` and `Circle: {"radius": 2}`, or among them, as
    /// in `{"type": "circle", "radius": 2}`: with the place of the fields and of the end.
    pub(super) fn named(
        &mut self,
        variants: &'static [&'static str],
    ) -> Option<(&'static str, usize, usize)> {
        const TAGS: [&str; 5] = ["type", "kind", "variant", "tag", "name"];
        const CONTENTS: [&str; 4] = ["data", "value", "content", "arguments"];
        let find = |name: &str| {
            variants.iter().copied().find(|v| *v == name).or_else(|| names::loosely(name, variants))
        };
        match self.head()? {
            '{' if self.tag(variants).is_none() => {
                let found = object_members(self.rest());
                let value = |at: usize| &self.rest()[at..];
                let (_, tag) =
                    found.members.iter().find(|(key, _)| TAGS.iter().any(|tag| names::same(tag, key)))?;
                let head = value(tag.start).chars().next()?;
                lex::closing(head)?;
                let variant = find(&lex::quoted(value(tag.start), Place::Object).text)?;
                let content =
                    found.members.iter().find(|(key, _)| CONTENTS.iter().any(|name| names::same(name, key)));
                let at = content.map_or(0, |(_, range)| range.start);
                Some((variant, self.pos + at, self.pos + found.end))
            }
            c if c.is_alphabetic() => {
                let rest = self.rest();
                let name = |c: char| c.is_alphanumeric() || "_:.".contains(c);
                let len = rest.find(|c| !name(c)).filter(|len| *len <= 64)?;
                let after = rest[len..].trim_start();
                after.starts_with(['(', '{']).then_some(())?;
                let word = rest[..len].trim_end_matches(':');
                let variant = find(word.rsplit([':', '.']).next()?)?;
                let at = rest.len() - after.len();
                Some((variant, self.pos + at, self.pos + at + lex::value_len(after, self.place)))
            }
            _ => None,
        }
    }

    /// The variant that the first key of the object names.
    pub(super) fn tag(&self, variants: &'static [&'static str]) -> Option<&'static str> {
        let key = self.look(|look| look.key().ok().map(Cow::into_owned))?;
        variants.iter().copied().find(|v| *v == key).or_else(|| names::loosely(&key, variants))
    }

    /// Whether a quoted key with its colon stands here.
    pub(super) fn key_follows(&self) -> bool {
        lex::quoted_key(self.rest())
    }
}

/// A notation without what may stand around it: the only word that looks like one, or all without quotes and brackets.
fn bare(text: &str) -> &str {
    match find::notations(text)[..] {
        [word] => word,
        _ => text
            .trim_matches(|c: char| c.is_whitespace() || "\"'`*<>()[]".contains(c))
            .trim_end_matches(['.', ',', ';']),
    }
}

/// The key that begins with a quote and goes up to a colon.
fn unclosed_key(text: &str) -> Option<&str> {
    let inner = &text[text.chars().next().filter(|c| lex::closing(*c).is_some())?.len_utf8()..];
    let (end, _) =
        inner.char_indices().take(64).find(|(_, c)| !(c.is_alphanumeric() || "_-$. ".contains(*c)))?;
    (end > 0 && inner[end..].starts_with([':', '：'])).then_some(&inner[..end])
}

/// A scalar as it stands in the text.
pub(super) struct Found<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) len: usize,
    notes: [Option<(&'static str, u32)>; 3],
    pub(super) quoted: bool,
}

impl Found<'_> {
    /// Whether it is a structure that was written as text.
    pub(super) fn structure(&self) -> bool {
        self.quoted && self.text.trim_start().starts_with(['{', '['])
    }
}
