//! Map keys.

use std::fmt;

use serde::{
    Serialize,
    ser::{Impossible, Serializer},
};

use super::{
    WriteError,
    json::{push_displayed, push_float, push_string},
};

/// Writes a map key: a JSON string, whatever the key's own type.
pub(super) struct Key<'a>(pub(super) &'a mut String);

impl Key<'_> {
    fn quoted(self, value: impl fmt::Display) -> Result<(), WriteError> {
        push_displayed(self.0, &value)
    }

    fn refuse<T>(what: &str) -> Result<T, WriteError> {
        Err(WriteError::new(format!("a map key cannot be {what}: use a text, a number or a unit variant")))
    }
}

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Impossible<(), WriteError>;
    type SerializeTuple = Impossible<(), WriteError>;
    type SerializeTupleStruct = Impossible<(), WriteError>;
    type SerializeTupleVariant = Impossible<(), WriteError>;
    type SerializeMap = Impossible<(), WriteError>;
    type SerializeStruct = Impossible<(), WriteError>;
    type SerializeStructVariant = Impossible<(), WriteError>;

    fn serialize_bool(self, v: bool) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_i8(self, v: i8) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_i16(self, v: i16) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_i32(self, v: i32) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_i64(self, v: i64) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_i128(self, v: i128) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_u8(self, v: u8) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_u16(self, v: u16) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_u32(self, v: u32) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_u64(self, v: u64) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_u128(self, v: u128) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_f32(self, v: f32) -> Result<(), WriteError> {
        self.0.push('"');
        push_float(self.0, v.is_finite(), v)?;
        self.0.push('"');
        Ok(())
    }
    fn serialize_f64(self, v: f64) -> Result<(), WriteError> {
        self.0.push('"');
        push_float(self.0, v.is_finite(), v)?;
        self.0.push('"');
        Ok(())
    }
    fn serialize_char(self, v: char) -> Result<(), WriteError> {
        self.quoted(v)
    }
    fn serialize_str(self, v: &str) -> Result<(), WriteError> {
        push_string(self.0, v);
        Ok(())
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        push_displayed(self.0, value)
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), WriteError> {
        Self::refuse("bytes")
    }
    fn serialize_none(self) -> Result<(), WriteError> {
        Self::refuse("None")
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), WriteError> {
        Self::refuse("a unit")
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriteError> {
        Self::refuse("a unit struct")
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<(), WriteError> {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), WriteError> {
        Self::refuse("a variant with data")
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, WriteError> {
        Self::refuse("a list")
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, WriteError> {
        Self::refuse("a tuple")
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTuple, WriteError> {
        Self::refuse("a tuple struct")
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, WriteError> {
        Self::refuse("a variant with data")
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, WriteError> {
        Self::refuse("a map")
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, WriteError> {
        Self::refuse("a struct")
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, WriteError> {
        Self::refuse("a variant with data")
    }
}
