//! What servers say beside an answer. It comes in many forms, and none of them may cost the answer.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// An object; anything else is as good as an empty one.
#[derive(Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any(OfObject(PhantomData))).map(Self)
    }
}

/// A list; anything else is as good as an empty one.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any(OfList(PhantomData))).map(Self)
    }
}

/// A number from 0 up, also as text or with a fraction; anything else is none.
#[derive(Default, Clone, Copy)]
pub(super) struct Count(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self(Number::deserialize(d)?.0.filter(|n| *n >= 0.0).map(|n| n as u64)))
    }
}

/// A number, also as text; anything else is none.
#[derive(Default, Clone, Copy)]
pub(super) struct Number(pub(super) Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any(OfNumber)).map(Self)
    }
}

/// A text, or a number as one; anything else is none.
#[derive(Default)]
pub(super) struct Word(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any(OfWord)).map(Self)
    }
}

/// A text or an object; anything else is as good as an empty object.
pub(super) enum WordOr<T> {
    Word(String),
    Object(T),
}

impl<T: Default> Default for WordOr<T> {
    fn default() -> Self {
        Self::Object(T::default())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for WordOr<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Any(OfWordOr(PhantomData)))
    }
}

/// What a type is made of, and what it is otherwise.
trait Of<'de> {
    type Made: Default;

    fn number(&self, n: f64) -> Self::Made {
        let _ = n;
        Self::Made::default()
    }

    fn text(&self, text: &str) -> Self::Made {
        let _ = text;
        Self::Made::default()
    }

    fn list<A: SeqAccess<'de>>(&self, seq: A) -> Result<Self::Made, A::Error> {
        ignore_list(seq)?;
        Ok(Self::Made::default())
    }

    fn object<A: MapAccess<'de>>(&self, map: A) -> Result<Self::Made, A::Error> {
        ignore_object(map)?;
        Ok(Self::Made::default())
    }
}

struct OfObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Of<'de> for OfObject<T> {
    type Made = T;

    fn object<A: MapAccess<'de>>(&self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

struct OfList<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Of<'de> for OfList<T> {
    type Made = Vec<T>;

    fn list<A: SeqAccess<'de>>(&self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = seq.next_element()? {
            all.push(item);
        }
        Ok(all)
    }
}

struct OfNumber;

impl Of<'_> for OfNumber {
    type Made = Option<f64>;

    fn number(&self, n: f64) -> Option<f64> {
        Some(n)
    }

    fn text(&self, text: &str) -> Option<f64> {
        text.trim().parse().ok()
    }
}

struct OfWord;

impl Of<'_> for OfWord {
    type Made = Option<String>;

    fn number(&self, n: f64) -> Option<String> {
        Some(n.to_string())
    }

    fn text(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

struct OfWordOr<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Of<'de> for OfWordOr<T> {
    type Made = WordOr<T>;

    fn text(&self, text: &str) -> WordOr<T> {
        WordOr::Word(text.to_owned())
    }

    fn object<A: MapAccess<'de>>(&self, map: A) -> Result<WordOr<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Object)
    }
}

fn ignore_list<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn ignore_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Takes any JSON.
struct Any<O>(O);

impl<'de, O: Of<'de>> Visitor<'de> for Any<O> {
    type Value = O::Made;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<O::Made, E> {
        Ok(O::Made::default())
    }
    fn visit_bool<E: de::Error>(self, _: bool) -> Result<O::Made, E> {
        Ok(O::Made::default())
    }
    fn visit_u64<E: de::Error>(self, n: u64) -> Result<O::Made, E> {
        Ok(self.0.number(n as f64))
    }
    fn visit_i64<E: de::Error>(self, n: i64) -> Result<O::Made, E> {
        Ok(self.0.number(n as f64))
    }
    fn visit_f64<E: de::Error>(self, n: f64) -> Result<O::Made, E> {
        Ok(self.0.number(n))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<O::Made, E> {
        Ok(self.0.text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<O::Made, A::Error> {
        self.0.list(seq)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<O::Made, A::Error> {
        self.0.object(map)
    }
}
