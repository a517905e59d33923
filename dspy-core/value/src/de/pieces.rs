//! Lists and objects whose values are pieces of prose.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess};

use super::{
    access::Key,
    cx::Cx,
    fail::{Fail, Seg},
    prose::{Pair, Piece},
    top::Top,
    word::Word,
};

/// A list whose items are pieces of text.
pub(super) struct Pieces<'t, 'c> {
    pub(super) pieces: std::vec::IntoIter<Piece<'t>>,
    pub(super) index: usize,
    pub(super) base: usize,
    pub(super) cx: &'c Cx,
}

impl<'de> SeqAccess<'de> for Pieces<'_, '_> {
    type Error = Fail;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        let Some(Piece { text, offset }) = self.pieces.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        within(&text, self.base + offset, self.cx, seed, || Seg::Index(index)).map(Some)
    }
}

/// An object whose values are pieces of text.
pub(super) struct Pairs<'t, 'c> {
    pub(super) pairs: std::vec::IntoIter<(Cow<'t, str>, Pair<'t>)>,
    pub(super) next: Option<(Cow<'t, str>, Pair<'t>)>,
    pub(super) base: usize,
    pub(super) cx: &'c Cx,
}

impl<'de> MapAccess<'de> for Pairs<'_, '_> {
    type Error = Fail;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fail> {
        self.next = self.pairs.next();
        let Some((name, pair)) = &self.next else { return Ok(None) };
        let word = Key { word: Word { text: name, cx: self.cx, quoted: true } };
        seed.deserialize(word).map(Some).map_err(|fail| fail.at(self.base + pair.offset, name))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fail> {
        let Some((name, pair)) = self.next.take() else {
            return Err(Fail::new("a key before its value", ""));
        };
        within(&pair.value, self.base + pair.offset, self.cx, seed, || Seg::Key(name.as_ref().into()))
    }
}

/// Reads a piece of text that stands at `seg`.
fn within<'de, S: DeserializeSeed<'de>>(
    text: &str,
    base: usize,
    cx: &Cx,
    seed: S,
    seg: impl Fn() -> Seg,
) -> Result<S::Value, Fail> {
    cx.enter()?;
    let mark = cx.mark();
    let result = seed.deserialize(Top { text, base, cx, outer: false });
    cx.leave();
    match result {
        Ok(value) => {
            cx.placed(mark, seg);
            Ok(value)
        }
        Err(fail) => Err(fail.at(base, text).inside(seg())),
    }
}
