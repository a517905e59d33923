//! Between JSON and the values of Python.

use monty_types::{MontyDateTime, MontyObject};
use serde_json::{Map, Number, Value};

/// Values that are nested deeper stand as text, because JSON is not read deeper than 128.
const DEPTH: usize = 100;

/// A value for Python.
pub(super) fn to_python(value: Value) -> MontyObject {
    match value {
        Value::Null => MontyObject::None,
        Value::Bool(value) => MontyObject::Bool(value),
        Value::Number(number) => number_to_python(&number),
        Value::String(text) => MontyObject::String(text),
        Value::Array(items) => MontyObject::List(items.into_iter().map(to_python).collect()),
        Value::Object(fields) => {
            let pair = |(name, value)| (MontyObject::String(name), to_python(value));
            MontyObject::dict(fields.into_iter().map(pair).collect::<Vec<_>>())
        }
    }
}

fn number_to_python(number: &Number) -> MontyObject {
    if let Some(value) = number.as_i64() {
        return MontyObject::Int(value);
    }
    match number.as_u64() {
        Some(value) => MontyObject::BigInt(value.into()),
        None => MontyObject::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// A value of Python as JSON.
pub(super) fn to_json(object: &MontyObject) -> Value {
    json(object, DEPTH)
}

fn json(object: &MontyObject, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return "...".into() };
    let list = |items: &[MontyObject]| items.iter().map(|item| json(item, depth)).collect();
    match object {
        MontyObject::None | MontyObject::Ellipsis => Value::Null,
        MontyObject::Bool(value) => (*value).into(),
        MontyObject::Int(value) => (*value).into(),
        MontyObject::BigInt(value) => value.to_string().into(),
        MontyObject::Float(value) => {
            Number::from_f64(*value).map_or_else(|| object.py_repr().into(), Value::Number)
        }
        MontyObject::String(text) | MontyObject::Repr(text) | MontyObject::Path(text) => text.as_str().into(),
        MontyObject::List(items)
        | MontyObject::Tuple(items)
        | MontyObject::Set(items)
        | MontyObject::FrozenSet(items) => Value::Array(list(items)),
        MontyObject::NamedTuple { field_names, values, .. } => {
            let fields = field_names.iter().zip(values);
            Value::Object(fields.map(|(name, value)| (name.clone(), json(value, depth))).collect())
        }
        MontyObject::Dict(pairs) => Value::Object(object_of(pairs.iter(), depth)),
        MontyObject::ClassInstance(instance) => Value::Object(object_of(instance.attrs.iter(), depth)),
        MontyObject::Date(date) => format!("{:04}-{:02}-{:02}", date.year, date.month, date.day).into(),
        MontyObject::DateTime(moment) => written(moment).into(),
        other => other.py_repr().into(),
    }
}

fn object_of<'a>(
    pairs: impl Iterator<Item = &'a (MontyObject, MontyObject)>,
    depth: usize,
) -> Map<String, Value> {
    pairs.map(|(key, value)| (key.to_string(), json(value, depth))).collect()
}

/// As RFC 3339 has it, with an offset where there is one.
fn written(moment: &MontyDateTime) -> String {
    let MontyDateTime { year, month, day, hour, minute, second, microsecond, .. } = moment;
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if *microsecond > 0 {
        text.push_str(&format!(".{microsecond:06}"));
    }
    if let Some(offset) = moment.offset_seconds {
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_go_to_python_and_back() {
        for value in [
            json!(null),
            json!([true, -7, 2.5, "ä", {"a": {"b": []}}]),
            json!(i64::MIN),
            json!({"": "empty"}),
        ] {
            assert_eq!(to_json(&to_python(value.clone())), value);
        }
        assert_eq!(to_json(&to_python(json!(u64::MAX))), json!(u64::MAX.to_string()));
        assert_eq!(to_json(&MontyObject::Float(f64::INFINITY)), json!("inf"));
        let pairs = vec![(MontyObject::Int(1), MontyObject::Tuple(vec![MontyObject::None]))];
        assert_eq!(to_json(&MontyObject::dict(pairs)), json!({"1": [null]}));
    }

    #[test]
    fn what_is_nested_too_deep_ends_in_text() {
        let deep = (0..5000).fold(MontyObject::None, |inner, _| MontyObject::List(vec![inner]));
        let text = to_json(&deep).to_string();
        assert!(text.contains("[[\"...\"]]"), "{text}");
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
