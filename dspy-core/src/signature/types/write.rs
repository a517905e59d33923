//! Writing values by types that are known only at run time.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq, SerializeTuple},
};
use serde_json::Value;

use super::shape::Shape;
use crate::value::{
    Content, write as write_as_input, write_answer, write_output as write_as_output, write_saved,
};

/// Writes an input.
pub(super) fn input(shape: &Shape, value: &Value, out: &mut Content) {
    match shape {
        Shape::Known(info) => info.write_input(value, out),
        // A tree has finite numbers and text keys only, so this does not fail.
        shape => drop(write_as_input(&Typed { shape, value }, out)),
    }
}

/// Writes an output.
pub(super) fn output(shape: &Shape, value: &Value, out: &mut Content) {
    match shape {
        Shape::Known(info) => info.write_output(value, out),
        shape => drop(write_as_output(&Typed { shape, value }, out)),
    }
}

/// An output as a member of the JSON object that an answer is.
pub(super) fn answer(shape: &Shape, value: &Value) -> Value {
    match shape {
        Shape::Known(info) => info.to_answer(value),
        shape => write_answer(&Typed { shape, value }).unwrap_or_else(|_| value.clone()),
    }
}

/// A value as a saved program holds it.
pub(super) fn saved(shape: &Shape, value: &Value) -> Value {
    match shape {
        Shape::Known(info) => info.to_saved(value),
        shape => write_saved(&Typed { shape, value }).unwrap_or_else(|_| value.clone()),
    }
}

/// A value that is written by its type. What does not fit the type is written as the JSON it is.
struct Typed<'a> {
    shape: &'a Shape,
    value: &'a Value,
}

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, value } = *self;
        match (shape, value) {
            (Shape::Library(library), value) => library.write(value, serializer),
            (Shape::Optional(_), Value::Null) => serializer.serialize_none(),
            (Shape::Optional(shape), value) => serializer.serialize_some(&Typed { shape, value }),
            (Shape::Union(shapes), value) => match shapes.iter().find(|s| s.check(value).is_ok()) {
                Some(shape) => Typed { shape, value }.serialize(serializer),
                None => value.serialize(serializer),
            },
            (Shape::List(shape) | Shape::Set(shape), Value::Array(items)) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    seq.serialize_element(&Typed { shape, value })?;
                }
                seq.end()
            }
            (Shape::Tuple(shapes), Value::Array(items)) if shapes.len() == items.len() => {
                let mut tuple = serializer.serialize_tuple(items.len())?;
                for (shape, value) in shapes.iter().zip(items) {
                    tuple.serialize_element(&Typed { shape, value })?;
                }
                tuple.end()
            }
            (Shape::Dict(_, shape), Value::Object(entries)) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Typed { shape, value })?;
                }
                map.end()
            }
            (_, value) => value.serialize(serializer),
        }
    }
}
