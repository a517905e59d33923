//! JSON on one line, with media taken out of it.

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

use serde::{
    Serialize,
    ser::{self, SerializeMap as _, Serializer},
};

use super::{
    PART_TOKEN, WriteError,
    key::Key,
    prompt::{Form, Text},
    write_json,
};
use crate::{Content, Part};

/// What the JSON is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A prompt: media become parts.
    Prompt,
    /// A tree: media are their plain objects, and integers must fit 64 bits.
    Tree,
}

/// Writes one JSON value to the end of a text.
pub(super) struct Json<'a> {
    out: &'a mut Content,
    target: Target,
}

impl<'a> Json<'a> {
    pub(super) fn new(out: &'a mut Content, target: Target) -> Self {
        Self { out, target }
    }

    fn plain(self, value: impl fmt::Display) -> Result<(), WriteError> {
        // Writing to a `String` cannot fail.
        let _ = write!(self.out.text_mut(), "{value}");
        Ok(())
    }

    fn wide(self, value: impl fmt::Display, fits: bool) -> Result<(), WriteError> {
        if self.target == Target::Tree && !fits {
            return Err(WriteError::new(format!(
                "{value} needs more than 64 bits, which a JSON tree cannot hold"
            )));
        }
        self.plain(value)
    }

    fn open(self, open: &str, close: &'static str) -> Compound<'a> {
        self.out.push_str(open);
        Compound { out: self.out, target: self.target, close, count: 0, key: 0..0, verbatim: false }
    }

    fn open_variant(self, variant: &str, open: &str, close: &'static str) -> Compound<'a> {
        self.out.push_str("{");
        push_string(self.out.text_mut(), variant);
        self.out.push_str(":");
        self.open(open, close)
    }
}

/// Appends a finite number in its shortest form that reads back to the same value.
pub(super) fn push_float(
    out: &mut String,
    finite: bool,
    value: impl fmt::Debug + fmt::Display,
) -> Result<(), WriteError> {
    if !finite {
        return Err(WriteError::new(format!("the number {value} has no JSON form")));
    }
    let _ = write!(out, "{value:?}");
    Ok(())
}

/// Appends a text as a JSON string; characters beyond ASCII stay as they are.
pub(super) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str) {
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        done = at + 1;
    }
    out.push_str(&text[done..]);
}

/// Escapes whatever is formatted into it.
struct Escape<'a>(&'a mut String);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

/// Appends what `value` displays as a JSON string.
pub(super) fn push_displayed(
    out: &mut String,
    value: &(impl fmt::Display + ?Sized),
) -> Result<(), WriteError> {
    out.push('"');
    write!(Escape(out), "{value}").map_err(|_| WriteError::new("its Display implementation failed"))?;
    out.push('"');
    Ok(())
}

/// Appends the medium that a newtype named `name` stands for; `false` when it stands for none.
pub(super) fn push_part<T: Serialize + ?Sized>(
    out: &mut Content,
    name: &'static str,
    value: &T,
) -> Result<bool, WriteError> {
    let Some(kind) = name.strip_prefix(PART_TOKEN) else { return Ok(false) };
    let data = write_json(value)?;
    out.push_part(Part { kind, data });
    Ok(true)
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(self, v: bool) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_i8(self, v: i8) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_i16(self, v: i16) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_i32(self, v: i32) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_i64(self, v: i64) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_i128(self, v: i128) -> Result<(), WriteError> {
        self.wide(v, i64::try_from(v).is_ok() || u64::try_from(v).is_ok())
    }
    fn serialize_u8(self, v: u8) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_u16(self, v: u16) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_u32(self, v: u32) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_u64(self, v: u64) -> Result<(), WriteError> {
        self.plain(v)
    }
    fn serialize_u128(self, v: u128) -> Result<(), WriteError> {
        self.wide(v, u64::try_from(v).is_ok())
    }
    fn serialize_f32(self, v: f32) -> Result<(), WriteError> {
        push_float(self.out.text_mut(), v.is_finite(), v)
    }
    fn serialize_f64(self, v: f64) -> Result<(), WriteError> {
        push_float(self.out.text_mut(), v.is_finite(), v)
    }
    fn serialize_char(self, v: char) -> Result<(), WriteError> {
        push_string(self.out.text_mut(), v.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Result<(), WriteError> {
        push_string(self.out.text_mut(), v);
        Ok(())
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        push_displayed(self.out.text_mut(), value)
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), WriteError> {
        self.collect_seq(v)
    }
    fn serialize_none(self) -> Result<(), WriteError> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), WriteError> {
        self.out.push_str("null");
        Ok(())
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), WriteError> {
        self.serialize_unit()
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
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        if self.target == Target::Prompt && push_part(self.out, name, value)? {
            return Ok(());
        }
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        let mut map = self.serialize_map(Some(1))?;
        map.serialize_entry(variant, value)?;
        map.end()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, WriteError> {
        Ok(self.open("[", "]"))
    }
    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, WriteError> {
        Ok(self.open("[", "]"))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, WriteError> {
        Ok(self.open("[", "]"))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, WriteError> {
        Ok(self.open_variant(variant, "[", "]}"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, WriteError> {
        Ok(self.open("{", "}"))
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a>, WriteError> {
        // How `serde_json` hands over numbers and raw values that are JSON text already, when a program in the
        // same build turns on its `arbitrary_precision` or `raw_value`.
        if name == "$serde_json::private::Number" || name == "$serde_json::private::RawValue" {
            return Ok(Compound { verbatim: true, ..self.open("", "") });
        }
        Ok(self.open("{", "}"))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>, WriteError> {
        Ok(self.open_variant(variant, "{", "}}"))
    }
}

/// An array or object that is being written.
pub(super) struct Compound<'a> {
    out: &'a mut Content,
    target: Target,
    close: &'static str,
    count: usize,
    /// Where the last key stands in the text, to name the place of an error.
    key: Range<usize>,
    /// Whether the one field is JSON text.
    verbatim: bool,
}

impl Compound<'_> {
    fn comma(&mut self) {
        if self.count > 0 {
            self.out.push_str(",");
        }
        self.count += 1;
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.comma();
        value.serialize(Json::new(self.out, self.target)).map_err(|e| e.in_item(self.count - 1))
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), WriteError> {
        if self.verbatim {
            return value.serialize(Text { out: self.out, form: Form::Raw, not_text: &mut false });
        }
        self.comma();
        push_string(self.out.text_mut(), name);
        self.out.push_str(":");
        value.serialize(Json::new(self.out, self.target)).map_err(|e| e.in_field(name))
    }

    fn close(self) -> Result<(), WriteError> {
        self.out.push_str(self.close);
        Ok(())
    }
}

macro_rules! compound_list {
    ($($of:ident :: $method:ident),*) => {$(
        impl ser::$of for Compound<'_> {
            type Ok = ();
            type Error = WriteError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.item(value)
            }
            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        }
    )*};
}
compound_list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! compound_struct {
    ($($of:ident),*) => {$(
        impl ser::$of for Compound<'_> {
            type Ok = ();
            type Error = WriteError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), WriteError> {
                self.field(name, value)
            }
            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        }
    )*};
}
compound_struct!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        self.comma();
        let start = self.out.text().len() + 1;
        key.serialize(Key(self.out.text_mut()))?;
        self.key = start..self.out.text().len() - 1;
        self.out.push_str(":");
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        value
            .serialize(Json::new(self.out, self.target))
            .map_err(|e| e.in_field(self.out.text().get(self.key.clone()).unwrap_or_default()))
    }

    fn end(self) -> Result<(), WriteError> {
        self.close()
    }
}
