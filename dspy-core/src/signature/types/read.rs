//! Reading values by types that are known only at run time.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::shape::{Int, Shape};
use crate::value::{Choice, ReadOptions, choose};

/// Asks a deserializer for what a typed field would ask it for.
#[derive(Clone, Copy)]
pub(super) struct Seed<'a> {
    shape: &'a Shape,
    strict: bool,
}

impl<'a> Seed<'a> {
    pub(super) fn new(shape: &'a Shape, strict: bool) -> Self {
        Self { shape, strict }
    }

    fn of(self, shape: &'a Shape) -> Self {
        Self { shape, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.shape {
            Shape::Text => String::deserialize(deserializer).map(Value::String),
            Shape::Bool => bool::deserialize(deserializer).map(Value::Bool),
            Shape::Int(range) => integer(*range, deserializer),
            Shape::Float => {
                let number = f64::deserialize(deserializer)?;
                let number = Number::from_f64(number);
                number.map(Value::Number).ok_or_else(|| Error::custom("a number, neither infinite nor NaN"))
            }
            Shape::Any => Value::deserialize(deserializer),
            Shape::List(_) | Shape::Set(_) => deserializer.deserialize_seq(self),
            Shape::Tuple(items) => deserializer.deserialize_tuple(items.len(), self),
            Shape::Dict(..) => deserializer.deserialize_map(self),
            Shape::Optional(_) => deserializer.deserialize_option(self),
            Shape::Union(shapes) => self.union(shapes, &Value::deserialize(deserializer)?),
            Shape::Literal(choices) => self.literal(choices, deserializer),
            Shape::Library(library) => library.read(deserializer),
            Shape::Known(info) => {
                let value = Value::deserialize(deserializer)?;
                info.check(&value).map_err(Error::custom)?;
                Ok(value)
            }
        }
    }
}

/// A whole number of a range.
fn integer<'de, D: Deserializer<'de>>(range: Int, deserializer: D) -> Result<Value, D::Error> {
    let value = match range.max > i128::from(i64::MAX) {
        true => u64::deserialize(deserializer).map(i128::from)?,
        false => i64::deserialize(deserializer).map(i128::from)?,
    };
    if value < range.min || value > range.max {
        let Int { min, max, .. } = range;
        return Err(Error::custom(format!("a whole number from {min} to {max}, not {value}")));
    }
    Ok(match i64::try_from(value) {
        Ok(value) => value.into(),
        Err(_) => u64::try_from(value).unwrap_or(u64::MAX).into(),
    })
}

impl Seed<'_> {
    /// The first type that has this value; otherwise the only one that it can be bent to.
    fn union<E: Error>(self, shapes: &[Shape], value: &Value) -> Result<Value, E> {
        if shapes.iter().any(|shape| shape.check(value).is_ok()) {
            return Ok(value.clone());
        }
        let bent = |shape| self.of(shape).deserialize(value).ok().filter(|_| !self.strict);
        let found: Vec<Value> = shapes.iter().filter_map(bent).collect();
        match <[Value; 1]>::try_from(found) {
            Ok([value]) => Ok(value),
            Err(found) => {
                let why = if found.is_empty() { "none of them" } else { "unclear which of them" };
                Err(E::custom(format!("a value of one of {} types; this is {why}", shapes.len())))
            }
        }
    }

    fn literal<'de, D: Deserializer<'de>>(
        self,
        choices: &[Value],
        deserializer: D,
    ) -> Result<Value, D::Error> {
        // A text can say any constant; a number in JSON only itself.
        let found = match choices.iter().all(Value::is_string) {
            true => Value::String(String::deserialize(deserializer)?),
            false => Value::deserialize(deserializer)?,
        };
        if let Some(choice) = choices.iter().find(|c| **c == found) {
            return Ok(choice.clone());
        }
        let shown: Vec<String> = choices.iter().map(show).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let said = match &found {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => found.to_string(),
            _ => return Err(Error::custom(format!("one of {}", shown.join(", ")))),
        };
        match choose(&said, &shown, &ReadOptions::default()) {
            _ if self.strict => Err(Error::custom(format!("one of {}", shown.join(", ")))),
            Choice::One(index, _) => Ok(choices[index].clone()),
            Choice::Several => Err(Error::custom(format!("exactly one of {}", shown.join(", ")))),
            Choice::Nothing => Err(Error::custom(format!("one of {}", shown.join(", ")))),
        }
    }
}

/// What compound types are made of.
impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape {
            Shape::List(_) | Shape::Set(_) => f.write_str("a list"),
            Shape::Tuple(items) => write!(f, "a list of {} items", items.len()),
            Shape::Dict(..) => f.write_str("an object"),
            _ => f.write_str("a value or null"),
        }
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.shape {
            Shape::Optional(inner) => self.of(inner).deserialize(deserializer),
            _ => Err(Error::custom("a value or null")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        match self.shape {
            Shape::List(item) => {
                while let Some(value) = access.next_element_seed(self.of(item))? {
                    items.push(value);
                }
            }
            Shape::Set(item) => {
                while let Some(value) = access.next_element_seed(self.of(item))? {
                    if !items.contains(&value) {
                        items.push(value);
                    }
                }
            }
            Shape::Tuple(shapes) => {
                for (i, shape) in shapes.iter().enumerate() {
                    match access.next_element_seed(self.of(shape))? {
                        Some(value) => items.push(value),
                        None => return Err(Error::invalid_length(i, &self)),
                    }
                }
                if access.next_element::<serde::de::IgnoredAny>()?.is_some() {
                    return Err(Error::invalid_length(shapes.len() + 1, &self));
                }
            }
            _ => return Err(Error::custom("no list")),
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let Shape::Dict(key, value) = self.shape else { return Err(Error::custom("no object")) };
        let mut entries = Map::new();
        while let Some(name) = access.next_key_seed(self.of(key))? {
            entries.insert(show(&name), access.next_value_seed(self.of(value))?);
        }
        Ok(entries.into())
    }
}

/// A constant as a person writes it.
fn show(constant: &Value) -> String {
    match constant {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
