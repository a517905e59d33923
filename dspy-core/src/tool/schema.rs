//! Arguments whose types are known by a JSON Schema only.

use schemars::Schema;
use serde_json::{Map, Value};

use super::arguments::{Arguments, ToolFailure, plain};
use crate::value::{Raw, ReadOptions, ToolCall, Validator, read};

/// The arguments that a schema describes.
pub(super) struct Shape {
    schema: Value,
    /// The bounds and patterns in it, where they can be checked.
    validator: Option<Validator>,
}

/// More levels than these are not looked into.
const DEPTH: usize = 32;

impl Shape {
    pub(super) fn new(schema: &Value) -> Self {
        let validator = Schema::try_from(schema.clone()).ok().and_then(|schema| Validator::new(&schema));
        Self { schema: schema.clone(), validator: validator.filter(|v| v.fault().is_none()) }
    }

    /// The arguments, each brought into its type.
    pub(super) fn read(&self, arguments: Arguments) -> Result<Map<String, Value>, ToolFailure> {
        let mut given = arguments.into_given();
        let (properties, mut mistakes) =
            (self.schema.get("properties").and_then(Value::as_object), Vec::new());
        let required = self.required();
        if let (1, Some(Value::String(text))) = (given.len(), given.get(ToolCall::UNPARSED)) {
            let text = crate::error::shorten(text, 200);
            return Err(ToolFailure::Arguments(format!("the arguments are no JSON object: {text}")));
        }
        let mut read = Map::new();
        for (name, schema) in properties.into_iter().flatten() {
            let near = || {
                let unknown = |key: &&String| properties.is_none_or(|p| !p.contains_key(*key));
                let mut near = given.keys().filter(unknown).filter(|key| plain(key) == plain(name));
                near.next().filter(|_| near.next().is_none()).cloned()
            };
            let key = if given.contains_key(name) { Some(name.clone()) } else { near() };
            match key.and_then(|key| given.shift_remove(&key)) {
                Some(Value::Null) if !required.contains(&name.as_str()) => {}
                Some(value) => match self.fit(schema, value, DEPTH) {
                    Ok(value) => drop(read.insert(name.clone(), value)),
                    Err(expected) => mistakes.push(format!("`{name}`: {expected}")),
                },
                None if required.contains(&name.as_str()) => mistakes.push(format!("`{name}` is missing")),
                None => {}
            }
        }
        match (properties, self.schema.get("additionalProperties")) {
            // A schema that names no properties, or allows others, takes what comes.
            (None, _) | (_, Some(Value::Bool(true) | Value::Object(_))) => read.extend(given),
            _ => {
                let unknown = given.iter().filter(|(_, value)| !value.is_null());
                mistakes.extend(unknown.map(|(name, _)| format!("there is no argument `{name}`")));
            }
        }
        if mistakes.is_empty()
            && let Some(validator) = &self.validator
        {
            let broken = validator.check(&Value::Object(read.clone()));
            mistakes.extend(broken.iter().map(ToString::to_string));
        }
        match mistakes.is_empty() {
            true => Ok(read),
            false => Err(ToolFailure::Arguments(mistakes.join("; "))),
        }
    }

    fn required(&self) -> Vec<&str> {
        let required = self.schema.get("required").and_then(Value::as_array);
        required.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The value in the type of a schema; what was expected instead.
    fn fit(&self, schema: &Value, value: Value, depth: usize) -> Result<Value, String> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(value) };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|path| self.schema.pointer(path));
            return match target {
                Some(target) => self.fit(target, value, depth),
                None => Ok(value),
            };
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(parts)) = schema.get(key) {
                // What fits as it is goes before what fits when it is brought into another type.
                let fits = |part: &&Value| self.fit(part, value.clone(), depth).as_ref() == Ok(&value);
                if parts.iter().any(|part| fits(&part)) {
                    return Ok(value);
                }
                let mut fitted = parts.iter().filter_map(|part| self.fit(part, value.clone(), depth).ok());
                return fitted.next().ok_or_else(|| format!("expected {}, found {value}", names(parts)));
            }
        }
        if let Some(Value::Array(allowed)) = schema.get("enum") {
            let same = |one: &&Value| match (one, &value) {
                (Value::String(one), Value::String(given)) => plain(one) == plain(given),
                (one, given) => *one == given || one.to_string() == *given.as_str().unwrap_or_default(),
            };
            let found = allowed.iter().find(|one| **one == value).or_else(|| allowed.iter().find(same));
            let listed = || allowed.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
            return found.cloned().ok_or_else(|| format!("expected one of {}, found {value}", listed()));
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return Ok(value),
        };
        if types.iter().any(|ty| is(ty, &value)) {
            return self.inside(schema, value, depth);
        }
        let mut fitted = types.iter().filter_map(|ty| brought(ty, &value));
        match fitted.next() {
            Some(value) => self.inside(schema, value, depth),
            None => Err(format!("expected {}, found {value}", types.join(" or "))),
        }
    }

    /// The parts of a list or an object in their types.
    fn inside(&self, schema: &Value, value: Value, depth: usize) -> Result<Value, String> {
        match value {
            Value::Array(items) => match schema.get("items") {
                Some(schema) => {
                    let fit = |(i, item)| self.fit(schema, item, depth).map_err(|e| format!("[{i}]: {e}"));
                    items.into_iter().enumerate().map(fit).collect::<Result<Vec<_>, _>>().map(Value::Array)
                }
                None => Ok(Value::Array(items)),
            },
            Value::Object(mut fields) => {
                let required = schema.get("required").and_then(Value::as_array);
                let mut required = required.into_iter().flatten().filter_map(Value::as_str);
                if let Some(missing) = required.find(|name| !fields.contains_key(*name)) {
                    return Err(format!("`{missing}` is missing"));
                }
                for (name, schema) in
                    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    if let Some(field) = fields.get_mut(name) {
                        *field =
                            self.fit(schema, field.take(), depth).map_err(|e| format!("`{name}`: {e}"))?;
                    }
                }
                Ok(Value::Object(fields))
            }
            other => Ok(other),
        }
    }
}

fn names(parts: &[Value]) -> String {
    let name = |part: &Value| part.get("type").and_then(Value::as_str).unwrap_or("another type").to_owned();
    parts.iter().map(name).collect::<Vec<_>>().join(" or ")
}

fn is(ty: &str, value: &Value) -> bool {
    match ty {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// A value of another type, as the reader of answers would take it for one of this type.
fn brought(ty: &str, value: &Value) -> Option<Value> {
    let text = value.to_string();
    let raw = match value {
        Value::String(text) => Raw::text(text),
        _ => Raw::json(&text),
    };
    let options = ReadOptions::default();
    match ty {
        "string" if value.is_number() || value.is_boolean() => Some(text.into()),
        "integer" => read::<i64>(raw, &options).ok().map(|r| r.value.into()),
        "number" => read::<f64>(raw, &options).ok().map(|r| r.value.into()),
        "boolean" => read::<bool>(raw, &options).ok().map(|r| r.value.into()),
        "array" => read::<Vec<Value>>(raw, &options).ok().map(|r| r.value.into()),
        "object" => read::<Map<String, Value>>(raw, &options).ok().map(|r| r.value.into()),
        _ => None,
    }
}
