//! The turns of a conversation so far.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
    ser::SerializeStruct,
};
use serde_json::{Map, Value};

use super::KIND_KEY;
use crate::{Raw, ReadOptions, WriteError, read, write_json};

/// One turn: the values of a signature's fields by name, inputs and outputs alike.
pub type Turn = Map<String, Value>;

/// The earlier turns of a conversation, as an input field.
///
/// Each turn becomes a message of the user with the turn's inputs and one of the assistant with its outputs.
///
/// ```
/// # use dspy_value::History;
/// # use serde::Serialize;
/// #[derive(Serialize)]
/// struct Turn { question: &'static str, answer: &'static str }
///
/// let mut history = History::new();
/// history.push(&Turn { question: "2 + 2?", answer: "4" })?;
/// assert_eq!(history.turns()[0]["answer"], "4");
/// # Ok::<(), dspy_value::WriteError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    turns: Vec<Turn>,
}

impl History {
    /// A conversation without turns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a turn: any value that serialises as an object, such as a record of the signature.
    ///
    /// # Errors
    /// [`WriteError`] when the value cannot be serialised, or is no object.
    pub fn push<T: Serialize + ?Sized>(&mut self, turn: &T) -> Result<(), WriteError> {
        match write_json(turn)? {
            Value::Object(turn) => {
                self.turns.push(turn);
                Ok(())
            }
            other => Err(serde::ser::Error::custom(format!("a turn is an object of fields, not {other}"))),
        }
    }

    /// Adds a turn by its fields.
    pub fn push_turn(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// The turns, oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// How many turns there are.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether there is no turn.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Drops all turns but the last `count`.
    pub fn keep_last(&mut self, count: usize) {
        self.turns.drain(..self.turns.len().saturating_sub(count));
    }
}

impl FromIterator<Turn> for History {
    fn from_iter<I: IntoIterator<Item = Turn>>(turns: I) -> Self {
        Self { turns: turns.into_iter().collect() }
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("History", 1)?;
        object.serialize_field("messages", &self.turns)?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        list_or_field(deserializer, "messages").map(|turns| Self { turns })
    }
}

impl JsonSchema for History {
    fn schema_name() -> Cow<'static, str> {
        "History".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "messages": { "type": "array", "items": { "type": "object" } } },
            "required": ["messages"],
            KIND_KEY: "history",
        })
    }
}

/// Reads a list, or an object that has the list in `field`.
pub(super) fn list_or_field<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
    field: &'static str,
) -> Result<Vec<T>, D::Error> {
    struct Visitor<T>(&'static str, PhantomData<T>);

    impl<'de, T: DeserializeOwned> de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list, or an object with `{}`", self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            // A list in the middle of a text: only a reader that is asked for a list looks for one.
            let reading = read(Raw::text(text), &ReadOptions::default()).map_err(E::custom)?;
            Ok(reading.value)
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(de::value::SeqAccessDeserializer::new(list))
        }
        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
            let mut list = None;
            while let Some(key) = map.next_key::<String>()? {
                if key == self.0 {
                    list = Some(map.next_value()?);
                } else {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
            list.ok_or_else(|| de::Error::missing_field(self.0))
        }
    }

    deserializer.deserialize_any(Visitor(field, PhantomData))
}
