//! Calls that a model wrote into its text: many servers do not take them out of it.

use serde_json::{Deserializer, Value};

use crate::value::{ToolCall, ToolCalls, read_json};

/// The text before the calls that an answer ends with, and the calls: JSON with the names of tools, alone, in a code block
/// or in tags. `None` of a text that goes on after them, for it only speaks of a call.
pub(crate) fn written_calls(text: &str, known: &dyn Fn(&str) -> bool) -> Option<(String, Vec<ToolCall>)> {
    let mut calls = Vec::new();
    let mut before = None;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '[']) {
        let mut values = Deserializer::from_str(&rest[at..]).into_iter::<Value>();
        let value = values.next().and_then(Result::ok);
        let end = at + if value.is_some() { values.byte_offset() } else { 1 };
        let found = value.and_then(|value| read_json::<ToolCalls>(&value).ok());
        match found.filter(|found| !found.is_empty() && found.iter().all(|call| known(&call.name))) {
            Some(found) if calls.is_empty() || is_packing(&rest[..at]) => {
                before.get_or_insert(text.len() - rest.len() + at);
                calls.extend(found.0);
            }
            None if calls.is_empty() => {}
            // A mark such as `[/TOOL_CALLS]`.
            None if is_packing(rest) => break,
            _ => return None,
        }
        rest = &rest[end..];
    }
    let thought = &text[..before.filter(|_| is_packing(rest))?];
    let mut lines: Vec<&str> = thought.lines().collect();
    while lines.last().is_some_and(|line| is_packing(line)) {
        lines.pop();
    }
    Some((lines.join("\n").trim().to_owned(), calls))
}

/// Whether a text is nothing but what stands around calls: tags, fences, marks in brackets.
fn is_packing(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        let tag =
            word.starts_with('<') && word.ends_with('>') || word.starts_with('[') && word.ends_with(']');
        tag || word.starts_with("```") || word.chars().all(|c| matches!(c, ',' | ';'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Vec<String>)> {
        let (thought, calls) = written_calls(text, &|name| name == "find" || name == "finish")?;
        let shown = |call: &ToolCall| format!("{}{}", call.name, Value::Object(call.args.clone()));
        Some((thought, calls.iter().map(shown).collect()))
    }

    #[test]
    fn calls_are_found_in_what_servers_leave_around_them() {
        let call = r#"{"name": "find", "arguments": {"q": "[a] {b}"}}"#;
        for text in [
            call.to_owned(),
            format!("<tool_call>\n{call}\n</tool_call>"),
            format!("```json\n{call}\n```"),
            format!("[TOOL_CALLS] [{call}]"),
            format!("<|python_tag|>{call}<|eom_id|>"),
            r#"{"type": "function", "function": {"name": "find", "parameters": {"q": "[a] {b}"}}}"#.into(),
        ] {
            let (thought, calls) = read(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((thought.as_str(), calls), ("", vec![r#"find{"q":"[a] {b}"}"#.to_owned()]), "{text}");
        }
        let two = format!("I look {{twice}}.\n<tool_call>{call}</tool_call>\n<tool_call>{call}</tool_call>");
        let (thought, calls) = read(&two).unwrap();
        assert_eq!((thought.as_str(), calls.len()), ("I look {twice}.", 2));
    }

    #[test]
    fn a_text_that_speaks_of_calls_makes_none() {
        for text in [
            "",
            "It is 5.",
            r#"{"name": "Emma", "arguments": {}}"#,
            r#"I called {"name": "find", "arguments": {}} and found nothing."#,
            r#"{"name": "find", "arguments": {}} {"answer": 5}"#,
            r#"{"name": "find", "arguments": {"q": "#,
            r#"{"answer": 5}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
