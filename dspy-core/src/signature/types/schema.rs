//! The JSON Schema of a type that is known only at run time, in the words in which a derived one comes.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::shape::Shape;

/// The schema of a type.
pub(super) fn of(shape: &Shape) -> Schema {
    if let Shape::Known(info) = shape {
        return info.schema();
    }
    let mut definitions = Map::new();
    let mut schema = node(shape, &mut definitions);
    if let Value::Object(object) = &mut schema
        && !definitions.is_empty()
    {
        object.insert("$defs".into(), definitions.into());
    }
    schema.try_into().unwrap_or_default()
}

fn node(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Int(int) => {
            let bits = int.name.trim_start_matches(['i', 'u']).trim_start_matches("size");
            let format = format!("{}int{bits}", if int.min == 0 { "u" } else { "" });
            let mut schema = json!({ "type": "integer", "format": format });
            if int.min == 0 {
                schema["minimum"] = 0.into();
            }
            if let Ok(max) = u32::try_from(int.max)
                && max < u32::from(u16::MAX) + 1
            {
                schema["minimum"] = i64::try_from(int.min).unwrap_or_default().into();
                schema["maximum"] = max.into();
            }
            schema
        }
        Shape::Float => json!({ "type": "number", "format": "double" }),
        Shape::Any => json!(true),
        Shape::List(item) => json!({ "type": "array", "items": node(item, definitions) }),
        Shape::Set(item) => {
            json!({ "type": "array", "items": node(item, definitions), "uniqueItems": true })
        }
        Shape::Dict(_, value) => {
            json!({ "type": "object", "additionalProperties": node(value, definitions) })
        }
        Shape::Tuple(items) => {
            let (count, items) = (items.len(), nodes(items, definitions));
            json!({ "type": "array", "prefixItems": items, "minItems": count, "maxItems": count })
        }
        Shape::Optional(inner) => optional(node(inner, definitions)),
        Shape::Union(shapes) => json!({ "anyOf": nodes(shapes, definitions) }),
        Shape::Literal(choices) => {
            let name = |value: &Value| match value {
                Value::String(_) => "string",
                Value::Bool(_) => "boolean",
                _ => "integer",
            };
            let first = choices.first().map(name);
            match first.filter(|first| choices.iter().all(|c| name(c) == *first)) {
                Some(name) => json!({ "type": name, "enum": choices }),
                None => json!({ "enum": choices }),
            }
        }
        Shape::Library(library) => foreign(library.info().schema().to_value(), definitions),
        Shape::Known(info) => foreign(info.schema().to_value(), definitions),
    }
}

fn nodes(shapes: &[Shape], definitions: &mut Map<String, Value>) -> Vec<Value> {
    shapes.iter().map(|shape| node(shape, definitions)).collect()
}

fn optional(mut schema: Value) -> Value {
    match schema.get("type") {
        Some(Value::String(name)) if schema.get("enum").is_none() => {
            schema["type"] = json!([name, "null"]);
            schema
        }
        None if schema == true => schema,
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

/// Takes over a whole schema: what it defines moves to the top, where its references find it.
fn foreign(mut schema: Value, definitions: &mut Map<String, Value>) -> Value {
    let Value::Object(object) = &mut schema else { return schema };
    object.remove("$schema");
    if let Some(Value::Object(own)) = object.remove("$defs") {
        definitions.extend(own);
    }
    let title = object.get("title").and_then(Value::as_str).unwrap_or("Type").to_owned();
    // A type that holds itself refers to the top, so it needs a name when it is no longer there.
    let place = format!("#/$defs/{title}");
    if refers_to_top(&schema) {
        name_top(&mut schema, &place);
        definitions.insert(title, schema);
        return json!({ "$ref": place });
    }
    schema
}

fn refers_to_top(node: &Value) -> bool {
    match node {
        Value::Object(object) => {
            object.get("$ref").is_some_and(|r| r == "#") || object.values().any(refers_to_top)
        }
        Value::Array(items) => items.iter().any(refers_to_top),
        _ => false,
    }
}

fn name_top(node: &mut Value, place: &str) {
    match node {
        Value::Object(object) => {
            if let Some(reference) = object.get_mut("$ref").filter(|r| **r == "#") {
                *reference = place.into();
            }
            object.values_mut().for_each(|part| name_top(part, place));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_top(item, place)),
        _ => {}
    }
}
