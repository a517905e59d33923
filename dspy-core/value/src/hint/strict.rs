//! Schemas as providers want them for strict structured output.

use schemars::Schema;
use serde_json::{Map, Value, json};

use super::node::{is_nullable, resolve};

/// The schema in the form that providers can enforce: every object closed, every property required, optional ones
/// nullable, one kind of union, no constraints.
///
/// `None` when that form cannot express the type: maps, values of any type, objects whose fields are unknown, and
/// tuples. A closed object in their place would force the model to answer `{}`, so ask for free JSON then and let the
/// reader check it.
///
/// Constraints are left out because few providers take them; they stay in [`hint`](super::hint) and are checked by
/// [`Validator`](crate::Validator).
pub fn strict_schema(schema: &Schema) -> Option<Value> {
    let mut defs = Defs::default();
    let mut strict = defs.add(schema.as_value())?;
    defs.attach(&mut strict);
    Some(strict)
}

/// The strict schema of an object with one property for each output of a signature: its name, its description (or
/// nothing) and its type. `None` when one of them cannot be expressed; see [`strict_schema`].
pub fn strict_object<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str, &'a Schema)>) -> Option<Value> {
    let mut defs = Defs::default();
    let mut properties = Map::new();
    for (name, description, schema) in fields {
        let mut property = defs.add(schema.as_value())?;
        if !description.is_empty()
            && let Value::Object(property) = &mut property
            && !property.contains_key("$ref")
        {
            property.insert("description".into(), description.into());
        }
        properties.insert(name.into(), property);
    }
    let mut strict = closed(&properties);
    defs.attach(&mut strict);
    Some(strict)
}

fn closed(properties: &Map<String, Value>) -> Value {
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The named schemas of several roots in one table.
#[derive(Default)]
struct Defs {
    table: Map<String, Value>,
}

impl Defs {
    /// Takes over a root schema.
    fn add(&mut self, root: &Value) -> Option<Value> {
        let mut scope = Scope { root, defs: self, names: Vec::new(), merging: Vec::new() };
        // A root that refers to itself needs a name.
        if scope.refers_to_root(root) { scope.reference("#") } else { scope.strict(root) }
    }

    fn attach(self, root: &mut Value) {
        if let Value::Object(object) = root
            && !self.table.is_empty()
        {
            object.insert("$defs".into(), self.table.into());
        }
    }
}

struct Scope<'a, 'd> {
    root: &'a Value,
    defs: &'d mut Defs,
    /// Which references of this root have which name in the common table.
    names: Vec<(String, String)>,
    /// The references whose properties are being put into another object.
    merging: Vec<&'a str>,
}

impl<'a> Scope<'a, '_> {
    fn refers_to_root(&self, node: &Value) -> bool {
        match node {
            Value::Object(object) => {
                object.get("$ref").is_some_and(|r| r == "#")
                    || object.values().any(|v| self.refers_to_root(v))
            }
            Value::Array(parts) => parts.iter().any(|part| self.refers_to_root(part)),
            _ => false,
        }
    }

    fn reference(&mut self, reference: &str) -> Option<Value> {
        let (name, target) = resolve(self.root, reference)?;
        if let Some((_, known)) = self.names.iter().find(|(known, _)| known == reference) {
            return Some(json!({ "$ref": format!("#/$defs/{known}") }));
        }
        // Different outputs may have different types of one name.
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let mut free = name.clone();
        let mut number = 2;
        while self.defs.table.contains_key(&free) {
            free = format!("{name}{number}");
            number += 1;
        }
        self.names.push((reference.to_owned(), free.clone()));
        self.defs.table.insert(free.clone(), Value::Null);
        let strict = self.strict(target)?;
        self.defs.table.insert(free.clone(), strict);
        Some(json!({ "$ref": format!("#/$defs/{free}") }))
    }

    fn strict(&mut self, node: &'a Value) -> Option<Value> {
        let object = node.as_object()?;
        let mut strict = self.bare(object)?;
        if let (Some(description), Value::Object(strict)) = (object.get("description"), &mut strict)
            && !strict.contains_key("$ref")
        {
            strict.insert("description".into(), description.clone());
        }
        Some(strict)
    }

    fn bare(&mut self, object: &'a Map<String, Value>) -> Option<Value> {
        if object.contains_key("properties") {
            return self.object(object);
        }
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            return self.reference(reference);
        }
        if let Some(value) = object.get("const") {
            return Some(json!({ "type": type_of(value), "enum": [value] }));
        }
        if let Some(values) = object.get("enum") {
            let mut strict = json!({ "enum": values });
            if let (Some(of), Value::Object(strict)) = (object.get("type"), &mut strict) {
                strict.insert("type".into(), of.clone());
            }
            return Some(strict);
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            let Some(Value::Array(parts)) = object.get(key) else { continue };
            return match (key, parts.as_slice()) {
                (_, [only]) => self.strict(only),
                ("allOf", _) => None,
                (_, parts) => {
                    let parts = parts.iter().map(|part| self.strict(part)).collect::<Option<Vec<_>>>()?;
                    Some(json!({ "anyOf": parts }))
                }
            };
        }
        let names = match object.get("type")? {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            name => vec![name.as_str()?],
        };
        let mut strict = json!({ "type": object.get("type") });
        for name in names {
            match name {
                // An object about which nothing more is known.
                "object" => return None,
                "array" if object.contains_key("prefixItems") => return None,
                "array" => {
                    let items = self.strict(object.get("items")?)?;
                    strict["items"] = items;
                }
                _ => {}
            }
        }
        Some(strict)
    }

    fn object(&mut self, object: &'a Map<String, Value>) -> Option<Value> {
        let mut properties = Map::new();
        self.properties(object, &mut properties)?;
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            // A tagged variant around a struct: one object with the tag and the struct's fields.
            let (_, target) = resolve(self.root, reference)?;
            let target =
                target.as_object().filter(|t| t.contains_key("properties") && !t.contains_key("$ref"))?;
            if self.merging.contains(&reference) {
                return None;
            }
            self.merging.push(reference);
            let taken = self.properties(target, &mut properties);
            self.merging.pop();
            taken?;
        }
        Some(closed(&properties))
    }

    fn properties(&mut self, object: &'a Map<String, Value>, into: &mut Map<String, Value>) -> Option<()> {
        let open = |key: &str| object.get(key).is_some_and(|part| *part != Value::Bool(false));
        let split =
            ["oneOf", "anyOf", "allOf", "patternProperties"].iter().any(|key| object.contains_key(*key));
        if split || open("additionalProperties") {
            return None;
        }
        let required = object.get("required").and_then(Value::as_array);
        for (name, part) in object.get("properties").and_then(Value::as_object)? {
            let mut strict = self.strict(part)?;
            let required = required.is_some_and(|names| names.iter().any(|n| n == name));
            match part.get("default").filter(|d| !d.is_null()) {
                // The type of a field with a default seldom takes `null`, but the model can write the default.
                Some(default) if !required => describe_default(&mut strict, default),
                _ if !required && !is_nullable(part) => strict = nullable(strict),
                _ => {}
            }
            into.insert(name.clone(), strict);
        }
        Some(())
    }
}

fn describe_default(strict: &mut Value, default: &Value) {
    let Value::Object(object) = strict else { return };
    if object.contains_key("$ref") {
        return;
    }
    let before =
        object.get("description").and_then(Value::as_str).map(|d| format!("{d} ")).unwrap_or_default();
    object.insert("description".into(), format!("{before}(default {default})").into());
}

/// Allows `null` as well.
fn nullable(mut strict: Value) -> Value {
    match (strict.get("type"), strict.get("enum")) {
        (Some(Value::String(name)), None) => {
            strict["type"] = json!([name, "null"]);
            strict
        }
        _ => json!({ "anyOf": [strict, { "type": "null" }] }),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
