//! Finding `[[ ## name ## ]]` headers while an answer arrives.

use super::{
    headers,
    lines::{self, Fence, Header, LONGEST_HEADING, LONGEST_LEAD, TAIL, Target},
    names::required,
    splitter::{Piece, Splitter},
};
use crate::{signature::SignatureSpec, value::Form};

/// Finds headers as [`headers::split`] does. What may be the beginning of one is held back until more of the text has
/// come; where only the end of the answer tells what a line is, everything from there on is.
#[derive(Debug)]
pub(super) struct HeaderSplitter {
    spec: SignatureSpec,
    /// The answer so far, without thoughts before it.
    text: String,
    /// How much of it is dealt with.
    at: usize,
    /// How long it must be before it is worth another look.
    wait: usize,
    /// Whether thoughts may still stand at the beginning.
    thoughts: bool,
    place: Place,
    /// The code block that is open.
    block: Option<Fence>,
    /// Whether there was a header.
    begun: bool,
    /// The outputs that had one.
    headed: Vec<usize>,
    /// The outputs that have text.
    filled: Vec<usize>,
    open: Open,
    /// What was given out of the output at hand, and the space behind it, which may be none of it.
    given: String,
    space: String,
}

/// What the next character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The first one of a line.
    Start,
    /// The first one behind a header.
    Value,
    /// Within a line.
    Within,
    /// One of those that only the end of the answer can tell of.
    Unknown,
}

/// What the text at hand belongs to.
#[derive(Debug)]
enum Open {
    /// To nothing that anyone wants.
    Nothing,
    /// To an output of which there is only space so far; `true` while that stands on the header's line.
    Blank(usize, String, bool),
    /// To an output.
    Text(usize),
    /// To nothing, because the answer is complete.
    Completed,
}

/// What the beginning of a line is.
enum Begins {
    /// Not to be told before more has come.
    Later,
    /// Not to be told before the end of the answer.
    AtEnd,
    Header(Header),
    /// Text, with a backslash to leave out at this place.
    Guarded(usize),
    Block(Fence),
    Text,
}

impl HeaderSplitter {
    pub(super) fn new(spec: &SignatureSpec) -> Self {
        Self {
            spec: spec.clone(),
            text: String::new(),
            at: 0,
            wait: 0,
            thoughts: true,
            place: Place::Start,
            block: None,
            begun: false,
            headed: Vec::new(),
            filled: Vec::new(),
            open: Open::Nothing,
            given: String::new(),
            space: String::new(),
        }
    }

    fn run(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        while self.at < self.text.len() && !matches!(self.open, Open::Completed) {
            let on = match self.place {
                Place::Start => self.start(out),
                Place::Value => self.value(),
                Place::Within => self.within(out),
                Place::Unknown => false,
            };
            if !on {
                return;
            }
        }
    }

    /// Deals with the start of a line; whether it is known what it is.
    fn start(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> bool {
        self.place = Place::Within;
        match self.begins(&self.text[self.at..]) {
            Begins::Later => {
                self.place = Place::Start;
                return false;
            }
            Begins::AtEnd => {
                self.place = Place::Unknown;
                return false;
            }
            Begins::Header(header) => {
                self.at += header.end;
                self.place = Place::Value;
                self.header(header.target, out);
            }
            Begins::Guarded(backslash) => {
                self.give(backslash, out);
                self.at += 1;
            }
            Begins::Block(edge) => self.edge(edge),
            Begins::Text => {}
        }
        true
    }

    fn header(&mut self, target: Target, out: &mut dyn FnMut(Piece<'_>)) {
        self.close(out);
        self.begun = true;
        match target {
            Target::Output(output) => {
                self.headed.push(output);
                if !self.filled.contains(&output) {
                    self.open = Open::Blank(output, String::new(), true);
                }
            }
            Target::Completed if !self.filled.is_empty() => self.open = Open::Completed,
            _ => {}
        }
    }

    fn edge(&mut self, edge: Fence) {
        match self.block {
            Some(open) if edge.closes(open) => self.block = None,
            Some(_) => {}
            // A block that begins before the first header is around the answer.
            None if !self.begun => {}
            None => self.block = Some(edge),
        }
    }

    /// What the line is that begins here, of which all or a part has come.
    fn begins(&self, rest: &str) -> Begins {
        let end = rest.find('\n');
        let (line, whole) = (&rest[..end.unwrap_or(rest.len())], end.is_some());
        let later = |if_not: Begins| if whole { if_not } else { Begins::Later };
        let text = line.trim_start();
        if text.starts_with("```") || text.starts_with("~~~") {
            match Fence::on(line) {
                Some(edge) if whole => return Begins::Block(edge),
                Some(_) => return Begins::Later,
                None => {}
            }
        }
        if !whole && !text.is_empty() && "~~~".starts_with(text) {
            return Begins::Later;
        }
        let lead = lines::lead(line);
        let text = &line[lead..];
        if lead > LONGEST_LEAD {
            return Begins::Text;
        }
        if text.chars().all(|c| c.is_ascii_digit()) && text.len() <= 3 {
            return later(Begins::Text);
        }
        let header = text.trim_start_matches('\\');
        if header.is_empty() || header.starts_with('[') {
            return match lines::bracketed(header) {
                None if !whole && (header.is_empty() || lines::may_be_bracketed(header)) => Begins::Later,
                None => Begins::Text,
                Some(found) if header.len() < text.len() => match found.marked {
                    true => Begins::Guarded(lead),
                    false => Begins::Text,
                },
                Some(found) => {
                    let decided = !header[found.len..].trim_start_matches(TAIL).is_empty();
                    let quoted = line[..lead].contains('`');
                    if whole || decided && found.marked && !quoted {
                        self.bracketed(line)
                    } else {
                        Begins::Later
                    }
                }
            };
        }
        let wanted = |output: usize| required(&self.spec.fields[output]) && !self.headed.contains(&output);
        if !lines::heading_lead(&line[..lead]) || !(0..self.spec.fields.len()).any(wanted) {
            return Begins::Text;
        }
        match lines::heading(&self.spec, line) {
            _ if !whole && line.len() <= LONGEST_HEADING => Begins::Later,
            Some(output) if wanted(output) => Begins::AtEnd,
            _ => Begins::Text,
        }
    }

    /// What a line with brackets at its start is.
    fn bracketed(&self, line: &str) -> Begins {
        match lines::header(&self.spec, line) {
            None => Begins::Text,
            Some(Header { marked: false, target: Target::Output(output), .. })
                if self.headed.contains(&output) =>
            {
                Begins::Text
            }
            Some(header) if self.block.is_none() && header.marked => Begins::Header(header),
            Some(_) => Begins::AtEnd,
        }
    }

    /// Deals with what follows a header: a code block may begin there. Whether enough of it has come.
    fn value(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let end = rest.find('\n');
        let line = &rest[..end.unwrap_or(rest.len())];
        let text = line.trim_start();
        let edge = text.starts_with("```") || text.starts_with("~~~");
        if end.is_none() && (edge || "```".starts_with(text) || "~~~".starts_with(text)) {
            return false;
        }
        let edge = Fence::on(line);
        self.place = Place::Within;
        if let Some(edge) = edge {
            self.edge(edge);
        }
        true
    }

    /// Gives out what is left of a line, up to what may be a header in it; whether the line has ended.
    fn within(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> bool {
        let rest = &self.text[self.at..];
        let end = rest.find('\n').map(|newline| newline + 1);
        let line = &rest[..end.unwrap_or(rest.len())];
        // What fails at the first bracket of a run fails at the others, too.
        let first = |at: &usize| !line[..*at].ends_with('[');
        let held = line.match_indices('[').map(|(at, _)| at).filter(first).find(|at| self.may_count(*at));
        let len = held.unwrap_or(line.len());
        self.give(len, out);
        if held.is_none() && end.is_some() {
            self.place = Place::Start;
        }
        held.is_none() && end.is_some()
    }

    /// Whether a bracket within the line may yet prove to be that of a header.
    fn may_count(&self, at: usize) -> bool {
        let text = &self.text[self.at + at..];
        match lines::bracketed(text) {
            None => lines::may_be_bracketed(text),
            Some(found) if !found.marked => false,
            Some(found) => {
                // The end marker, at the end of the answer or before a header; or any header, in an answer that is one
                // line.
                let behind = text[found.len..].trim_start();
                let last = behind[lines::lead(behind)..].is_empty()
                    || behind[lines::lead(behind)..].starts_with('[');
                match lines::target(&self.spec, found.name) {
                    Target::Completed => last,
                    Target::Output(_) => !self.text.trim().contains('\n'),
                    _ => false,
                }
            }
        }
    }

    /// Drops thoughts that a reasoning model wrote before its answer; whether it is known that there are no more.
    fn skip_thoughts(&mut self, ended: bool) -> bool {
        let text = self.text.trim_start();
        for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
            if text.starts_with(open) {
                if let Some(end) = self.text.find(close) {
                    self.text.drain(..end + close.len());
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

    /// Gives out the next `len` bytes.
    fn give(&mut self, len: usize, out: &mut dyn FnMut(Piece<'_>)) {
        let text = &self.text[self.at..self.at + len];
        self.at += len;
        let core = text.trim_end();
        match &mut self.open {
            Open::Text(_) if core.is_empty() => self.space.push_str(text),
            Open::Text(_) => {
                if !self.space.is_empty() {
                    out(Piece::Text(&self.space));
                }
                out(Piece::Text(core));
                self.given.push_str(&self.space);
                self.given.push_str(core);
                self.space.clear();
                self.space.push_str(&text[core.len()..]);
            }
            Open::Blank(output, blank, on_line) => {
                let start = text.len() - text.trim_start().len();
                // Space on the header's line belongs to the header.
                let space = &text[..start];
                let space = if *on_line { space.trim_start_matches([' ', '\t']) } else { space };
                *on_line &= space.is_empty();
                blank.push_str(space);
                if core.is_empty() {
                    return;
                }
                out(Piece::Begin(*output, Form::Text));
                if !blank.is_empty() {
                    out(Piece::Text(blank));
                }
                out(Piece::Text(&core[start..]));
                self.given.clear();
                self.given.push_str(&core[start..]);
                self.space.clear();
                self.space.push_str(&text[core.len()..]);
                self.filled.push(*output);
                self.open = Open::Text(*output);
            }
            Open::Nothing | Open::Completed => {}
        }
    }

    fn close(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if let Open::Text(_) = self.open {
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
        self.text.push_str(text);
        if self.text.len() < self.wait || self.thoughts && !self.skip_thoughts(false) {
            return;
        }
        self.run(out);
        // A long text that is held back is looked at again when it has grown by a part of itself.
        self.wait = self.text.len() + (self.text.len() - self.at) / 8;
    }

    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if matches!(self.open, Open::Completed) {
            return;
        }
        if self.thoughts {
            self.skip_thoughts(true);
        }
        let text = std::mem::take(&mut self.text);
        let found = headers::split(&self.spec, &text);
        if let Open::Text(output) = self.open {
            let whole = found.get(output).map(|section| section.text.trim_start());
            if let Some(rest) =
                whole.and_then(|text| text.strip_prefix(&*self.given)).filter(|r| !r.is_empty())
            {
                out(Piece::Text(rest));
            }
            self.close(out);
        }
        for (output, section) in found.iter() {
            if !section.text.is_empty() && !self.filled.contains(&output) {
                out(Piece::Begin(output, Form::Text));
                if section.text.starts_with(char::is_whitespace) {
                    // An indented text begins below its header.
                    out(Piece::Text("\n"));
                }
                out(Piece::Text(&section.text));
                out(Piece::End);
            }
        }
        self.open = Open::Completed;
    }
}
