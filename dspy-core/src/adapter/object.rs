//! Splitting a JSON object into its members without reading them.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::names::{complete, position};
use crate::{
    signature::{FieldRole, Section, Sections, SignatureSpec},
    value::object_members,
};

/// Finds the object that has the most outputs of the signature, the last one on a tie, and the raw texts of its
/// members. Within another object or a list it is found as well, but it does not count against outputs that stand around
/// it unless it is whole and they are not.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let mut search = Search { spec, text, best: None, work: text.len().saturating_mul(64), depth: 0 };
    search.run();
    search.best.map(|best| best.sections)
}

/// How often JSON may stand as text within JSON.
const DEEPEST_TEXT: usize = 2;

struct Search<'a, 's> {
    spec: &'s SignatureSpec,
    text: &'a str,
    best: Option<Best<'a>>,
    /// How much may yet be read: a bound on what a text full of braces costs.
    work: usize,
    /// How often the text was taken out of a JSON string.
    depth: usize,
}

struct Best<'a> {
    sections: Sections<'a>,
    whole: bool,
    /// Where its object ends.
    end: usize,
}

impl<'a> Search<'a, '_> {
    fn run(&mut self) {
        let text = self.text.trim();
        if text.starts_with('"') {
            self.inside_text(text, self.text.len());
        }
        let mut at = 0;
        while let Some(open) = self.text[at..].find('{').map(|o| at + o) {
            at = self.object(open).max(open + 1);
        }
    }

    /// Looks at the object at `open`; where to go on.
    fn object(&mut self, open: usize) -> usize {
        let text = self.text;
        // An escaped quote: an object in a string, which is looked at as a whole.
        let escaped = text[open + 1..].trim_start().starts_with('\\');
        if self.work == 0 || escaped {
            return open + 1;
        }
        let found = object_members(&text[open..]);
        let end = open + found.end;
        self.work = self.work.saturating_sub(found.end);
        let mut sections = Sections::new();
        sections.ended = found.closed;
        let mut inner: Vec<Range<usize>> = Vec::new();
        for (name, range) in found.members {
            let range = open + range.start..open + range.end;
            match position(self.spec, &name) {
                Some(index) if self.spec.fields[index].role == FieldRole::Output => {
                    sections.replace(index, Section::json(text[range.clone()].trim()));
                }
                _ => {}
            }
            inner.push(range);
        }
        let outputs = sections.iter().count();
        let whole = complete(self.spec, &sections);
        self.offer(sections, open, end);
        if whole {
            return end;
        }
        for range in inner {
            self.member(range);
        }
        // A brace in prose can seem to open an object that holds all the rest.
        let sound = || serde_json::from_str::<IgnoredAny>(&text[open..end]).is_ok();
        if outputs > 0 || sound() { end } else { open + 1 }
    }

    /// Looks for objects in the value of a member.
    fn member(&mut self, range: Range<usize>) {
        let value = self.text[range.clone()].trim();
        if value.starts_with('"') {
            self.inside_text(value, range.end);
        }
        if !value.starts_with(['{', '[']) {
            return;
        }
        let mut at = range.start;
        while let Some(open) = self.text[at..range.end].find('{').map(|o| at + o) {
            at = self.object(open).max(open + 1).min(range.end);
        }
    }

    /// Looks for an object in a JSON string, which ends before `end`.
    fn inside_text(&mut self, quoted: &str, end: usize) {
        if self.depth == DEEPEST_TEXT {
            return;
        }
        let Ok(inner) = serde_json::from_str::<String>(quoted) else { return };
        if !inner.trim_start().starts_with(['{', '[', '`', '"']) {
            return;
        }
        let mut search =
            Search { spec: self.spec, text: &inner, best: None, work: self.work, depth: self.depth + 1 };
        search.run();
        self.work = search.work;
        if let Some(best) = search.best.filter(|best| best.whole) {
            self.offer(best.sections.into_owned(), end - quoted.len().min(end), end);
        }
    }

    /// Takes the outputs of an object if they are better than what there is.
    fn offer(&mut self, sections: Sections<'a>, start: usize, end: usize) {
        let whole = complete(self.spec, &sections);
        let count = |sections: &Sections<'_>| sections.iter().count();
        let better = match &self.best {
            None => !sections.is_empty(),
            Some(best) if best.whole != whole => whole,
            Some(best) if start < best.end => false,
            Some(best) => !sections.is_empty() && count(&sections) >= count(&best.sections),
        };
        if better {
            self.best = Some(Best { sections, whole, end });
        }
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
