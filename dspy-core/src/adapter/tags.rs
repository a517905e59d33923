//! Writing `<name>…</name>` tags, and finding them in an answer.

use super::{
    elements,
    markup::{self, Kind, Tag},
    names::{position, required},
};
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

/// Finds the outputs between their tags, which are matched by balance. A missing closing tag is made good by the next
/// field's opening one, or by the end. Tags of a list that come again are its items; any other field that comes twice
/// keeps its first text that is not empty.
pub(super) fn split<'a>(spec: &SignatureSpec, text: &'a str) -> Sections<'a> {
    let output = |name: &str| position(spec, name).filter(|at| spec.fields[*at].role == FieldRole::Output);
    let tags: Vec<_> = markup::tags(text, 0).filter_map(|tag| Some((output(tag.name)?, tag))).collect();
    let mut found = Found { text, tags, contents: Vec::new(), ended: true };
    let mut next = 0;
    while next < found.tags.len() {
        next = found.take(next, &|field| elements::is_list(&spec.fields[field]));
    }
    // A field may stand within another.
    for (field, _) in spec.fields.iter().enumerate().filter(|(_, field)| required(field)) {
        let inner = found.tags.iter().position(|(at, tag)| *at == field && tag.kind == Kind::Open);
        if let Some(inner) = inner.filter(|_| found.contents.iter().all(|(at, _)| *at != field)) {
            found.take(inner, &|_| false);
        }
    }
    let mut sections = Sections::new();
    sections.ended = found.ended;
    for (field, _) in &found.contents {
        if sections.get(*field).is_none() {
            let contents = found.contents.iter().filter(|(at, _)| at == field).map(|(_, text)| *text);
            sections.insert(*field, section(spec, *field, &contents.collect::<Vec<_>>()));
        }
    }
    sections
}

/// The value of a field from what stands in its tags.
fn section<'a>(spec: &SignatureSpec, field: usize, contents: &[&'a str]) -> Section<'a> {
    if let Some(value) = elements::value(&spec.fields[field], contents) {
        return Section::json(value.to_string());
    }
    let first = contents.iter().find(|text| !text.trim().is_empty()).copied().unwrap_or_default();
    Section::text(elements::content(first))
}

/// What was found of an answer.
struct Found<'a> {
    text: &'a str,
    /// The tags of the outputs.
    tags: Vec<(usize, Tag<'a>)>,
    /// What stands in them, by field.
    contents: Vec<(usize, &'a str)>,
    ended: bool,
}

impl Found<'_> {
    /// Takes what the tag at this place opens; where to go on.
    fn take(&mut self, at: usize, list: &dyn Fn(usize) -> bool) -> usize {
        let (field, tag) = self.tags[at];
        match tag.kind {
            Kind::Close => return at + 1,
            Kind::Empty => {
                self.contents.push((field, ""));
                return at + 1;
            }
            Kind::Open => {}
        }
        let close = self.balanced(at).or_else(|| self.unbalanced(at, list(field)));
        let next = close.map_or_else(
            || {
                let other =
                    |(of, tag): &(usize, Tag<'_>)| tag.kind != Kind::Close && (*of != field || list(field));
                self.tags[at + 1..].iter().position(other).map(|next| at + 1 + next)
            },
            Some,
        );
        self.ended &= next.is_some();
        let end = next.map_or(self.text.len(), |next| self.tags[next].1.start);
        self.contents.push((field, &self.text[tag.end..end]));
        next.map_or(self.tags.len(), |next| if close.is_some() { next + 1 } else { next })
    }

    /// The closing tag that balances the opening one, or the last of several in a row: a text may speak of it.
    fn balanced(&self, at: usize) -> Option<usize> {
        let field = self.tags[at].0;
        let (mut depth, mut close) = (1_usize, None::<usize>);
        for (i, (of, tag)) in self.tags.iter().enumerate().skip(at + 1) {
            match (close, *of == field, tag.kind) {
                (None, true, Kind::Open) => depth += 1,
                (None, true, Kind::Close) => {
                    depth -= 1;
                    close = (depth == 0).then_some(i);
                }
                (Some(last), true, Kind::Close) => {
                    let between = &self.text[self.tags[last].1.end..tag.start];
                    if between.trim().is_empty() {
                        break;
                    }
                    close = Some(i);
                }
                (Some(_), _, Kind::Open | Kind::Empty) => break,
                _ => {}
            }
        }
        close
    }

    /// The closing tag of an opening one that more of its kind follow than are closed.
    fn unbalanced(&self, at: usize, list: bool) -> Option<usize> {
        let field = self.tags[at].0;
        let mut close = None;
        for (i, (of, tag)) in self.tags.iter().enumerate().skip(at + 1) {
            match (*of == field, tag.kind) {
                (true, Kind::Close) => close = Some(i),
                (true, Kind::Open) if list => break,
                (false, Kind::Open) if close.is_some() => break,
                _ => {}
            }
        }
        close
    }
}
