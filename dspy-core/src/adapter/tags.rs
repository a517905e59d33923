//! Writing `<name>…</name>` tags, and finding them in an answer.

use super::headers::trim_outer;
use crate::{
    signature::{FieldRole, Section, Sections, SignatureSpec},
    value::Content,
};

pub(super) fn open(out: &mut Content, name: &str) {
    if !out.is_empty() {
        out.push_str("\n\n");
    }
    out.push_str(&format!("<{name}>\n"));
}

pub(super) fn close(out: &mut Content, name: &str) {
    out.push_str(&format!("\n</{name}>"));
}

/// Finds the outputs between their tags. A missing closing tag is made good by the next field's opening one, or by
/// the end.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Sections<'a> {
    let outputs = || spec.fields.iter().enumerate().filter(|(_, f)| f.role == FieldRole::Output);
    let opening = |name: &str, from: usize| {
        let tag = format!("<{name}>");
        text[from..].find(&tag).map(|at| (from + at, from + at + tag.len()))
    };
    let mut sections = Sections::new();
    sections.ended = true;
    for (index, field) in outputs() {
        let Some((_, start)) = opening(&field.name, 0) else { continue };
        let close = text[start..].find(&format!("</{}>", field.name)).map(|at| start + at);
        let next = || outputs().filter_map(|(_, other)| opening(&other.name, start)).map(|(at, _)| at).min();
        let end = close.or_else(next).unwrap_or_else(|| {
            sections.ended = false;
            text.len()
        });
        sections.insert(index, Section::text(trim_outer(&text[start..end])));
    }
    sections
}
