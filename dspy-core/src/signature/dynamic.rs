//! Signatures that are data.

use std::{fmt, str::FromStr, sync::Arc};

use dspy_grammar::{Constant, GrammarError};
use serde::ser::Error as _;
use serde_json::Value;

use super::{
    Field, FieldReader, FieldRole, FieldWriter, Record, Signature, SignatureSpec, dedented,
    types::{Dynamic, Types, constant},
};
use crate::{
    Error, Result,
    value::{TypeInfo, WriteError},
};

/// A signature that is known only at run time. Its inputs and outputs are [`Record`]s, and its values are written,
/// read and checked by their types like those of a `#[signature]` struct.
///
/// ```
/// # use dspy_core::signature::DynSignature;
/// let signature = DynSignature::parse("question, context: list[str] -> answer: str, score: float")?
///     .with_instructions("Answer from the context.")
///     .with_desc("answer", "between one and five words")?;
/// assert_eq!(signature.to_string(), "question, context: list[str] -> answer, score: float");
/// # Ok::<(), dspy_core::Error>(())
/// ```
///
/// # Grammar
/// Fields with commas between them on both sides of `->`; each is `name`, `name: type` or `name: type = constant`. A
/// field without a type is text. The types are
///
/// | text | value |
/// |---|---|
/// | `str`, `bool`, `int`, `float`, `Any` | text, truth value, whole number, number, any JSON |
/// | `u8`, `i32`, `f32`, … | numbers of that range |
/// | `list[T]`, `set[T]`, `tuple[T, U]` | lists: of any length, without repetition, of fixed length |
/// | `dict[K, V]` | values by key |
/// | `Optional[T]`, `T \| None`, `Union[T, U]`, `T \| U` | one of several, or nothing |
/// | `Literal['a', 'b', 3]` | one of these constants |
/// | `dspy.Image`, `dspy.History`, `dspy.Code['sql']`, … | the field types of the library |
///
/// `String`, `Vec<T>`, `Option<T>`, `HashMap<K, V>`, `f64` and the like may be written instead.
#[derive(Clone)]
pub struct DynSignature {
    spec: Arc<SignatureSpec>,
}

impl DynSignature {
    /// A signature from its inline form.
    ///
    /// # Errors
    /// [`Error::Signature`] shows the position of the mistake and what to write there.
    pub fn parse(source: &str) -> Result<Self> {
        Self::parse_with(source, &Types::new())
    }

    /// A signature from its inline form, which may name types of the program.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(source: &str, types: &Types) -> Result<Self> {
        let parsed = dspy_grammar::parse(source)?;
        let field = |role, f: &dspy_grammar::Field| -> Result<Field, GrammarError> {
            let ty = TypeInfo::dynamic(Dynamic::new(&f.ty, source, types)?);
            let field = Field::new(&f.name, role, ty);
            Ok(match &f.default {
                Some(default) => field.default_value(constant(default)),
                None => field,
            })
        };
        let inputs = parsed.inputs.iter().map(|f| field(FieldRole::Input, f));
        let outputs = parsed.outputs.iter().map(|f| field(FieldRole::Output, f));
        let fields = inputs.chain(outputs).collect::<Result<Vec<_>, GrammarError>>()?;
        Ok(SignatureSpec::new("DynSignature", "", fields).into())
    }

    /// Sets the instructions, without the indentation that their lines share.
    #[must_use]
    pub fn with_instructions(mut self, instructions: impl Into<String>) -> Self {
        self.edit(|spec| spec.instructions = dedented(&instructions.into()));
        self
    }

    /// Sets the name in traces and saved programs.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.edit(|spec| spec.name = name.into());
        self
    }

    /// Sets the description of a field.
    ///
    /// # Errors
    /// [`Error::Other`] when there is no field of this name.
    pub fn with_desc(mut self, field: &str, desc: impl Into<String>) -> Result<Self> {
        let Some(index) = self.spec.position(field) else {
            let names: Vec<&str> = self.spec.fields.iter().map(|f| f.name.as_str()).collect();
            let message = format!("the signature has no field `{field}`; it has {}", names.join(", "));
            return Err(Error::other(message));
        };
        self.edit(|spec| spec.fields[index].desc = desc.into());
        Ok(self)
    }

    fn edit(&mut self, edit: impl FnOnce(&mut SignatureSpec)) {
        edit(Arc::make_mut(&mut self.spec));
    }

    /// The signature as data.
    pub fn spec(&self) -> &Arc<SignatureSpec> {
        &self.spec
    }
}

impl From<SignatureSpec> for DynSignature {
    fn from(spec: SignatureSpec) -> Self {
        Self { spec: Arc::new(spec) }
    }
}

impl From<Arc<SignatureSpec>> for DynSignature {
    fn from(spec: Arc<SignatureSpec>) -> Self {
        Self { spec }
    }
}

impl From<DynSignature> for Arc<SignatureSpec> {
    fn from(signature: DynSignature) -> Self {
        signature.spec
    }
}

impl FromStr for DynSignature {
    type Err = Error;

    fn from_str(source: &str) -> Result<Self> {
        Self::parse(source)
    }
}

impl fmt::Debug for DynSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynSignature")
            .field("fields", &format_args!("{self}"))
            .field("instructions", &self.spec.instructions)
            .finish()
    }
}

/// The inline form, without instruction and descriptions.
impl fmt::Display for DynSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |role: FieldRole| {
            let fields = self.spec.fields.iter().filter(|f| f.role == role);
            fields.map(inline).collect::<Vec<_>>().join(", ")
        };
        let inputs = side(FieldRole::Input);
        let gap = if inputs.is_empty() { "" } else { " " };
        write!(f, "{inputs}{gap}-> {}", side(FieldRole::Output))
    }
}

/// A field as it stands in an inline signature.
fn inline(field: &Field) -> String {
    let mut out = field.name.clone();
    let ty = field.ty.name();
    if ty != "str" {
        out.push_str(&format!(": {ty}"));
    }
    let default = match &field.default {
        Some(Value::Null) => Some(Constant::None),
        Some(Value::Bool(b)) => Some(Constant::Bool(*b)),
        Some(Value::String(text)) => Some(Constant::Str(text.clone())),
        Some(Value::Number(n)) => n.as_i64().map(Constant::Int).or(n.as_f64().map(Constant::Float)),
        _ => None,
    };
    if let Some(default) = default {
        out.push_str(&format!(" = {default}"));
    }
    out
}

impl Signature for DynSignature {
    type Input = Record;
    type Output = Record;

    fn write_input(input: &Record, writer: &mut FieldWriter<'_>) -> Result<(), WriteError> {
        if let Some((name, _)) = input.iter().find(|(name, _)| writer.inputs().all(|f| f.name != *name)) {
            let names: Vec<String> = writer.inputs().map(|f| format!("`{}`", f.name)).collect();
            let known = match names.is_empty() {
                true => "it has none".to_owned(),
                false => format!("its inputs are {}", names.join(", ")),
            };
            let message = format!("the signature has no input `{name}`; {known}");
            return Err(WriteError::custom(message));
        }
        for field in writer.inputs() {
            let name = &field.name;
            let null = Value::Null;
            match input.value(name).or(field.default.as_ref()) {
                Some(value) => {
                    let fits = field.ty.check(value);
                    fits.map_err(|e| {
                        WriteError::custom(format!("is no `{}`: {e}", field.ty.name())).in_field(name)
                    })?;
                    writer.value(name, value)?;
                }
                None if field.ty.is_optional() => writer.value(name, &null)?,
                None => return Err(WriteError::custom(format!("the input `{name}` is missing"))),
            }
        }
        Ok(())
    }

    fn read_output(reader: &mut FieldReader<'_>) -> Option<Record> {
        // What a signature around this one reads is not its own.
        let names: Vec<&str> = reader.unread().map(|f| f.name.as_str()).collect();
        // All are read before one is missed, so that all failures of an answer are known at once.
        let values: Vec<_> = names.into_iter().map(|name| (name, reader.value(name))).collect();
        values.into_iter().map(|(name, value)| Some((name, value?))).collect()
    }
}
