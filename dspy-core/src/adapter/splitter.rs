//! Finding the output fields of an answer while it arrives.

use std::fmt;

use super::headers::{self, Target, is_decoration};
use crate::{
    signature::{FieldRole, SignatureSpec},
    value::{Form, MemberPiece, MemberReader},
};

/// What a [`Splitter`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece<'a> {
    /// The text of the field at this position of the specification begins.
    Begin(usize, Form),
    /// Further text of the field that began last.
    Text(&'a str),
    /// Its text has ended.
    End,
}

/// Finds the output fields of an answer that arrives in pieces of any size, as [`Adapter::parse`](super::Adapter::parse)
/// finds them in the whole answer.
pub trait Splitter: fmt::Debug + Send {
    /// Takes the next piece of the answer.
    fn push(&mut self, text: &str, out: &mut dyn FnMut(Piece<'_>));

    /// Tells that the answer has ended.
    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>));
}

/// Finds the members of one JSON object.
#[derive(Debug)]
pub(super) struct ObjectSplitter {
    /// The positions of the outputs.
    outputs: Vec<usize>,
    members: MemberReader,
}

impl ObjectSplitter {
    pub(super) fn new(spec: &SignatureSpec) -> Self {
        let is_output = |at: &usize| spec.fields[*at].role == FieldRole::Output;
        let outputs = (0..spec.fields.len()).filter(is_output).collect();
        Self { outputs, members: MemberReader::new(spec.outputs().map(|field| field.name.as_str())) }
    }
}

/// Passes on what becomes of a member.
fn pass(outputs: &[usize], piece: MemberPiece<'_>, out: &mut dyn FnMut(Piece<'_>)) {
    match piece {
        MemberPiece::Begin(at) => {
            if let Some(field) = outputs.get(at) {
                out(Piece::Begin(*field, Form::Json));
            }
        }
        MemberPiece::Text(text) => out(Piece::Text(text)),
        MemberPiece::End => out(Piece::End),
    }
}

impl Splitter for ObjectSplitter {
    fn push(&mut self, text: &str, out: &mut dyn FnMut(Piece<'_>)) {
        self.members.push(text, &mut |piece| pass(&self.outputs, piece, out));
    }

    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        self.members.finish(&mut |piece| pass(&self.outputs, piece, out));
    }
}

/// Finds `[[ ## name ## ]]` headers. What may be the beginning of one is held back until more of the text has come.
#[derive(Debug)]
pub(super) struct HeaderSplitter {
    spec: SignatureSpec,
    /// What is not given out yet.
    held: String,
    /// How long that must be before it is worth another look.
    wait: usize,
    /// Whether thoughts may still stand at the beginning.
    thoughts: bool,
    /// Whether the line at hand has text that was given out.
    within: bool,
    open: Open,
    /// The fields that have text.
    filled: Vec<usize>,
}

/// What the text at hand belongs to.
#[derive(Debug)]
enum Open {
    /// To nothing that anyone wants.
    Nothing,
    /// To an output of which there is only space so far; `true` while that stands on the header's line.
    Blank(usize, String, bool),
    /// To an output.
    Text,
    /// To nothing, because the answer is complete.
    Completed,
}

/// Longer text in brackets is no header.
const LONGEST_HEADER: usize = 256;

impl HeaderSplitter {
    pub(super) fn new(spec: &SignatureSpec) -> Self {
        Self {
            spec: spec.clone(),
            held: String::new(),
            wait: 0,
            thoughts: true,
            within: false,
            open: Open::Nothing,
            filled: Vec::new(),
        }
    }

    fn run(&mut self, ended: bool, out: &mut dyn FnMut(Piece<'_>)) {
        if self.thoughts && !self.skip_thoughts(ended) {
            return;
        }
        while !matches!(self.open, Open::Completed) {
            let Some(at) = self.held.find('[') else {
                let len =
                    if ended { self.held.len() } else { self.held.trim_end_matches(is_decoration).len() };
                self.give(len, out);
                return;
            };
            let text = &self.held[at..];
            let run = text.len() - text.trim_start_matches('[').len();
            let found = headers::bracketed(text);
            let undecided = match found {
                Some((_, len)) => text[len..].trim_start_matches(headers::TAIL).is_empty(),
                None => may_be_header(text),
            };
            if undecided && !ended {
                let len = self.held[..at].trim_end_matches(is_decoration).len();
                self.give(len, out);
                return;
            }
            let line = self.held[..at].rfind('\n').map(|newline| newline + 1);
            let line = line.or((!self.within).then_some(0));
            let lead = line.map(|line| &self.held[line..at]);
            let header = found.and_then(|found| {
                let (target, tail) = headers::counts(&self.spec, text, found, lead)?;
                Some((target, at + found.1 + tail))
            });
            let Some((target, end)) = header else {
                self.give(at + run, out);
                continue;
            };
            let decorated = lead.is_some_and(|lead| lead.chars().all(is_decoration));
            let before = line.filter(|_| decorated).unwrap_or(at);
            let kept = self.held[..before].trim_end().len();
            self.give(kept, out);
            self.held.drain(..end - kept);
            self.within = true;
            self.close(out);
            self.open = match target {
                Target::Output(index) if !self.filled.contains(&index) => {
                    Open::Blank(index, String::new(), true)
                }
                Target::Completed if !self.filled.is_empty() => Open::Completed,
                _ => Open::Nothing,
            };
        }
    }

    /// Drops thoughts that a reasoning model wrote before its answer; whether it is known that there are no more.
    fn skip_thoughts(&mut self, ended: bool) -> bool {
        let text = self.held.trim_start();
        for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
            if text.starts_with(open) {
                if let Some(end) = self.held.find(close) {
                    self.held.drain(..end + close.len());
                } else if !ended {
                    return false;
                }
                self.thoughts = false;
                return true;
            }
            if open.starts_with(text) && !ended {
                return false;
            }
        }
        self.thoughts = false;
        true
    }

    /// Gives out the first `len` bytes of what is held.
    fn give(&mut self, len: usize, out: &mut dyn FnMut(Piece<'_>)) {
        if len == 0 {
            return;
        }
        let text = &self.held[..len];
        let (line, before) = match text.rfind('\n') {
            Some(newline) => (&text[newline + 1..], false),
            None => (text, self.within),
        };
        self.within = before || !line.chars().all(is_decoration);
        match &mut self.open {
            Open::Text => out(Piece::Text(text)),
            Open::Blank(index, blank, on_line) => {
                let core = text.trim_start();
                let space = &text[..text.len() - core.len()];
                // Space on the header's line belongs to the header.
                let space = if *on_line { space.trim_start_matches([' ', '\t']) } else { space };
                *on_line &= space.is_empty();
                blank.push_str(space);
                if !core.is_empty() {
                    self.filled.push(*index);
                    out(Piece::Begin(*index, Form::Text));
                    if !blank.is_empty() {
                        out(Piece::Text(blank));
                    }
                    out(Piece::Text(core));
                    self.open = Open::Text;
                }
            }
            Open::Nothing | Open::Completed => {}
        }
        self.held.drain(..len);
    }

    fn close(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if let Open::Text = self.open {
            out(Piece::End);
        }
        self.open = Open::Nothing;
    }
}

impl Splitter for HeaderSplitter {
    fn push(&mut self, text: &str, out: &mut dyn FnMut(Piece<'_>)) {
        if matches!(self.open, Open::Completed) {
            return;
        }
        self.held.push_str(text);
        if self.held.len() < self.wait {
            return;
        }
        self.run(false, out);
        // A long text that is held back is looked at again when it has grown by a part of itself.
        self.wait = self.held.len() + self.held.len() / 8;
    }

    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        self.run(true, out);
        if !matches!(self.open, Open::Completed) {
            self.close(out);
        }
    }
}

/// Whether a text that begins with a bracket may be the beginning of a header.
fn may_be_header(text: &str) -> bool {
    if text.len() > LONGEST_HEADER {
        return false;
    }
    let inner = text.trim_start_matches('[');
    let opened = inner.trim_start_matches([' ', '\t']);
    let hashes = opened.trim_start_matches('#');
    let body = hashes.trim_start_matches([' ', '\t', '*', '`']);
    let name = body.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
    let closed = name.trim_start_matches([' ', '\t', '*', '`', ':']).trim_start_matches('#');
    closed.trim_start_matches([' ', '\t']).trim_start_matches(']').is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{prelude::*, sample::Index};

    use super::*;
    use crate::{
        adapter::object,
        signature::{Field, Sections},
        value::TypeInfo,
    };

    fn spec() -> SignatureSpec {
        let text = TypeInfo::of::<String>();
        let outputs = ["answer", "completed_at", "x"].map(|name| Field::output(name, text.clone()));
        let mut fields = vec![Field::input("question", text)];
        fields.extend(outputs);
        SignatureSpec::new("S", "", fields)
    }

    fn found(splitter: &mut dyn Splitter, chunks: &[&str]) -> BTreeMap<usize, String> {
        let mut found = BTreeMap::new();
        let mut open = None;
        let mut out = |piece: Piece<'_>| match piece {
            Piece::Begin(field, _) => {
                found.insert(field, String::new());
                open = Some(field);
            }
            Piece::Text(text) => found.entry(open.unwrap_or_default()).or_default().push_str(text),
            Piece::End => open = None,
        };
        chunks.iter().for_each(|chunk| splitter.push(chunk, &mut out));
        splitter.finish(&mut out);
        found
    }

    fn whole(sections: &Sections<'_>) -> BTreeMap<usize, String> {
        let filled = sections.iter().filter(|(_, section)| !section.text.is_empty());
        filled.map(|(field, section)| (field, section.text.clone().into_owned())).collect()
    }

    fn cut<'t>(text: &'t str, cuts: &[Index]) -> Vec<&'t str> {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| *cut.get(&places)).chain([0, text.len()]).collect();
        at.sort_unstable();
        at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn headers_are_found_as_in_the_whole(parts in proptest::collection::vec(prop::sample::select(vec![
            "[[ ## answer ## ]]", "[[ ## completed_at ## ]]", "[[ ## x ## ]]", "[[ ## completed ## ]]", "[[ ## other ## ]]",
            "[[ ## question ## ]]", "[[##Answer##]]", "[ ## x ## ]", "[[ x ## ]]", "[[ ## ", " ## ]]", "[[", "]]", "[", "]", "#",
            "\n", "\n\n", " ", "  ", "\t", "**", "*", "`", ":", "- ", "> ", "### ", "text", "[x]", "[[1, 2]]", "answer", "é", "a b",
        ]), 0..24), cuts in proptest::collection::vec(any::<Index>(), 0..12)) {
            let (text, spec) = (parts.concat(), spec());
            let expected = whole(&headers::split(&spec, &text));
            let trimmed = |chunks: &[&str]| -> BTreeMap<usize, String> {
                let found = found(&mut HeaderSplitter::new(&spec), chunks);
                found.into_iter().map(|(field, text)| (field, headers::trim_outer(&text).to_owned())).collect()
            };
            prop_assert_eq!(trimmed(&cut(&text, &cuts)), expected.clone(), "{}", text);
            let characters: Vec<&str> = text.split("").filter(|c| !c.is_empty()).collect();
            prop_assert_eq!(trimmed(&characters), expected, "{}", text);
        }

        #[test]
        fn members_are_found_as_in_the_whole(
            values in proptest::collection::vec(prop::sample::select(vec![
                "1", "\"a\"", "\"a, b\"", "\"say \\\"hi\\\"\"", "[1, {\"x\": \"}\"}]", "{\"answer\": 2}", "null", "True", "'it'",
                "\"\\u00e9\"", "\"\"", "\"line\nbreak\"", "\"a \"b\" c\"",
            ]), 3),
            order in Just(vec!["answer", "Completed At", "x", "unknown"]).prop_shuffle(),
            around in prop::sample::select(vec![("", ""), ("```json\n", "\n```"), ("Here: ", " Done.")]),
            cuts in proptest::collection::vec(any::<Index>(), 0..12),
        ) {
            let spec = spec();
            let members: Vec<String> =
                order.iter().zip(values.iter().chain(["0"].iter())).map(|(name, value)| format!("\"{name}\": {value}")).collect();
            let text = format!("{}{{{}}}{}", around.0, members.join(",\n "), around.1);
            let expected = object::split(&spec, &text).map(|sections| whole(&sections)).unwrap_or_default();
            for chunks in [cut(&text, &cuts), text.split("").filter(|c| !c.is_empty()).collect()] {
                let found = found(&mut ObjectSplitter::new(&spec), &chunks);
                let trimmed: BTreeMap<_, _> =
                    found.into_iter().map(|(field, text)| (field, text.trim().to_owned())).collect();
                prop_assert_eq!(trimmed, expected.clone(), "{}", text);
            }
        }
    }
}
