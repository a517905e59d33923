//! What a model is told of variables that it does not see whole.

use serde_json::{Map, Value};

use crate::signature::SignatureSpec;

/// How many characters of the beginning of a value are shown, and of its end.
const SHOWN: (usize, usize) = (400, 100);

/// A paragraph for each input: its name, type and size, what it is, and how it begins and ends.
pub(super) fn described(spec: &SignatureSpec, variables: &Map<String, Value>) -> String {
    let paragraph = |(name, value): (&String, &Value)| {
        let desc = spec.field(name).map(|field| field.desc.as_str()).unwrap_or_default();
        let desc = if desc.is_empty() { String::new() } else { format!(": {desc}") };
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("`{name}` ({}){desc}\n{}", kind(value, &text), ends(&text))
    };
    let paragraphs: Vec<String> = variables.iter().map(paragraph).collect();
    paragraphs.join("\n\n")
}

/// A type of Python, and a size.
fn kind(value: &Value, text: &str) -> String {
    let characters = text.chars().count();
    match value {
        Value::Null => "None".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) if number.is_f64() => "float".into(),
        Value::Number(_) => "int".into(),
        Value::String(_) => format!("str, {characters} characters"),
        Value::Array(items) => format!("list, {} items, {characters} characters as JSON", items.len()),
        Value::Object(fields) => format!("dict, {} keys, {characters} characters as JSON", fields.len()),
    }
}

fn ends(text: &str) -> String {
    let (head, tail) = SHOWN;
    let all = text.chars().count();
    if all <= head + tail {
        return text.to_owned();
    }
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    format!("{} [...] {}", &text[..at(head)], &text[at(all - tail)..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signature::DynSignature;

    #[test]
    fn long_values_are_shown_by_their_ends() {
        let spec: std::sync::Arc<SignatureSpec> =
            DynSignature::parse("document, n: int -> answer").unwrap().into();
        let text = format!("begin{}end", "ä".repeat(10_000));
        let variables = json!({"document": text, "n": 7, "rows": [1, {"a": 2}]});
        let told = described(&spec, variables.as_object().unwrap());
        assert!(told.starts_with("`document` (str, 10008 characters)\nbeginää"), "{told}");
        assert!(told.contains("ää [...] ää") && told.contains("äend\n\n`n` (int)\n7"), "{told}");
        assert!(told.ends_with("`rows` (list, 2 items, 11 characters as JSON)\n[1,{\"a\":2}]"), "{told}");
        assert!(told.chars().count() < 700);
    }
}
