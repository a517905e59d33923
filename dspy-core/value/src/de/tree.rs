//! A value as it is written, whatever type will ask for it: what models write in place of JSON, as a tree.

use std::borrow::Cow;

use super::{
    coercion::{CoercionKind, Notes},
    lex::{self, Place},
};

/// A value as it is written.
#[derive(Debug, Clone)]
pub(super) struct Node<'t> {
    /// Where it begins in the raw piece.
    pub(super) at: usize,
    /// All of its text.
    pub(super) source: &'t str,
    pub(super) kind: Kind<'t>,
    pub(super) notes: Notes,
    /// Why the inside of a list or an object cannot be told.
    pub(super) fault: Option<Box<Fault>>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind<'t> {
    /// A number, a literal, or text without quotes.
    Bare(&'t str),
    /// A string.
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Object(Vec<Member<'t>>),
    /// `Name(…)` or `Name {…}`.
    Call(&'t str, Box<Node<'t>>),
    /// Free text, which the type that asks understands.
    Free(Cow<'t, str>),
    /// Nothing, where a value should stand.
    Missing,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Member<'t> {
    pub(super) at: usize,
    pub(super) key: Cow<'t, str>,
    pub(super) value: Node<'t>,
}

/// What was expected, and where.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) expected: String,
    pub(super) found: String,
}

/// More levels of nesting than allowed; the place.
#[derive(Debug, Clone, Copy)]
pub(super) struct TooDeep(pub(super) usize);

impl<'t> Node<'t> {
    pub(super) fn new(at: usize, source: &'t str, kind: Kind<'t>) -> Self {
        Self { at, source, kind, notes: Notes::default(), fault: None }
    }

    /// Free text at a place.
    pub(super) fn free(at: usize, text: impl Into<Cow<'t, str>>) -> Self {
        Self::new(at, "", Kind::Free(text.into()))
    }

    /// Whether it is an object or a list of which nothing is missing.
    pub(super) fn complete(&self) -> bool {
        let cut = [CoercionKind::CutOff, CoercionKind::MissingClose].iter().any(|kind| self.notes.has(*kind));
        self.fault.is_none() && !cut
    }

    /// The only value of a list of one or an object of one key.
    pub(super) fn only(&self) -> Option<&Node<'t>> {
        match &self.kind {
            Kind::List(items) => match &items[..] {
                [only] => Some(only),
                _ => None,
            },
            Kind::Object(members) => match &members[..] {
                [only] => Some(&only.value),
                _ => None,
            },
            Kind::Call(_, inner) => Some(inner),
            _ => None,
        }
    }
}

/// A place in a text from which values are taken.
pub(super) struct Parser<'t> {
    text: &'t str,
    pub(super) pos: usize,
    /// Where the text begins in the raw piece.
    base: usize,
    place: Place,
    /// How many more levels there may be.
    depth: usize,
    notes: Notes,
}

/// The value that a text begins with.
pub(super) fn value(text: &str, base: usize, depth: usize) -> Result<(Node<'_>, usize), TooDeep> {
    let mut parser = Parser::new(text, base, depth);
    let node = parser.value(Place::Alone, false)?;
    Ok((node, parser.pos))
}

/// The value that a whole text is, or where what stands behind it begins.
pub(super) fn whole(text: &str, base: usize, depth: usize) -> Result<Result<Node<'_>, usize>, TooDeep> {
    let mut parser = Parser::new(text, base, depth);
    let mut node = parser.value(Place::Alone, false)?;
    Ok(match parser.finish() {
        true => {
            node.notes.extend(parser.notes.iter());
            Ok(node)
        }
        false => Err(base + parser.pos),
    })
}

/// The items of a list, or the entries of an object, that a text is without the brackets.
pub(super) fn inside(text: &str, base: usize, depth: usize, object: bool) -> Result<Node<'_>, TooDeep> {
    let mut parser = Parser::new(text, base, depth);
    let kind = if object { parser.entries(OPEN)? } else { parser.items(OPEN, false)? };
    let mut node = Node::new(base, text, kind.0);
    node.fault = kind.1;
    node.notes = parser.notes;
    node.notes.add(if object { CoercionKind::MissingOpen } else { CoercionKind::MissingBrackets });
    Ok(node)
}

/// In place of a closing bracket, where none was opened.
const OPEN: char = '\0';

type Inside<'t> = (Kind<'t>, Option<Box<Fault>>);

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, base: usize, depth: usize) -> Self {
        Self { text, pos: 0, base, place: Place::Alone, depth, notes: Notes::default() }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.pos..]
    }

    fn fault(&self, expected: impl Into<String>) -> Box<Fault> {
        let rest = self.rest().trim();
        let found = if rest.is_empty() { "the end" } else { rest.lines().next().unwrap_or_default() };
        Box::new(Fault { at: self.base + self.pos, expected: expected.into(), found: found.to_owned() })
    }

    /// Goes on to what is neither white space nor a comment.
    fn skip(&mut self) {
        loop {
            self.pos += lex::blank(self.rest());
            let Some(len) = lex::comment(self.rest()) else { return };
            if self.place == Place::Alone && self.rest().starts_with('#') {
                return;
            }
            self.notes.add(CoercionKind::Comment);
            self.pos += len;
        }
    }

    /// The next character that counts.
    fn head(&mut self) -> Option<char> {
        match self.text.as_bytes().get(self.pos) {
            Some(b @ (b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':' | b'a'..=b'z' | b'0'..=b'9')) => {
                return Some(char::from(*b));
            }
            _ => self.skip(),
        }
        let rest = self.rest();
        match rest.as_bytes().first() {
            Some(b'`') if rest.starts_with("```") => None,
            Some(b) if *b < 0x80 => Some(char::from(*b)),
            _ => rest.chars().next(),
        }
    }

    /// Whether nothing is left but white space and brackets too many.
    fn finish(&mut self) -> bool {
        self.place = Place::Alone;
        loop {
            match self.head() {
                None => return true,
                Some(';') => {}
                Some('}' | ']') => self.notes.add(CoercionKind::ExtraClose),
                Some(_) => return false,
            }
            self.pos += 1;
        }
    }

    /// The value that stands here; `keyed` where it is that of a key.
    fn value(&mut self, place: Place, keyed: bool) -> Result<Node<'t>, TooDeep> {
        self.place = place;
        let head = self.head();
        let start = self.pos;
        let outside = std::mem::take(&mut self.notes);
        let (kind, fault) = match head {
            None | Some(',' | '}' | ']') => (Kind::Missing, None),
            Some('{') if self.escaped() => {
                let len = lex::value_len(self.rest(), place);
                let text = lex::unescape(&self.rest()[..len]);
                self.pos += len;
                self.notes.add(CoercionKind::EscapedQuotes);
                (Kind::Text(text.into()), None)
            }
            Some('{') if self.is_set() => {
                self.notes.add(CoercionKind::Set);
                self.nested(|inner| inner.items('}', keyed))?
            }
            Some('{') => self.nested(|inner| inner.entries('}'))?,
            Some('[') => self.nested(|inner| inner.items(']', keyed))?,
            Some('(') => {
                self.notes.add(CoercionKind::Tuple);
                match self.named_arguments() {
                    true => self.nested(|inner| inner.entries(')'))?,
                    false => self.nested(|inner| inner.items(')', keyed))?,
                }
            }
            Some(c) if lex::closing(c).is_some() => (Kind::Text(self.quoted()), None),
            Some(_) => (self.bare()?, None),
        };
        let source = self.text[start..self.pos].trim_end();
        let notes = std::mem::replace(&mut self.notes, outside);
        self.place = place;
        Ok(Node { at: self.base + start, source, kind, notes, fault })
    }

    /// What stands between the brackets here, of which the opening one is passed over.
    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Inside<'t>, TooDeep>,
    ) -> Result<Inside<'t>, TooDeep> {
        let start = self.pos;
        self.depth = self.depth.checked_sub(1).ok_or(TooDeep(self.base + self.pos))?;
        self.pos += 1;
        let (kind, fault) = read(self)?;
        self.depth += 1;
        if fault.is_some() {
            // Goes on behind it, for what else there is.
            self.pos = self.pos.max(start + lex::value_len(&self.text[start..], Place::Alone));
        }
        Ok((kind, fault))
    }

    fn quoted(&mut self) -> Cow<'t, str> {
        let found = lex::quoted(self.rest(), self.place);
        self.pos += found.len;
        self.notes.extend(found.notes.into_iter().flatten());
        let mut text = found.text;
        // `"one, " + "two"`
        while let Some(next) = lex::skip_blank(self.rest()).strip_prefix('+').map(lex::skip_blank)
            && next.starts_with(['"', '\''])
        {
            self.pos = self.text.len() - next.len();
            let found = lex::quoted(next, self.place);
            self.pos += found.len;
            text.to_mut().push_str(&found.text);
            self.notes.add(CoercionKind::PrefixedText);
        }
        text
    }

    /// A value without quotes around it.
    fn bare(&mut self) -> Result<Kind<'t>, TooDeep> {
        if let Some(len) = self.plain() {
            let text = &self.rest()[..len];
            self.pos += len;
            return Ok(Kind::Bare(text));
        }
        if let Some(text) = self.prefixed() {
            return Ok(Kind::Text(text));
        }
        if let Some(call) = self.call()? {
            return Ok(call);
        }
        let len = lex::bare_len(self.rest(), self.place, false).unwrap_or(self.rest().len());
        let text = self.rest()[..len].trim_end();
        self.pos += len;
        let nested = self.place != Place::Alone;
        Ok(match text.strip_suffix('"').filter(|text| nested && !text.contains('"')) {
            _ if text.is_empty() => Kind::Missing,
            Some(text) => {
                self.notes.add(CoercionKind::MissingQuote);
                Kind::Text(text.into())
            }
            None => Kind::Bare(text),
        })
    }

    /// The length of a number or a literal as JSON writes it, when one stands here and ends here.
    fn plain(&self) -> Option<usize> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let number = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = match bytes.first()? {
            b'0'..=b'9' | b'-' => bytes.iter().take_while(|b| number(b)).count(),
            b't' | b'f' | b'n' | b'T' | b'F' | b'N' => {
                let words = ["true", "false", "null", "True", "False", "None"];
                let word = words.into_iter().find(|word| rest.starts_with(word))?;
                word.len()
            }
            _ => return None,
        };
        let behind = &rest[len + lex::blank(&rest[len..])..];
        let apart = behind.len() < rest.len() - len;
        let ended = match (behind.as_bytes(), self.place) {
            ([], _) | ([b']' | b'}', ..], Place::Object | Place::List) => true,
            ([b',' | b';', ..], Place::List) => true,
            ([b',' | b';', ..], Place::Object) => lex::key_follows(&behind[1..]),
            // A missing comma.
            ([b'"', ..], Place::Object) => apart || lex::quoted_key(behind),
            ([b'"', ..], Place::List) => apart,
            ([b'0'..=b'9' | b'-' | b'{' | b'[', ..], Place::List) => apart,
            _ => false,
        };
        ended.then_some(len)
    }

    /// A string with a letter before it, as Python writes raw and other strings.
    fn prefixed(&mut self) -> Option<Cow<'t, str>> {
        let rest = self.rest();
        let (letter, string) = rest.split_at_checked(1)?;
        if !"rRuUbBfF".contains(letter) || !string.starts_with(['"', '\'']) {
            return None;
        }
        let found = lex::quoted(string, self.place);
        self.pos += found.len + 1;
        self.notes.add(CoercionKind::PrefixedText);
        let cut = found.notes[0] == Some(CoercionKind::CutText);
        self.notes.extend(found.notes.into_iter().flatten());
        match letter.eq_ignore_ascii_case("r") && !cut {
            true => Some(string[1..found.len - 1].into()),
            false => Some(found.text),
        }
    }

    /// A call or a named structure, as in `Person(name='Bo')`, `set([1])` and `Circle { radius: 2 }`.
    fn call(&mut self) -> Result<Option<Kind<'t>>, TooDeep> {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(None);
        }
        let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':');
        let len = rest.bytes().take(64).take_while(part).count();
        let behind = rest[len..].trim_start_matches(' ');
        let opens = rest[len..].starts_with('(') || behind.starts_with('{');
        let name = rest[..len].trim_end_matches(':');
        if !opens || name.len() + 1 < len || (self.place != Place::Alone && name.len() < len) {
            return Ok(None);
        }
        let (pos, place, notes) = (self.pos, self.place, self.notes);
        self.pos += rest.len() - behind.len();
        let inner = self.value(place, false)?;
        // Words that go on behind it are a text.
        let ends = match self.head() {
            None | Some(',' | '}' | ']' | ')' | ';') => true,
            Some('"') => place != Place::Alone,
            Some(_) => false,
        };
        if !ends {
            (self.pos, self.place, self.notes) = (pos, place, notes);
            return Ok(None);
        }
        Ok(Some(Kind::Call(name, Box::new(inner))))
    }

    /// Whether the round bracket that stands here is around named arguments.
    fn named_arguments(&self) -> bool {
        let inside = self.rest()[1..].trim_start();
        let name = inside.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(inside.len());
        let behind = inside[name..].trim_start();
        name > 0 && behind.starts_with('=') && !behind.starts_with("==")
    }

    /// Whether the quotes of the structure that stands here are escaped, as if it were inside a string.
    fn escaped(&self) -> bool {
        let inside = &self.rest()[1..];
        let inside = &inside[lex::blank(inside)..];
        inside.starts_with("\\\"") || (inside.starts_with("\\n") && inside.contains("\\\""))
    }

    /// Whether the bracket `{` that stands here opens a set and not an object.
    fn is_set(&self) -> bool {
        // Far enough for a first item, and not to the end of a long text each time.
        let inside = lex::skip_blank(&self.rest()[1..]);
        let inside = &inside[..inside.char_indices().nth(1024).map_or(inside.len(), |(at, _)| at)];
        let len = match inside.as_bytes().first() {
            // The usual case: a key.
            Some(b'"') => match inside[1..].find('"') {
                Some(end) if inside[end + 2..].starts_with(':') => return false,
                _ if lex::unclosed_key(inside).is_some() => return false,
                _ => lex::quoted(inside, Place::Key).len,
            },
            Some(b'}') | None => return false,
            Some(b'{' | b'[' | b'(') => return true,
            _ => match inside.chars().next() {
                Some(c) if lex::closing(c).is_some() => lex::quoted(inside, Place::Key).len,
                _ => inside.find([':', '=', ',', '}', '\n']).unwrap_or(inside.len()),
            },
        };
        let behind = &inside[len..];
        matches!(behind.as_bytes().get(lex::blank(behind)), Some(b',' | b'}'))
    }

    fn items(&mut self, close: char, keyed: bool) -> Result<Inside<'t>, TooDeep> {
        let mut between = Between::new(close, Place::List, keyed);
        let mut items = Vec::new();
        while between.next(self) {
            let fault = match between.gap {
                true => Some(self.fault("all items: some are left out here")),
                false => None,
            };
            let start = self.pos;
            let item = self.value(Place::List, false)?;
            let fault = fault.or_else(|| (self.pos == start).then(|| self.fault("an item")));
            if fault.is_some() {
                return Ok((Kind::List(items), fault));
            }
            items.push(item);
        }
        Ok((Kind::List(items), None))
    }

    fn entries(&mut self, close: char) -> Result<Inside<'t>, TooDeep> {
        let mut between = Between::new(close, Place::Object, false);
        let mut members = Vec::new();
        while between.next(self) {
            let start = self.pos;
            let key = match self.key() {
                Ok(key) => key,
                // A key at which the text ends belongs to what is cut off.
                Err(_) if self.rest().trim().is_empty() => {
                    self.notes.add(CoercionKind::CutOff);
                    break;
                }
                Err(fault) => return Ok((Kind::Object(members), Some(fault))),
            };
            let value = self.value(Place::Object, true)?;
            members.push(Member { at: self.base + start, key, value });
        }
        Ok((Kind::Object(members), None))
    }

    /// The key that stands here, and the colon behind it.
    fn key(&mut self) -> Result<Cow<'t, str>, Box<Fault>> {
        let Some(head) = self.head() else { return Err(self.fault("a key")) };
        let start = self.pos;
        self.place = Place::Key;
        let mut key = if let Some(name) = lex::unclosed_key_here(self.rest()) {
            self.notes.add(CoercionKind::MissingQuote);
            self.pos += head.len_utf8() + name.len();
            Cow::Borrowed(name)
        } else if lex::closing(head).is_some() {
            self.quoted()
        } else {
            // A bound, so that text without any key is not searched to its end.
            let ends = |c: &char| matches!(c, ':' | '：' | '=' | '\n' | ',' | '{' | '}' | '[' | ']');
            let end = self.rest().char_indices().take(256).find(|(_, c)| ends(c));
            let key = end.map_or("", |(at, _)| self.rest()[..at].trim());
            let key = key.trim_matches(['*', '`', '"', '\'']);
            // Quotes that were escaped for HTML.
            let escaped = key.contains("&quot;") || key.contains("&#");
            let Some((at, _)) = end.filter(|_| !key.is_empty() && !escaped) else {
                return Err(self.fault("a key"));
            };
            self.notes.add(CoercionKind::BareKey);
            self.pos += at;
            Cow::Borrowed(key)
        };
        if !matches!(self.head(), Some(':' | '：' | '='))
            && let Some(name) = lex::unclosed_key(&self.text[start..])
        {
            self.notes.add(CoercionKind::MissingQuote);
            self.pos = start + head.len_utf8() + name.len();
            key = Cow::Borrowed(name.trim());
        }
        match self.head() {
            Some(':') => self.pos += 1,
            Some('：') => {
                self.notes.add(CoercionKind::OtherColon);
                self.pos += '：'.len_utf8();
            }
            Some('=') => {
                self.notes.add(CoercionKind::OtherColon);
                self.pos += if self.rest().starts_with("=>") { 2 } else { 1 };
            }
            _ => return Err(self.fault(format!("`:` behind the key `{}`", crate::shorten(&key, 40)))),
        }
        Ok(key)
    }
}

/// What stands between values: where the next one begins, or that there is none.
struct Between {
    first: bool,
    done: bool,
    close: char,
    place: Place,
    /// Whether the list is the value of a key, so that another key means that its bracket is missing.
    keyed: bool,
    /// Whether an ellipsis stands in front of further values: what it stands for is missing.
    gap: bool,
}

impl Between {
    fn new(close: char, place: Place, keyed: bool) -> Self {
        Self { first: true, done: false, close, place, keyed, gap: false }
    }

    /// Goes to the next value; whether there is one.
    fn next(&mut self, parser: &mut Parser<'_>) -> bool {
        if self.done {
            return false;
        }
        parser.place = self.place;
        let mut comma = false;
        let mut ellipsis = false;
        loop {
            match parser.head() {
                None => {
                    if self.close != OPEN {
                        parser.notes.add(CoercionKind::CutOff);
                    }
                    self.done = true;
                }
                Some(c @ (',' | ';' | '，' | '、')) => {
                    if self.first || comma {
                        parser.notes.add(CoercionKind::ExtraComma);
                    }
                    if c != ',' {
                        parser.notes.add(CoercionKind::OtherComma);
                    }
                    comma = true;
                    parser.pos += c.len_utf8();
                    continue;
                }
                Some(c @ ('}' | ']' | ')')) => {
                    if comma {
                        parser.notes.add(CoercionKind::TrailingComma);
                    }
                    self.done = true;
                    if self.close == c {
                        parser.pos += 1;
                    } else {
                        parser.notes.add(CoercionKind::MissingClose);
                    }
                }
                Some('"') if self.keyed && lex::quoted_key(parser.rest()) => {
                    parser.notes.add(CoercionKind::MissingClose);
                    self.done = true;
                }
                Some('.' | '…') if parser.rest().starts_with("...") || parser.rest().starts_with('…') => {
                    parser.notes.add(CoercionKind::Ellipsis);
                    ellipsis = true;
                    let rest = parser.rest().trim_start_matches(['.', '…']);
                    parser.pos = parser.text.len() - rest.len();
                    comma = true;
                    continue;
                }
                // An object in place of a key: the next item of a list, before which this one was not closed.
                Some('{') if self.place == Place::Object && !self.first => {
                    parser.notes.add(CoercionKind::MissingClose);
                    self.done = true;
                }
                Some(_) => {
                    self.gap |= ellipsis;
                    if !self.first && !comma {
                        parser.notes.add(CoercionKind::MissingComma);
                    }
                    self.first = false;
                }
            }
            return !self.done;
        }
    }
}

/// The object that a text begins with, taken apart without reading its values.
#[derive(Debug)]
pub struct ObjectMembers<'t> {
    /// Each key with the place of its value.
    pub members: Vec<(Cow<'t, str>, std::ops::Range<usize>)>,
    /// Where the object ends.
    pub end: usize,
    /// Whether its closing brace is there.
    pub closed: bool,
}

/// Takes apart the object that a text begins with, however broken it is.
pub fn object_members(text: &str) -> ObjectMembers<'_> {
    let mut parser = Parser { pos: 1, ..Parser::new(text, 0, usize::MAX) };
    let mut members = Vec::new();
    let mut between = Between::new('}', Place::Object, false);
    while between.next(&mut parser) {
        let Ok(key) = parser.key() else { break };
        parser.place = Place::Object;
        let head = parser.head();
        let start = parser.pos;
        let len = match head {
            Some('{' | '[' | '(') => lex::value_len(parser.rest(), Place::Object),
            // Without brackets in it, so depth is no matter.
            _ => match parser.value(Place::Object, true) {
                Ok(_) => parser.pos - start,
                Err(_) => 0,
            },
        };
        parser.pos = start + len;
        match len {
            // A key without a value.
            0 if parser.head() == Some(',') => {}
            0 => break,
            _ => members.push((key, start..parser.pos)),
        }
    }
    let end = parser.pos.min(text.len());
    ObjectMembers { members, end, closed: between.done && text[..end].ends_with('}') }
}
