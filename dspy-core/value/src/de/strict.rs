//! `serde_json`, with a look at which fields are asked for.

use std::cell::Cell;

use serde::{Deserializer, de::Visitor};

use super::tree::object_members;

/// The outermost value of a strict reading.
#[derive(Debug)]
pub struct Strict<'a, D> {
    pub(super) json: D,
    /// The fields of the struct that was asked for.
    pub(super) fields: &'a Cell<Option<&'static [&'static str]>>,
}

/// Whether an object has a key of a struct, or no key at all.
pub(super) fn knows_key(text: &str, fields: &'static [&'static str]) -> bool {
    let Some(inside) = text.strip_prefix('{').map(str::trim_start).filter(|_| !fields.is_empty()) else {
        return true;
    };
    // The usual case, at no cost: the first key is a field.
    let first = |field: &&str| inside[1..].strip_prefix(*field).is_some_and(|rest| rest.starts_with('"'));
    if inside.starts_with('}') || (inside.starts_with('"') && fields.iter().any(first)) {
        return true;
    }
    object_members(text).members.iter().any(|(key, _)| fields.iter().any(|field| field == key))
}

macro_rules! forward {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.json.$method(visitor)
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.json.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.json.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.json.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.json.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.fields.set(Some(fields));
        self.json.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.json.deserialize_enum(name, variants, visitor)
    }
}
