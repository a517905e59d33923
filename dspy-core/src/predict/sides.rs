//! The input and the output of a run.

use std::{any::Any, sync::Arc};

use crate::{
    Error, Result,
    context::Recorded,
    lm::Choice,
    signature::{Checks, FieldReader, FieldWriter, Signature},
    tool::NextStep,
    value::WriteError,
};

/// The input and the output of a run, whatever their types: what is made for each signature is this and no more.
pub(super) trait Sides: Send + Sync {
    fn write(&self, writer: &mut FieldWriter<'_>) -> std::result::Result<(), WriteError>;
    /// Reads the output, keeps it and checks it; nothing of an earlier one stays.
    fn read(&mut self, reader: &mut FieldReader<'_>);
    fn check(&self, checks: &mut Checks);
    /// The output was read from this answer, in which tools are called natively.
    fn answered(&mut self, choice: &Choice);
    fn input(&self) -> Option<&dyn Recorded>;
    fn output(&self) -> Option<&dyn Recorded>;
    /// Takes an output that was recorded; whether it is of this signature.
    fn replay(&mut self, output: &dyn Recorded) -> bool;
    /// A copy of the output for the trace.
    fn recorded_output(&self) -> Option<Arc<dyn Recorded>>;
    /// The input for the trace: it is taken.
    fn recorded_input(&mut self) -> Option<Arc<dyn Recorded>>;
}

/// The input and the output of a signature.
pub(super) struct SidesOf<S: Signature> {
    input: Option<S::Input>,
    output: Option<S::Output>,
}

impl<S: Signature> SidesOf<S> {
    pub(super) fn new(input: S::Input) -> Self {
        Self { input: Some(input), output: None }
    }

    /// The output of a run that did not fail.
    pub(super) fn into_output(self) -> Result<S::Output> {
        match self.output {
            Some(output) => Ok(output),
            None => Err(no_output()),
        }
    }
}

pub(super) fn no_output() -> Error {
    Error::Task("the signature read no output".into())
}

impl<S: Signature> Sides for SidesOf<S> {
    fn write(&self, writer: &mut FieldWriter<'_>) -> std::result::Result<(), WriteError> {
        match &self.input {
            Some(input) => S::write_input(input, writer),
            None => Ok(()),
        }
    }

    fn read(&mut self, reader: &mut FieldReader<'_>) {
        self.output = S::read_output(reader);
    }

    fn answered(&mut self, choice: &Choice) {
        let output: &mut dyn Any = &mut self.output;
        if let Some(Some(next)) = output.downcast_mut::<Option<NextStep>>() {
            next.answered(choice);
        }
    }

    fn check(&self, checks: &mut Checks) {
        if let Some(output) = &self.output {
            S::check(output, checks);
        }
    }

    fn input(&self) -> Option<&dyn Recorded> {
        match &self.input {
            Some(input) => Some(input),
            None => None,
        }
    }

    fn output(&self) -> Option<&dyn Recorded> {
        match &self.output {
            Some(output) => Some(output),
            None => None,
        }
    }

    fn replay(&mut self, output: &dyn Recorded) -> bool {
        self.output = output.as_any().downcast_ref::<S::Output>().cloned();
        self.output.is_some()
    }

    fn recorded_output(&self) -> Option<Arc<dyn Recorded>> {
        match &self.output {
            Some(output) => Some(Arc::new(output.clone())),
            None => None,
        }
    }

    fn recorded_input(&mut self) -> Option<Arc<dyn Recorded>> {
        match self.input.take() {
            Some(input) => Some(Arc::new(input)),
            None => None,
        }
    }
}
