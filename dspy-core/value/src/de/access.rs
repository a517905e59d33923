//! The items of lists and the entries of objects, as they come.

use std::{borrow::Cow, ops::Range};

use serde::{
    Deserializer,
    de::{DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor},
};

use super::{
    cx::{Cx, Plan},
    fail::{Cure, Fail, Seg},
    lex::Place,
    names,
    parser::{CUT_OFF, Parser},
    word::Word,
};

/// What stands between values: where the next one begins, or that there is none.
struct Between {
    first: bool,
    done: bool,
    close: char,
    place: Place,
    /// Whether the list is the value of a key, so that another key means that its bracket is missing.
    keyed: bool,
    /// Whether an ellipsis stands in front of further values: what it stands for is missing.
    gap: bool,
}

/// In place of a closing bracket, where none was opened.
pub(super) const OPEN: char = '\0';

impl Between {
    fn new(close: char, place: Place, keyed: bool) -> Self {
        Self { first: true, done: false, close, place, keyed, gap: false }
    }

    /// Goes to the next value; whether there is one.
    fn next(&mut self, parser: &mut Parser<'_, '_>) -> bool {
        if self.done {
            return false;
        }
        parser.place = self.place;
        let cx = parser.cx;
        let mut comma = false;
        let mut ellipsis = false;
        loop {
            match parser.head() {
                None => {
                    if self.close != OPEN {
                        cx.bend(CUT_OFF.0, CUT_OFF.1);
                    }
                    self.done = true;
                }
                Some(c @ (',' | ';' | '，' | '、')) => {
                    if self.first || comma {
                        cx.bend("a comma too many", 1);
                    }
                    if c != ',' {
                        cx.bend("another sign in place of a comma", 1);
                    }
                    comma = true;
                    parser.pos += c.len_utf8();
                    continue;
                }
                Some(c @ ('}' | ']' | ')')) => {
                    if comma {
                        cx.bend("a trailing comma", 1);
                    }
                    self.done = true;
                    if self.close == c {
                        parser.pos += 1;
                    } else {
                        cx.bend("a closing bracket that is missing", 2);
                    }
                }
                Some('"') if self.keyed && parser.key_follows() => {
                    cx.bend("a closing bracket that is missing", 2);
                    self.done = true;
                }
                Some('.' | '…') if parser.rest().starts_with("...") || parser.rest().starts_with('…') => {
                    cx.bend("an ellipsis", 2);
                    ellipsis = true;
                    let rest = parser.rest().trim_start_matches(['.', '…']);
                    parser.pos = parser.text.len() - rest.len();
                    comma = true;
                    continue;
                }
                // An object in place of a key: the next item of a list, before which this one was not closed.
                Some('{') if self.place == Place::Object && !self.first => {
                    cx.bend("a closing bracket that is missing", 2);
                    self.done = true;
                }
                Some(_) => {
                    self.gap |= ellipsis;
                    if !self.first && !comma {
                        cx.bend("a missing comma", 1);
                    }
                    self.first = false;
                }
            }
            return !self.done;
        }
    }
}

/// The items of a list.
pub(super) struct Items<'p, 't, 'c> {
    parser: &'p mut Parser<'t, 'c>,
    between: Between,
    index: usize,
}

impl<'p, 't, 'c> Items<'p, 't, 'c> {
    pub(super) fn new(parser: &'p mut Parser<'t, 'c>, close: char, keyed: bool) -> Self {
        Self { parser, between: Between::new(close, Place::List, keyed), index: 0 }
    }

    /// Whether the list ends here.
    pub(super) fn end(mut self) -> Result<bool, Fail> {
        Ok(self.between.done || !self.between.next(self.parser))
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_, '_> {
    type Error = Fail;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        if !self.between.next(self.parser) {
            return Ok(None);
        }
        if self.between.gap {
            return Err(self.parser.refuse("all items: some are left out here").with(Cure::None));
        }
        let (index, start) = (self.index, self.parser.pos);
        self.index += 1;
        let value = self.parser.value(seed, Place::List, || Seg::Index(index))?;
        if self.parser.pos == start {
            return Err(self.parser.refuse("an item").inside(Seg::Index(index)));
        }
        Ok(Some(value))
    }
}

/// How the key of a field is spelt.
enum Spelling {
    Exact,
    Loose,
    Unknown,
}

/// The entries of an object.
pub(super) struct Entries<'p, 't, 'c> {
    parser: &'p mut Parser<'t, 'c>,
    between: Between,
    fields: Option<&'static [&'static str]>,
    /// How many keys were met: most objects have their fields in order.
    met: usize,
    /// How many of them are fields.
    known: usize,
    /// The key whose value is next.
    key: Cow<'t, str>,
    /// In an attempt that keeps the last of equal keys: where the last of each stands.
    last: Vec<(Cow<'t, str>, usize)>,
}

impl<'p, 't, 'c> Entries<'p, 't, 'c> {
    pub(super) fn new(
        parser: &'p mut Parser<'t, 'c>,
        fields: Option<&'static [&'static str]>,
        close: char,
    ) -> Self {
        let mut entries = Self {
            between: Between::new(close, Place::Object, false),
            parser,
            fields,
            met: 0,
            known: 0,
            key: Cow::Borrowed(""),
            last: Vec::new(),
        };
        if entries.parser.cx.plan.dedupe {
            entries.look_ahead();
        }
        entries
    }

    /// Notes where the last entry of each name stands.
    fn look_ahead(&mut self) {
        let silent = Cx::new(self.parser.cx.plan.clone(), 0, usize::MAX);
        let mut look = Parser {
            text: self.parser.text,
            pos: self.parser.pos,
            base: 0,
            place: Place::Object,
            cx: &silent,
        };
        let mut between = Between::new(self.between.close, Place::Object, false);
        while between.next(&mut look) {
            let start = look.pos;
            let Ok(key) = look.key() else { return };
            let key = self.resolve(key).0;
            match self.last.iter_mut().find(|(name, _)| *name == key) {
                Some((_, at)) => *at = start,
                None => self.last.push((key, start)),
            }
            if (&mut look).deserialize_ignored_any(serde::de::IgnoredAny).is_err() || look.pos == start {
                return;
            }
        }
    }

    /// The name that a key stands for, with what had to be bent.
    fn resolve(&self, key: Cow<'t, str>) -> (Cow<'t, str>, Spelling) {
        let exact = |names: &[&str]| names.iter().any(|n| *n == key);
        let known = match self.fields {
            Some(fields) if fields.get(self.met).is_some_and(|name| *name == key) => {
                return (key, Spelling::Exact);
            }
            Some(fields) if exact(fields) => return (key, Spelling::Exact),
            Some(fields) => names::loosely(&key, fields),
            None if exact(&self.parser.cx.plan.fields) => return (key, Spelling::Exact),
            None => names::loosely(&key, &self.parser.cx.plan.fields),
        };
        match known {
            Some(name) => (Cow::Borrowed(name), Spelling::Loose),
            None => (key, Spelling::Unknown),
        }
    }

    /// Goes behind the object. One that has nothing of what is asked for is not it, though all of that be optional.
    pub(super) fn end(mut self) -> Result<(), Fail> {
        let cut = self.met == 0 && !self.parser.text[..self.parser.pos].ends_with(['}', ')']);
        if let Some(fields) =
            self.fields.filter(|f| !f.is_empty() && self.known == 0 && (self.met > 0 || cut))
        {
            return Err(self.parser.refuse(format!("at least one of the fields {}", fields.join(", "))));
        }
        while self.between.next(self.parser) {
            self.parser.key()?;
            self.parser.deserialize_ignored_any(serde::de::IgnoredAny)?;
        }
        Ok(())
    }
}

impl<'de> MapAccess<'de> for Entries<'_, '_, '_> {
    type Error = Fail;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        loop {
            if !self.between.next(self.parser) {
                return Ok(None);
            }
            let start = self.parser.pos;
            let key = match self.parser.key() {
                Ok(key) => key,
                // A key at which the text ends belongs to what is cut off.
                Err(_) if self.parser.rest().trim().is_empty() => {
                    self.parser.cx.bend(CUT_OFF.0, CUT_OFF.1);
                    self.between.done = true;
                    return Ok(None);
                }
                Err(fail) => return Err(fail),
            };
            let (key, spelling) = self.resolve(key);
            self.met += 1;
            if self.last.iter().any(|(name, last)| *name == key && *last > start) {
                self.parser.cx.bend("a key that comes twice", 1);
                self.parser.deserialize_ignored_any(serde::de::IgnoredAny)?;
                continue;
            }
            self.known += usize::from(!matches!(spelling, Spelling::Unknown));
            match spelling {
                Spelling::Exact => {}
                Spelling::Loose => self.parser.cx.bend("a key spelt loosely", 1),
                // Serde passes over what it does not know, but an object that has less of it fits better.
                Spelling::Unknown => self.parser.cx.weigh(u32::from(self.fields.is_some())),
            }
            self.key = key;
            let word = Key { word: Word { text: &self.key, cx: self.parser.cx, quoted: true } };
            let at = self.parser.base + start;
            return seed
                .deserialize(word)
                .map(Some)
                .map_err(|fail| fail.at(at, &self.key).inside(Seg::Key(self.key.as_ref().into())));
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fail> {
        let key = &self.key;
        self.parser.value(seed, Place::Object, || Seg::Key(key.as_ref().into()))
    }
}

/// The object that a text begins with, taken apart without reading its values.
#[derive(Debug)]
pub struct ObjectMembers<'t> {
    /// Each key with the place of its value.
    pub members: Vec<(Cow<'t, str>, Range<usize>)>,
    /// Where the object ends.
    pub end: usize,
    /// Whether its closing brace is there.
    pub closed: bool,
}

/// Takes apart the object that a text begins with, however broken it is.
pub fn object_members(text: &str) -> ObjectMembers<'_> {
    let silent = Cx::new(Plan::default(), 0, usize::MAX);
    let mut parser = Parser { pos: 1, ..Parser::new(text, 0, &silent) };
    let mut members = Vec::new();
    let mut between = Between::new('}', Place::Object, false);
    while between.next(&mut parser) {
        let Ok(key) = parser.key() else { break };
        parser.head();
        let start = parser.pos;
        let read = (&mut parser).deserialize_ignored_any(serde::de::IgnoredAny);
        match parser.pos > start {
            true if read.is_ok() => members.push((key, start..parser.pos)),
            // A key without a value.
            false if parser.head() == Some(',') => {}
            _ => break,
        }
    }
    let end = parser.pos.min(text.len());
    ObjectMembers { members, end, closed: between.done && text[..end].ends_with('}') }
}

/// A key: text, or what a type with keys of its own makes of it.
pub(super) struct Key<'t, 'c> {
    pub(super) word: Word<'t, 'c>,
}

macro_rules! keys {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            let Word { text, cx, .. } = self.word;
            // That a key is in quotes is no tolerance, whatever its type.
            Word { text, cx, quoted: false }.$method(visitor)
        }
    )* };
}

impl<'de> Deserializer<'de> for Key<'_, '_> {
    type Error = Fail;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_str(self.word.text)
    }

    keys! {
        deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.word.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// A variant with its value, as `{"Variant": value}`, whose key is yet to be read.
pub(super) struct Tagged<'p, 't, 'c> {
    pub(super) parser: &'p mut Parser<'t, 'c>,
    pub(super) variant: &'static str,
}

impl<'de, 'p, 't, 'c> EnumAccess<'de> for Tagged<'p, 't, 'c> {
    type Error = Fail;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fail> {
        self.parser.place = Place::Object;
        let key = self.parser.key()?;
        if key != self.variant {
            self.parser.cx.bend("a name spelt loosely", 1);
        }
        let name: serde::de::value::StrDeserializer<'_, Fail> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'_, '_, '_> {
    type Error = Fail;

    fn unit_variant(self) -> Result<(), Fail> {
        self.parser.place = Place::Object;
        self.parser.cx.bend("an object around a name", 1);
        self.parser.head();
        self.parser.deserialize_ignored_any(serde::de::IgnoredAny)?;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fail> {
        self.parser.value(seed, Place::Object, || Seg::Key(self.variant.into()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fail> {
        self.parser.place = Place::Object;
        self.parser.deserialize_tuple(len, visitor).map_err(|fail| fail.inside(Seg::Key(self.variant.into())))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.parser.place = Place::Object;
        self.parser
            .deserialize_struct("", fields, visitor)
            .map_err(|fail| fail.inside(Seg::Key(self.variant.into())))
    }
}

/// A variant whose name does not stand around its fields but before or among them.
pub(super) struct Beside<'p, 't, 'c> {
    pub(super) parser: &'p mut Parser<'t, 'c>,
    pub(super) variant: &'static str,
    /// Where its fields stand.
    pub(super) content: usize,
    /// Where all of it ends.
    pub(super) end: usize,
}

impl<'t, 'c> Beside<'_, 't, 'c> {
    fn read<T>(self, read: impl FnOnce(&mut Parser<'t, 'c>) -> Result<T, Fail>) -> Result<T, Fail> {
        self.parser.pos = self.content;
        let value = read(self.parser).map_err(|fail| fail.inside(Seg::Key(self.variant.into())))?;
        self.parser.pos = self.end.max(self.parser.pos);
        Ok(value)
    }
}

impl<'de> EnumAccess<'de> for Beside<'_, '_, '_> {
    type Error = Fail;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fail> {
        let name: serde::de::value::StrDeserializer<'_, Fail> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Beside<'_, '_, '_> {
    type Error = Fail;

    fn unit_variant(self) -> Result<(), Fail> {
        self.parser.pos = self.end;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fail> {
        self.read(|parser| match parser.head() {
            // `Square(4)`
            Some('(') => parser.unwrapped(|inner| seed.deserialize(inner)),
            _ => seed.deserialize(parser),
        })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fail> {
        self.read(|parser| parser.deserialize_tuple(len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.read(|parser| parser.deserialize_struct("", fields, visitor))
    }
}
