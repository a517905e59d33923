//! A whole answer, in which a value stands somewhere.

use std::borrow::Cow;

use serde::{
    Deserializer,
    de::{IntoDeserializer, Visitor, value::StrDeserializer},
};

use super::{
    cx::Cx,
    fail::Fail,
    find::{self, Pair, Piece},
    lex, names,
    parser::Parser,
    pieces::{Pairs, Pieces},
    scalar,
    word::{Word, object_with},
};
use crate::value::types::CODE_TOKEN;

/// Free text that holds a value.
pub(super) struct Top<'t, 'c> {
    pub(super) text: &'t str,
    pub(super) base: usize,
    pub(super) cx: &'c Cx,
    /// Whether several candidates are tried, one by attempt; inside of another value there is only the first.
    pub(super) outer: bool,
}

/// A way to read a text.
#[derive(Clone)]
enum Candidate {
    /// As the scalar that this piece is.
    Word(usize, usize, u32),
    /// As the structure in this piece.
    Json(usize, usize, u32),
    /// As the items of a list without brackets.
    Items(usize, usize),
    /// As lines, items or pairs.
    Prose,
}

/// The cost of a structure inside one that is cut off.
const INNER: u32 = 40;

/// The cost of reading prose in a text that has structures.
const PROSE: u32 = 20;

const AROUND: &str = "text around the value";

impl<'t, 'c> Top<'t, 'c> {
    /// The text without blank lines and space at its ends.
    fn core(&self) -> &'t str {
        let text = self.text.trim_end();
        &text[lex::blank(text).min(text.len())..]
    }

    fn place_of(&self, piece: &str) -> usize {
        piece.as_ptr() as usize - self.text.as_ptr() as usize
    }

    fn piece(&self, piece: &'t str, cost: u32) -> Candidate {
        let start = self.place_of(piece);
        Candidate::Word(start, start + piece.len(), cost)
    }

    fn pick(&self, mut candidates: Vec<Candidate>) -> Option<Candidate> {
        if !self.outer {
            return candidates.into_iter().next();
        }
        self.cx.candidates.set(candidates.len().max(1));
        (self.cx.chosen < candidates.len()).then(|| candidates.swap_remove(self.cx.chosen))
    }

    /// One of the structures of the text, or what `others` adds to them. The first is the whole text, when that can
    /// be one: on the ordinary way, nothing else is looked for.
    fn pick_structure(&self, others: impl FnOnce(&mut Vec<Candidate>)) -> Option<Candidate> {
        if let Some(whole) = self.whole().filter(|_| self.cx.chosen == 0) {
            if self.outer {
                self.cx.candidates.set(usize::MAX);
            }
            return Some(whole);
        }
        let mut candidates = self.structures();
        others(&mut candidates);
        self.pick(candidates)
    }

    fn refuse(&self, expected: impl Into<String>) -> Fail {
        let found = if self.core().is_empty() { "an empty text" } else { self.core() };
        Fail::new(expected, found.lines().next().unwrap_or_default()).at(self.base, "")
    }

    /// The whole text as a structure, when its ends look like one.
    fn whole(&self) -> Option<Candidate> {
        let core = self.core();
        let start = self.place_of(core);
        let brackets = match core.as_bytes() {
            [b'{', .., b'}'] | [b'[', .., b']'] | [b'(', .., b')'] => true,
            // A constructor of another language.
            [b'a'..=b'z' | b'A'..=b'Z', .., b')'] => {
                let name = core.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                core[name..].starts_with('(')
            }
            _ => false,
        };
        brackets.then(|| Candidate::Json(start, start + core.len(), 0))
    }

    /// The objects and lists of the text, and what may hide one; first the whole text, if it can be one.
    fn structures(&self) -> Vec<Candidate> {
        let core = self.core();
        let start = self.place_of(core);
        let mut out = Vec::from_iter(self.whole());
        let known_whole = !out.is_empty();
        if core.chars().next().is_some_and(|c| lex::closing(c).is_some()) && !core.starts_with("```") {
            out.push(Candidate::Json(start, start + core.len(), 0));
        }
        let mut add = |range: std::ops::Range<usize>, inner: bool| {
            let whole = range == (0..core.len());
            if whole && known_whole {
                return;
            }
            // A small part of a long text is less likely to be what was asked for, and a part of something that is
            // cut off still less.
            let cost = match range.len() * 2 > core.len() {
                _ if whole => 0,
                _ if inner => INNER,
                true => 1,
                false => 2,
            };
            out.push(Candidate::Json(start + range.start, start + range.end, cost));
        };
        let regions = find::regions(core);
        for region in &regions {
            add(region.range.clone(), region.inner);
        }
        for fence in find::fences(core) {
            let inner = core[fence.clone()].trim();
            let known = regions.iter().any(|r| core[r.range.clone()].trim() == inner);
            if inner.starts_with(['{', '[', '"', '\'', '(']) && !known {
                add(fence, false);
            }
        }
        out
    }

    /// The pieces of the text that may be the scalar, the likeliest first.
    fn scalars(&self) -> Vec<Candidate> {
        let core = self.core();
        let mut out = vec![self.piece(core, 0)];
        if let Some(answer) = find::announced(core) {
            let first = answer.lines().next().unwrap_or(answer);
            out.extend([self.piece(answer, 2), self.piece(first, 2)]);
        }
        if core.contains('\n') {
            let last = core.lines().next_back().unwrap_or(core);
            out.push(self.piece(last, 3));
        }
        out
    }

    fn json<T>(
        &self,
        (start, end, cost): (usize, usize, u32),
        read: impl FnOnce(&mut Parser<'_, 'c>) -> Result<T, Fail>,
    ) -> Result<T, Fail> {
        if cost > 0 {
            self.cx.bend(AROUND, cost);
        }
        let mut parser = Parser::new(&self.text[start..end], self.base + start, self.cx);
        let result = read(&mut parser).and_then(|value| parser.finish().map(|()| value));
        result.map_err(|fail| if cost >= INNER { fail.aside() } else { fail })
    }

    fn scalar<'de, V, F>(self, visitor: V, read: F) -> Result<V::Value, Fail>
    where
        V: Visitor<'de>,
        F: Fn(Word<'_, '_>, V) -> Result<V::Value, Fail>,
        V: Sized,
    {
        self.cx.ordered.set(self.outer);
        let mut candidates = self.scalars();
        candidates.extend(self.structures());
        match self.pick(candidates) {
            Some(Candidate::Word(start, end, cost)) => {
                if cost > 0 {
                    self.cx.bend(AROUND, cost);
                }
                let text = &self.text[start..end];
                read(Word { text, cx: self.cx, quoted: false }, visitor)
                    .map_err(|fail| fail.at(self.base + start, text))
            }
            Some(Candidate::Json(start, end, cost)) => {
                self.json((start, end, cost), |parser| parser.scalar(visitor, read))
            }
            _ => Err(self.refuse("a value")),
        }
    }

    /// The items that the text has without brackets around them.
    fn items(&self) -> (Vec<Piece<'t>>, (&'static str, u32)) {
        let core = self.core();
        let elements = find::elements(core);
        let same = elements.iter().all(|element| element.key == elements[0].key);
        let table = find::table(core);
        let mut pieces = match find::bullets(core) {
            Some(items) => (items, ("a list of bullets", 2)),
            None if table.is_some() => (table.unwrap_or_default(), ("a table", 3)),
            None if !elements.is_empty() && same => {
                let piece = |pair: Pair<'t>| Piece { text: pair.value, offset: pair.offset };
                (elements.into_iter().map(piece).collect(), ("a list of tags", 3))
            }
            None if core.split_whitespace().all(scalar::plain) && core.contains(' ') => {
                (find::words(core), ("spaces in place of commas", 3))
            }
            None => {
                let lines = find::lines(core);
                let parts = if lines.len() > 1 { Vec::new() } else { find::parts(core) };
                match (lines.len(), parts.len()) {
                    (2.., _) => (lines, ("lines in place of a list", 3)),
                    (_, 2..) => (parts, ("commas in place of a list", 3)),
                    _ => (lines, ("one value in place of a list", 2)),
                }
            }
        };
        let start = self.place_of(core);
        pieces.0.iter_mut().for_each(|piece| piece.offset += start);
        pieces
    }

    fn list<'de, V: Visitor<'de>>(self, len: Option<usize>, visitor: V) -> Result<V::Value, Fail> {
        if len.is_none() && scalar::is_nothing(find::unfenced(self.text)) {
            self.cx.bend("a word for nothing in place of a list", 2);
            return visitor.visit_seq(Pieces {
                pieces: Vec::new().into_iter(),
                index: 0,
                base: 0,
                cx: self.cx,
            });
        }
        let core = self.core();
        let mut prose = 0;
        let picked = self.pick_structure(|candidates| {
            // Objects one after the other, without brackets around them.
            let several =
                core.starts_with(['{', '[']) && candidates.len() > 1 || core.starts_with(['"', '“']);
            prose = self.prose(candidates);
            if several {
                candidates.push(self.items_at(core));
            }
            candidates.push(Candidate::Prose);
        });
        match picked {
            Some(Candidate::Items(start, end)) => {
                let mut parser = Parser::new(&self.text[start..end], self.base + start, self.cx);
                parser.items_here(visitor)
            }
            Some(Candidate::Json(start, end, cost)) => self.json((start, end, cost), |parser| match len {
                None => parser.deserialize_seq(visitor),
                Some(len) => parser.deserialize_tuple(len, visitor),
            }),
            _ => {
                self.cx.weigh(prose);
                let (pieces, (what, cost)) = self.items();
                if pieces.is_empty() || len.is_some_and(|len| len != pieces.len()) {
                    return Err(self.refuse(match len {
                        Some(len) => format!("a list of {len} items"),
                        None => "a list".to_owned(),
                    }));
                }
                // A single value is what is left where nothing looks like a list; a list of bullets may have brackets.
                if what == "a list of bullets" && self.whole().is_none() {
                    self.cx.lighten(prose);
                }
                self.cx.bend(what, cost);
                visitor.visit_seq(Pieces {
                    pieces: pieces.into_iter(),
                    index: 0,
                    base: self.base,
                    cx: self.cx,
                })
            }
        }
    }

    /// What reading prose costs beside these candidates.
    fn prose(&self, candidates: &[Candidate]) -> u32 {
        if candidates.is_empty() { 0 } else { PROSE }
    }

    fn items_at(&self, piece: &'t str) -> Candidate {
        let start = self.place_of(piece);
        Candidate::Items(start, start + piece.len())
    }

    fn object<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let mut prose = 0;
        let picked = self.pick_structure(|candidates| {
            prose = self.prose(candidates);
            candidates.push(Candidate::Prose);
        });
        match picked {
            Some(Candidate::Json(start, end, cost)) => self.json((start, end, cost), |parser| match fields {
                None => parser.deserialize_map(visitor),
                Some(fields) => parser.deserialize_struct("", fields, visitor),
            }),
            _ => {
                self.cx.weigh(prose);
                self.pairs(fields, visitor)
            }
        }
    }

    /// The object that the text has as `key: value` lines, as elements or as a table of one row.
    fn pairs<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let name = |key: &str| match fields {
            None => Some(Cow::Owned(key.to_owned())),
            Some(fields) => match fields.iter().find(|f| **f == key) {
                Some(name) => Some(Cow::Borrowed(*name)),
                None => names::loosely(key, fields).map(Cow::Borrowed),
            },
        };
        if let Some([row]) = find::table(self.core()).as_deref() {
            self.cx.bend("a table", 3);
            return Top { text: &row.text, base: self.base + row.offset, cx: self.cx, outer: false }
                .pairs(fields, visitor);
        }
        let mut pairs = find::pairs(self.text, |key| name(key).is_some());
        if pairs.is_empty() {
            pairs = find::elements(self.core());
            pairs.retain(|pair| name(pair.key).is_some());
        }
        if pairs.is_empty() {
            return Err(self.refuse(object_with(fields.unwrap_or_default())));
        }
        self.cx.bend("lines in place of an object", 3);
        let named = pairs.into_iter().filter_map(|pair| Some((name(pair.key)?, pair)));
        visitor.visit_map(Pairs {
            pairs: named.collect::<Vec<_>>().into_iter(),
            next: None,
            base: self.base,
            cx: self.cx,
        })
    }

    /// The texts that a text may mean, when its type is not content with the text itself.
    fn texts(&self) -> Vec<Candidate> {
        let core = self.core();
        let mark = |c: char| c.is_whitespace() || "\"'`*_“”‘’<>()[].,;:!".contains(c);
        let quote = |c: char| c.is_whitespace() || "\"'`*“”‘’<>".contains(c);
        let mut out = vec![self.piece(core, 0)];
        if !self.outer || core.len() > 4096 {
            return out;
        }
        let lines = || core.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut pieces = vec![core];
        pieces.extend(find::announced(core).and_then(|answer| answer.lines().next()));
        pieces.extend(lines().next());
        pieces.extend(lines().next_back());
        for piece in pieces {
            out.extend([self.piece(piece.trim_matches(quote), 2), self.piece(piece.trim_matches(mark), 2)]);
        }
        out.extend(self.structures());
        // The only word that has digits or signs in it, such as a date or an address.
        let mut odd = core.split_whitespace().map(|word| word.trim_matches(mark)).filter(|word| {
            word.contains(|c: char| c.is_ascii_digit()) || word.contains("://") || word.contains('@')
        });
        if let (Some(word), None) = (odd.next(), odd.next()) {
            out.push(self.piece(word, 4));
        }
        out
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.cx.ordered.set(self.outer);
        // Indentation belongs to a text of several lines.
        let text = self.text.trim_end();
        let core = self.core();
        let whole = match core.contains('\n') {
            true => {
                let before = self.place_of(core);
                &text[text[..before].rfind('\n').map_or(0, |at| at + 1)..]
            }
            false => core,
        };
        match self.pick(self.texts()) {
            Some(Candidate::Word(start, end, cost)) if cost > 0 => {
                self.cx.bend(AROUND, cost);
                visitor.visit_str(&self.text[start..end])
            }
            Some(Candidate::Json(start, end, cost)) => {
                self.json((start, end, cost), |parser| match parser.head() {
                    Some('{' | '[') => parser.unwrapped(|inner| inner.deserialize_str(visitor)),
                    _ => parser.deserialize_str(visitor),
                })
            }
            _ => visitor.visit_str(whole),
        }
        .map_err(|fail: Fail| fail.at(self.base, core))
    }
}

macro_rules! scalars {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            self.scalar(visitor, |word, v| word.$method(v))
        }
    )* };
}

impl<'de> Deserializer<'de> for Top<'_, '_> {
    type Error = Fail;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        let core = self.core();
        let structured = core.starts_with(['{', '[', '"', '`']);
        let mut candidates = self.structures();
        if !structured || candidates.is_empty() {
            candidates.insert(0, self.piece(core, 0));
        }
        candidates.push(Candidate::Prose);
        match self.pick(candidates) {
            Some(Candidate::Json(start, end, cost)) => {
                self.json((start, end, cost), |parser| parser.deserialize_any(visitor))
            }
            Some(Candidate::Prose) => self.pairs(None, visitor),
            _ => match scalar::is_literal(core) || matches!(core, "null" | "None") {
                true => Word { text: core, cx: self.cx, quoted: false }.deserialize_any(visitor),
                false => visitor.visit_str(core),
            }
            .map_err(|fail: Fail| fail.at(self.base, core)),
        }
    }

    scalars! {
        deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_unit deserialize_identifier
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.list(None, visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.list(None, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        if !scalar::is_nothing(find::unfenced(self.text)) {
            return visitor.visit_some(self);
        }
        if !matches!(self.text.trim(), "" | "null") {
            self.cx.bend("a word for nothing", 1);
        }
        visitor.visit_none()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        if name != CODE_TOKEN {
            return visitor.visit_newtype_struct(self);
        }
        let Some(fence) = find::fence_within(self.text) else { return visitor.visit_newtype_struct(self) };
        if !fence.closed {
            self.cx.bend("a fence that is not closed", 1);
        }
        let code: StrDeserializer<'_, Fail> = fence.text.into_deserializer();
        visitor.visit_newtype_struct(code)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.list(None, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fail> {
        self.list(Some(len), visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.list(Some(len), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        self.object(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.object(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let mut candidates = self.structures();
        match self.core().starts_with(['{', '[']) {
            true => candidates.extend(self.scalars()),
            false => candidates.splice(0..0, self.scalars()).for_each(drop),
        }
        match self.pick(candidates) {
            Some(Candidate::Word(start, end, cost)) => {
                if cost > 0 {
                    self.cx.bend(AROUND, cost);
                }
                let text = &self.text[start..end];
                Word { text, cx: self.cx, quoted: false }
                    .deserialize_enum(name, variants, visitor)
                    .map_err(|fail| fail.at(self.base + start, text))
            }
            Some(Candidate::Json(start, end, cost)) => {
                self.json((start, end, cost), |parser| parser.deserialize_enum(name, variants, visitor))
            }
            _ => Err(self.refuse(format!("one of {}", variants.join(", ")))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_unit()
    }
}
