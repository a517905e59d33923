//! From a text to values.

use std::borrow::Cow;

use super::{
    super::{
        coercion::CoercionKind,
        lex::{self, Place},
    },
    cursor::{Between, OPEN, Parser},
    node::{Fault, Kind, Member, Node, TooDeep},
};

/// The value that a text begins with.
pub(in super::super) fn value(text: &str, base: usize, depth: usize) -> Result<(Node<'_>, usize), TooDeep> {
    let mut parser = Parser::new(text, base, depth);
    let node = parser.value(Place::Alone, false)?;
    Ok((node, parser.pos))
}

/// The value that a whole text is, or where what stands behind it begins.
pub(in super::super) fn whole(
    text: &str,
    base: usize,
    depth: usize,
) -> Result<Result<Node<'_>, usize>, TooDeep> {
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
pub(in super::super) fn inside(
    text: &str,
    base: usize,
    depth: usize,
    object: bool,
) -> Result<Node<'_>, TooDeep> {
    let mut parser = Parser::new(text, base, depth);
    let kind = if object { parser.entries(OPEN)? } else { parser.items(OPEN, false)? };
    let mut node = Node::new(base, text, kind.0);
    node.fault = kind.1;
    node.notes = parser.notes;
    node.notes.add(if object { CoercionKind::MissingOpen } else { CoercionKind::MissingBrackets });
    Ok(node)
}

type Inside<'t> = (Kind<'t>, Option<Box<Fault>>);

impl<'t> Parser<'t> {
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
