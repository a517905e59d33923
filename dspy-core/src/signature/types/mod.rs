//! Types that are known only at run time: those of a signature that arrives as data.

mod library;
mod read;
mod schema;
mod shape;
mod write;

use std::{collections::HashMap, ops::Range, sync::Arc};

use dspy_grammar::{Constant, GrammarError, Named, Type, TypeKind};
use schemars::{JsonSchema, Schema};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use self::{
    library::Library,
    shape::{Int, Shape},
};
use crate::value::{Content, DynTypeInfo, Raw, ReadError, ReadOptions, Reading, TypeInfo, read_seed};

/// Types of a program by the names under which signatures that arrive as data know them.
///
/// ```
/// # use dspy_core::signature::{DynSignature, Types};
/// #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// struct Person {
///     name: String,
/// }
/// let types = Types::new().with::<Person>("Person");
/// let signature = DynSignature::parse_with("text -> people: list[Person]", &types)?;
/// # Ok::<(), dspy_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Types(HashMap<String, TypeInfo>);

impl Types {
    /// No types but those of the library.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the type `T` under a name: `Person`, or with its module `people.Person`.
    #[must_use]
    pub fn with<T: JsonSchema + Serialize + DeserializeOwned>(self, name: impl Into<String>) -> Self {
        self.with_info(name, TypeInfo::of::<T>())
    }

    /// Adds a type under a name.
    #[must_use]
    pub fn with_info(mut self, name: impl Into<String>, info: TypeInfo) -> Self {
        self.0.insert(name.into(), info);
        self
    }

    fn get(&self, path: &[String]) -> Option<Shape> {
        if let Some(info) = self.0.get(&path.join(".")).or_else(|| self.0.get(&path.join("::"))) {
            return Some(Shape::Known(info.clone()));
        }
        Library::named(path).map(Shape::Library)
    }
}

/// A type that is known only at run time.
#[derive(Debug, Clone)]
pub(crate) struct Dynamic {
    /// As it stands in a signature.
    name: String,
    shape: Arc<Shape>,
}

impl Dynamic {
    /// The type in a signature, which is needed to show where it goes wrong.
    pub(crate) fn new(ty: &Type, source: &str, types: &Types) -> Result<Self, GrammarError> {
        let shape = Resolver { source, types }.shape(ty)?;
        Ok(Self { name: ty.to_string(), shape: Arc::new(shape) })
    }
}

impl DynTypeInfo for Dynamic {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn schema(&self) -> Schema {
        schema::of(&self.shape)
    }

    fn write_input(&self, value: &Value, out: &mut Content) {
        write::input(&self.shape, value, out);
    }

    fn write_output(&self, value: &Value, out: &mut Content) {
        write::output(&self.shape, value, out);
    }

    fn to_answer(&self, value: &Value) -> Value {
        write::answer(&self.shape, value)
    }

    fn to_saved(&self, value: &Value) -> Value {
        write::saved(&self.shape, value)
    }

    fn read(&self, raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<Value>, ReadError> {
        match &*self.shape {
            // Its own reader knows best.
            Shape::Known(info) => info.read(raw, options),
            shape => read_seed(|| read::Seed::new(shape, options.is_strict()), raw, options),
        }
    }

    fn check(&self, value: &Value) -> Result<(), ReadError> {
        self.shape.check(value)
    }
}

impl Shape {
    /// Whether a value is one of the type as it is.
    fn check(&self, value: &Value) -> Result<(), ReadError> {
        use serde::de::DeserializeSeed;
        if let Self::Known(info) = self {
            return info.check(value);
        }
        let read = read::Seed::new(self, true).deserialize(value).map(drop);
        read.map_err(|e| ReadError::new(format!("a value that fits ({e})"), &value.to_string()))
    }
}

/// A constant as a value.
pub(crate) fn constant(constant: &Constant) -> Value {
    match constant {
        Constant::Str(text) => text.as_str().into(),
        Constant::Int(n) => (*n).into(),
        Constant::Float(n) => (*n).into(),
        Constant::Bool(b) => (*b).into(),
        Constant::None => Value::Null,
    }
}

struct Resolver<'a> {
    source: &'a str,
    types: &'a Types,
}

impl Resolver<'_> {
    fn shape(&self, ty: &Type) -> Result<Shape, GrammarError> {
        let boxed = |ty: &Type| self.shape(ty).map(Box::new);
        let all = |types: &[Type]| types.iter().map(|ty| self.shape(ty)).collect::<Result<Vec<_>, _>>();
        Ok(match &ty.kind {
            TypeKind::Str => Shape::Text,
            TypeKind::Bool => Shape::Bool,
            TypeKind::Int(name) => Shape::Int(Int::named(name)),
            TypeKind::Float(_) => Shape::Float,
            TypeKind::Any => Shape::Any,
            TypeKind::List(item) => Shape::List(boxed(item)?),
            TypeKind::Set(item) => Shape::Set(boxed(item)?),
            TypeKind::Dict(key, value) => Shape::Dict(boxed(key)?, boxed(value)?),
            TypeKind::Tuple(items) => Shape::Tuple(all(items)?),
            TypeKind::Optional(inner) => Shape::Optional(boxed(inner)?),
            TypeKind::Union(types) => Shape::Union(all(types)?),
            TypeKind::Literal(choices) => Shape::Literal(choices.iter().map(constant).collect()),
            TypeKind::Code(language) => match Library::code(language) {
                Some(code) => Shape::Library(code),
                None => {
                    let cure = format!("known are {}", Library::languages().join(", "));
                    return Err(self.error(&ty.span, format!("unknown language `{language}`"), cure));
                }
            },
            TypeKind::Named(named) => self.named(named, &ty.span)?,
        })
    }

    fn named(&self, named: &Named, span: &Range<usize>) -> Result<Shape, GrammarError> {
        let name = named.path.join(".");
        match self.types.get(&named.path) {
            Some(_) if !named.args.is_empty() => {
                let cure = "add the type with its parameters under a name of its own";
                Err(self.error(span, format!("`{name}` takes no parameters"), cure.into()))
            }
            Some(shape) => Ok(shape),
            None => {
                let mut own: Vec<&str> = self.types.0.keys().map(String::as_str).collect();
                own.sort_unstable();
                let own: String = own.iter().map(|name| format!(", `{name}`")).collect();
                let cure = format!(
                    "known are `str`, `int`, `float`, `bool`, `list[...]`, `dict[..., ...]`, `tuple[...]`, \
                     `Optional[...]`, `Union[...]`, `Literal[...]`, {}{own}; add your own with `Types::with`",
                    Library::names().map(|n| format!("`dspy.{n}`")).join(", "),
                );
                Err(self.error(span, format!("unknown type `{name}`"), cure))
            }
        }
    }

    fn error(&self, span: &Range<usize>, problem: String, cure: String) -> GrammarError {
        GrammarError::new(self.source, span.clone(), problem, cure)
    }
}

#[cfg(test)]
mod tests;
