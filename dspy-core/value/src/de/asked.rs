//! What the types ask of a [`Parser`].

use std::borrow::Cow;

use serde::{
    Deserializer,
    de::{IntoDeserializer, Visitor, value::StrDeserializer},
};

use super::{
    access::{Beside, Tagged},
    fail::{Cure, Fail},
    find, lex, names,
    parser::Parser,
    scalar,
};
use crate::types::CODE_TOKEN;

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
            Some('{') => match self.wraps(None) {
                Some(inner) => self.within(inner, |inner| inner.deserialize_any(visitor)),
                None => self.entries(None, visitor),
            },
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
                if text[1..].trim_start().starts_with("\"type\"") {
                    return Err(self.refuse("text, not the schema of it"));
                }
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

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        if name == CODE_TOKEN && self.head().is_some_and(|c| lex::closing(c).is_some()) {
            let found = self.peek()?;
            self.take(&found);
            let fence =
                Some(&*found.text).filter(|text| text.trim_start().starts_with("```")).and_then(find::fence);
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
        if let Some((variant, content, end)) = self.named(variants) {
            self.cx.bend("a variant that is named beside its fields", 2);
            return visitor.visit_enum(Beside { parser: self, variant, content, end });
        }
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
                            near => Fail::new(format!("one of {}", variants.join(", ")), &key)
                                .nearest(near)
                                .at(at, ""),
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
