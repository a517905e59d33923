//! A value as YAML.

use serde_json::Value;

use crate::{answer::Answer, case::Case, random::Random};

/// Lines of YAML in place of JSON.
pub(crate) fn yaml(answer: &mut Answer, random: &mut Random, case: &Case<'_>) -> bool {
    if answer.cut {
        return false;
    }
    let mut lines = Vec::new();
    write(case.value, &mut lines);
    answer.body = Some(lines.join("\n"));
    if !answer.fence.0.is_empty() {
        answer.fence.0 = random.pick(&["```yaml\n", "```yml\n", "```\n"]).to_owned();
    }
    true
}

fn write(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                match is_block(member) {
                    false => lines.push(format!("{}: {}", scalar(key), plain(member))),
                    true => {
                        lines.push(format!("{}:", scalar(key)));
                        indented(member, "  ", "  ", lines);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                match is_block(item) {
                    false => lines.push(format!("- {}", plain(item))),
                    true => indented(item, "- ", "  ", lines),
                }
            }
        }
        other => lines.push(plain(other)),
    }
}

fn indented(value: &Value, first: &str, next: &str, lines: &mut Vec<String>) {
    let mut inner = Vec::new();
    write(value, &mut inner);
    for (i, line) in inner.iter().enumerate() {
        lines.push(format!("{}{line}", if i == 0 { first } else { next }));
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text without quotes where YAML allows it.
fn scalar(text: &str) -> String {
    let safe = text.starts_with(char::is_alphabetic)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.contains(['\n', '\t', '"', '\''])
        && !["null", "true", "false", "yes", "no"].contains(&text.to_lowercase().as_str());
    if safe { text.to_owned() } else { Value::from(text).to_string() }
}
