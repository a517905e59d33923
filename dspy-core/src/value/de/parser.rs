//! JSON as models write it, read by whatever type asks: no tree in between.

use std::{borrow::Cow, str::FromStr};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IntoDeserializer, SeqAccess, Visitor, value::StrDeserializer},
};

use super::{
    access::{Entries, Items, OPEN, Tagged},
    cx::{Cx, Plan},
    fail::{Cure, Fail, Seg},
    find,
    lex::{self, Place},
    names, scalar,
    word::{Word, object_with},
};
use crate::value::types::CODE_TOKEN;

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
    pub(super) fn seeded<'de, S: DeserializeSeed<'de>>(&mut self, seed: S, place: Place) -> Result<S::Value, Fail> {
        self.place = place;
        let quoted = self.head().is_some_and(|c| lex::closing(c).is_some());
        let (start, kind, plan) = (self.pos, std::any::type_name::<S::Value>(), &self.cx.plan);
        if quoted && (plan.nothing.contains(&kind) || plan.bare.contains(&kind)) {
            let found = self.peek()?;
            let nothing = scalar::is_nothing(&found.text) && plan.nothing.contains(&kind);
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
            match scalar::is_nothing(&text) {
                true if kind.starts_with("core::option::Option<") => fail.with(Cure::NothingFor(kind)),
                false if unknown && bare(&text) != text => fail.with(Cure::Bare(kind)),
                _ => fail,
            }
        })
    }

    /// The length of a value without quotes: up to what ends it at this place.
    fn bare_len(&self) -> usize {
        let rest = self.rest();
        let mut parens = 0usize;
        let mut previous = ' ';
        for (at, c) in rest.char_indices() {
            let ends = match c {
                '`' if rest[at..].starts_with("```") => true,
                _ if self.place == Place::Alone => false,
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
                ',' | ';' | '，' | '、' | '\n' if self.place == Place::List => true,
                ',' | ';' | '，' | '\n' => lex::loose_key_follows(&rest[at + c.len_utf8()..]),
                '/' | '#' => previous.is_whitespace() && lex::comment(&rest[at..]).is_some(),
                _ => false,
            };
            if ends {
                return at;
            }
            previous = c;
        }
        rest.len()
    }

    /// The scalar that stands here.
    fn peek(&mut self) -> Result<Found<'t>, Fail> {
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
    fn prefixed(&self) -> Option<Found<'t>> {
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
    fn take(&mut self, found: &Found<'_>) {
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
    fn plain<T: FromStr>(&mut self, fits: impl FnOnce(&T) -> bool) -> Option<T> {
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
    fn literal(&mut self, word: &str) -> bool {
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

    /// Reads a value out of the list of one or the object of one key that is needlessly around it.
    pub(super) fn unwrapped<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fail>) -> Result<T, Fail> {
        let around = self.place;
        let (object, close) = match self.head() {
            Some('{') => (true, '}'),
            Some('(') => (false, ')'),
            _ => (false, ']'),
        };
        let start = self.offset();
        self.open()?;
        if object {
            self.place = Place::Object;
            self.key()?;
            self.cx.bend("a needless object around the value", 2);
        } else {
            self.place = Place::List;
            self.cx.bend("a needless list around the value", 2);
        }
        let inside = self.place;
        let value = read(self)?;
        self.place = inside;
        if self.head() == Some(',') {
            self.pos += 1;
        }
        match self.head() {
            Some(c) if c == close => self.pos += 1,
            None => self.cx.bend(CUT_OFF.0, CUT_OFF.1),
            Some(_) => {
                let what = if object { "one value, not an object" } else { "one value, not several" };
                return Err(Fail::new(what, "").at(start, &self.text[start - self.base..]));
            }
        }
        self.cx.leave();
        self.place = around;
        Ok(value)
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
            _ => return Err(self.refuse(format!("`:` behind the key `{}`", crate::error::shorten(&key, 40)))),
        }
        Ok(key)
    }

    /// Closes the object that stands around the one value that was read.
    fn close(&mut self) -> Result<(), Fail> {
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
    fn look<T>(&self, see: impl FnOnce(&mut Parser<'_, '_>) -> Option<T>) -> Option<T> {
        self.look_from(self.pos + 1, see)
    }

    fn look_from<T>(&self, pos: usize, see: impl FnOnce(&mut Parser<'_, '_>) -> Option<T>) -> Option<T> {
        let silent = Cx::new(Plan::default(), 0, usize::MAX);
        see(&mut Parser { text: self.text, pos, base: 0, place: Place::Object, cx: &silent })
    }

    /// Whether the list that stands here holds one text and nothing else.
    fn one_text(&self) -> bool {
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

    /// The variant that the first key of the object names.
    fn tag(&self, variants: &'static [&'static str]) -> Option<&'static str> {
        let key = self.look(|look| look.key().ok().map(Cow::into_owned))?;
        variants.iter().copied().find(|v| *v == key).or_else(|| names::loosely(&key, variants))
    }

    /// Whether the object that stands here has one key, which none of `fields` is, around another object.
    fn needless(&self, fields: &[&str]) -> bool {
        if self.cx.wrappers.get() == 0 {
            return false;
        }
        // The usual case, at no cost: the first key is a field.
        if let Some(key) = self.rest()[1..].trim_start_matches([' ', '\n']).strip_prefix('"')
            && fields.iter().any(|field| key.strip_prefix(field).is_some_and(|rest| rest.starts_with('"')))
        {
            return false;
        }
        self.cx.wrappers.update(|left| left - 1);
        self.look(|look| {
            let key = look.key().ok()?;
            if fields.is_empty() || fields.iter().any(|f| *f == key || names::same(f, &key)) {
                return None;
            }
            look.head().filter(|c| matches!(c, '{' | '['))?;
            look.pos += lex::value_len(look.rest(), Place::Object);
            matches!(look.head(), None | Some('}')).then_some(())
        })
        .is_some()
    }

    /// Whether the bracket `{` that stands here opens a set and not an object.
    fn is_set(&self) -> bool {
        let inside = &self.rest()[1..];
        let inside = &inside[lex::blank(inside)..];
        if inside.starts_with('}') {
            return false;
        }
        let len = match inside.chars().next() {
            Some(c) if lex::closing(c).is_some() => lex::quoted(inside, Place::Key).len,
            Some('{' | '[' | '(') => return true,
            _ => inside.find([':', '=', ',', '}', '\n']).unwrap_or(inside.len()),
        };
        let behind = &inside[len..];
        matches!(behind[lex::blank(behind)..].chars().next(), Some(',' | '}'))
    }

    /// Whether the object that stands here has one key, around a list.
    fn holds_list(&self) -> bool {
        if self.cx.wrappers.get() == 0 {
            return false;
        }
        self.look(|look| {
            look.key().ok()?;
            look.head().filter(|c| *c == '[')?;
            self.cx.wrappers.update(|left| left - 1);
            look.pos += lex::value_len(look.rest(), Place::Object);
            matches!(look.head(), None | Some('}')).then_some(())
        })
        .is_some()
    }

    /// Reads the structure that stands as text inside the string that stands here.
    fn inside<T>(
        &mut self,
        found: &Found<'_>,
        read: impl FnOnce(&mut Parser<'_, 'c>) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let start = self.offset();
        self.take(found);
        self.cx.bend("a structure inside a string", 2);
        self.cx.enter()?;
        let mut inner = Parser::new(&found.text, start, self.cx);
        let value = read(&mut inner)?;
        inner.finish()?;
        self.cx.leave();
        Ok(value)
    }

    fn list<'de, V: Visitor<'de>>(&mut self, len: Option<usize>, visitor: V) -> Result<V::Value, Fail> {
        let wrappers = self.cx.wrappers.get();
        let value = self.list_here(len, visitor);
        self.cx.wrappers.set(wrappers);
        value
    }

    /// Goes behind the name of a call that stands here, as in `Person(name='Bo')` or `set([1])`, to its bracket.
    fn call(&mut self) {
        if !self.head().is_some_and(|c| c.is_ascii_alphabetic()) {
            return;
        }
        let rest = self.rest();
        let name = rest.bytes().take(64).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')).count();
        if rest[name..].starts_with('(') {
            self.cx.bend("a constructor of another language", 1);
            self.pos += name;
        }
    }

    /// Whether the round bracket that stands here is around another bracket.
    fn double(&self) -> bool {
        self.rest()[1..].trim_start().starts_with(['[', '{', '('])
            && lex::value_len(&self.rest()[1..], Place::List) + 2 >= lex::value_len(self.rest(), self.place)
    }

    fn list_here<'de, V: Visitor<'de>>(&mut self, len: Option<usize>, visitor: V) -> Result<V::Value, Fail> {
        let one = len.is_none_or(|n| n == 1);
        let start = self.pos;
        self.call();
        match self.head() {
            Some('(') if self.pos > start && self.double() => self.unwrapped(|inner| inner.list(len, visitor)),
            Some(open @ ('[' | '(')) => {
                if open == '(' {
                    self.cx.bend("a tuple of another language", 1);
                }
                self.items(len, visitor)
            }
            Some('{') if self.is_set() => {
                self.cx.bend("a set of another language", 1);
                self.items(len, visitor)
            }
            Some('{') if self.holds_list() && !(one && self.cx.plan.otherwise) => {
                self.cx.doubtful.set(one);
                self.unwrapped(|inner| inner.list(len, visitor))
            }
            Some('{') if one => {
                self.cx.bend("one value in place of a list", 2);
                visitor.visit_seq(One(Some(self)))
            }
            Some('{') | None => Err(self.refuse("a list")),
            Some(_) => {
                let found = self.peek()?;
                if found.structure() {
                    return self.inside(&found, |inner| inner.list(len, visitor));
                }
                if len.is_none() && scalar::is_nothing(&found.text) {
                    self.take(&found);
                    self.cx.bend("a word for nothing in place of a list", 2);
                    return visitor.visit_seq(Nothing);
                }
                if !one {
                    return Err(self.refuse("a list"));
                }
                self.cx.bend("one value in place of a list", 2);
                visitor.visit_seq(One(Some(self)))
            }
        }
    }

    /// The items between the brackets that stand here.
    fn items<'de, V: Visitor<'de>>(&mut self, len: Option<usize>, visitor: V) -> Result<V::Value, Fail> {
        let around = self.place;
        let (at, here) = (self.offset(), self.rest());
        let close = match self.rest().as_bytes().first() {
            Some(b'{') => '}',
            Some(b'(') => ')',
            _ => ']',
        };
        self.open()?;
        let mut items = Items::new(self, close, around == Place::Object);
        let value = visitor.visit_seq(&mut items);
        let value = value.map_err(|fail| fail.at(at, here))?;
        if !items.end()? {
            let what = len.map_or("fewer items".to_owned(), |n| format!("a list of {n} items, not more"));
            return Err(self.refuse(what).with(Cure::None));
        }
        self.cx.leave();
        self.place = around;
        Ok(value)
    }

    /// The entries between the braces that stand here. `fields` are the names that are known, if any are.
    fn entries<'de, V: Visitor<'de>>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let around = self.place;
        let (at, here) = (self.offset(), self.rest());
        let close = if self.rest().starts_with('(') { ')' } else { '}' };
        self.open()?;
        let mut entries = Entries::new(self, fields, close);
        let value = visitor.visit_map(&mut entries);
        let value = value.map_err(|fail| fail.at(at, here))?;
        entries.end()?;
        self.cx.leave();
        self.place = around;
        Ok(value)
    }

    fn object<'de, V: Visitor<'de>>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let wrappers = self.cx.wrappers.get();
        let value = self.object_here(fields, visitor);
        self.cx.wrappers.set(wrappers);
        value
    }

    fn object_here<'de, V: Visitor<'de>>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.call();
        match self.head() {
            Some('{') if self.escaped() => self.unescaped(|inner| inner.object(fields, visitor)),
            Some('{') if self.wraps(fields) => self.unwrapped(|inner| inner.object(fields, visitor)),
            Some('{') => self.entries(fields, visitor),
            Some('[') => self.unwrapped(|inner| inner.object(fields, visitor)),
            Some('(') if self.double() => self.unwrapped(|inner| inner.object(fields, visitor)),
            Some('(') => self.entries(fields, visitor),
            Some(c) if lex::closing(c).is_some() => {
                let found = self.peek()?;
                match found.structure() {
                    true => self.inside(&found, |inner| inner.object(fields, visitor)),
                    false if self.key_here() => self.entries_here(fields, visitor),
                    false => Err(self.refuse(object_with(fields.unwrap_or_default()))),
                }
            }
            _ => Err(self.refuse(object_with(fields.unwrap_or_default()))),
        }
    }

    /// Whether the object that stands here is a needless wrapper around the one that is asked for. Of a type whose
    /// fields are not known, that is tried only when nothing else helped.
    fn wraps(&self, fields: Option<&'static [&'static str]>) -> bool {
        match fields {
            Some(fields) => self.needless(fields),
            None if self.needless(&[""]) => {
                self.cx.doubtful.set(true);
                self.cx.plan.otherwise
            }
            None => false,
        }
    }

    /// Whether a quoted key with its colon stands here.
    pub(super) fn key_follows(&self) -> bool {
        lex::quoted_key(self.rest())
    }

    /// Whether a key with its colon stands here, without an opening brace.
    fn key_here(&self) -> bool {
        self.place == Place::Alone && self.look_from(self.pos, |look| look.key().ok().map(drop)).is_some()
    }

    /// The entries that stand here without braces around them.
    fn entries_here<'de, V: Visitor<'de>>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.cx.bend("an opening bracket that is missing", 3);
        let mut entries = Entries::new(self, fields, '}');
        let value = visitor.visit_map(&mut entries)?;
        entries.end()?;
        self.place = Place::Alone;
        Ok(value)
    }

    /// The items that stand here without brackets around them.
    pub(super) fn items_here<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fail> {
        self.cx.bend("brackets that are missing", 2);
        let mut items = Items::new(self, OPEN, false);
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        self.place = Place::Alone;
        Ok(value)
    }

    /// Whether the quotes of the structure that stands here are escaped, as if it were inside a string.
    fn escaped(&self) -> bool {
        let inside = self.rest()[1..].trim_start();
        inside.starts_with("\\\"") || (inside.starts_with("\\n") && inside.contains("\\\""))
    }

    /// Reads a structure whose quotes are escaped.
    fn unescaped<T>(&mut self, read: impl FnOnce(&mut Parser<'_, 'c>) -> Result<T, Fail>) -> Result<T, Fail> {
        let start = self.offset();
        let len = lex::value_len(self.rest(), self.place);
        let text = lex::unescape(&self.rest()[..len]);
        self.pos += len;
        self.cx.bend("a structure with escaped quotes", 2);
        self.cx.enter()?;
        let mut inner = Parser::new(&text, start, self.cx);
        let value = read(&mut inner)?;
        inner.finish()?;
        self.cx.leave();
        Ok(value)
    }
}

/// A notation without what may stand around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "\"'`*<>()[]".contains(c)).trim_end_matches(['.', ',', ';'])
}

/// The key that begins with a quote and goes up to a colon.
fn unclosed_key(text: &str) -> Option<&str> {
    let inner = &text[text.chars().next().filter(|c| lex::closing(*c).is_some())?.len_utf8()..];
    let (end, _) = inner.char_indices().take(64).find(|(_, c)| !(c.is_alphanumeric() || "_-$. ".contains(*c)))?;
    (end > 0 && inner[end..].starts_with([':', '：'])).then_some(&inner[..end])
}

/// A scalar as it stands in the text.
struct Found<'t> {
    text: Cow<'t, str>,
    len: usize,
    notes: [Option<(&'static str, u32)>; 3],
    quoted: bool,
}

impl Found<'_> {
    /// Whether it is a structure that was written as text.
    fn structure(&self) -> bool {
        self.quoted && self.text.trim_start().starts_with(['{', '['])
    }
}

/// A list of the one value that stands in its place.
struct One<'p, 't, 'c>(Option<&'p mut Parser<'t, 'c>>);

impl<'de> SeqAccess<'de> for One<'_, '_, '_> {
    type Error = Fail;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        match self.0.take() {
            None => Ok(None),
            Some(parser) => {
                let place = parser.place;
                parser.value(seed, place, || Seg::Index(0)).map(Some)
            }
        }
    }
}

/// An empty list.
struct Nothing;

impl<'de> SeqAccess<'de> for Nothing {
    type Error = Fail;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<Option<S::Value>, Fail> {
        Ok(None)
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $ty:ty $(, $fits:expr)?;)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            #[allow(unused_variables)]
            let fits = |value: &$ty| true $(&& $fits(*value))?;
            match self.plain::<$ty>(fits) {
                Some(value) => visitor.$visit(value),
                None => self.scalar(visitor, |word, v| word.$method(v)),
            }
        }
    )* };
}

macro_rules! scalars {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            self.scalar(visitor, |word, v| word.$method(v))
        }
    )* };
}

impl<'de> Deserializer<'de> for &mut Parser<'_, '_> {
    type Error = Fail;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.head() {
            Some('{') if self.is_set() => self.list(None, visitor),
            Some('{') if self.escaped() => self.unescaped(|inner| inner.deserialize_any(visitor)),
            Some('{') if self.wraps(None) => self.unwrapped(|inner| inner.deserialize_any(visitor)),
            Some('{') => self.entries(None, visitor),
            Some('[' | '(') => self.items(None, visitor),
            Some('t') if self.literal("true") => visitor.visit_bool(true),
            Some('f') if self.literal("false") => visitor.visit_bool(false),
            Some('n') if self.literal("null") => visitor.visit_unit(),
            Some('0'..='9') => match self.plain::<u64>(|_| true) {
                Some(value) => visitor.visit_u64(value),
                None => self.scalar(visitor, |word, v| word.deserialize_any(v)),
            },
            _ => self.scalar(visitor, |word, v| word.deserialize_any(v)),
        }
    }

    numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32, f32::is_finite;
        deserialize_f64 visit_f64 f64, f64::is_finite;
    }

    scalars! { deserialize_char deserialize_identifier }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        if self.literal("true") {
            return visitor.visit_bool(true);
        }
        if self.literal("false") {
            return visitor.visit_bool(false);
        }
        self.scalar(visitor, |word, v| word.deserialize_bool(v))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        let start = self.pos;
        let at = self.base + start;
        match self.head() {
            Some(c) if lex::closing(c).is_some() => {
                let found = self.peek()?;
                self.take(&found);
                visitor.visit_str(&found.text).map_err(|fail: Fail| fail.at(at, &found.text))
            }
            Some('[') if self.one_text() => self.unwrapped(|inner| inner.deserialize_str(visitor)),
            Some('{' | '[') => {
                let len = lex::value_len(self.rest(), self.place);
                let text = &self.rest()[..len];
                self.pos += len;
                self.cx.bend("a structure in place of text", 3);
                visitor.visit_str(text).map_err(|fail: Fail| fail.at(at, text))
            }
            _ => {
                let found = self.peek()?;
                if found.text == "null" || found.text == "None" {
                    return Err(self.refuse("text, not null").with(Cure::None));
                }
                self.take(&found);
                let what = match scalar::is_literal(&found.text) {
                    true => "a number or boolean in place of text",
                    false => "text without quotes",
                };
                self.cx.bend(what, 1);
                visitor.visit_str(&found.text).map_err(|fail: Fail| fail.at(at, &found.text))
            }
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.head() {
            Some('[') => self.list(None, visitor),
            _ => self.scalar(visitor, |word, v| word.deserialize_bytes(v)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.head() {
            Some('n') if self.literal("null") => visitor.visit_none(),
            Some(',' | '}' | ']') | None => {
                self.cx.bend("a value that is missing", 2);
                visitor.visit_none()
            }
            Some('{' | '[' | '(') => visitor.visit_some(self),
            Some(c) => {
                let closed = lex::closing(c).is_some();
                if closed {
                    return visitor.visit_some(self);
                }
                let found = self.peek()?;
                if !scalar::is_nothing(&found.text) {
                    return visitor.visit_some(self);
                }
                self.take(&found);
                if found.text != "null" {
                    self.cx.bend("a word for nothing", 1);
                }
                visitor.visit_none()
            }
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.head() {
            // A unit in JSON may be an empty object or list.
            Some('{') if self.rest()[1..].trim_start().starts_with('}') => {
                self.pos += lex::value_len(self.rest(), self.place);
                self.cx.bend("an empty object in place of null", 1);
                visitor.visit_unit()
            }
            _ => self.scalar(visitor, |word, v| word.deserialize_unit(v)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fail> {
        if name == CODE_TOKEN && self.head().is_some_and(|c| lex::closing(c).is_some()) {
            let found = self.peek()?;
            self.take(&found);
            let fence = Some(&*found.text).filter(|text| text.trim_start().starts_with("```")).and_then(find::fence);
            let code: StrDeserializer<'_, Fail> = fence.map_or(&*found.text, |f| f.text).into_deserializer();
            return visitor.visit_newtype_struct(code);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.list(None, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fail> {
        self.list(Some(len), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.list(Some(len), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.object(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.object(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        match self.head() {
            Some('{') => match self.tag(variants) {
                Some(variant) => {
                    let around = self.place;
                    self.open()?;
                    let value = visitor.visit_enum(Tagged { parser: &mut *self, variant })?;
                    self.close()?;
                    self.place = around;
                    Ok(value)
                }
                None => {
                    let key = self.look(|look| look.key().ok().map(Cow::into_owned)).unwrap_or_default();
                    let at = self.offset();
                    self.unwrapped(|inner| inner.deserialize_enum(name, variants, visitor)).map_err(|fail| {
                        match names::nearest(&key, variants) {
                            near if near.is_empty() => fail,
                            near => Fail::new(format!("one of {}", variants.join(", ")), &key).nearest(near).at(at, ""),
                        }
                    })
                }
            },
            Some('[') => self.unwrapped(|inner| inner.deserialize_enum(name, variants, visitor)),
            Some(c) if lex::closing(c).is_some() => {
                let found = self.peek()?;
                match found.structure() {
                    true => self.inside(&found, |inner| inner.deserialize_enum(name, variants, visitor)),
                    false => self.scalar(visitor, |word, v| word.deserialize_enum(name, variants, v)),
                }
            }
            _ => self.scalar(visitor, |word, v| word.deserialize_enum(name, variants, v)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.skip();
        let len = match self.head() {
            Some('{' | '[' | '(') => lex::value_len(self.rest(), self.place),
            _ => self.peek().map_or(0, |found| found.len),
        };
        self.pos += len;
        visitor.visit_unit()
    }
}
