//! Signatures: the inputs and outputs of a step.

mod checks;
mod comparison;
mod dedent;
mod dynamic;
mod fields;
mod reasoning;
mod record;
mod spec;
mod types;

use std::{fmt, sync::Arc};

use serde::Serialize;

pub use checks::{Checks, Violation};
pub use comparison::{Comparison, WithAttempts};
pub(crate) use dedent::dedented;
pub use dspy_grammar::GrammarError;
pub use dynamic::DynSignature;
pub(crate) use fields::guard_since;
pub use fields::{Beside, FieldReader, FieldWriter, Layout, Section, Sections};
pub(crate) use reasoning::REASONING;
pub use reasoning::{Reasoned, WithReasoning};
pub use record::Record;
pub use spec::{Field, FieldRole, SignatureSpec, default_prefix};
pub use types::Types;

use crate::value::WriteError;

/// The inputs and outputs of a step: the typed contract between a program and a model.
///
/// Implemented by `#[signature]`; by hand only for signatures whose fields are not known at compile time.
/// A value of [`Signature::Input`] and [`Signature::Output`] serialises to a map keyed by field name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signature",
    label = "not a signature",
    note = "mark the struct with `#[signature]` and its fields with `#[input]` or `#[output]`"
)]
pub trait Signature: Send + Sync + 'static {
    /// The inputs.
    type Input: Serialize + Clone + Send + Sync + 'static;
    /// The outputs.
    type Output: Serialize + Clone + fmt::Debug + Send + Sync + 'static;

    /// Writes every input field into a prompt.
    ///
    /// # Errors
    /// [`WriteError`] when a value cannot be written.
    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError>;

    /// Reads every output field from an answer. Continues after a failure, so that all failures of an answer are
    /// known at once, and returns `None` when there was one.
    fn read_output(reader: &mut FieldReader<'_>) -> Option<Self::Output>;

    /// Checks the constraints of the signature on an output.
    fn check(_output: &Self::Output, _checks: &mut Checks) {}
}

/// A signature whose fields are known at compile time.
#[diagnostic::on_unimplemented(
    message = "the fields of `{Self}` are not known at compile time",
    note = "mark a struct with `#[signature]`; for a signature that is data: `Predict::dynamic(signature)`"
)]
pub trait StaticSignature: Signature {
    /// The specification, created once and shared.
    fn spec() -> Arc<SignatureSpec>;
}
