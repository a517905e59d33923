//! JSON Schemas in the dialects of providers.

use serde_json::{Map, Value};

/// What schemas say of strings, numbers and lists that not every provider can enforce.
const LIMITS: &[&str] = &[
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "default",
    "examples",
    "$schema",
];

/// The schema with closed objects and without limits, which are said in the descriptions instead.
pub(super) fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    each(&mut schema, &mut |object| {
        let mut said = Vec::new();
        for limit in LIMITS {
            if let Some(value) = object.shift_remove(*limit)
                && !limit.starts_with('$')
            {
                said.push(format!("{limit}: {value}"));
            }
        }
        if !said.is_empty() {
            describe(object, &format!("({})", said.join(", ")));
        }
        if let Some(variants) = object.shift_remove("oneOf") {
            object.insert("anyOf".into(), variants);
        }
        if object.get("properties").is_some() {
            object.insert("additionalProperties".into(), false.into());
        }
    });
    schema
}

/// How deep definitions may stand in each other.
const DEEPEST: usize = 32;

/// The schema in the dialect of OpenAPI that Gemini reads: types in capitals, `null` as a property of a type, definitions in
/// the places that refer to them. `None` where that cannot be: for types that hold themselves, and objects without known
/// members.
pub(super) fn inlined(schema: &Value) -> Option<Value> {
    let root = schema.as_object()?;
    inline(root, root, 0).map(Value::Object)
}

fn inline(
    schema: &Map<String, Value>,
    root: &Map<String, Value>,
    depth: usize,
) -> Option<Map<String, Value>> {
    if depth > DEEPEST {
        return None;
    }
    let within = |value: &Value| inline(value.as_object()?, root, depth + 1);
    let mut out = Map::new();
    if let Some(reference) = schema.get("$ref") {
        let path = reference.as_str()?.strip_prefix("#/")?;
        let target = path.split('/').try_fold(None::<&Value>, |at, name| {
            let next = at.map_or_else(|| root.get(name), |at| at.get(name))?;
            Some(Some(next))
        })??;
        out = within(target)?;
    }
    for name in ["title", "description", "format", "pattern", "minimum", "maximum", "minItems", "maxItems"] {
        if let Some(value) = schema.get(name) {
            out.insert(name.into(), value.clone());
        }
    }
    for name in ["minLength", "maxLength", "minProperties", "maxProperties"] {
        if let Some(value) = schema.get(name) {
            out.insert(name.into(), value.clone());
        }
    }
    match schema.get("type") {
        None => {}
        Some(Value::String(kind)) => set_type(&mut out, kind),
        Some(Value::Array(kinds)) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            if kinds.contains(&"null") {
                out.insert("nullable".into(), true.into());
            }
            match kinds.iter().copied().filter(|kind| *kind != "null").collect::<Vec<_>>().as_slice() {
                [one] => set_type(&mut out, one),
                // Without saying which of them has members or items, nothing is said.
                _ => return None,
            }
        }
        Some(_) => return None,
    }
    let literals = match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), _) => Some(values.clone()),
        (_, Some(value)) => Some(vec![value.clone()]),
        _ => None,
    };
    if let Some(mut values) = literals {
        if values.contains(&Value::Null) {
            out.insert("nullable".into(), true.into());
            values.retain(|value| !value.is_null());
        }
        if values.iter().all(Value::is_string) {
            out.entry("type").or_insert_with(|| "STRING".into());
            out.insert("enum".into(), values.into());
        } else {
            let kind = if values.iter().all(|v| v.is_i64() || v.is_u64()) { "INTEGER" } else { "NUMBER" };
            if !values.iter().all(Value::is_number) {
                return None;
            }
            out.entry("type").or_insert_with(|| kind.into());
            describe(&mut out, &format!("(one of {})", Value::from(values)));
        }
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let mut inner = Map::new();
        for (name, property) in properties {
            inner.insert(name.clone(), within(property)?.into());
        }
        let order: Vec<Value> = properties.keys().map(|name| name.as_str().into()).collect();
        out.insert("properties".into(), inner.into());
        out.insert("propertyOrdering".into(), order.into());
        if let Some(required) = schema.get("required") {
            out.insert("required".into(), required.clone());
        }
    }
    if let Some(items) = schema.get("items") {
        out.insert("items".into(), within(items)?.into());
    }
    if let Some(variants) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        let is_null = |v: &&Value| v["type"] == "null";
        if variants.iter().any(|v| is_null(&v)) {
            out.insert("nullable".into(), true.into());
        }
        let others: Vec<&Value> = variants.iter().filter(|v| !is_null(v)).collect();
        match others.as_slice() {
            [one] => {
                for (name, value) in within(one)? {
                    out.entry(name).or_insert(value);
                }
            }
            several => {
                let several: Option<Vec<Value>> =
                    several.iter().map(|v| within(v).map(Value::Object)).collect();
                out.insert("anyOf".into(), several?.into());
            }
        }
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let [one] = all.as_slice() else { return None };
        for (name, value) in within(one)? {
            out.entry(name).or_insert(value);
        }
    }
    let bare = out.get("type").is_some_and(|kind| kind == "OBJECT")
        && out.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty);
    let tuple = schema.contains_key("prefixItems")
        || (out.get("type").is_some_and(|kind| kind == "ARRAY") && !out.contains_key("items"));
    let says_nothing = !out.contains_key("type") && !out.contains_key("anyOf");
    (!bare && !tuple && !says_nothing).then_some(out)
}

fn set_type(out: &mut Map<String, Value>, kind: &str) {
    out.insert("type".into(), kind.to_ascii_uppercase().into());
}

/// Adds to the description.
fn describe(schema: &mut Map<String, Value>, what: &str) {
    let description = match schema.get("description").and_then(Value::as_str) {
        Some(text) if !text.is_empty() => format!("{text} {what}"),
        _ => what.to_owned(),
    };
    schema.insert("description".into(), description.into());
}

/// Calls `change` for every schema within a schema, the outer ones first.
fn each(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    let Value::Object(object) = schema else { return };
    change(object);
    for (name, value) in object.iter_mut() {
        match (name.as_str(), value) {
            ("properties" | "$defs" | "definitions" | "patternProperties", Value::Object(named)) => {
                named.values_mut().for_each(|inner| each(inner, change));
            }
            ("anyOf" | "allOf" | "oneOf" | "prefixItems", Value::Array(several)) => {
                several.iter_mut().for_each(|inner| each(inner, change));
            }
            ("items" | "additionalProperties" | "not", inner) => each(inner, change),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_said_and_objects_closed() {
        let schema = json!({
            "type": "object",
            "properties": {
                "default": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
                "list": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/P"}},
            },
            "$defs": {"P": {"type": "object", "properties": {"x": {"type": "string", "pattern": "a+"}}}},
        });
        assert_eq!(
            closed(&schema),
            json!({
                "type": "object",
                "properties": {
                    "default": {"type": "integer", "description": "how many (minimum: 1, maximum: 9)"},
                    "list": {"type": "array", "items": {"$ref": "#/$defs/P"}, "description": "(maxItems: 2)"},
                },
                "$defs": {
                    "P": {
                        "type": "object",
                        "properties": {"x": {"type": "string", "description": "(pattern: \"a+\")"}},
                        "additionalProperties": false,
                    },
                },
                "additionalProperties": false,
            })
        );
    }
}
