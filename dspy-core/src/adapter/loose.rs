//! Reading an answer that has nothing of the format asked for, but leaves no doubt.

use super::{
    NoStructure,
    headers::{self, named_by, trim_outer},
    object, tags,
};
use crate::{
    signature::{FieldRole, Section, Sections, SignatureSpec},
    value::Kind,
};

/// The answer behind thoughts that a reasoning model wrote into its text, as `<think>…</think>`. The opening tag may
/// be missing, because some servers put it into the prompt; then the closing one must end a line.
pub(super) fn without_thoughts(text: &str) -> &str {
    if !text.contains('<') {
        return text;
    }
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        let Some(end) = text.find(close) else { continue };
        let after = &text[end + close.len()..];
        let thoughts = match text.find(open).filter(|at| *at < end) {
            Some(start) => text[..start].trim().is_empty(),
            None => after.starts_with(['\n', '\r']),
        };
        if thoughts {
            return after;
        }
    }
    text
}

/// Splits an answer that has nothing of the format asked for: headers, a JSON object with the outputs, tags,
/// `Name: value` lines, or the whole text when there is only one output.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Result<Sections<'a>, NoStructure> {
    let whole = |sections: Sections<'a>| Some(sections).filter(|s| !s.is_empty() && complete(spec, s));
    whole(headers::split(spec, text))
        .or_else(|| object::split(spec, text).and_then(whole))
        .or_else(|| whole(tags::split(spec, text)))
        .or_else(|| whole(lines(spec, text)?))
        .or_else(|| lone(spec, text))
        .ok_or(NoStructure)
}

/// Whether every output that cannot be done without was found.
fn complete(spec: &SignatureSpec, sections: &Sections<'_>) -> bool {
    spec.fields
        .iter()
        .enumerate()
        .all(|(i, f)| f.role == FieldRole::Input || f.default.is_some() || sections.get(i).is_some())
}

/// `Name: value`, each output once, at the start of a line.
fn lines<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, here) = (at, line);
        at += line.len();
        let Some(colon) = here.find(':').filter(|c| *c < 80) else { continue };
        let label = here[..colon].trim_matches(|c: char| c.is_whitespace() || "*#_`>-\"".contains(c));
        let mut named = spec
            .fields
            .iter()
            .enumerate()
            .filter(|(_, f)| f.role == FieldRole::Output && !label.is_empty() && named_by(f, label));
        let Some((index, _)) = named.next() else { continue };
        let after = &here[colon + 1..];
        let bold = after.len() - after.trim_start_matches(['*', '_', '`']).len();
        if found.iter().any(|(i, ..)| *i == index) {
            return None;
        }
        found.push((index, start, start + colon + 1 + bold));
    }
    let mut sections = Sections::new();
    for (n, (index, _, value)) in found.iter().enumerate() {
        let end = found.get(n + 1).map_or(text.len(), |(_, start, _)| *start);
        sections.insert(*index, Section::text(trim_outer(&text[*value..end])));
    }
    sections.guessed = true;
    Some(sections)
}

/// The whole text, for the only output: a text of one line, or whatever another type can be read from.
fn lone<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let mut outputs = spec.fields.iter().enumerate().filter(|(_, f)| f.role == FieldRole::Output);
    let (index, field) = outputs.next()?;
    let value = text.trim();
    if outputs.next().is_some() || value.is_empty() || value.contains("[[") {
        return None;
    }
    if matches!(field.kind(), Kind::Text | Kind::Reasoning) && value.contains('\n') {
        return None;
    }
    let mut sections = Sections::new();
    sections.insert(index, Section::text(value));
    sections.guessed = true;
    Some(sections)
}
