//! The signatures of an [`RLM`](super::RLM): from the state of its session to the next code, and to the outputs.

use std::marker::PhantomData;

use serde::Serialize;

use super::signature::text;
use crate::{
    signature::{Checks, Field, FieldReader, FieldWriter, Signature, SignatureSpec},
    value::{Code, TypeInfo, WriteError, lang::Python},
};

pub(super) const INFO: &str = "variables_info";
pub(super) const HISTORY: &str = "repl_history";
const ITERATION: &str = "iteration";
const REASONING: &str = "reasoning";
pub(super) const CODE: &str = "code";

/// What code is written from.
#[derive(Debug, Clone, Serialize)]
pub struct ReplState {
    /// The variables: their types and sizes, how they begin and end.
    pub variables_info: String,
    /// The code so far and what it gave.
    pub repl_history: String,
    /// Which code comes next, and how often code is written at most; not given where the outputs are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration: Option<String>,
}

/// The next code and the thought before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplAction {
    /// What the model thinks.
    pub reasoning: String,
    /// The code.
    pub code: Code<Python>,
}

fn write(state: &ReplState, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
    writer.field(INFO, &state.variables_info)?;
    writer.field(HISTORY, &state.repl_history)?;
    match &state.iteration {
        Some(iteration) => writer.field(ITERATION, iteration),
        None => Ok(()),
    }
}

/// The next code of an [`RLM`](super::RLM).
#[derive(Debug)]
pub struct NextAction;

impl Signature for NextAction {
    type Input = ReplState;
    type Output = ReplAction;

    fn write_input(input: &ReplState, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        write(input, writer)
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<ReplAction> {
        let (reasoning, code) = (reader.field_or(REASONING, String::new), reader.field(CODE));
        Some(ReplAction { reasoning: reasoning?, code: code? })
    }
}

/// The outputs of `S`, taken from the steps of an [`RLM`](super::RLM).
#[derive(Debug)]
pub struct FromRepl<S>(PhantomData<fn() -> S>);

impl<S: Signature> Signature for FromRepl<S> {
    type Input = ReplState;
    type Output = S::Output;

    fn write_input(input: &ReplState, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        write(input, writer)
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<S::Output> {
        S::read_output(reader)
    }

    fn check(output: &S::Output, checks: &mut Checks) {
        S::check(output, checks);
    }
}

/// The specifications of the two predictors.
pub(super) fn specs(spec: &SignatureSpec) -> [SignatureSpec; 2] {
    let state = || {
        [
            text(INFO, "the variables: types and sizes, how they begin and end"),
            text(HISTORY, "the code so far and what it gave"),
        ]
    };
    let with =
        |fields| SignatureSpec { name: spec.name.clone(), instructions: spec.instructions.clone(), fields };
    let action = [
        text(ITERATION, "which code this is, of how many"),
        Field::output(REASONING, TypeInfo::of::<String>())
            .desc("what is known, what is missing, what comes next"),
        Field::output(CODE, TypeInfo::of::<Code<Python>>()),
    ];
    let outputs = spec.outputs().cloned();
    [with(state().into_iter().chain(action).collect()), with(state().into_iter().chain(outputs).collect())]
}
