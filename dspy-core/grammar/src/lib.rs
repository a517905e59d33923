//! The inline grammar of signatures: `question, context: list[str] -> answer: str, score: float`.
//!
//! Both the macros of the `dspy` crate, at compile time, and its run-time signatures read it through [`parse`].
//!
//! ```text
//! signature = side "->" side
//! side      = [ field { "," field } [ "," ] ]
//! field     = name [ ":" type ] [ "=" constant ]
//! type      = one { "|" one }
//! one       = "str" | "bool" | "int" | "float" | "Any" | integers and floats of Rust
//!           | "list[" type "]" | "set[" type "]" | "dict[" type "," type "]"
//!           | "tuple[" type { "," type } "]" | "tuple[" type "," "..." "]" | "(" type { "," type } ")"
//!           | "Optional[" type "]" | "Union[" type { "," type } "]" | "None"
//!           | "Literal[" constant { "," constant } "]" | "Code[" language "]"
//!           | path [ "[" type { "," type } "]" ]
//! ```
//!
//! The names of Rust do as well: `String`, `Vec<T>`, `Option<T>`, `HashMap<K, V>`, `f64`; so do angle brackets. A field
//! without a type is text. A side may span lines; the inputs may be missing, the outputs may not.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod constant;
mod cursor;
mod error;
mod parse;
mod show;
mod types;

use std::ops::Range;

pub use error::GrammarError;
pub use parse::parse;

/// A signature: what is given and what is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// The fields before the arrow.
    pub inputs: Vec<Field>,
    /// The fields behind it; at least one.
    pub outputs: Vec<Field>,
}

/// One field. Fields are equal wherever they stand.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name: letters, digits and `_`, no digit first.
    pub name: String,
    /// Where the name stands, in bytes.
    pub span: Range<usize>,
    /// The type; text where none is given.
    pub ty: Type,
    /// What stands in for a missing value.
    pub default: Option<Constant>,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.ty, &self.default) == (&other.name, &other.ty, &other.default)
    }
}

/// A type. Types are equal wherever they stand.
#[derive(Debug, Clone)]
pub struct Type {
    /// What it is.
    pub kind: TypeKind,
    /// Where it stands, in bytes; where the field's name stands when the field has no type.
    pub span: Range<usize>,
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a type is.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeKind {
    /// Text.
    Str,
    /// `true` or `false`.
    Bool,
    /// A whole number, with the Rust type that holds it; `i64` for `int`.
    Int(&'static str),
    /// A number, with the Rust type that holds it; `f64` for `float`.
    Float(&'static str),
    /// Any JSON value.
    Any,
    /// A sequence.
    List(Box<Type>),
    /// A sequence in which nothing stands twice.
    Set(Box<Type>),
    /// Values by key.
    Dict(Box<Type>, Box<Type>),
    /// A fixed number of values, each of its own type.
    Tuple(Vec<Type>),
    /// A value or nothing. Never holds another `Optional`.
    Optional(Box<Type>),
    /// One of several types: at least two, no two equal, none a `Union` or an `Optional`.
    Union(Vec<Type>),
    /// One of several constants: at least one, no two equal, each a text, a whole number or a truth value.
    Literal(Vec<Constant>),
    /// Program text in a language.
    Code(String),
    /// A type that the grammar does not know.
    Named(Named),
}

/// A type that the grammar does not know: one of the user, or one that the library knows by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The parts of its path, such as `dspy` and `Image`.
    pub path: Vec<String>,
    /// Its parameters.
    pub args: Vec<Type>,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// A text.
    Str(String),
    /// A whole number.
    Int(i64),
    /// A number: finite.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Nothing.
    None,
}

/// A field of this name marks the end of an answer, so no signature can have one.
pub const RESERVED: &str = "completed";
