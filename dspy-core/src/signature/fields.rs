//! Writing fields into a prompt and reading them from an answer.

use std::{any::type_name, borrow::Cow, fmt};

use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed},
};
use serde_json::Value;

use super::{Field, FieldRole, SignatureSpec};
use crate::{
    FieldError,
    value::{
        Coercion, Content, Form, History, Kind, Raw, ReadError, ReadOptions, Reading, ToolSpec, Turn,
        WriteError,
        erased::{Slot, Write, read_missing, read_slot, tree, write_value},
        read_json, read_seed,
    },
};

/// How an adapter separates fields.
pub trait Layout {
    /// Writes the text before a field's value.
    fn open(&self, out: &mut Content, field: &Field);
    /// Writes the text after a field's value.
    fn close(&self, out: &mut Content, field: &Field);
    /// Escapes the text of a field's value, so that nothing in it is taken for the beginning or the end of a field.
    /// Borrowed when there is nothing to escape, which is the default. `Adapter::parse` unescapes it.
    fn guard<'a>(&self, _field: &Field, text: &'a str) -> Cow<'a, str> {
        text.into()
    }
}

impl<L: Layout + ?Sized> Layout for &L {
    fn open(&self, out: &mut Content, field: &Field) {
        (**self).open(out, field);
    }

    fn close(&self, out: &mut Content, field: &Field) {
        (**self).close(out, field);
    }

    fn guard<'a>(&self, field: &Field, text: &'a str) -> Cow<'a, str> {
        (**self).guard(field, text)
    }
}

/// Guards what was written of a field since `start`.
pub(crate) fn guard_since(layout: &dyn Layout, field: &Field, out: &mut Content, start: (usize, usize)) {
    let text = out.text().get(start.0..).unwrap_or_default();
    if let Cow::Borrowed(_) = layout.guard(field, text) {
        return;
    }
    let (text, parts) = (text.to_owned(), out.parts()[start.1..].to_vec());
    out.rewind(start);
    let mut done = 0;
    for (at, part) in parts {
        let at = at - start.0;
        out.push_str(&layout.guard(field, &text[done..at]));
        out.push_part(part);
        done = at;
    }
    out.push_str(&layout.guard(field, &text[done..]));
}

/// Inputs that are not part of the message with the other fields.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Beside {
    /// Earlier turns of a conversation, which become messages of their own.
    pub turns: Vec<Turn>,
    /// Tools that are passed to the provider.
    pub tools: Vec<ToolSpec>,
    /// The steps of an agent, which become messages of their own.
    pub steps: Option<Value>,
}

/// Writes input fields into a message, one after the other.
pub struct FieldWriter<'a> {
    spec: &'a SignatureSpec,
    layout: &'a dyn Layout,
    native_tools: bool,
    out: &'a mut Content,
    beside: &'a mut Beside,
    /// The inputs that a signature around the one at hand writes.
    aside: &'static [&'static str],
}

impl fmt::Debug for FieldWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldWriter")
            .field("spec", &self.spec)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

impl<'a> FieldWriter<'a> {
    /// A writer into `out`, and into `beside` for what is not part of the message. With `native_tools`, tools are not.
    pub fn new(
        spec: &'a SignatureSpec,
        layout: &'a dyn Layout,
        native_tools: bool,
        out: &'a mut Content,
        beside: &'a mut Beside,
    ) -> Self {
        Self { spec, layout, native_tools, out, beside, aside: &[] }
    }

    /// The specification that is being written.
    pub fn spec(&self) -> &'a SignatureSpec {
        self.spec
    }

    /// The inputs that the signature at hand writes: all but those of a signature around it.
    pub fn inputs(&self) -> impl Iterator<Item = &'a Field> + use<'a> {
        let aside = self.aside;
        self.spec.inputs().filter(move |field| !aside.contains(&field.name.as_str()))
    }

    /// Has a signature write its inputs, then writes one that is around it: the steps of an agent, as messages of their own
    /// where tools are native, otherwise as text.
    pub(crate) fn with_steps(
        &mut self,
        names: &'static [&'static str; 1],
        steps: &(impl Serialize + fmt::Display),
        inner: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.without(names, inner)?;
        let [name] = names;
        if self.native_tools {
            self.beside.steps = Some(tree(&steps)?);
            return Ok(());
        }
        self.put(name, &&steps.to_string())
    }

    /// Has a signature write its inputs, which are not these.
    pub(crate) fn without(
        &mut self,
        names: &'static [&'static str],
        inner: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let around = std::mem::replace(&mut self.aside, names);
        let written = inner(self);
        self.aside = around;
        written
    }

    /// Writes one field.
    ///
    /// # Errors
    /// [`WriteError`] when the value cannot be written.
    pub fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), WriteError> {
        self.put(name, &value)
    }

    fn put(&mut self, name: &str, value: &dyn Write) -> Result<(), WriteError> {
        let Some(field) = self.spec.field(name) else { return Ok(()) };
        let written = match field.kind() {
            Kind::History => self.history(value),
            Kind::Tools if self.native_tools => self.tools(value),
            _ => {
                self.layout.open(self.out, field);
                let start = self.out.mark();
                let written = write_value(value, self.out);
                guard_since(self.layout, field, self.out, start);
                self.layout.close(self.out, field);
                written
            }
        };
        written.map_err(|e| e.in_field(name))
    }

    /// Writes one field whose value is data: by its type in the specification.
    ///
    /// # Errors
    /// As [`field`](Self::field).
    pub fn value(&mut self, name: &str, value: &Value) -> Result<(), WriteError> {
        let Some(field) = self.spec.field(name) else { return Ok(()) };
        match field.kind() {
            Kind::History | Kind::Tools => self.field(name, value),
            _ => {
                self.layout.open(self.out, field);
                let start = self.out.mark();
                field.ty.write_input(value, self.out);
                guard_since(self.layout, field, self.out, start);
                self.layout.close(self.out, field);
                Ok(())
            }
        }
    }

    fn history(&mut self, value: &dyn Write) -> Result<(), WriteError> {
        let history: Option<History> = read_back(&tree(value)?)?;
        self.beside.turns.extend(history.iter().flat_map(|h| h.turns().iter().cloned()));
        Ok(())
    }

    fn tools(&mut self, value: &dyn Write) -> Result<(), WriteError> {
        match tree(value)? {
            Value::Null => {}
            list @ Value::Array(_) => self.beside.tools.extend(read_back::<Vec<ToolSpec>>(&list)?),
            one => self.beside.tools.push(read_back(&one)?),
        }
        Ok(())
    }
}

/// A value of a type that is known by its schema only.
fn read_back<U: DeserializeOwned>(value: &Value) -> Result<U, WriteError> {
    read_json(value).map_err(serde::ser::Error::custom)
}

/// The raw text of one output field.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// How to understand it.
    pub form: Form,
}

impl<'a> Section<'a> {
    /// Free text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), form: Form::Text }
    }

    /// A JSON value.
    pub fn json(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), form: Form::Json }
    }
}

/// The raw texts of an answer, by position of their field in the specification.
#[derive(Debug, Clone, Default)]
pub struct Sections<'a> {
    entries: Vec<(usize, Section<'a>)>,
    /// Whether the whole answer was taken as the only field, because there was no structure.
    pub guessed: bool,
    /// Whether the end of the last text was seen, so that nothing of it can have been cut off.
    pub ended: bool,
}

impl<'a> Sections<'a> {
    /// No sections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the text of a field. The first text of a field stays.
    pub fn insert(&mut self, field: usize, section: Section<'a>) {
        if self.get(field).is_none() {
            self.entries.push((field, section));
        }
    }

    /// Sets the text of a field, and drops the one that it had.
    pub fn replace(&mut self, field: usize, section: Section<'a>) {
        self.entries.retain(|(f, _)| *f != field);
        self.entries.push((field, section));
    }

    /// The text of a field.
    pub fn get(&self, field: usize) -> Option<&Section<'a>> {
        self.entries.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
    }

    /// All texts with the positions of their fields.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Section<'a>)> {
        self.entries.iter().map(|(f, s)| (*f, s))
    }

    /// The same sections, independent of the answer they were found in.
    pub fn into_owned(self) -> Sections<'static> {
        let own = |s: Section<'a>| Section { text: s.text.into_owned().into(), form: s.form };
        let entries = self.entries.into_iter().map(|(f, s)| (f, own(s))).collect();
        Sections { entries, guessed: self.guessed, ended: self.ended }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> IntoIterator for Sections<'a> {
    type Item = (usize, Section<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// Reads output fields from the sections of an answer.
#[derive(Debug)]
pub struct FieldReader<'a> {
    spec: &'a SignatureSpec,
    sections: &'a Sections<'a>,
    options: &'a ReadOptions,
    errors: Vec<FieldError>,
    coercions: Vec<Coercion>,
    /// The positions of the fields that were asked for.
    read: Vec<usize>,
}

impl<'a> FieldReader<'a> {
    /// A reader of these sections.
    pub fn new(spec: &'a SignatureSpec, sections: &'a Sections<'a>, options: &'a ReadOptions) -> Self {
        Self { spec, sections, options, errors: Vec::new(), coercions: Vec::new(), read: Vec::new() }
    }

    /// The specification that is being read.
    pub fn spec(&self) -> &'a SignatureSpec {
        self.spec
    }

    /// Reads a field. A field that is missing is `None` when its type is an `Option`; otherwise the failure is
    /// recorded, and reading continues.
    pub fn field<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let mut value = None;
        if self.fill(name, &mut value, type_name::<T>()) { value } else { None }
    }

    fn fill(&mut self, name: &str, slot: &mut dyn for<'de> Slot<'de>, kind: &'static str) -> bool {
        self.with(name, &mut |_, found| match found {
            Some((raw, options)) => read_slot(slot, kind, raw, options),
            None => present(read_missing(slot, kind)),
        })
    }

    /// Reads a field; `default` if it is missing.
    pub fn field_or<T: DeserializeOwned>(&mut self, name: &str, default: impl FnOnce() -> T) -> Option<T> {
        let (mut value, mut default) = (None, Some(default));
        let read = self.with(name, &mut |_, found| match found {
            Some((raw, options)) => read_slot(&mut value, type_name::<T>(), raw, options),
            None => {
                value = default.take().map(|default| default());
                present(true)
            }
        });
        if read { value } else { None }
    }

    /// Reads a field through a seed, for types that are known only at run time. `seed` is called once for each
    /// attempt, `missing` when the answer has no such field.
    pub fn seed<V, S>(
        &mut self,
        name: &str,
        seed: impl Fn() -> S,
        missing: impl FnOnce() -> Option<V>,
    ) -> Option<V>
    where
        S: for<'de> DeserializeSeed<'de, Value = V>,
    {
        let (mut value, mut missing) = (None, Some(missing));
        let read = self.with(name, &mut |_, found| match found {
            Some((raw, options)) => take(&mut value, read_seed(&seed, raw, options)),
            None => {
                value = missing.take().and_then(|missing| missing());
                present(value.is_some())
            }
        });
        if read { value } else { None }
    }

    /// Reads a field whose type is in the specification only. A field that is missing is its default, or null when
    /// its type is optional.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        let mut value = None;
        let read = self.with(name, &mut |field, found| match found {
            Some((raw, options)) => take(&mut value, field.ty.read(raw, options)),
            None => {
                let null = || field.ty.is_optional().then_some(Value::Null);
                value = field.default.clone().or_else(null);
                present(value.is_some())
            }
        });
        if read { value } else { None }
    }

    /// The outputs that were not read yet.
    pub fn unread(&self) -> impl Iterator<Item = &'a Field> {
        let fields = self.spec.fields.iter().enumerate();
        let unread = fields.filter(|(i, f)| f.role == FieldRole::Output && !self.read.contains(i));
        unread.map(|(_, field)| field)
    }

    /// Finds a field and has it read; whether that succeeded.
    fn with(&mut self, name: &str, read: &mut ReadField<'_>) -> bool {
        let Some(index) = self.spec.position(name) else { return false };
        let field = &self.spec.fields[index];
        self.read.push(index);
        let section = self.sections.get(index);
        let raw = section.map(|section| Raw { text: &section.text, form: section.form });
        match read(field, raw.map(|raw| (raw, self.options))) {
            Ok(coercions) => {
                self.coercions.extend(coercions.into_iter().map(|c| in_field(name, c)));
                true
            }
            Err(cause) => {
                self.fail(index, Some(cause).filter(|_| section.is_some()));
                false
            }
        }
    }

    fn fail(&mut self, index: usize, cause: Option<ReadError>) {
        let field = &self.spec.fields[index];
        self.errors.push(FieldError { field: field.name.clone(), expected: field.ty.name(), cause });
    }

    /// The fields that could not be read, and the coercions of the others.
    pub fn finish(self) -> (Vec<FieldError>, Vec<Coercion>) {
        (self.errors, self.coercions)
    }
}

/// Reads a field from what was found of it, or says whether something stands in for it.
type ReadField<'r> =
    dyn FnMut(&Field, Option<(Raw<'_>, &ReadOptions)>) -> Result<Vec<Coercion>, ReadError> + 'r;

/// Whether something stands in for a field that is missing.
fn present(present: bool) -> Result<Vec<Coercion>, ReadError> {
    if present { Ok(Vec::new()) } else { Err(ReadError::new("a value", "")) }
}

fn take<V>(slot: &mut Option<V>, reading: Result<Reading<V>, ReadError>) -> Result<Vec<Coercion>, ReadError> {
    let Reading { value, coercions } = reading?;
    *slot = Some(value);
    Ok(coercions)
}

/// Puts a field's name before the path of a coercion.
fn in_field(name: &str, mut coercion: Coercion) -> Coercion {
    let separator = if coercion.path.is_empty() || coercion.path.starts_with('[') { "" } else { "." };
    coercion.path = format!("{name}{separator}{}", coercion.path);
    coercion
}
