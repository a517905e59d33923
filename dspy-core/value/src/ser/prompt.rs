//! The outermost value of a prompt: text raw, lists of texts as passages, the rest as JSON.

use std::fmt::{self, Write as _};

use serde::{
    Serialize,
    ser::{self, Impossible, Serializer},
};

use super::{
    WriteError,
    json::{Compound, Json, Target, push_float, push_part},
};
use crate::{Content, types::CODE_TOKEN};

/// How lists of texts stand, and with them whether the value is an input or an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// An input: numbered passages.
    Passages,
    /// An input whose list turned out to hold more than texts: JSON.
    MixedInput,
    /// An output: JSON.
    Json,
}

/// Writes the outermost value.
pub(super) struct Prompt<'a> {
    pub(super) out: &'a mut Content,
    pub(super) lists: Lists,
    /// Set when a list was begun as passages and then met something else than text.
    pub(super) not_passages: &'a mut bool,
}

impl<'a> Prompt<'a> {
    fn json(self) -> Json<'a> {
        Json::new(self.out, Target::Prompt)
    }
}

/// Numbers and compound values stand as in JSON.
macro_rules! as_json {
    ($($method:ident($($arg:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $($arg: $type),*) -> Result<$ok, WriteError> {
            self.json().$method($($arg),*)
        }
    )*};
}

impl<'a> Serializer for Prompt<'a> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    as_json! {
        serialize_bool(v: bool) -> ();
        serialize_i8(v: i8) -> ();
        serialize_i16(v: i16) -> ();
        serialize_i32(v: i32) -> ();
        serialize_i64(v: i64) -> ();
        serialize_i128(v: i128) -> ();
        serialize_u8(v: u8) -> ();
        serialize_u16(v: u16) -> ();
        serialize_u32(v: u32) -> ();
        serialize_u64(v: u64) -> ();
        serialize_u128(v: u128) -> ();
        serialize_bytes(v: &[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(name: &'static str) -> ();
        serialize_tuple(len: usize) -> Compound<'a>;
        serialize_tuple_struct(name: &'static str, len: usize) -> Compound<'a>;
        serialize_tuple_variant(name: &'static str, i: u32, variant: &'static str, len: usize) -> Compound<'a>;
        serialize_map(len: Option<usize>) -> Compound<'a>;
        serialize_struct(name: &'static str, len: usize) -> Compound<'a>;
        serialize_struct_variant(name: &'static str, i: u32, variant: &'static str, len: usize) -> Compound<'a>;
    }

    fn serialize_f32(self, v: f32) -> Result<(), WriteError> {
        push_float(self.out.text_mut(), v.is_finite(), v)
    }
    fn serialize_f64(self, v: f64) -> Result<(), WriteError> {
        push_float(self.out.text_mut(), v.is_finite(), v)
    }
    fn serialize_char(self, v: char) -> Result<(), WriteError> {
        self.out.text_mut().push(v);
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Result<(), WriteError> {
        self.out.push_str(v);
        Ok(())
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        write!(self.out.text_mut(), "{value}")
            .map_err(|_| WriteError::new("its Display implementation failed"))
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        value.serialize(self)
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
        if push_part(self.out, name, value)? {
            return Ok(());
        }
        if name == CODE_TOKEN && self.lists == Lists::Json {
            return value.serialize(Text { out: self.out, form: Form::Fence(""), not_text: &mut false });
        }
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        self.json().serialize_newtype_variant(name, index, variant, value)
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a>, WriteError> {
        match self.lists {
            Lists::Passages => Ok(List::Passages { out: self.out, count: 0, not_text: self.not_passages }),
            Lists::MixedInput | Lists::Json => self.json().serialize_seq(len).map(List::Json),
        }
    }
}

/// A list that is being written.
pub(super) enum List<'a> {
    /// As numbered passages, for as long as the items are texts.
    Passages { out: &'a mut Content, count: usize, not_text: &'a mut bool },
    /// As a JSON array.
    Json(Compound<'a>),
}

impl ser::SerializeSeq for List<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        match self {
            Self::Json(list) => list.serialize_element(value),
            Self::Passages { out, count, not_text } => {
                *count += 1;
                if *count > 1 {
                    out.push_str("\n");
                }
                let _ = write!(out.text_mut(), "[{count}]");
                value.serialize(Text { out, form: Form::Passage, not_text })
            }
        }
    }

    fn end(self) -> Result<(), WriteError> {
        match self {
            Self::Json(list) => ser::SerializeSeq::end(list),
            Self::Passages { out, count, .. } => {
                if count == 0 {
                    out.push_str("[]");
                }
                Ok(())
            }
        }
    }
}

/// How a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// As it is.
    Raw,
    /// Behind the number of a passage, further lines indented.
    Passage,
    /// In a fence of a language.
    Fence(&'static str),
}

/// Writes texts (and, among passages, media); refuses everything else.
pub(super) struct Text<'a> {
    pub(super) out: &'a mut Content,
    pub(super) form: Form,
    /// Set when the value is no text.
    pub(super) not_text: &'a mut bool,
}

impl Text<'_> {
    fn refuse<T>(self) -> Result<T, WriteError> {
        *self.not_text = true;
        Err(WriteError::new("expected a text"))
    }
}

/// Appends ` text`, with every line after the first indented, so that none can pass for the start of a passage.
fn push_passage(out: &mut String, text: &str) {
    let mut rest = text;
    let mut indent = " ";
    loop {
        // Every character that may be read as the end of a line.
        let end = rest.find(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
        let line = end.map_or(rest, |end| &rest[..end]);
        if !line.is_empty() {
            out.push_str(indent);
            out.push_str(line);
        }
        let Some(end) = end else { return };
        let len = match &rest[end..] {
            crlf if crlf.starts_with("\r\n") => 2,
            other => other.chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[end..end + len]);
        rest = &rest[end + len..];
        indent = "    ";
    }
}

/// Appends code in a fence that is longer than any inside it.
fn push_fence(out: &mut String, language: &str, code: &str) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = longest.max(2) + 1;
    out.extend(std::iter::repeat_n('`', fence));
    out.push_str(language);
    out.push('\n');
    out.push_str(code);
    if !code.is_empty() && !code.ends_with('\n') {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('`', fence));
}

macro_rules! no_text {
    ($($method:ident($($arg:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $arg),*) -> Result<$ok, WriteError> {
            self.refuse()
        }
    )*};
}

impl Serializer for Text<'_> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Impossible<(), WriteError>;
    type SerializeTuple = Impossible<(), WriteError>;
    type SerializeTupleStruct = Impossible<(), WriteError>;
    type SerializeTupleVariant = Impossible<(), WriteError>;
    type SerializeMap = Impossible<(), WriteError>;
    type SerializeStruct = Impossible<(), WriteError>;
    type SerializeStructVariant = Impossible<(), WriteError>;

    no_text! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_i128(i128) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_u128(u128) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_str(self, text: &str) -> Result<(), WriteError> {
        let out = self.out.text_mut();
        match self.form {
            Form::Raw => out.push_str(text),
            Form::Passage => push_passage(out, text),
            Form::Fence(language) => push_fence(out, language, text),
        }
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), WriteError> {
        // A list of optional texts is JSON whether or not a `None` is in it.
        self.refuse()
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        match self.form {
            // The newtype inside a `Code` is named after its language.
            Form::Fence(_) => self.form = Form::Fence(name),
            Form::Raw => {}
            Form::Passage => {
                let end = self.out.mark();
                self.out.push_str(" ");
                if push_part(self.out, name, value)? {
                    return Ok(());
                }
                self.out.rewind(end);
            }
        }
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), WriteError> {
        self.refuse()
    }
}
