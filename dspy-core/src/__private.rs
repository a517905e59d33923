//! What the code that the macros generate calls. Not part of the public interface: it changes without notice.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, OnceLock},
};

use ::schemars::JsonSchema;
use ::serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    data::Example,
    fields::{fields, variant},
    module::{Path, Program, Walk},
    predict::{Predict, Predictor},
    signature::{
        Checks, Field, FieldReader, FieldRole, FieldWriter, Signature, SignatureSpec, StaticSignature,
    },
    tool::{Tool, ToolArg, ToolFunction, ToolFuture, blocking},
    value::{self, WriteError},
};
pub use ::{schemars, serde, serde_json};

use crate::{
    Error, Result,
    context::PredictorId,
    signature::dedented,
    tool::{ToolFailure, ToolFault, ToolOutput, ToolOwner, failed, parameters, to_json},
    value::{ToolSpec, TypeInfo, erased::without_own_patterns, write_json},
};

/// The error of an assertion that is not met.
pub fn failed_assertion(among: Option<&[PredictorId]>, place: &str, message: String) -> Error {
    crate::module::failed_assertion(among, place, message)
}

/// What a suggestion that is not met leads to.
///
/// # Errors
/// When the program is to run again.
pub fn failed_suggestion(among: Option<&[PredictorId]>, place: &str, message: String) -> Result<()> {
    crate::module::failed_suggestion(among, place, message)
}

/// The predictors that an assertion names.
pub fn predictors_of(program: &(impl Program + ?Sized)) -> Vec<PredictorId> {
    program.predictors().into_iter().map(|(_, predictor)| predictor.id()).collect()
}

/// The requirements on the type of a field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a signature",
    label = "not a field type",
    note = "mark your own type with `#[dspy::value]`, which derives `Debug`, `Clone`, `Serialize`, `Deserialize` and `JsonSchema`",
    note = "the types of chrono, jiff, rust_decimal, url and uuid need the feature of `dspy` of that name: `dspy = {{ \
            features = [\"chrono\"] }}`",
    note = "a field owns its value: `String` instead of `&str`, `Vec<T>` instead of `&[T]`"
)]
pub trait FieldType:
    Serialize + DeserializeOwned + JsonSchema + Clone + fmt::Debug + Send + Sync + 'static
{
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema + Clone + fmt::Debug + Send + Sync + 'static> FieldType
    for T
{
}

/// Requires a field type, at the position of the type.
pub const fn field_type<T: FieldType>() {}

/// The requirements on a row of data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a row of data",
    label = "not a row of data",
    note = "mark it with `#[dspy::value]`, or derive `Clone` and `Serialize`"
)]
pub trait RowType: Serialize + Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + Clone + Send + Sync + 'static> RowType for T {}

/// Requires a row type, at the position of the type.
pub const fn row_type<T: RowType>() {}

/// A field of a specification.
pub fn field<T: JsonSchema + Serialize + DeserializeOwned>(role: FieldRole, name: &str, docs: &str) -> Field {
    Field::new(name, role, TypeInfo::of::<T>()).desc(dedented(docs))
}

/// Lets a value stand in for a missing field. A value that has no JSON form is left out: it still stands in, but
/// nobody sees it in the specification.
pub fn with_default<T: Serialize>(field: Field, value: &T) -> Field {
    match write_json(value) {
        Ok(value) => field.default_value(value),
        Err(_) => field,
    }
}

/// The specification of a signature, made at the first call.
pub fn spec(
    cell: &OnceLock<Arc<SignatureSpec>>,
    name: &str,
    docs: &str,
    fields: impl FnOnce() -> Vec<Field>,
) -> Arc<SignatureSpec> {
    cell.get_or_init(|| Arc::new(SignatureSpec::new(name, docs, fields()))).clone()
}

/// Like [`spec`], with what the schema of the record demands of its fields.
pub fn constrained_spec<T: JsonSchema>(
    cell: &OnceLock<Arc<SignatureSpec>>,
    name: &str,
    docs: &str,
    fields: impl FnOnce() -> Vec<Field>,
) -> Arc<SignatureSpec> {
    let make = || {
        let spec = SignatureSpec::new(name, docs, fields());
        Arc::new(spec.constrained_by(&without_own_patterns(::schemars::schema_for!(T))))
    };
    cell.get_or_init(make).clone()
}

/// What this crate is built with. Its own features count, not those of the crate whose code is generated.
#[derive(Debug)]
pub struct Features;

/// That constraints of schemas are checked.
#[diagnostic::on_unimplemented(
    message = "bounds, lengths, patterns and formats can only be checked with the feature `constraints` of `dspy`",
    label = "nobody would check this",
    note = "turn the feature on: `dspy = {{ version = \"...\", features = [\"constraints\"] }}`",
    note = "or give an output a closure: `#[output(assert(|value: &T| condition, \"what is demanded\"))]`"
)]
pub trait Constraints {}

#[cfg(feature = "constraints")]
impl Constraints for Features {}

/// Demands that constraints of schemas are checked, at the place where one stands.
pub const fn constraint<T: Constraints>() {}

/// A demand on a value, whose type is that of the closure's argument.
#[derive(Debug)]
pub struct Predicate<T: ?Sized, F>(F, PhantomData<fn(&T)>);

/// Takes the demand first, so that its argument's type is known when the value is given: a field then coerces to
/// it, as a `String` does to a `&str`.
pub fn predicate<T: ?Sized, F: Fn(&T) -> bool>(test: F) -> Predicate<T, F> {
    Predicate(test, PhantomData)
}

impl<T: ?Sized, F: Fn(&T) -> bool> Predicate<T, F> {
    /// Whether a value meets the demand.
    pub fn holds(&self, value: &T) -> bool {
        (self.0)(value)
    }
}

/// What a model is told of a function.
pub fn tool_spec(name: &str, docs: &str, arguments: Vec<ToolArg>) -> ToolSpec {
    ToolSpec::new(name, dedented(docs), parameters(arguments))
}

/// What a function gave that cannot fail.
pub fn tool_value<T: ToolOutput>(value: T) -> std::result::Result<serde_json::Value, ToolFailure> {
    to_json(&&value)
}

/// What a function gave that can fail.
pub fn tool_result<T: ToolOutput, E: ToolFault>(
    result: std::result::Result<T, E>,
) -> std::result::Result<serde_json::Value, ToolFailure> {
    result.map_err(|error| failed(&error)).and_then(|value| to_json(&&value))
}

/// That the methods of a type can be tools.
pub fn tool_owner<T: ToolOwner>(_: &Arc<T>) {}

/// What is not reached: arguments that could not be read were told of before.
pub fn unread_arguments() -> ToolFailure {
    ToolFailure::Arguments(String::new())
}

/// The source of a program: its struct and its implementation.
pub fn source<P: Program>(cell: &'static OnceLock<String>, implementation: &str) -> Option<&'static str> {
    let structure = P::structure()?;
    Some(cell.get_or_init(|| format!("{structure}\n\n{implementation}")))
}

/// A program for programmers: its predictors.
pub fn debug<P: Program + ?Sized>(name: &str, program: &P, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut s = f.debug_struct(name);
    for (path, predictor) in program.predictors() {
        s.field(&path, predictor);
    }
    s.finish_non_exhaustive()
}

/// A program for people: a line for each predictor.
pub fn display<P: Program + ?Sized>(program: &P, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, (path, predictor)) in program.predictors().into_iter().enumerate() {
        let gap = if i == 0 { "" } else { "\n" };
        write!(f, "{gap}{path}: {predictor}")?;
    }
    Ok(())
}
