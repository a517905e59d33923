//! Splitting a JSON object into its members without reading them.

use super::headers::position;
use crate::{
    signature::{FieldRole, Section, Sections, SignatureSpec},
    value::object_members,
};

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

/// The outputs among the members of the object at `open`, and where it ends.
fn members<'a>(spec: &SignatureSpec, text: &'a str, open: usize) -> (Sections<'a>, usize) {
    let mut sections = Sections::new();
    let found = object_members(&text[open..]);
    sections.ended = found.closed;
    for (name, range) in found.members {
        if let Some(index) = position(spec, &name)
            && spec.fields[index].role == FieldRole::Output
        {
            sections.replace(index, Section::json(text[open + range.start..open + range.end].trim()));
        }
    }
    (sections, open + found.end)
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
