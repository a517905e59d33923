//! Writing `[[ ## name ## ]]` headers, and finding them in an answer.

use serde_json::Value;

use super::prompt::write_value;
use crate::{
    signature::{Field, FieldRole, Section, Sections, SignatureSpec},
    value::Content,
};

/// Writes a header below what there is.
pub(super) fn write(out: &mut Content, name: &str) {
    if !out.is_empty() {
        out.push_str("\n\n");
    }
    out.push_str("[[ ## ");
    out.push_str(name);
    out.push_str(" ## ]]\n");
}

/// Writes fields that have values, each under its header.
pub(super) fn write_fields(values: &[(&Field, Option<&Value>)]) -> Content {
    let mut out = Content::new();
    for (field, value) in values {
        write(&mut out, &field.name);
        if let Some(value) = value {
            write_value(field, value, &mut out);
        }
    }
    out
}

/// Splits an answer at its headers. Text before the first one, inputs that the model repeats, and unknown headers
/// are left out; a field that comes twice keeps its first text that is not empty.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Sections<'a> {
    let mut sections = Sections::new();
    let mut open: Option<(Target, usize)> = None;
    let mut empty: Vec<usize> = Vec::new();
    let mut close = |open: Option<(Target, usize)>, end: usize, sections: &mut Sections<'a>| {
        if let Some((Target::Output(index), start)) = open {
            let value = trim_outer(&text[start..end]);
            if value.is_empty() {
                empty.push(index);
            } else {
                sections.insert(index, Section::text(value));
            }
        }
    };
    for found in Headers::new(spec, text) {
        close(open, found.start, &mut sections);
        open = Some((found.target, found.end));
        if found.target == Target::Completed && !sections.is_empty() {
            sections.ended = true;
            break;
        }
    }
    close(open.filter(|(target, _)| *target != Target::Completed), text.len(), &mut sections);
    for index in empty {
        sections.insert(index, Section::text(""));
    }
    sections
}

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The output at this position of the specification.
    Output(usize),
    /// The end of the answer.
    Completed,
    /// An input, which the model repeats.
    Input,
    /// A field that nobody asked for.
    Unknown,
}

#[derive(Debug)]
struct Header {
    /// Where the header begins, with its decoration.
    start: usize,
    /// Where the value begins.
    end: usize,
    target: Target,
}

struct Headers<'a> {
    spec: &'a SignatureSpec,
    text: &'a str,
    at: usize,
    /// Where the current line begins, as far as `seen` tells.
    line: usize,
    seen: usize,
}

impl<'a> Headers<'a> {
    fn new(spec: &'a SignatureSpec, text: &'a str) -> Self {
        Self { spec, text, at: 0, line: 0, seen: 0 }
    }
}

/// What a header of this name announces.
pub(super) fn target(spec: &SignatureSpec, name: &str) -> Target {
    if name.eq_ignore_ascii_case("completed") {
        return Target::Completed;
    }
    match position(spec, name) {
        Some(index) if spec.fields[index].role == FieldRole::Output => Target::Output(index),
        Some(_) => Target::Input,
        None => Target::Unknown,
    }
}

impl Iterator for Headers<'_> {
    type Item = Header;

    fn next(&mut self) -> Option<Header> {
        loop {
            let from = self.at + self.text.get(self.at..)?.find("[")?;
            // What fails here fails at the next bracket of the same run, too.
            let run = self.text[from..].len() - self.text[from..].trim_start_matches('[').len();
            self.at = from + run;
            let Some((name, len)) = bracketed(&self.text[from..]) else { continue };
            if let Some(newline) = self.text[self.seen..from].rfind('\n') {
                self.line = self.seen + newline + 1;
            }
            self.seen = from;
            let lead = &self.text[self.line..from];
            let Some((target, tail)) = counts(self.spec, &self.text[from..], (name, len), Some(lead)) else {
                continue;
            };
            let at_line_start = lead.chars().all(is_decoration);
            self.at = from + len + tail;
            return Some(Header {
                start: if at_line_start { self.line } else { from },
                end: self.at,
                target,
            });
        }
    }
}

/// What the header at the start of `text` announces, and the length of the decoration behind it; `None` when it does
/// not count. `lead` is what stands before it on its line; `None` when that cannot be decoration.
pub(super) fn counts(
    spec: &SignatureSpec,
    text: &str,
    (name, len): (&str, usize),
    lead: Option<&str>,
) -> Option<(Target, usize)> {
    let target = target(spec, name);
    let decoration = lead.filter(|lead| lead.chars().all(is_decoration));
    // Inside a line only the exact form of a known name counts, and of an unknown name only the exact form on a line
    // of its own: text may speak of headers.
    let known = target != Target::Unknown;
    let exact = || text[..len] == format!("[[ ## {name} ## ]]");
    let counts = if decoration.is_some() { known || exact() } else { known && exact() };
    let after = &text[len..];
    let tail = after.len() - after.trim_start_matches(TAIL).len();
    // A decoration is taken off behind the header only if one stands before it.
    let plain = lead.is_some_and(|lead| lead.trim().is_empty());
    counts.then_some((target, if plain && !after.starts_with(':') { 0 } else { tail }))
}

/// What may stand behind a header as a part of it.
pub(super) const TAIL: [char; 4] = ['*', '_', '`', ':'];

pub(super) fn is_decoration(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '#' | '_' | '>' | '`' | '-' | '•')
}

/// The name in a header at the start of `text`, and the header's length: `[[ ## name ## ]]` with any spacing, with
/// one bracket or two, and with the marks of at least one side.
pub(super) fn bracketed(text: &str) -> Option<(&str, usize)> {
    let double = text.starts_with("[[");
    let inner = text.trim_start_matches('[');
    let opened = inner.trim_start_matches([' ', '\t']);
    let hashes = opened.trim_start_matches('#');
    let marked = hashes.len() < opened.len();
    let body = hashes.trim_start_matches([' ', '\t', '*', '`']);
    let name_len =
        body.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ' '))).unwrap_or(body.len());
    let name = body[..name_len].trim();
    let rest = body[name_len..].trim_start_matches([' ', '\t', '*', '`', ':']);
    let closed = rest.trim_start_matches('#');
    let marked = marked || closed.len() < rest.len();
    let closed = closed.trim_start_matches([' ', '\t']);
    let close = if closed.starts_with("]]") { 2 } else { usize::from(closed.starts_with(']')) };
    if name.is_empty()
        || !marked
        || close == 0
        || (!double && close == 1 && !(hashes.len() < opened.len() && rest.starts_with('#')))
    {
        return None;
    }
    Some((name, text.len() - closed.len() + close))
}

/// The position of a field by name, whatever its case and separators.
pub(super) fn position(spec: &SignatureSpec, name: &str) -> Option<usize> {
    spec.position(name).or_else(|| {
        let mut same = spec.fields.iter().enumerate().filter(|(_, f)| same_name(&f.name, name));
        let (index, _) = same.next()?;
        same.next().is_none().then_some(index)
    })
}

/// Whether two names differ in case and separators only.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let letters = |s: &str| -> Vec<char> {
        s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    letters(a) == letters(b)
}

/// Whether a line that names this field in another way than by its header may stand for it.
pub(super) fn named_by(field: &Field, label: &str) -> bool {
    same_name(&field.name, label) || same_name(&field.prefix, label)
}

/// Takes blank lines from both ends, and the space around a text of one line; the indentation of a longer text
/// stays.
pub(super) fn trim_outer(text: &str) -> &str {
    let text = text.trim_end();
    let first = text.len() - text.trim_start().len();
    if !text.trim_start().contains('\n') {
        return text.trim_start();
    }
    match text[..first].rfind('\n') {
        Some(newline) => &text[newline + 1..],
        // The value begins on the line of its header.
        None => text.trim_start(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::TypeInfo;

    fn spec() -> SignatureSpec {
        let text = TypeInfo::of::<String>();
        SignatureSpec::new(
            "Qa",
            "",
            vec![
                Field::input("question", text.clone()),
                Field::output("reasoning", text.clone()),
                Field::output("final_answer", text),
            ],
        )
    }

    fn read(text: &str) -> Vec<(String, String)> {
        let spec = spec();
        let mut found: Vec<_> = split(&spec, text)
            .into_iter()
            .map(|(i, s)| (i, (spec.fields[i].name.clone(), s.text.into_owned())))
            .collect();
        found.sort_by_key(|(i, _)| *i);
        found.into_iter().map(|(_, f)| f).collect()
    }

    fn both(reasoning: &str, answer: &str) -> Vec<(String, String)> {
        vec![("reasoning".into(), reasoning.into()), ("final_answer".into(), answer.into())]
    }

    #[test]
    fn reads_headers_as_models_write_them() {
        for text in [
            "[[ ## reasoning ## ]]\nbecause\n\n[[ ## final_answer ## ]]\n42\n\n[[ ## completed ## ]]",
            "[[ ## reasoning ## ]] because\n[[ ## final_answer ## ]] 42 [[ ## completed ## ]]",
            "[[ ## reasoning ## ]] because [[ ## final_answer ## ]] 42",
            "   [[ ## reasoning ## ]]\n  because\n   [[ ## final_answer ## ]]\n42",
            "**[[ ## reasoning ## ]]**\nbecause\n**[[ ## final_answer ## ]]**\n42",
            "### [[ ## reasoning ## ]]\nbecause\n### [[ ## Final Answer ## ]]\n42\n### [[ ## Completed ## ]]",
            "[[##reasoning##]]\nbecause\n[[##final_answer##]]\n42\n[[##completed##]]",
            "[[ reasoning ## ]]\nbecause\n[[ ## final_answer ]]\n42",
            "[ ## reasoning ## ]\nbecause\n[ ## final-answer ## ]\n42",
            "`[[ ## reasoning ## ]]`\nbecause\n`[[ ## final_answer ## ]]`\n42",
            "[[ ## final_answer ## ]]\n42\n[[ ## reasoning ## ]]\nbecause\n[[ ## completed ## ]]",
            "Sure!\n[[ ## question ## ]]\nwhat?\n[[ ## reasoning ## ]]\nbecause\n[[ ## final_answer ## ]]\n42",
            "[[ ## reasoning ## ]]\n\n[[ ## reasoning ## ]]\nbecause\n[[ ## final_answer ## ]]\n42\n\
             [[ ## completed ## ]]\n\n[[ ## question ## ]]\nnext\n[[ ## final_answer ## ]]\n43",
            "[[ ## reasoning ## ]]:\nbecause\n[[ ## final_answer ## ]]: 42",
        ] {
            assert_eq!(read(text), both("because", "42"), "{text}");
        }
    }

    #[test]
    fn text_that_speaks_of_headers_stays_text() {
        assert_eq!(
            read(
                "[[ ## reasoning ## ]]\nlists look like [[1, 2], [3]] and [[wiki]] and a [x] box\n[[ ## final_answer ## ]]\nx"
            ),
            both("lists look like [[1, 2], [3]] and [[wiki]] and a [x] box", "x")
        );
        assert_eq!(
            read(
                "[[ ## reasoning ## ]]\n[[ ## **bold** ]]\n[[ ## notes ## ]]\nmine\n[[ ## final_answer ## ]]\nx"
            ),
            both("[[ ## **bold** ]]", "x"),
            "of unknown fields only exact headers count"
        );
        assert!(read("[[1, 2], [3, 4]]").is_empty());
        assert!(read("").is_empty());
        assert!(read("[[ ## ").is_empty());
        assert!(read("[[ ## ü").is_empty());
    }

    #[test]
    fn code_keeps_its_indentation() {
        assert_eq!(
            read("[[ ## reasoning ## ]]\n\n    let a = 1;\n      b();\n\n[[ ## final_answer ## ]]\n x "),
            both("    let a = 1;\n      b();", "x")
        );
    }

    #[test]
    fn a_field_may_be_empty() {
        assert_eq!(read("[[ ## reasoning ## ]]\n[[ ## final_answer ## ]]\n42"), both("", "42"));
    }
}
