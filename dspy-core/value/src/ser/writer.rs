//! The one serializer, so that a type pays for it once: what is written how is decided by its [`Form`].

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

use serde::{
    Serialize,
    ser::{self, Serializer},
};
use serde_json::Value;

use super::{
    error::WriteError,
    text::{FloatText, push_displayed, push_fence, push_float, push_passage, push_string},
};
use crate::{
    Content, Part,
    types::{CODE_TOKEN, to_dspy_marker, to_dspy_marker_inside},
};

/// How the name of a newtype starts that stands for a medium; the kind follows.
const PART_TOKEN: &str = "$dspy::Part:";

/// How a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The outermost value of a prompt: text raw, lists of texts as told, the rest as JSON.
    Prompt(Lists),
    /// JSON on one line.
    Json(Target),
    /// A map key: a JSON string, whatever the key's own type.
    Key,
    /// A text as it is, and nothing else.
    Raw,
    /// A text or a medium behind the number of a passage, further lines indented.
    Passage,
    /// A text in a fence of a language.
    Fence(&'static str),
    /// Program text of a language as a JSON string. One that begins as a fence does stands in a fence, because the
    /// outermost one is taken for none of it.
    JsonCode(&'static str),
}

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

/// What the JSON is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// An input: media become parts.
    Prompt,
    /// An output: media are their plain objects, which is how a model writes them.
    Output,
    /// A tree: media are their plain objects, and integers must fit 64 bits.
    Tree,
    /// A tree for saved programs: media are the marked texts that DSPy writes.
    Saved,
    /// What is within a list or a structure of such a tree.
    SavedInside,
}

/// A value of any type that can be written.
pub trait Write {
    /// Writes it.
    ///
    /// # Errors
    /// [`WriteError`] when it cannot be written.
    fn write(&self, to: Writer<'_, '_>) -> Result<(), WriteError>;
}

// Of the reference, so that it can be had of types without a size, too.
impl<T: Serialize + ?Sized> Write for &T {
    fn write(&self, to: Writer<'_, '_>) -> Result<(), WriteError> {
        (**self).serialize(to)
    }
}

/// Where it is written.
#[derive(Debug)]
pub(super) struct Sink<'c> {
    pub(super) out: &'c mut Content,
    /// Set when a text was wanted and the value is none.
    pub(super) not_text: bool,
}

impl Sink<'_> {
    fn text(&mut self) -> &mut String {
        self.out.text_mut()
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }
}

/// Writes one value to the end of a text.
#[derive(Debug)]
pub struct Writer<'a, 'c> {
    pub(super) to: &'a mut Sink<'c>,
    pub(super) form: Form,
}

/// Appends the medium that a newtype named `name` stands for; `false` when it stands for none.
fn push_part(out: &mut Content, name: &'static str, value: &dyn Write) -> Result<bool, WriteError> {
    let Some(kind) = name.strip_prefix(PART_TOKEN) else { return Ok(false) };
    let data = tree(value)?;
    out.push_part(Part { kind, data });
    Ok(true)
}

impl<'a, 'c> Writer<'a, 'c> {
    /// Refuses what a key or a text cannot be; otherwise what the JSON is for.
    fn json(&mut self, what: &str) -> Result<Target, WriteError> {
        match self.form {
            Form::Prompt(Lists::Json) => Ok(Target::Output),
            Form::Prompt(_) => Ok(Target::Prompt),
            Form::Json(target) => Ok(target),
            Form::Key => Err(WriteError::new(format!(
                "a map key cannot be {what}: use a text, a number or a unit variant"
            ))),
            Form::Raw | Form::Passage | Form::Fence(_) | Form::JsonCode(_) => Err(self.no_text()),
        }
    }

    fn no_text(&mut self) -> WriteError {
        self.to.not_text = true;
        WriteError::new("expected a text")
    }

    fn plain(mut self, value: fmt::Arguments<'_>) -> Result<(), WriteError> {
        if self.form == Form::Key {
            return push_displayed(self.to.text(), &value);
        }
        self.json("")?;
        // Writing to a `String` cannot fail.
        let _ = self.to.text().write_fmt(value);
        Ok(())
    }

    fn wide(self, value: fmt::Arguments<'_>, fits: bool) -> Result<(), WriteError> {
        if matches!(self.form, Form::Json(Target::Tree | Target::Saved | Target::SavedInside)) && !fits {
            return Err(WriteError::new(format!(
                "{value} needs more than 64 bits, which a JSON tree cannot hold"
            )));
        }
        self.plain(value)
    }

    fn float(mut self, finite: bool, value: &dyn FloatText) -> Result<(), WriteError> {
        if self.form == Form::Key {
            let out = self.to.text();
            out.push('"');
            push_float(out, finite, value)?;
            out.push('"');
            return Ok(());
        }
        self.json("")?;
        push_float(self.to.text(), finite, value)
    }

    fn null(mut self, what: &str) -> Result<(), WriteError> {
        self.json(what)?;
        self.to.push("null");
        Ok(())
    }

    fn displayed(self, value: &dyn fmt::Display) -> Result<(), WriteError> {
        match self.form {
            Form::Json(_) | Form::Key => push_displayed(self.to.text(), value),
            Form::Prompt(_) => write!(self.to.text(), "{value}")
                .map_err(|_| WriteError::new("its Display implementation failed")),
            Form::Raw | Form::Passage | Form::Fence(_) | Form::JsonCode(_) => {
                self.serialize_str(&value.to_string())
            }
        }
    }

    fn open(mut self, what: &str, open: &str, close: &'static str) -> Result<Compound<'a, 'c>, WriteError> {
        let items = Form::Json(match self.json(what)? {
            Target::Saved => Target::SavedInside,
            target => target,
        });
        self.to.push(open);
        Ok(Compound { to: self.to, items, close, count: 0, key: 0..0 })
    }

    fn open_variant(
        mut self,
        variant: &str,
        open: &str,
        close: &'static str,
    ) -> Result<Compound<'a, 'c>, WriteError> {
        self.json("a variant with data")?;
        self.to.push("{");
        push_string(self.to.text(), variant);
        self.to.push(":");
        self.open("", open, close)
    }

    fn list(self) -> Result<Compound<'a, 'c>, WriteError> {
        if self.form == Form::Prompt(Lists::Passages) {
            return Ok(Compound { to: self.to, items: Form::Passage, close: "", count: 0, key: 0..0 });
        }
        self.open("a list", "[", "]")
    }

    /// How the value inside a newtype stands; `None` when it is written already.
    fn newtype(&mut self, name: &'static str, value: &dyn Write) -> Result<Option<Form>, WriteError> {
        match self.form {
            Form::Json(Target::Prompt) | Form::Prompt(Lists::Passages | Lists::MixedInput)
                if push_part(self.to.out, name, value)? =>
            {
                return Ok(None);
            }
            Form::Json(target @ (Target::Saved | Target::SavedInside)) => {
                if let Some(kind) = name.strip_prefix(PART_TOKEN) {
                    let part = Part { kind, data: tree(value)? };
                    let marked = match target {
                        Target::SavedInside => to_dspy_marker_inside(&part),
                        _ => to_dspy_marker(&part),
                    };
                    push_string(self.to.text(), &marked);
                    return Ok(None);
                }
            }
            Form::Prompt(Lists::Json) if name == CODE_TOKEN => return Ok(Some(Form::Fence(""))),
            Form::Json(Target::Output) if name == CODE_TOKEN => return Ok(Some(Form::JsonCode(""))),
            // The newtype inside a `Code` is named after its language.
            Form::JsonCode(_) => return Ok(Some(Form::JsonCode(name))),
            Form::Fence(_) => return Ok(Some(Form::Fence(name))),
            Form::Passage => {
                let end = self.to.out.mark();
                self.to.push(" ");
                if push_part(self.to.out, name, value)? {
                    return Ok(None);
                }
                self.to.out.rewind(end);
            }
            _ => {}
        }
        Ok(Some(self.form))
    }

    fn variant(self, variant: &'static str, value: &dyn Write) -> Result<(), WriteError> {
        let mut object = self.open_variant(variant, "", "}")?;
        let written = value.write(object.inner());
        written.map_err(|e| e.in_field(variant))?;
        object.close()
    }
}

macro_rules! plain {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, v: $type) -> Result<(), WriteError> {
            self.plain(format_args!("{v}"))
        }
    )*};
}

impl<'a, 'c> Serializer for Writer<'a, 'c> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Compound<'a, 'c>;
    type SerializeTuple = Compound<'a, 'c>;
    type SerializeTupleStruct = Compound<'a, 'c>;
    type SerializeTupleVariant = Compound<'a, 'c>;
    type SerializeMap = Compound<'a, 'c>;
    type SerializeStruct = Compound<'a, 'c>;
    type SerializeStructVariant = Compound<'a, 'c>;

    plain! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
    }

    fn serialize_i128(self, v: i128) -> Result<(), WriteError> {
        self.wide(format_args!("{v}"), i64::try_from(v).is_ok() || u64::try_from(v).is_ok())
    }
    fn serialize_u128(self, v: u128) -> Result<(), WriteError> {
        self.wide(format_args!("{v}"), u64::try_from(v).is_ok())
    }
    fn serialize_f32(self, v: f32) -> Result<(), WriteError> {
        self.float(v.is_finite(), &v)
    }
    fn serialize_f64(self, v: f64) -> Result<(), WriteError> {
        self.float(v.is_finite(), &v)
    }
    fn serialize_char(mut self, v: char) -> Result<(), WriteError> {
        match self.form {
            Form::Prompt(_) => self.to.text().push(v),
            Form::Json(_) | Form::Key => push_string(self.to.text(), v.encode_utf8(&mut [0; 4])),
            Form::Raw | Form::Passage | Form::Fence(_) | Form::JsonCode(_) => return Err(self.no_text()),
        }
        Ok(())
    }
    fn serialize_str(self, v: &str) -> Result<(), WriteError> {
        let out = self.to.text();
        match self.form {
            Form::Json(_) | Form::Key => push_string(out, v),
            Form::Prompt(_) | Form::Raw => out.push_str(v),
            Form::Passage => push_passage(out, v),
            Form::Fence(language) => push_fence(out, language, v),
            Form::JsonCode(language) if v.trim_start().starts_with("```") => {
                let mut fenced = String::new();
                push_fence(&mut fenced, language, v);
                push_string(out, &fenced);
            }
            Form::JsonCode(_) => push_string(out, v),
        }
        Ok(())
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), WriteError> {
        self.displayed(&value)
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), WriteError> {
        let mut list = self.open("bytes", "[", "]")?;
        for byte in v {
            list.element(&byte)?;
        }
        list.close()
    }
    fn serialize_none(self) -> Result<(), WriteError> {
        self.null("None")
    }
    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), WriteError> {
        match self.form {
            // A list of optional texts is JSON whether or not a `None` is in it.
            Form::Raw | Form::Passage | Form::Fence(_) | Form::JsonCode(_) => Err(self.no_text()),
            _ => value.serialize(self),
        }
    }
    fn serialize_unit(self) -> Result<(), WriteError> {
        self.null("a unit")
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WriteError> {
        self.null("a unit struct")
    }
    fn serialize_unit_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WriteError> {
        match self.form {
            Form::Raw | Form::Passage | Form::Fence(_) | Form::JsonCode(_) => Err(self.no_text()),
            _ => self.serialize_str(variant),
        }
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        match self.newtype(name, &value) {
            Ok(Some(form)) => value.serialize(Self { form, ..self }),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        }
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        self.variant(variant, &value)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a, 'c>, WriteError> {
        self.list()
    }
    fn serialize_tuple(self, _: usize) -> Result<Compound<'a, 'c>, WriteError> {
        self.open("a tuple", "[", "]")
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a, 'c>, WriteError> {
        self.open("a tuple struct", "[", "]")
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a, 'c>, WriteError> {
        self.open_variant(variant, "[", "]}")
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a, 'c>, WriteError> {
        self.open("a map", "{", "}")
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'a, 'c>, WriteError> {
        // How `serde_json` hands over numbers and raw values that are JSON text already, when a program in the
        // same build turns on its `arbitrary_precision` or `raw_value`.
        if name == "$serde_json::private::Number" || name == "$serde_json::private::RawValue" {
            return Ok(Compound { items: Form::Raw, ..self.open("a struct", "", "")? });
        }
        self.open("a struct", "{", "}")
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a, 'c>, WriteError> {
        self.open_variant(variant, "{", "}}")
    }
    fn collect_seq<I: IntoIterator<Item: Serialize>>(self, items: I) -> Result<(), WriteError> {
        let mut list = self.list()?;
        for item in items {
            list.element(&&item)?;
        }
        list.close()
    }
}

/// An array or object that is being written.
#[derive(Debug)]
pub struct Compound<'a, 'c> {
    to: &'a mut Sink<'c>,
    /// How what is in it stands.
    items: Form,
    close: &'static str,
    count: usize,
    /// Where the last key stands in the text, to name the place of an error.
    key: Range<usize>,
}

impl<'c> Compound<'_, 'c> {
    fn inner(&mut self) -> Writer<'_, 'c> {
        Writer { to: &mut *self.to, form: self.items }
    }

    fn comma(&mut self) {
        if self.count > 0 {
            self.to.push(",");
        }
        self.count += 1;
    }

    fn element(&mut self, value: &dyn Write) -> Result<(), WriteError> {
        if self.items == Form::Passage {
            self.count += 1;
            if self.count > 1 {
                self.to.push("\n");
            }
            let _ = write!(self.to.text(), "[{}]", self.count);
            return value.write(self.inner());
        }
        self.comma();
        value.write(self.inner()).map_err(|e| e.in_item(self.count - 1))
    }

    fn field(&mut self, name: &'static str, value: &dyn Write) -> Result<(), WriteError> {
        // JSON text already.
        if self.items == Form::Raw {
            return value.write(self.inner());
        }
        self.comma();
        push_string(self.to.text(), name);
        self.to.push(":");
        value.write(self.inner()).map_err(|e| e.in_field(name))
    }

    fn key(&mut self, key: &dyn Write) -> Result<(), WriteError> {
        self.comma();
        let start = self.to.out.text().len() + 1;
        key.write(Writer { to: &mut *self.to, form: Form::Key })?;
        self.key = start..self.to.out.text().len() - 1;
        self.to.push(":");
        Ok(())
    }

    fn value(&mut self, value: &dyn Write) -> Result<(), WriteError> {
        let written = value.write(self.inner());
        written.map_err(|e| e.in_field(self.to.out.text().get(self.key.clone()).unwrap_or_default()))
    }

    fn close(self) -> Result<(), WriteError> {
        let empty = self.items == Form::Passage && self.count == 0;
        self.to.push(if empty { "[]" } else { self.close });
        Ok(())
    }
}

macro_rules! compound_list {
    ($($of:ident :: $method:ident),*) => {$(
        impl ser::$of for Compound<'_, '_> {
            type Ok = ();
            type Error = WriteError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.element(&value)
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
        impl ser::$of for Compound<'_, '_> {
            type Ok = ();
            type Error = WriteError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), WriteError> {
                self.field(name, &value)
            }
            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        }
    )*};
}
compound_struct!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        self.key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.value(&value)
    }

    fn end(self) -> Result<(), WriteError> {
        self.close()
    }
}

/// As [`write_json`](super::write_json), of whatever type.
///
/// # Errors
/// As [`write_json`](super::write_json).
pub fn tree(value: &dyn Write) -> Result<Value, WriteError> {
    tree_for(Target::Tree, value)
}

/// A value as a JSON tree for what the target is for.
pub(super) fn tree_for(target: Target, value: &dyn Write) -> Result<Value, WriteError> {
    // Through text, because a tree would widen `0.1f32` to `0.10000000149011612`.
    let text = json_text(target, value)?;
    serde_json::from_str(&text).map_err(|e| WriteError::new(e.to_string()))
}

/// A value as the text of a JSON tree.
pub(super) fn json_text(target: Target, value: &dyn Write) -> Result<String, WriteError> {
    let mut out = Content::new();
    let mut to = Sink { out: &mut out, not_text: false };
    value.write(Writer { to: &mut to, form: Form::Json(target) })?;
    Ok(std::mem::take(out.text_mut()))
}
