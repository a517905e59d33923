//! A signature with reasoning.

use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc};

use serde::Serialize;

use super::{Checks, Field, FieldReader, FieldWriter, Signature, SignatureSpec, StaticSignature};
use crate::value::{TypeInfo, WriteError};

pub(crate) const REASONING: &str = "reasoning";

/// The signature `S` with a `reasoning` output before its own.
#[derive(Debug)]
pub struct WithReasoning<S>(PhantomData<fn() -> S>);

/// The output of a [`WithReasoning`] signature: dereferences to the output of `S`.
#[derive(Clone, PartialEq, Serialize)]
pub struct Reasoned<O> {
    /// The reasoning before the answer.
    pub reasoning: String,
    #[serde(flatten)]
    output: O,
}

impl<O> Reasoned<O> {
    /// An output with its reasoning.
    pub fn new(reasoning: impl Into<String>, output: O) -> Self {
        Self { reasoning: reasoning.into(), output }
    }

    /// The output without the reasoning.
    pub fn into_inner(self) -> O {
        self.output
    }
}

impl<O> Deref for Reasoned<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.output
    }
}

impl<O: fmt::Debug> fmt::Debug for Reasoned<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reasoned").field(REASONING, &self.reasoning).field("output", &self.output).finish()
    }
}

impl<S: Signature> WithReasoning<S> {
    /// A specification with a `reasoning` output before the others, unless it has one.
    pub fn extend(spec: &SignatureSpec) -> SignatureSpec {
        let field = Field::output(REASONING, TypeInfo::of::<String>());
        spec.clone().with_leading_output(field)
    }
}

impl<S: Signature> Signature for WithReasoning<S> {
    type Input = S::Input;
    type Output = Reasoned<S::Output>;

    fn write_input(input: &S::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        S::write_input(input, writer)
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<Self::Output> {
        let reasoning = reader.field(REASONING);
        let output = S::read_output(reader);
        Some(Reasoned { reasoning: reasoning?, output: output? })
    }

    fn check(output: &Self::Output, checks: &mut Checks) {
        S::check(&output.output, checks);
    }
}

impl<S: StaticSignature> StaticSignature for WithReasoning<S> {
    fn spec() -> Arc<SignatureSpec> {
        Arc::new(Self::extend(&S::spec()))
    }
}
