//! Demonstrations.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Error, Result,
    signature::{Field, SignatureSpec},
    value::write_json,
};

/// One demonstration of a signature: values by field name. It may lack fields: a field without a value, or with `null`
/// where its type has no `null`, is shown as left out.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Demo {
    /// The values.
    pub fields: Map<String, Value>,
    /// Whether an optimizer made it from a trace, rather than taking it from data.
    pub augmented: bool,
}

impl Demo {
    /// A demonstration taken from data.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self { fields, augmented: false }
    }

    /// A demonstration made from a trace.
    pub fn augmented(fields: Map<String, Value>) -> Self {
        Self { fields, augmented: true }
    }

    /// A demonstration taken from a row of data: any value that serialises to a map.
    ///
    /// # Errors
    /// [`Error::Other`] when it does not.
    pub fn from_row<T: Serialize + ?Sized>(row: &T) -> Result<Self> {
        match write_json(row).map_err(Error::other)? {
            Value::Object(fields) => Ok(Self::new(fields)),
            other => Err(Error::other(format!("a demonstration must be a map of fields, not {other}"))),
        }
    }

    /// How much of a signature the demonstration shows.
    pub fn coverage(&self, spec: &SignatureSpec) -> Coverage {
        let has = |field: &Field| given(field, &self.fields).is_some();
        if spec.fields.iter().all(has) {
            Coverage::Complete
        } else if spec.inputs().any(has) && spec.outputs().any(has) {
            Coverage::Partial
        } else {
            Coverage::None
        }
    }
}

/// The value of a field, if it has one: a `null` that the field's type does not have means that there is none.
pub(crate) fn given<'a>(field: &Field, values: &'a Map<String, Value>) -> Option<&'a Value> {
    values.get(&field.name).filter(|value| !value.is_null() || field.ty.check(value).is_ok())
}

/// How much of a signature a demonstration shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Every field.
    Complete,
    /// Some inputs and some outputs.
    Partial,
    /// Nothing that shows the way from inputs to outputs.
    None,
}

/// The demonstrations that can be shown, incomplete ones first, so that the complete ones stand next to the
/// request.
pub(super) fn shown<'a>(spec: &SignatureSpec, demos: &'a [Demo]) -> Vec<(&'a Demo, Coverage)> {
    let of =
        |wanted: Coverage| demos.iter().map(|d| (d, d.coverage(spec))).filter(move |(_, c)| *c == wanted);
    of(Coverage::Partial).chain(of(Coverage::Complete)).collect()
}
