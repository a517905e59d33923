//! A string whose end has not arrived.

use super::{
    super::lex::{self, Place, count},
    look::{self, Rest},
};

/// A string in quotes of which further pieces are read.
#[derive(Debug)]
pub(super) struct Quoted {
    place: Place,
    close: &'static [char],
    /// Three quotes that end it.
    triple: Option<&'static str>,
    /// Escapes stay as they are.
    raw: bool,
    /// How long it is so far, if it stands on one line and has had no quote yet.
    plain: Option<usize>,
}

/// What became of the text at hand.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Its end has not arrived.
    More,
    /// It has ended.
    End,
    /// It was no item of a list but the key behind a list that was not closed.
    Key,
}

/// The longest text that can be a key without its colon.
const LONGEST_PLAIN: usize = 128;

impl Quoted {
    /// The string that begins at the start, and the length of what opens it; `None` when more of the text decides.
    pub(super) fn open(rest: Rest<'_>, place: Place) -> Option<(Self, usize)> {
        let letter = usize::from(rest.text.starts_with(|c: char| c.is_ascii_alphabetic()));
        let raw = rest.text[..letter].eq_ignore_ascii_case("r");
        let string = &rest.text[letter..];
        let mut marks = ["\"\"\"", "'''"].into_iter();
        if rest.more && string.len() < 3 && marks.clone().any(|mark| mark.starts_with(string)) {
            return None;
        }
        let quote = string.chars().next()?;
        let triple = marks.find(|mark| string.starts_with(mark));
        let close = lex::closing(quote).unwrap_or(&['"']);
        let open = letter + triple.map_or(quote.len_utf8(), str::len);
        Some((Self { place, close, triple, raw, plain: Some(0) }, open))
    }

    /// Reads on: adds to `out`, and tells how much of the text was used.
    pub(super) fn read(&mut self, rest: Rest<'_>, out: &mut String) -> (usize, Step) {
        let Rest { text, more } = rest;
        if let Some(mark) = self.triple {
            return triple(rest, mark, out);
        }
        let bytes = text.as_bytes();
        // What was written to `out`, and how far the text is known.
        let (mut used, mut at) = (0, 0);
        while at < bytes.len() {
            count(1);
            let b = bytes[at];
            if b == b'\\' {
                if more && !look::knows_escape(&text[at + 1..]) {
                    return (self.give(text, used, at, out), Step::More);
                }
                out.push_str(&text[used..at]);
                let before = out.len();
                let len = 1 + lex::escape(&text[at + 1..], out, lex::Escapes::Json);
                if self.raw {
                    out.truncate(before);
                    out.push_str(&text[at..at + len]);
                }
                at += len;
                used = at;
                continue;
            }
            if b < 0x80 && !matches!(b, b'"' | b'\'' | b'`') {
                if b == b'\n' {
                    self.plain = None;
                }
                at += 1;
                continue;
            }
            let Some(c) = text[at..].chars().next() else { break };
            let next = at + c.len_utf8();
            if !self.close.contains(&c) {
                at = next;
                continue;
            }
            let Some(ends) = rest.behind(next).ends(self.place) else {
                return (self.give(text, used, at, out), Step::More);
            };
            let length = self.plain.take().map(|before| before + at - used);
            if ends {
                out.push_str(&text[used..at]);
                return (next, Step::End);
            }
            if self.place == Place::List
                && length.is_some_and(|length| length <= LONGEST_PLAIN)
                && lex::skip_blank(&text[next..]).starts_with([':', '：'])
            {
                out.push_str(&text[used..at]);
                return (next, Step::Key);
            }
            // The quote may belong to the next key, before which this text ends.
            if self.place == Place::Object && matches!(b, b'"' | b'\'') && before_comma(&text[used..at]) {
                let Some(len) = rest.behind(at).quoted_name(self.close) else {
                    return (self.give(text, used, at, out), Step::More);
                };
                if len > 0
                    && let Some(end) = lex::before_key(&text[..at + len]).filter(|end| *end >= used)
                {
                    out.push_str(&text[used..end]);
                    return (end, Step::End);
                }
            }
            at = next;
        }
        if more {
            return (self.give(text, used, at, out), Step::More);
        }
        out.push_str(&text[used..]);
        (text.len(), Step::End)
    }

    /// Gives out the text from `used` to `at`, but for an end that may not belong to it; how far it came.
    fn give(&mut self, text: &str, used: usize, at: usize, out: &mut String) -> usize {
        let piece = match self.place {
            Place::Object => text[used..at].trim_end_matches([',', ' ', '\t', '\n', '\r']),
            _ => &text[used..at],
        };
        out.push_str(piece);
        self.plain = self.plain.map(|before| before + piece.len()).filter(|length| *length <= LONGEST_PLAIN);
        used + piece.len()
    }
}

/// Whether a key can begin behind a text, because a comma or a new line stands before it.
fn before_comma(text: &str) -> bool {
    text.trim_end_matches([' ', '\t']).ends_with([',', '\n'])
}

fn triple(Rest { text, more }: Rest<'_>, mark: &str, out: &mut String) -> (usize, Step) {
    let end = text.find(mark);
    count(end.unwrap_or(text.len()));
    if let Some(end) = end {
        out.push_str(&text[..end]);
        return (end + mark.len(), Step::End);
    }
    // A part of the mark may have arrived.
    let kept = if more { text.len() - text.trim_end_matches(&mark[..1]).len() } else { 0 };
    let used = text.len() - kept.min(2);
    out.push_str(&text[..used]);
    (used, if more { Step::More } else { Step::End })
}
