//! The one deserializer of what is not plain JSON: thin, so that a type pays for it once.

use serde::{
    Deserializer,
    de::{IntoDeserializer, Visitor, value::StrDeserializer},
};

use super::{
    ask::{Any, Step},
    fail::Fail,
    place::{De, Key},
};
use crate::types::CODE_TOKEN;

/// Gives the visitor what is read, and says where it was refused.
macro_rules! give {
    ($self:ident, $visitor:ident . $visit:ident ( $read:expr )) => {
        match $read {
            Ok(value) => match $visitor.$visit(value) {
                Ok(value) => Ok(value),
                Err(fail) => Err($self.here(fail)),
            },
            Err(fail) => Err($self.here(fail)),
        }
    };
}

macro_rules! integers {
    ($($method:ident $visit:ident $ty:ty,)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            give!(self, visitor.$visit(self.integer::<$ty>(<$ty>::MIN as i128, <$ty>::MAX as u128)))
        }
    )* };
}

/// Answers with the value, or once more with what was found in its place.
macro_rules! step {
    ($self:ident, $step:expr, $ready:pat => $visit:expr, $again:ident ( $($argument:expr),* )) => {
        match $step {
            Ok(Step::Ready($ready)) => $visit,
            Ok(Step::Again(node)) => $self.with(&node).$again($($argument),*),
            Err(fail) => Err($self.here(fail)),
        }
    };
}

impl<'de, 'n, 'c: 'n> Deserializer<'de> for De<'n, 'c> {
    type Error = Fail;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        step!(self, self.any(), any => match any {
            Any::Unit => visitor.visit_unit(),
            Any::Bool(value) => visitor.visit_bool(value),
            Any::Unsigned(value) => visitor.visit_u64(value),
            Any::Signed(value) => visitor.visit_i64(value),
            Any::Float(value) => visitor.visit_f64(value),
            Any::Text(text) => visitor.visit_str(&text),
            Any::List(items) => items.give(visitor),
            Any::Object(entries) => entries.give(visitor),
        }
        .map_err(|fail: Fail| self.here(fail)), deserialize_any(visitor))
    }

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        give!(self, visitor.visit_bool(self.boolean()))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        give!(self, visitor.visit_f32(self.narrow_float()))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        give!(self, visitor.visit_f64(self.float()))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        give!(self, visitor.visit_char(self.character()))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.text() {
            Ok(text) => visitor.visit_str(&text).map_err(|fail: Fail| self.here(fail)),
            Err(fail) => Err(self.here(fail)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.is_none() {
            true => visitor.visit_none(),
            false => visitor.visit_some(self).map_err(|fail| self.or_nothing(fail)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.unit()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        if self.kind == CODE_TOKEN {
            let code = self.code(name).map_err(|fail| self.here(fail))?;
            let code: StrDeserializer<'_, Fail> = code.as_ref().into_deserializer();
            return visitor.visit_newtype_struct(code);
        }
        match self.newtype(name) {
            Ok(this) => visitor.visit_newtype_struct(this),
            Err(fail) => Err(fail),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        step!(self, self.list(None), items => items.give(visitor), deserialize_seq(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fail> {
        step!(self, self.list(Some(len)), items => items.give(visitor), deserialize_tuple(len, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        step!(self, self.object(None), entries => entries.give(visitor), deserialize_map(visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        step!(self, self.object(Some(fields)), entries => entries.give(visitor),
            deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        step!(self, self.variant(variants), chosen => match visitor.visit_enum(chosen) {
            Ok(value) => Ok(value),
            Err(fail) => Err(self.here(fail)),
        }, deserialize_enum(name, variants, visitor))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        match self.text() {
            Ok(text) => visitor.visit_str(self.identifier(&text)),
            Err(fail) => Err(self.here(fail)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_unit()
    }
}

macro_rules! as_value {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            self.0.$method(visitor)
        }
    )* };
}

impl<'de, 'n, 'c: 'n> Deserializer<'de> for Key<'n, 'c> {
    type Error = Fail;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_str(self.0.key())
    }

    as_value! {
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
        self.0.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
