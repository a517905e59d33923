//! Lists and objects, with and without what should be around them.

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::{
    access::{Entries, Items, OPEN, object_members},
    fail::{Cure, Fail, Seg},
    lex::{self, Place},
    names,
    parser::{CUT_OFF, Found, Parser},
    scalar,
    word::object_with,
};

impl<'c> Parser<'_, 'c> {
    /// Reads a value out of the list of one or the object of one key that is needlessly around it.
    pub(super) fn unwrapped<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
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

    /// The only object or list in the object that stands here, when that has none of `fields`: where it stands and where
    /// the object around it ends.
    pub(super) fn needless(&self, fields: &[&str]) -> Option<(usize, usize)> {
        if self.cx.wrappers.get() == 0 || fields.is_empty() {
            return None;
        }
        // The usual case, at no cost: the first key is a field.
        if let Some(key) = self.rest()[1..].trim_start_matches([' ', '\n']).strip_prefix('"')
            && fields.iter().any(|field| key.strip_prefix(field).is_some_and(|rest| rest.starts_with('"')))
        {
            return None;
        }
        self.cx.wrappers.update(|left| left - 1);
        let found = object_members(self.rest());
        let known = |key: &str| fields.iter().any(|field| *field == key || names::same(field, key));
        let alone = found.members.len() == 1;
        let holds =
            |at: usize| self.rest()[at..].starts_with('{') || alone && self.rest()[at..].starts_with('[');
        let mut inner = found.members.iter().filter(|(_, range)| holds(range.start));
        match (inner.next(), inner.next()) {
            (Some((_, range)), None) if !found.members.iter().any(|(key, _)| known(key)) => {
                Some((self.pos + range.start, self.pos + found.end))
            }
            _ => None,
        }
    }

    /// Reads a value inside the object that stands here and ends at `end`.
    pub(super) fn within<T>(
        &mut self,
        (value, end): (usize, usize),
        read: impl FnOnce(&mut Self) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        let around = self.place;
        self.cx.enter().map_err(|fail| fail.at(self.offset(), self.rest()))?;
        self.cx.bend("a needless object around the value", 2);
        (self.pos, self.place) = (value, Place::Object);
        let value = read(self)?;
        self.cx.leave();
        (self.pos, self.place) = (end.max(self.pos), around);
        Ok(value)
    }

    /// Whether the bracket `{` that stands here opens a set and not an object.
    pub(super) fn is_set(&self) -> bool {
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
    pub(super) fn holds_list(&self) -> bool {
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
    pub(super) fn inside<T>(
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

    pub(super) fn list<'de, V: Visitor<'de>>(
        &mut self,
        len: Option<usize>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let wrappers = self.cx.wrappers.get();
        let value = self.list_here(len, visitor);
        self.cx.wrappers.set(wrappers);
        value
    }

    /// Goes behind the name of a call that stands here, as in `Person(name='Bo')` or `set([1])`, to its bracket.
    pub(super) fn call(&mut self) {
        if !self.head().is_some_and(|c| c.is_ascii_alphabetic()) {
            return;
        }
        let rest = self.rest();
        let name = rest
            .bytes()
            .take(64)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
            .count();
        if rest[name..].starts_with('(') {
            self.cx.bend("a constructor of another language", 1);
            self.pos += name;
        }
    }

    /// Whether the round bracket that stands here is around another bracket.
    pub(super) fn double(&self) -> bool {
        self.rest()[1..].trim_start().starts_with(['[', '{', '('])
            && lex::value_len(&self.rest()[1..], Place::List) + 2 >= lex::value_len(self.rest(), self.place)
    }

    pub(super) fn list_here<'de, V: Visitor<'de>>(
        &mut self,
        len: Option<usize>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let one = len.is_none_or(|n| n == 1);
        let start = self.pos;
        self.call();
        match self.head() {
            Some('(') if self.pos > start && self.double() => {
                self.unwrapped(|inner| inner.list(len, visitor))
            }
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
    pub(super) fn items<'de, V: Visitor<'de>>(
        &mut self,
        len: Option<usize>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
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
    pub(super) fn entries<'de, V: Visitor<'de>>(
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

    pub(super) fn object<'de, V: Visitor<'de>>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let wrappers = self.cx.wrappers.get();
        let value = self.object_here(fields, visitor);
        self.cx.wrappers.set(wrappers);
        value
    }

    pub(super) fn object_here<'de, V: Visitor<'de>>(
        &mut self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.call();
        match self.head() {
            Some('{') if self.escaped() => self.unescaped(|inner| inner.object(fields, visitor)),
            Some('{') => match self.wraps(fields) {
                Some(inner) => self.within(inner, |inner| inner.object(fields, visitor)),
                None => self.entries(fields, visitor),
            },
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

    /// The object that is asked for, when the one that stands here is a needless wrapper around it. Of a type whose fields
    /// are not known, that is tried only when nothing else helped.
    pub(super) fn wraps(&self, fields: Option<&'static [&'static str]>) -> Option<(usize, usize)> {
        match fields {
            Some(fields) => self.needless(fields),
            None => {
                let inner =
                    self.needless(&[""]).filter(|_| object_members(self.rest()).members.len() == 1)?;
                self.cx.doubtful.set(true);
                self.cx.plan.otherwise.then_some(inner)
            }
        }
    }

    /// Whether a key with its colon stands here, without an opening brace.
    pub(super) fn key_here(&self) -> bool {
        self.place == Place::Alone && self.look_from(self.pos, |look| look.key().ok().map(drop)).is_some()
    }

    /// The entries that stand here without braces around them.
    pub(super) fn entries_here<'de, V: Visitor<'de>>(
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
    pub(super) fn escaped(&self) -> bool {
        let inside = self.rest()[1..].trim_start();
        inside.starts_with("\\\"") || (inside.starts_with("\\n") && inside.contains("\\\""))
    }

    /// Reads a structure whose quotes are escaped.
    pub(super) fn unescaped<T>(
        &mut self,
        read: impl FnOnce(&mut Parser<'_, 'c>) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
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
