//! A piece of text as a scalar of whatever type is asked.

use std::str::FromStr;

use serde::{
    Deserializer,
    de::{
        self, DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor, value::StrDeserializer,
    },
};

use super::{
    cx::Cx,
    fail::{Cure, Fail},
    names::{self, Choice},
    scalar,
};

/// A piece of text that holds one scalar.
pub(super) struct Word<'t, 'c> {
    pub(super) text: &'t str,
    pub(super) cx: &'c Cx,
    /// Whether it stood in quotes: then it is text unless another type is asked.
    pub(super) quoted: bool,
}

impl<'t, 'c> Word<'t, 'c> {
    fn refuse(&self, expected: impl Into<String>) -> Fail {
        Fail::new(expected, self.text)
    }

    fn boolean(&self) -> Result<bool, Fail> {
        let (value, note) = scalar::boolean(self.text).map_err(|why| self.refuse(why))?;
        self.cx.bend_by(note);
        if self.quoted && note.is_none() {
            self.cx.bend("a boolean in quotes", 1);
        }
        Ok(value)
    }

    fn digits(&self) -> Result<String, Fail> {
        let number = scalar::number(self.text).map_err(|why| self.refuse(why))?;
        self.cx.bend_by(number.note);
        if self.quoted && number.note.is_none() {
            self.cx.bend("a number in quotes", 1);
        }
        Ok(number.digits)
    }

    fn integer<T: FromStr>(&self, range: (i128, u128)) -> Result<T, Fail> {
        let digits = self.digits()?;
        if let Ok(value) = digits.parse() {
            return Ok(value);
        }
        let Some(whole) = whole(&digits) else {
            return Err(self.refuse(format!("an integer, not {digits}")));
        };
        self.cx.bend("an integer written as a fraction", u32::from(whole != digits));
        whole.parse().map_err(|_| {
            self.refuse(format!("an integer from {} to {}, not {whole}", range.0, range.1)).with(Cure::None)
        })
    }

    fn float(&self) -> Result<f64, Fail> {
        let digits = self.digits()?;
        let value: f64 = digits.parse().map_err(|_| self.refuse("a number"))?;
        if value.is_infinite() && !digits.contains("inf") {
            return Err(self.refuse("a number that a 64-bit float can hold"));
        }
        Ok(value)
    }

    /// The text, or the name that the plan takes it for.
    fn text_or_variant(&self) -> &'t str {
        if self.cx.plan.variants.iter().any(|names| names.contains(&self.text)) {
            return self.text;
        }
        match self.cx.plan.variants.iter().find_map(|names| names::loosely(self.text, names)) {
            Some(name) => {
                self.cx.bend("a name spelt loosely", 1);
                name
            }
            None => self.text,
        }
    }
}

/// The digits of a number that is whole, if it is.
fn whole(digits: &str) -> Option<String> {
    let exponent = digits.contains(['e', 'E']);
    if let Some((whole, fraction)) = digits.split_once('.').filter(|_| !exponent) {
        return fraction.bytes().all(|b| b == b'0').then(|| whole.to_owned());
    }
    if !exponent {
        return Some(digits.to_owned());
    }
    let value: f64 = digits.parse().ok()?;
    // Beyond this, a float does not know its last digits.
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then(|| format!("{value:.0}"))
}

macro_rules! integers {
    ($($method:ident $visit:ident $ty:ty,)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
            visitor.$visit(self.integer::<$ty>((<$ty>::MIN as i128, <$ty>::MAX as u128))?)
        }
    )* };
}

impl<'de> Deserializer<'de> for Word<'_, '_> {
    type Error = Fail;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        let text = |number: i128| self.cx.plan.texts.contains(&number);
        let literal = !self.quoted || (self.cx.plan.literals && !self.text.parse().is_ok_and(text));
        if literal && scalar::plain(self.text) {
            let digits = self.text.trim_start_matches('+');
            if self.quoted {
                self.cx.bend("a number in quotes", 1);
            }
            if let Ok(value) = digits.parse::<u64>() {
                return visitor.visit_u64(value);
            }
            if let Ok(value) = digits.parse::<i64>() {
                return visitor.visit_i64(value);
            }
            return visitor.visit_f64(self.float()?);
        }
        let odd = |what| self.cx.bend(what, 1);
        match self.text {
            "true" | "false" if literal => return visitor.visit_bool(self.text == "true"),
            "null" if !self.quoted => return visitor.visit_unit(),
            _ if self.quoted && literal && scalar::is_nothing(self.text) => {
                odd("a word for nothing");
                return visitor.visit_unit();
            }
            "True" | "False" if literal => {
                odd("a literal of another language");
                return visitor.visit_bool(self.text == "True");
            }
            "None" | "undefined" | "nil" if !self.quoted => {
                odd("a literal of another language");
                return visitor.visit_unit();
            }
            "NaN" | "Infinity" | "-Infinity" if !self.quoted => {
                odd("a number that JSON has not");
                return visitor.visit_f64(self.float()?);
            }
            _ => {}
        }
        if !self.quoted {
            odd("text without quotes");
        }
        visitor.visit_str(self.text_or_variant())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_bool(self.boolean()?)
    }

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        let value = self.float()?;
        // The nearest `f32` of the decimal, not of the nearest `f64`.
        let narrow = scalar::number(self.text).ok().and_then(|n| n.digits.parse::<f32>().ok());
        match narrow {
            Some(narrow) if narrow.is_finite() || !value.is_finite() => visitor.visit_f32(narrow),
            _ => Err(self.refuse("a number that a 32-bit float can hold")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        let only = |text: &str| {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        };
        if let Some(c) = only(self.text) {
            return visitor.visit_char(c);
        }
        match only(self.text.trim_matches(|c: char| !c.is_alphanumeric())) {
            Some(c) => {
                self.cx.bend("marks around a character", 1);
                visitor.visit_char(c)
            }
            None => Err(self.refuse("one character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_str(self.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_str(self.text)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_bytes(self.text.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_bytes(self.text.as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        if !self.quoted && self.text == "null" {
            return visitor.visit_none();
        }
        if !self.quoted && scalar::is_nothing(self.text) {
            self.cx.bend("a word for nothing", 1);
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        if scalar::is_nothing(self.text) { visitor.visit_unit() } else { Err(self.refuse("null")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fail> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fail> {
        Err(self.refuse("a list"))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, _: V) -> Result<V::Value, Fail> {
        Err(self.refuse(format!("a list of {len} items")))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fail> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fail> {
        Err(self.refuse("an object"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fail> {
        Err(self.refuse(object_with(fields)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fail> {
        match names::choose(self.text, variants) {
            Choice::One(index, note) => {
                self.cx.bend_by(note);
                visitor.visit_enum(Unit(variants[index]))
            }
            Choice::Several(which) => Err(self
                .refuse(format!("one of {}", variants.join(", ")))
                .nearest(which.into_iter().map(|i| variants[i].to_owned()).collect())
                .with(Cure::None)),
            // The type decides, which may know other names.
            Choice::Nothing => visitor.visit_enum(Unit(self.text)),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        for names in &self.cx.plan.variants {
            if let Choice::One(index, note) = names::choose(self.text, names) {
                self.cx.bend_by(note);
                return visitor.visit_str(names[index]);
            }
        }
        visitor.visit_str(self.text)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fail> {
        visitor.visit_unit()
    }
}

/// What is said where an object is missed.
pub(super) fn object_with(fields: &[&str]) -> String {
    match fields {
        [] => "an object".to_owned(),
        _ => format!("an object with {}", fields.join(", ")),
    }
}

/// A variant of which only the name stands there.
struct Unit<'n>(&'n str);

impl<'de> EnumAccess<'de> for Unit<'_> {
    type Error = Fail;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fail> {
        let name: StrDeserializer<'_, Fail> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Unit<'_> {
    type Error = Fail;

    fn unit_variant(self) -> Result<(), Fail> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fail> {
        // A variant around an `Option` or a struct of defaults may do without a value.
        seed.deserialize(de::value::UnitDeserializer::<Fail>::new())
            .map_err(|_| Fail::new(format!("the value of `{}` beside its name", self.0), self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, _: V) -> Result<V::Value, Fail> {
        Err(Fail::new(format!("the {len} values of `{}` beside its name", self.0), self.0))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fail> {
        Err(Fail::new(format!("{} for `{}`", object_with(fields), self.0), self.0))
    }
}
