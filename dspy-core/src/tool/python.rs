//! Tools as functions of Python.

use serde_json::{Map, Value};

use crate::value::{ToolSpec, hint};

/// Words that Python keeps for itself.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Whether code can use it as a name.
pub(crate) fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&name)
}

/// The functions as Python would declare them, with what they do; empty when there are none.
pub(crate) fn functions(tools: &[ToolSpec]) -> String {
    if tools.is_empty() {
        return String::new();
    }
    let declared: Vec<String> = tools.iter().map(declaration).collect();
    format!(
        "\n\nThe code may call these functions, without `await` and without importing them, but cannot pass them to `map` and the \
         like:\n{}",
        declared.join("\n")
    )
}

fn declaration(tool: &ToolSpec) -> String {
    let none = Map::new();
    let properties = tool.parameters.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = tool.parameters.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
    let definitions = tool.parameters.get("$defs");
    let mut notes = String::new();
    let mut arguments = Vec::new();
    for (name, schema) in properties {
        let mut schema = schema.clone();
        let description = match &mut schema {
            Value::Object(fields) => {
                if let Some(definitions) = definitions {
                    fields.insert("$defs".into(), definitions.clone());
                }
                fields.shift_remove("description")
            }
            _ => None,
        };
        let default = schema.get("default").cloned();
        let kind = schemars::Schema::try_from(schema).map(|schema| hint(&schema)).unwrap_or_default();
        let kind = if kind.is_empty() { "str".to_owned() } else { kind };
        arguments.push(match default {
            _ if is_required(name) => format!("{name}: {kind}"),
            Some(default) if !default.is_null() => format!("{name}: {kind} = {default}"),
            _ => format!("{name}: {kind} = None"),
        });
        if let Some(Value::String(description)) = description {
            notes.push_str(&format!("\n  {name}: {description}"));
        }
    }
    let described = match tool.description.as_str() {
        "" => String::new(),
        description => format!(": {}", description.replace('\n', "\n  ")),
    };
    format!("- `{}({})`{described}{notes}", tool.name, arguments.join(", "))
}
