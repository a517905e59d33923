//! Splitting a JSON object into its members without reading them.

use super::headers::position;
use crate::signature::{FieldRole, Section, Sections, SignatureSpec};

/// Finds the object that has the most outputs of the signature, the last one on a tie, and the raw texts of its
/// members.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let mut best: Option<Sections<'a>> = None;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|o| at + o) {
        let (sections, end) = members(spec, text, open);
        if !sections.is_empty() && best.as_ref().is_none_or(|b| sections.iter().count() >= b.iter().count()) {
            best = Some(sections);
        }
        at = end.max(open + 1);
    }
    best
}

/// The members of the object at `open`, and where it ends.
fn members<'a>(spec: &SignatureSpec, text: &'a str, open: usize) -> (Sections<'a>, usize) {
    let mut sections = Sections::new();
    let mut at = open + 1;
    loop {
        at += blank(&text[at..]);
        match text[at..].chars().next() {
            None => return (sections, text.len()),
            Some('}') => {
                sections.ended = true;
                return (sections, at + 1);
            }
            Some(',') => {
                at += 1;
                continue;
            }
            Some(_) => {}
        }
        let Some((name, after)) = key(text, at) else { return (sections, at.max(open + 1)) };
        let start = after + blank(&text[after..]);
        let end = value_end(text, start);
        let value = text[start..end].trim();
        if let Some(index) = position(spec, name)
            && spec.fields[index].role == FieldRole::Output
        {
            sections.replace(index, Section::json(value));
        }
        at = end;
    }
}

fn blank(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The longest key that is looked for, in characters: a bound on the search in text that has no keys.
const LONGEST_KEY: usize = 256;

/// A key at `at` and where its colon ends.
fn key(text: &str, at: usize) -> Option<(&str, usize)> {
    let rest = &text[at..];
    let quote = rest.chars().next().filter(|c| "\"'`“”".contains(*c));
    let (name, after) = match quote {
        Some(q) => {
            let inner = &rest[q.len_utf8()..];
            let ends = |c: char| c == q || (q == '“' && c == '”');
            let (close, end) = inner.char_indices().take(LONGEST_KEY).find(|(_, c)| ends(*c))?;
            let width = end.len_utf8();
            (&inner[..close], q.len_utf8() + close + width)
        }
        None => {
            let part = |c: char| c.is_alphanumeric() || "_- ".contains(c);
            let (end, _) = rest.char_indices().take(LONGEST_KEY).find(|(_, c)| !part(*c))?;
            (rest[..end].trim(), end)
        }
    };
    let gap = blank(&rest[after..]);
    let colon = after + gap;
    let separator = ["=>", ":", "="].into_iter().find(|s| rest[colon..].starts_with(s))?;
    (!name.is_empty()).then_some((name, at + colon + separator.len()))
}

/// Where the value at `start` ends: before the comma or the bracket that belongs to the object around it.
fn value_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(text, at, depth);
                continue;
            }
            b'\'' if depth > 0 || at == start => {
                at = string_end(text, at, depth);
                continue;
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' if depth == 0 => return at,
            b'}' | b']' | b')' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Where the string at `start` ends. A quote ends it only when what follows could follow a value at this depth,
/// because models forget to escape.
fn string_end(text: &str, start: usize, depth: usize) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b if b == quote => {
                let after = at + 1 + blank(&text[at + 1..]);
                let ends = match bytes.get(after) {
                    None | Some(b'}' | b']' | b')') => true,
                    Some(b':') => depth > 0,
                    Some(b',') => member_follows(text, after + 1, depth),
                    Some(_) => false,
                };
                if ends {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Whether a further member may begin behind the comma that ends at `at`: a key of the object around it, or any
/// value deeper inside.
fn member_follows(text: &str, at: usize, depth: usize) -> bool {
    let at = at + blank(&text[at..]);
    let rest = &text[at..];
    match rest.chars().next() {
        None | Some('}' | ']' | ')') => true,
        Some(_) if key(text, at).is_some() => true,
        Some(c) if depth > 0 => {
            "\"'{[(-".contains(c)
                || c.is_ascii_digit()
                || ["true", "false", "null", "True", "False", "None"].iter().any(|w| rest.starts_with(w))
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{signature::Field, value::TypeInfo};

    fn read(text: &str) -> Vec<(String, String)> {
        let any = TypeInfo::of::<serde_json::Value>();
        let spec = SignatureSpec::new(
            "S",
            "",
            vec![Field::output("name", TypeInfo::of::<String>()), Field::output("items", any)],
        );
        split(&spec, text)
            .map(|s| s.into_iter().map(|(i, s)| (spec.fields[i].name.clone(), s.text.into_owned())).collect())
            .unwrap_or_default()
    }

    #[test]
    fn finds_members_however_broken() {
        let whole =
            |items: &str| vec![("name".to_string(), "\"a\"".to_string()), ("items".into(), items.into())];
        for (text, items) in [
            (r#"{"name": "a", "items": [1, {"x": "}"}]}"#, r#"[1, {"x": "}"}]"#),
            ("```json\n{\"name\": \"a\", \"items\": [1]}\n```", "[1]"),
            (r#"Here: {"name": "a", "items": [1], } done"#, "[1]"),
            (r#"{name: "a", items: [1]}"#, "[1]"),
            (r#"{'name': "a", 'items': [1]}"#, "[1]"),
            (r#"{"name": "a", "items": [1"#, "[1"),
            (r#"{"unknown": {"name": 3}, "name": "a", "items": 7}"#, "7"),
            (r#"{"name": "x"} or better {"name": "a", "items": 1}"#, "1"),
            (r#"{"Name": "a", "ITEMS": 1}"#, "1"),
        ] {
            assert_eq!(read(text), whole(items), "{text}");
        }
        assert_eq!(
            read(r#"{"name": "he said "hi", then left", "items": 1}"#)[0].1,
            r#""he said "hi", then left""#
        );
        assert!(read("no object").is_empty());
        assert!(read("{").is_empty());
        assert!(read("{{{{").is_empty());
        assert!(read("{\"").is_empty());
    }
}
