//! What the types ask of a whole answer.

use serde::{
    Deserializer,
    de::{IntoDeserializer, Visitor, value::StrDeserializer},
};

use super::{
    fail::{Cure, Fail},
    find,
    names::{self, Choice},
    scalar,
    top::{AROUND, Candidate, Top},
    word::Word,
};
use crate::types::CODE_TOKEN;

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
        let text = find::unfenced(self.text).trim();
        // "Not mentioned" is no number, but it is none: that shows when the number is not found.
        let none = self.outer && scalar::is_nothing_for_scalar(text);
        let learnt = none && !self.cx.plan.nothing.is_empty();
        if !scalar::is_nothing(text) && !learnt {
            let learn = |fail: Fail| if none { fail.with(Cure::NothingFor("an option")) } else { fail };
            return visitor.visit_some(self).map_err(learn);
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
        let Some(fence) = find::fence_within(self.text) else {
            if scalar::is_refusal(self.core()) {
                return Err(self.refuse("program text"));
            }
            return visitor.visit_newtype_struct(self);
        };
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
        let this = self.past_thoughts()?;
        let mut candidates = this.structures();
        // `Circle(radius=2)`, `Shape::Circle { radius: 2 }`, `Circle: {"radius": 2}`
        let core = this.core();
        if core.ends_with([')', '}']) && core.starts_with(char::is_alphabetic) {
            let start = this.place_of(core);
            candidates.insert(0, Candidate::Json(start, start + core.len(), 1));
        }
        match this.core().starts_with(['{', '[']) {
            true => candidates.extend(this.scalars()),
            // A list of the names, with scores perhaps, is no choice, and neither is its last line.
            false if matches!(names::listed(core, variants), Some(Choice::Several(_))) => {
                candidates.insert(0, this.piece(core, 0));
            }
            false => candidates.splice(0..0, this.scalars()).for_each(drop),
        }
        match this.pick(candidates) {
            Some(Candidate::Word(start, end, cost)) => {
                if cost > 0 {
                    this.cx.bend(AROUND, cost);
                }
                let text = &this.text[start..end];
                Word { text, cx: this.cx, quoted: false }
                    .deserialize_enum(name, variants, visitor)
                    .map_err(|fail| fail.at(this.base + start, text))
            }
            Some(Candidate::Json(start, end, cost)) => {
                this.json((start, end, cost), |parser| parser.deserialize_enum(name, variants, visitor))
            }
            _ => Err(this.refuse(format!("one of {}", variants.join(", ")))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_unit()
    }
}
