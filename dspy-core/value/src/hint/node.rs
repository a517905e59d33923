//! Questions to one node of a schema.

use serde_json::Value;

/// The schema that a reference points to, and the name under which it stands; the root for `#`.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<(String, &'a Value)> {
    let pointer = reference.strip_prefix('#')?;
    let target = root.pointer(pointer)?;
    let name = match pointer.rsplit('/').next() {
        Some("") | None => target.get("title").and_then(Value::as_str).unwrap_or("Self").to_owned(),
        Some(name) => name.replace("~1", "/").replace("~0", "~"),
    };
    Some((name, target))
}

/// Whether the schema allows `null` beside other values.
pub(crate) fn is_nullable(node: &Value) -> bool {
    let is_null = |t: &Value| t == "null";
    match node.get("type") {
        Some(Value::Array(types)) if types.iter().any(is_null) => return true,
        Some(t) if is_null(t) => return true,
        _ => {}
    }
    ["anyOf", "oneOf"].iter().any(|key| {
        node.get(*key).and_then(Value::as_array).is_some_and(|variants| variants.iter().any(is_nullable))
    }) || node.get("enum").and_then(Value::as_array).is_some_and(|values| values.contains(&Value::Null))
}
