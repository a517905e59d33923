//! A tool call as a provider gives it: its arguments are text that a model wrote.

use serde_json::{Map, Value};

use super::ToolCall;
use crate::value::{Raw, ReadOptions, object_members, read};

/// A call whose arguments arrive as text, which is read as leniently as an answer: with trailing commas, single quotes,
/// in a code block, as JSON within a JSON string, as the only item of a list. No arguments, and `null`, are none. What holds no object is kept:
/// see [`ToolCall::unparsed`].
pub(super) fn tool_call(id: String, name: String, arguments: &str) -> ToolCall {
    let call = ToolCall::from_text(id, name, arguments);
    match call.unparsed().and_then(|text| object(text, DEEPEST_TEXT)) {
        Some(args) => ToolCall { args, ..call },
        None => call,
    }
}

/// The arguments as text: servers send them as such, or as the object that it should be.
pub(super) fn arguments(raw: Option<Value>) -> String {
    match raw {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    }
}

/// The arguments as providers want them back: an object, written as text. Of what a model wrote in its place, an object
/// that holds it, because servers that fill a template with the arguments refuse a conversation with any other.
pub(super) fn object_text(call: &ToolCall) -> String {
    serde_json::to_string(&call.args).unwrap_or_default()
}

/// How often arguments may be written as text within text.
const DEEPEST_TEXT: usize = 4;

fn object(text: &str, depth: usize) -> Option<Map<String, Value>> {
    let text = unfenced(text.trim());
    match serde_json::from_str(text) {
        Ok(Value::Object(args)) => return Some(args),
        Ok(Value::Null) => return Some(Map::new()),
        Ok(Value::Array(mut list)) if list.len() == 1 && list[0].is_object() => {
            return list.pop().and_then(|args| args.as_object().cloned());
        }
        Ok(Value::String(inner)) => return object(&inner, depth.checked_sub(1)?),
        Ok(_) => return None,
        Err(_) if text.is_empty() || text == "None" => return Some(Map::new()),
        Err(_) => {}
    }
    let open = text.find('{')?;
    // A text that breaks off within a value would be a wrong value.
    let ended = object_members(&text[open..]).closed || text.ends_with(['"', '\'', ']', '}']);
    let reading = read::<Map<String, Value>>(Raw::text(&text[open..]), &ReadOptions::default());
    reading.ok().filter(|_| ended).map(|reading| reading.value)
}

/// What stands in a code block, if the text is one.
fn unfenced(text: &str) -> &str {
    let Some(inner) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else { return text };
    let inner = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    inner.trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_read_as_leniently_as_an_answer() {
        let args = |text: &str| tool_call("c".into(), "f".into(), text);
        for text in [
            r#"{"city": "Rome", "n": [1, 2]}"#,
            r#"{"city": "Rome", "n": [1, 2,],}"#,
            "{'city': 'Rome', 'n': [1, 2]}",
            "{city: \"Rome\", n: [1, 2]}",
            "```json\n{\"city\": \"Rome\", \"n\": [1, 2]}\n```",
            "```\n{'city': 'Rome', 'n': [1, 2]}\n```",
            r#""{\"city\": \"Rome\", \"n\": [1, 2]}""#,
            r#""{'city': 'Rome', 'n': [1, 2]}""#,
            "Arguments: {\"city\": \"Rome\", \"n\": [1, 2]}",
            "{\"city\": \"Rome\", \"n\": [1, 2]",
            "{“city”: “Rome”, “n”: [1, 2]}",
            r#"[{"city": "Rome", "n": [1, 2]}]"#,
            "{\"city\": \"Rome\", // the capital\n\"n\": [1, 2]}",
        ] {
            let call = args(text);
            assert_eq!(Value::Object(call.args), json!({"city": "Rome", "n": [1, 2]}), "{text}");
        }
        for text in
            ["", "  \n", "null", "{}", "\"\"", "\"{}\"", "```json\n```", "```\n{}\n```", "None", "\"null\""]
        {
            assert_eq!(args(text).args, Map::new(), "{text:?}");
        }
    }

    #[test]
    fn what_holds_no_object_is_kept() {
        for text in ["Rome", "[1, 2]", "7", "{\"city\": \"Ro", "{\"n\": 1", "true", "{", "\"Rome\""] {
            let call = tool_call("c".into(), "f".into(), text);
            assert_eq!(call.unparsed(), Some(text));
        }
    }
}
