//! Structs from their fields, enums from their names: what `#[derive(Deserialize)]` writes out for each type, written once.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error, Expected, IgnoredAny, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

/// The values of all fields of a struct: a tuple.
pub trait Fields<'de>: Sized {
    /// Reads them.
    ///
    /// # Errors
    /// Those of the deserializer.
    fn read<D: Deserializer<'de>>(
        from: D,
        name: &'static str,
        names: &'static [&'static str],
    ) -> Result<Self, D::Error>;
}

/// Reads the fields of a struct, in their order.
///
/// # Errors
/// Those of the deserializer.
pub fn fields<'de, T: Fields<'de>, D: Deserializer<'de>>(
    from: D,
    name: &'static str,
    names: &'static [&'static str],
) -> Result<T, D::Error> {
    T::read(from, name, names)
}

/// A struct of this name with fields of these names.
#[derive(Clone, Copy)]
struct Struct {
    name: &'static str,
    names: &'static [&'static str],
}

impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", self.name)
    }
}

impl Expected for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.names.len() == 1 { "" } else { "s" };
        write!(f, "{self} with {} element{plural}", self.names.len())
    }
}

struct StructVisitor<T>(Struct, PhantomData<T>);

/// Reads a key as the place of its field; `None` when there is no such field.
struct Key(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Option<usize>, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field identifier")
    }

    fn visit_u64<E: Error>(self, place: u64) -> Result<Option<usize>, E> {
        Ok(usize::try_from(place).ok().filter(|place| *place < self.0.len()))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|name| name.as_bytes() == key))
    }
}

/// Reads an enum whose variants hold no data: the place of the variant.
///
/// # Errors
/// Those of the deserializer.
pub fn variant<'de, D: Deserializer<'de>>(
    from: D,
    name: &'static str,
    names: &'static [&'static str],
) -> Result<usize, D::Error> {
    from.deserialize_enum(name, names, Enum { name, names })
}

/// An enum of this name with variants of these names.
struct Enum {
    name: &'static str,
    names: &'static [&'static str],
}

impl<'de> Visitor<'de> for Enum {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "enum {}", self.name)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<usize, A::Error> {
        let (place, content) = data.variant_seed(Variant(self.names))?;
        content.unit_variant()?;
        Ok(place)
    }
}

/// Reads the name of a variant as its place.
struct Variant(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Variant {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<usize, D::Error> {
        name.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Variant {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("variant identifier")
    }

    fn visit_u64<E: Error>(self, place: u64) -> Result<usize, E> {
        match usize::try_from(place) {
            Ok(place) if place < self.0.len() => Ok(place),
            _ => {
                let expected = format!("variant index 0 <= i < {}", self.0.len());
                Err(E::invalid_value(Unexpected::Unsigned(place), &&*expected))
            }
        }
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        match self.0.iter().position(|known| *known == name) {
            Some(place) => Ok(place),
            None => Err(E::unknown_variant(name, self.0)),
        }
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<usize, E> {
        self.visit_str(&String::from_utf8_lossy(name))
    }
}

/// What the type of a missing field sees: an `Option` is `None`, everything else an error.
struct Missing<E>(&'static str, PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for Missing<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
        Err(E::missing_field(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

macro_rules! fields {
    ($($field:ident $place:tt),+) => {
        impl<'de, $($field: Deserialize<'de>),+> Fields<'de> for ($($field,)+) {
            fn read<De: Deserializer<'de>>(
                from: De,
                name: &'static str,
                names: &'static [&'static str],
            ) -> Result<Self, De::Error> {
                from.deserialize_struct(name, names, StructVisitor(Struct { name, names }, PhantomData::<Self>))
            }
        }

        impl<'de, $($field: Deserialize<'de>),+> Visitor<'de> for StructVisitor<($($field,)+)> {
            type Value = ($($field,)+);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }

            fn visit_seq<Seq: SeqAccess<'de>>(self, mut seq: Seq) -> Result<Self::Value, Seq::Error> {
                Ok(($(
                    match seq.next_element::<$field>()? {
                        Some(value) => value,
                        None => return Err(Seq::Error::invalid_length($place, &self.0)),
                    },
                )+))
            }

            fn visit_map<Map: MapAccess<'de>>(self, mut map: Map) -> Result<Self::Value, Map::Error> {
                let names = self.0.names;
                let mut found: ($(Option<$field>,)+) = Default::default();
                while let Some(place) = map.next_key_seed(Key(names))? {
                    match place {
                        $(
                            Some($place) if found.$place.is_some() => {
                                return Err(Map::Error::duplicate_field(names[$place]));
                            }
                            Some($place) => found.$place = Some(map.next_value()?),
                        )+
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(($(
                    match found.$place {
                        Some(value) => value,
                        None => $field::deserialize(Missing::<Map::Error>(names[$place], PhantomData))?,
                    },
                )+))
            }
        }
    };
}

fields!(A 0);
fields!(A 0, B 1);
fields!(A 0, B 1, C 2);
fields!(A 0, B 1, C 2, D 3);
fields!(A 0, B 1, C 2, D 3, E 4);
fields!(A 0, B 1, C 2, D 3, E 4, F 5);
fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
fields!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_read_as_if_derived() {
        type Pair = (String, Option<u8>);
        let read = |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            fields::<Pair, _>(&mut json, "Two", &["a", "b"]).map_err(|e| e.to_string())
        };
        #[derive(Debug, Deserialize)]
        struct Two {
            a: String,
            b: Option<u8>,
        }
        for text in [
            r#"{"a": "x", "b": 1}"#,
            r#"{"b": null, "c": [1], "a": "x"}"#,
            r#"{"a": "x"}"#,
            r#"{"b": 1}"#,
            r#"{"a": "x", "a": "y"}"#,
            r#"{"a": 1}"#,
            r#"["x", 1]"#,
            r#"["x"]"#,
            r#"["x", 1, 2]"#,
            "3",
        ] {
            let derived = serde_json::from_str::<Two>(text).map(|d| (d.a, d.b)).map_err(|e| e.to_string());
            let trimmed =
                |read: Result<Pair, String>| read.map_err(|e| e.split(" at line").next().map(str::to_owned));
            assert_eq!(trimmed(read(text)), trimmed(derived), "{text}");
        }
    }
}
