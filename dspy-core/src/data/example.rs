//! Rows of data.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Error, Result, value::write_json};

/// A row of data: the input of a program, together with whatever a metric needs to judge its output.
///
/// Every `#[signature]` record is one. A pair of an input and a label is one too, for data without a type of its
/// own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of data",
    label = "not an example",
    note = "mark the struct with `#[signature]`, or derive `Example` and mark its inputs with `#[input]`"
)]
pub trait Example: Serialize + Clone + Send + Sync + 'static {
    /// The input of the program.
    type Input: Send + 'static;

    /// The input of the program.
    fn input(&self) -> Self::Input;

    /// The row as values by field name, from which demonstrations and tables are made.
    ///
    /// # Errors
    /// [`Error::Other`] when the row does not serialise to a map.
    fn record(&self) -> Result<Map<String, Value>> {
        record_of(self)
    }
}

/// An input with what is expected of it. Its record has the fields of both.
impl<I, L> Example for (I, L)
where
    I: Serialize + Clone + Send + Sync + 'static,
    L: Serialize + Clone + Send + Sync + 'static,
{
    type Input = I;

    fn input(&self) -> I {
        self.0.clone()
    }

    fn record(&self) -> Result<Map<String, Value>> {
        let mut fields = record_of(&self.0)?;
        fields.extend(record_of(&self.1)?);
        Ok(fields)
    }
}

pub(crate) fn record_of<T: Serialize + ?Sized>(row: &T) -> Result<Map<String, Value>> {
    match write_json(row).map_err(Error::other)? {
        Value::Object(fields) => Ok(fields),
        other => Err(Error::other(format!(
            "a row of data must be a map of fields, such as a struct, but this one is {}",
            crate::error::shorten(&other.to_string(), 80)
        ))),
    }
}
