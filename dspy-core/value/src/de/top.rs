//! A whole answer, in which a value stands somewhere.

use std::borrow::Cow;

use serde::{Deserializer, de::Visitor};

use super::{
    cx::Cx,
    fail::{Cure, Fail},
    find, lex, names,
    parser::Parser,
    pieces::{Pairs, Pieces},
    prose::{self, Pair, Piece},
    scalar,
    word::{Word, object_with},
};

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
pub(super) enum Candidate {
    /// As the scalar that this piece is.
    Word(usize, usize, u32),
    /// As the structure in this piece.
    Json(usize, usize, u32),
    /// As a list of the objects that stand in the text.
    Objects,
    /// As the items of a list without brackets.
    Items(usize, usize),
    /// As lines, items or pairs.
    Prose,
}

/// A list in prose.
struct Listing<'t> {
    pieces: Vec<Piece<'t>>,
    what: &'static str,
    cost: u32,
}

/// The cost of a structure inside one that is cut off.
const INNER: u32 = 40;

/// The cost of a structure that is called wrong, or an example.
const ASIDE: u32 = 30;

/// The cost of reading prose in a text that has structures.
const PROSE: u32 = 20;

pub(super) const AROUND: &str = "text around the value";

impl<'t, 'c> Top<'t, 'c> {
    /// The text without blank lines and space at its ends.
    pub(super) fn core(&self) -> &'t str {
        let text = self.text.trim_end();
        &text[lex::blank(text).min(text.len())..]
    }

    /// What stands behind the thoughts of a model. Thoughts without an end hold no answer.
    pub(super) fn past_thoughts(self) -> Result<Self, Fail> {
        match scalar::without_thoughts(self.text) {
            Some(text) => Ok(Self { text, base: self.base + (self.text.len() - text.len()), ..self }),
            None => Err(self.refuse("an answer behind the thoughts").with(Cure::None)),
        }
    }

    pub(super) fn place_of(&self, piece: &str) -> usize {
        piece.as_ptr() as usize - self.text.as_ptr() as usize
    }

    pub(super) fn piece(&self, piece: &'t str, cost: u32) -> Candidate {
        let start = self.place_of(piece);
        Candidate::Word(start, start + piece.len(), cost)
    }

    pub(super) fn pick(&self, mut candidates: Vec<Candidate>) -> Option<Candidate> {
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

    pub(super) fn refuse(&self, expected: impl Into<String>) -> Fail {
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
    pub(super) fn structures(&self) -> Vec<Candidate> {
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
                _ if find::is_aside(core, range.start) => ASIDE,
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
    pub(super) fn scalars(&self) -> Vec<Candidate> {
        let core = self.core();
        let mut out = vec![self.piece(core, 0)];
        if let Some(answer) = find::announced(core) {
            let first = answer.lines().next().unwrap_or(answer);
            out.extend([self.piece(answer, 2), self.piece(first, 2)]);
        }
        // What ends a refusal is no answer.
        if core.contains('\n') && !scalar::is_refusal(core) {
            let last = core.lines().next_back().unwrap_or(core);
            out.push(self.piece(last, 3));
        }
        out
    }

    pub(super) fn json<T>(
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

    pub(super) fn scalar<'de, V, F>(self, visitor: V, read: F) -> Result<V::Value, Fail>
    where
        V: Visitor<'de>,
        F: Fn(Word<'_, '_>, V) -> Result<V::Value, Fail>,
    {
        let this = self.past_thoughts()?;
        this.cx.ordered.set(this.outer);
        let mut candidates = this.scalars();
        candidates.extend(this.structures());
        match this.pick(candidates) {
            Some(Candidate::Word(start, end, cost)) => {
                if cost > 0 {
                    this.cx.bend(AROUND, cost);
                }
                let text = &this.text[start..end];
                read(Word { text, cx: this.cx, quoted: false }, visitor)
                    .map_err(|fail| fail.at(this.base + start, text))
            }
            Some(Candidate::Json(start, end, cost)) => {
                this.json((start, end, cost), |parser| parser.scalar(visitor, read))
            }
            _ => Err(this.refuse("a value")),
        }
    }

    /// The items that the text has without brackets around them.
    fn items(&self) -> Listing<'t> {
        let core = find::unfenced(self.core()).trim();
        self.marked(core).unwrap_or_else(|| {
            let listing = |pieces, what, cost| Listing { pieces, what, cost };
            let lines = prose::lines(core);
            let parts = if lines.len() > 1 { Vec::new() } else { prose::parts(core) };
            match (lines.len(), parts.len()) {
                _ if core.contains(' ') && core.split_whitespace().all(scalar::plain) => {
                    listing(prose::words(core), "spaces in place of commas", 3)
                }
                (2.., _) => listing(lines, "lines in place of a list", 3),
                (_, 2..) => listing(parts, "commas in place of a list", 3),
                _ => listing(lines, "one value in place of a list", 2),
            }
        })
    }

    /// The items of a list whose items are marked as such.
    fn marked(&self, core: &'t str) -> Option<Listing<'t>> {
        let listing = |pieces, what, cost| Some(Listing { pieces, what, cost });
        if let Some(items) = prose::bullets(core) {
            return listing(items, "a list of bullets", 2);
        }
        if let Some(rows) = prose::table(core) {
            return listing(rows, "a table", 3);
        }
        let elements = prose::elements(core);
        let first = elements.first()?.key;
        let piece = |pair: Pair<'t>| Piece { text: pair.value, offset: pair.offset };
        match elements.iter().all(|element| element.key == first) {
            true => listing(elements.into_iter().map(piece).collect(), "a list of tags", 3),
            false => None,
        }
    }

    pub(super) fn list<'de, V: Visitor<'de>>(self, len: Option<usize>, visitor: V) -> Result<V::Value, Fail> {
        self.past_thoughts()?.list_here(len, visitor)
    }

    fn list_here<'de, V: Visitor<'de>>(self, len: Option<usize>, visitor: V) -> Result<V::Value, Fail> {
        if len.is_none() && scalar::is_nothing(find::unfenced(self.text)) {
            self.cx.bend("a word for nothing in place of a list", 2);
            return self.pieces(Vec::new(), visitor);
        }
        let core = self.core();
        let mut prose = 0;
        let picked = self.pick_structure(|candidates| {
            // Objects one after the other, without brackets around them.
            let several =
                core.starts_with(['{', '[']) && candidates.len() > 1 || core.starts_with(['"', '“']);
            // Items that are marked may hold brackets of their own.
            let marked = self.whole().is_none() && prose::bullets(core).is_some();
            prose = if marked { 0 } else { self.prose(candidates) };
            if marked {
                candidates.clear();
            } else if several {
                candidates.push(self.items_at(core));
            } else if find::only_objects(core).is_some() {
                candidates.push(Candidate::Objects);
            }
            self.add_prose(candidates, marked);
        });
        match picked {
            Some(Candidate::Objects) => {
                self.cx.bend("brackets that are missing", 2);
                self.pieces(find::only_objects(core).unwrap_or_default(), visitor)
            }
            Some(Candidate::Items(start, end)) => {
                let mut parser = Parser::new(&self.text[start..end], self.base + start, self.cx);
                parser.items_here(visitor)
            }
            Some(Candidate::Json(start, end, cost)) => self.json((start, end, cost), |parser| match len {
                None => parser.deserialize_seq(visitor),
                Some(len) => parser.deserialize_tuple(len, visitor),
            }),
            _ => {
                let Listing { pieces, what, cost } = self.items();
                if scalar::is_refusal(core) {
                    return Err(self.refuse("a list").with(Cure::None));
                }
                if pieces.is_empty() || len.is_some_and(|len| len != pieces.len()) {
                    return Err(self.refuse(match len {
                        Some(len) => format!("a list of {len} items"),
                        None => "a list".to_owned(),
                    }));
                }
                self.cx.weigh(prose);
                self.cx.bend(what, cost);
                self.pieces(pieces, visitor)
            }
        }
    }

    /// A list of pieces of the text.
    fn pieces<'de, V: Visitor<'de>>(self, mut pieces: Vec<Piece<'t>>, visitor: V) -> Result<V::Value, Fail> {
        let start = self.place_of(self.core());
        pieces.iter_mut().for_each(|piece| piece.offset += start);
        visitor.visit_seq(Pieces { pieces: pieces.into_iter(), index: 0, base: self.base, cx: self.cx })
    }

    /// What reading prose costs beside these candidates.
    fn prose(&self, candidates: &[Candidate]) -> u32 {
        if candidates.is_empty() { 0 } else { PROSE }
    }

    /// Adds prose to what a text may be: never where it begins as a structure, and first for a part of other prose.
    fn add_prose(&self, candidates: &mut Vec<Candidate>, marked: bool) {
        let begun = self.core().starts_with(['{', '[', '(']) && !marked;
        if begun && !candidates.is_empty() {
            return;
        }
        let at = if self.outer || begun { candidates.len() } else { 0 };
        candidates.insert(at, Candidate::Prose);
    }

    fn items_at(&self, piece: &'t str) -> Candidate {
        let start = self.place_of(piece);
        Candidate::Items(start, start + piece.len())
    }

    pub(super) fn object<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.past_thoughts()?.object_here(fields, visitor)
    }

    fn object_here<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let mut prose = 0;
        let picked = self.pick_structure(|candidates| {
            prose = self.prose(candidates);
            self.add_prose(candidates, false);
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
    pub(super) fn pairs<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        let name = |key: &str| match fields {
            // A colon in a sentence makes no key.
            None if key.contains([',', '.', '!', '?', ';']) || key.split_whitespace().count() > 4 => None,
            None => Some(Cow::Owned(key.to_owned())),
            Some(fields) => match fields.iter().find(|f| **f == key) {
                Some(name) => Some(Cow::Borrowed(*name)),
                None => names::loosely(key, fields).map(Cow::Borrowed),
            },
        };
        if let Some(text) = prose::table_of_pairs(self.core(), |key| fields.is_some() && name(key).is_some())
        {
            self.cx.bend("a table", 3);
            return Top { text: &text, base: self.base, cx: self.cx, outer: false }.pairs(fields, visitor);
        }
        if let Some([row]) = prose::table(self.core()).as_deref() {
            self.cx.bend("a table", 3);
            return Top { text: &row.text, base: self.base + row.offset, cx: self.cx, outer: false }
                .pairs(fields, visitor);
        }
        let mut pairs = prose::pairs(self.text, |key| name(key).is_some());
        if pairs.is_empty() {
            pairs = prose::elements(self.core());
            pairs.retain(|pair| name(pair.key).is_some());
        }
        if pairs.is_empty() || (fields.is_none() && scalar::is_refusal(self.core())) {
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
        out.extend(find::notations(core).into_iter().map(|word| self.piece(word, 4)));
        out
    }

    pub(super) fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
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
