//! The signatures of an agent: one for its next step, one for its outputs.

use std::marker::PhantomData;

use serde::Serialize;

use crate::{
    signature::{Checks, Field, FieldReader, FieldWriter, Signature, SignatureSpec},
    tool::{ARGUMENTS, NextStep, THOUGHT, TOOL, TRAJECTORY, Trajectory},
    value::WriteError,
};

/// The inputs of an agent and its steps so far.
#[derive(Debug, Clone, Serialize)]
pub struct WithSteps<I> {
    #[serde(flatten)]
    pub(super) input: I,
    /// The steps so far.
    pub trajectory: Trajectory,
}

/// The next step for the inputs of `S`.
#[derive(Debug)]
pub struct NextStepFor<S>(PhantomData<fn() -> S>);

impl<S: Signature> Signature for NextStepFor<S> {
    type Input = WithSteps<S::Input>;
    type Output = NextStep;

    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        writer.with_steps(&[TRAJECTORY], &input.trajectory, |writer| S::write_input(&input.input, writer))
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<NextStep> {
        NextStep::read(reader)
    }
}

/// The signature `S` with the steps of an agent as a further input, from which the outputs are taken.
#[derive(Debug)]
pub struct FromSteps<S>(PhantomData<fn() -> S>);

impl<S: Signature> Signature for FromSteps<S> {
    type Input = WithSteps<S::Input>;
    type Output = S::Output;

    fn write_input(input: &Self::Input, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        writer.with_steps(&[TRAJECTORY], &input.trajectory, |writer| S::write_input(&input.input, writer))
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<S::Output> {
        S::read_output(reader)
    }

    fn check(output: &S::Output, checks: &mut Checks) {
        S::check(output, checks);
    }
}

/// The fields that an agent adds, which a signature cannot have itself.
pub(super) const RESERVED: [&str; 4] = [TRAJECTORY, THOUGHT, TOOL, ARGUMENTS];

fn steps() -> Field {
    Field::input(TRAJECTORY, Trajectory::type_info()).desc("the steps so far")
}

/// The specification of the next step.
pub(super) fn next_step(spec: &SignatureSpec, tools: &[String]) -> SignatureSpec {
    let mut fields: Vec<Field> = spec.inputs().cloned().collect();
    fields.push(steps());
    fields.extend(NextStep::fields(tools));
    SignatureSpec { name: spec.name.clone(), instructions: spec.instructions.clone(), fields }
}

/// The specification of the outputs.
pub(super) fn outputs(spec: &SignatureSpec) -> SignatureSpec {
    let mut fields: Vec<Field> = spec.inputs().cloned().collect();
    fields.push(steps());
    fields.extend(spec.outputs().cloned());
    SignatureSpec { name: spec.name.clone(), instructions: spec.instructions.clone(), fields }
}
