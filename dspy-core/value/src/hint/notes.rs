//! Constraints in few words.

use serde_json::Value;

/// Whether a bound only repeats the range of the Rust integer that the schema stands for.
pub(crate) fn is_natural_bound(node: &Value, key: &str) -> bool {
    let Some(format) = node.get("format").and_then(Value::as_str) else { return false };
    let Some(bound) = node.get(key) else { return false };
    let range: (i64, u64) = match format {
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" | "uint128" | "uint" => (0, u64::MAX),
        "int8" => (i8::MIN.into(), i8::MAX as u64),
        "int16" => (i16::MIN.into(), i16::MAX as u64),
        _ => return false,
    };
    match key {
        "minimum" => bound.as_i64() == Some(range.0),
        "maximum" => bound.as_u64() == Some(range.1),
        _ => false,
    }
}

/// The constraints of one schema, those of its parts left out.
pub(super) fn notes(node: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    let number = |key: &str| node.get(key).filter(|_| !is_natural_bound(node, key)).map(short_number);

    let range = (number("minimum"), number("maximum"));
    match range {
        (Some(min), Some(max)) => notes.push(format!("{min} to {max}")),
        (Some(min), None) => notes.push(format!(">= {min}")),
        (None, Some(max)) => notes.push(format!("<= {max}")),
        (None, None) => {}
    }
    for (key, sign) in [("exclusiveMinimum", ">"), ("exclusiveMaximum", "<")] {
        notes.extend(number(key).map(|n| format!("{sign} {n}")));
    }
    notes.extend(number("multipleOf").map(|n| format!("multiple of {n}")));
    notes.extend(count(number("minLength"), number("maxLength"), "character", "characters"));
    if node.get("prefixItems").is_none() {
        notes.extend(count(number("minItems"), number("maxItems"), "item", "items"));
    }
    notes.extend(count(number("minProperties"), number("maxProperties"), "entry", "entries"));
    if node.get("uniqueItems") == Some(&Value::Bool(true)) {
        notes.push("no duplicates".into());
    }
    if let Some(pattern) = node.get("pattern").and_then(Value::as_str) {
        notes.push(format!("matches /{pattern}/"));
    }
    if node.get("type").is_none_or(|t| t == "string" || t.is_array())
        && let Some(format) = node.get("format").and_then(Value::as_str)
        && !is_number_format(format)
    {
        match notation(format) {
            Some(example) => notes.push(format!("{format}, as {example}")),
            None => notes.push(format.to_owned()),
        }
    }
    notes
}

/// How a format is written, where its name leaves that open (RFC 3339 and ISO 8601).
fn notation(format: &str) -> Option<&'static str> {
    Some(match format {
        "date" => "2024-05-31",
        "date-time" => "2024-05-31T14:30:00Z",
        "partial-date-time" => "2024-05-31T14:30:00",
        "time" => "14:30:00Z",
        "partial-time" => "14:30:00",
        "duration" => "P1DT2H",
        _ => return None,
    })
}

/// Formats that name Rust's number types.
pub(super) fn is_number_format(format: &str) -> bool {
    matches!(format, "int" | "uint" | "float" | "double")
        || format
            .strip_prefix('u')
            .unwrap_or(format)
            .strip_prefix("int")
            .is_some_and(|n| n.parse::<u8>().is_ok())
}

fn count(min: Option<String>, max: Option<String>, one: &str, many: &str) -> Option<String> {
    let noun = |n: &str| if n == "1" { one.to_owned() } else { many.to_owned() };
    Some(match (min, max) {
        (None, None) => return None,
        (Some(min), Some(max)) if min == max => format!("exactly {min} {}", noun(&min)),
        (Some(min), Some(max)) => format!("{min} to {max} {many}"),
        (Some(min), None) => format!("at least {min} {}", noun(&min)),
        (None, Some(max)) => format!("at most {max} {}", noun(&max)),
    })
}

/// A number without a fraction of zero.
fn short_number(number: &Value) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
