//! The signatures of modules that write code: one for the code, one for the outputs.

use std::marker::PhantomData;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    signature::{Checks, Field, FieldReader, FieldWriter, Signature, SignatureSpec},
    value::{Code, TypeInfo, WriteError, lang::Python},
};

/// The input with the code that failed.
pub(super) const PREVIOUS: &str = "previous_code";
/// The input with the reason why it failed.
pub(super) const ERROR: &str = "error";
/// The input with the code that was run.
pub(super) const FINAL: &str = "final_generated_code";
/// The input with what it gave.
pub(super) const OUTPUT: &str = "code_output";
/// The output with the code.
pub(super) const CODE: &str = "generated_code";

/// The input with the steps so far.
pub(super) const TRAJECTORY: &str = "trajectory";
/// The output that says whether enough is known.
pub(super) const FINISHED: &str = "finished";

/// The inputs of a signature, and texts about code that a module adds.
#[derive(Debug, Clone, Serialize)]
pub struct WithCode<I> {
    #[serde(flatten)]
    input: I,
    /// The texts by the names of their fields.
    #[serde(flatten)]
    texts: Map<String, Value>,
    /// The names of all fields that the module adds.
    #[serde(skip)]
    added: &'static [&'static str],
}

impl<I> WithCode<I> {
    pub(super) fn new<const N: usize>(
        input: I,
        added: &'static [&'static str],
        texts: [(&str, &str); N],
    ) -> Self {
        let texts = texts.map(|(name, text)| (name.to_owned(), text.into())).into_iter().collect();
        Self { input, texts, added }
    }

    fn write<S: Signature<Input = I>>(&self, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        writer.without(self.added, |writer| S::write_input(&self.input, writer))?;
        self.texts.iter().try_for_each(|(name, text)| writer.value(name, text))
    }
}

/// Code, as a model writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GeneratedCode {
    /// The code.
    pub generated_code: Code<Python>,
}

/// Code for the inputs of `S`.
#[derive(Debug)]
pub struct CodeFor<S>(PhantomData<fn() -> S>);

impl<S: Signature> Signature for CodeFor<S> {
    type Input = WithCode<S::Input>;
    type Output = GeneratedCode;

    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        input.write::<S>(writer)
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<GeneratedCode> {
        Some(GeneratedCode { generated_code: reader.field(CODE)? })
    }
}

/// The next code, and whether it is the last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextCode {
    /// The code.
    pub generated_code: Code<Python>,
    /// Whether enough is known when it has run.
    pub finished: bool,
}

/// The next code for the inputs of `S`.
#[derive(Debug)]
pub struct NextCodeFor<S>(PhantomData<fn() -> S>);

impl<S: Signature> Signature for NextCodeFor<S> {
    type Input = WithCode<S::Input>;
    type Output = NextCode;

    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        input.write::<S>(writer)
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<NextCode> {
        let (code, finished) = (reader.field(CODE), reader.field(FINISHED));
        Some(NextCode { generated_code: code?, finished: finished? })
    }
}

/// The outputs of `S`, taken from code and what it gave.
#[derive(Debug)]
pub struct FromCode<S>(PhantomData<fn() -> S>);

impl<S: Signature> Signature for FromCode<S> {
    type Input = WithCode<S::Input>;
    type Output = S::Output;

    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        input.write::<S>(writer)
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<S::Output> {
        S::read_output(reader)
    }

    fn check(output: &S::Output, checks: &mut Checks) {
        S::check(output, checks);
    }
}

/// A field with a text.
pub(super) fn text(name: &str, desc: &str) -> Field {
    Field::input(name, TypeInfo::of::<String>()).desc(desc)
}

/// The field with the code.
pub(super) fn code() -> Field {
    Field::output(CODE, TypeInfo::of::<Code<Python>>())
}

/// The inputs of a specification and these fields.
pub(super) fn asking(spec: &SignatureSpec, fields: impl IntoIterator<Item = Field>) -> SignatureSpec {
    let fields = spec.inputs().cloned().chain(fields).collect();
    SignatureSpec { name: spec.name.clone(), instructions: spec.instructions.clone(), fields }
}
