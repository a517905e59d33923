//! Types as trees.

use serde_json::Value;

use super::library::Library;
use crate::value::TypeInfo;

/// A type as a tree.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Text,
    Bool,
    Int(Int),
    Float,
    Any,
    List(Box<Shape>),
    Set(Box<Shape>),
    Dict(Box<Shape>, Box<Shape>),
    Tuple(Vec<Shape>),
    Optional(Box<Shape>),
    Union(Vec<Shape>),
    /// Texts, whole numbers and truth values.
    Literal(Vec<Value>),
    Library(Library),
    Known(TypeInfo),
}

/// A range of whole numbers, named after the Rust type that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Int {
    pub(super) name: &'static str,
    pub(super) min: i128,
    pub(super) max: i128,
}

impl Int {
    pub(super) fn named(name: &'static str) -> Self {
        let (unsigned, bits) = (name.starts_with('u'), name.get(1..).and_then(|b| b.parse().ok()));
        // JSON trees hold no more than 64 bits.
        let bits: u32 = bits.unwrap_or(64).min(64);
        let (min, max) = match unsigned {
            true => (0, (1_i128 << bits) - 1),
            false => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
        };
        Self { name, min, max }
    }
}
