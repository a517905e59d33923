//! Reading an answer that has nothing of the format asked for, but leaves no doubt.

use super::{
    NoStructure,
    headers::{self, trim_outer},
    lines::heading,
    names::{complete, labelled},
    object, tags,
};
use crate::{
    signature::{FieldRole, Section, Sections, SignatureSpec},
    value::Kind,
};

/// The answer behind thoughts that a reasoning model wrote into its text, as `<think>…</think>`. The opening tag may
/// be missing, because some servers put it into the prompt; then the closing one must end a line, and the text may not
/// begin as an answer does.
pub(super) fn without_thoughts(text: &str) -> &str {
    if !text.contains('<') {
        return text;
    }
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        let Some(end) = text.find(close) else { continue };
        let after = &text[end + close.len()..];
        let thoughts = match text.find(open).filter(|at| *at < end) {
            Some(start) => text[..start].trim().is_empty(),
            None => {
                after.starts_with(['\n', '\r']) && !text.trim_start().starts_with(['[', '{', '<', '`', '~'])
            }
        };
        if thoughts {
            return after;
        }
    }
    text
}

/// Splits an answer that has nothing of the format asked for: headers, a JSON object with the outputs, tags,
/// `Name: value` lines and headings, or the whole text when there is only one output.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Result<Sections<'a>, NoStructure> {
    let whole = |sections: Sections<'a>| Some(sections).filter(|s| complete(spec, s));
    whole(headers::split(spec, text))
        .or_else(|| whole(object::split(spec, text)?))
        .or_else(|| whole(tags::split(spec, text)))
        .or_else(|| whole(labels(spec, text)?))
        .or_else(|| lone(spec, text))
        .ok_or(NoStructure)
}

/// What was found of an answer in the format asked for; if that lacks outputs, a JSON object in it that has them all.
pub(super) fn or_object<'a>(spec: &SignatureSpec, text: &'a str, found: Sections<'a>) -> Sections<'a> {
    if complete(spec, &found) {
        return found;
    }
    object::split(spec, text).filter(|object| complete(spec, object)).unwrap_or(found)
}

/// `Name: value` at the start of a line, or a heading that is a name: each output once.
fn labels<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let body = headers::before_end(spec, text);
    let ended = body.is_some();
    let text = body.unwrap_or(text);
    // The output, where its label begins, and where its value does.
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let named = heading(spec, line).map(|output| (output, line.len()));
        let Some((output, end)) = named.or_else(|| label(spec, line)) else { continue };
        if found.iter().any(|(i, ..)| *i == output) {
            return None;
        }
        found.push((output, start, start + end));
    }
    let mut sections = Sections::new();
    for (n, (output, _, value)) in found.iter().enumerate() {
        let end = found.get(n + 1).map_or(text.len(), |(_, start, _)| *start);
        sections.insert(*output, Section::text(trim_outer(&text[*value..end])));
    }
    (sections.guessed, sections.ended) = (true, ended);
    Some(sections)
}

/// The output that a line `Name: value` names, and where its value begins.
fn label(spec: &SignatureSpec, line: &str) -> Option<(usize, usize)> {
    let colon = line.find([':', '：']).filter(|at| *at < 80)?;
    let label = line[..colon].trim_matches(|c: char| c.is_whitespace() || "*#_`>-".contains(c));
    // Within JSON, it is a key.
    let output = labelled(spec, label).filter(|_| !label.contains(['{', '[', '"']))?;
    let value = line[colon..].trim_start_matches([':', '：']).trim_start_matches(['*', '_', '`']);
    Some((output, line.len() - value.len()))
}

/// The whole text, for the only output: a text of one line, or of any length before the end marker, or whatever another
/// type can be read from.
fn lone<'a>(spec: &SignatureSpec, text: &'a str) -> Option<Sections<'a>> {
    let mut outputs = spec.fields.iter().enumerate().filter(|(_, f)| f.role == FieldRole::Output);
    let (output, field) = outputs.next()?;
    let ended = headers::before_end(spec, text);
    let value = ended.unwrap_or(text).trim();
    let header =
        value.match_indices("[[").any(|(at, open)| value[at + open.len()..].trim_start().starts_with('#'));
    if outputs.next().is_some() || value.is_empty() || header {
        return None;
    }
    let text = matches!(field.kind(), Kind::Text | Kind::Reasoning);
    if text && value.contains('\n') && ended.is_none() {
        return None;
    }
    let mut sections = Sections::new();
    sections.insert(output, Section::text(value));
    (sections.guessed, sections.ended) = (true, ended.is_some());
    Some(sections)
}
