//! Records as demonstrations.

use crate::{
    Result,
    adapter::Demo,
    data::Example,
    signature::{DynSignature, Record, WithReasoning},
};

/// A demonstration of the signature `S`: a record of it, or a reference to one. A chain of thought takes the records
/// of the signature itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no record of the signature `{S}`",
    label = "not a record of this signature",
    note = "`demos` takes records of the signature; `try_demos` takes any rows that have fields of it, and returns a \
            `Result`"
)]
pub trait DemoOf<S> {
    /// The demonstration.
    ///
    /// # Errors
    /// [`Error::Other`](crate::Error::Other) when a value refuses to be serialised.
    fn demo(&self) -> Result<Demo>;
}

impl<S: Example> DemoOf<S> for S {
    fn demo(&self) -> Result<Demo> {
        Ok(Demo::new(self.record()?))
    }
}

impl<S: Example> DemoOf<S> for &S {
    fn demo(&self) -> Result<Demo> {
        Ok(Demo::new(self.record()?))
    }
}

impl DemoOf<DynSignature> for Record {
    fn demo(&self) -> Result<Demo> {
        Demo::from_row(self)
    }
}

impl DemoOf<DynSignature> for &Record {
    fn demo(&self) -> Result<Demo> {
        Demo::from_row(self)
    }
}

impl<S, D: DemoOf<S>> DemoOf<WithReasoning<S>> for D {
    fn demo(&self) -> Result<Demo> {
        DemoOf::<S>::demo(self)
    }
}
