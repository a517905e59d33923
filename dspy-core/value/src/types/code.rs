//! Program text as a field.

use std::{borrow::Cow, fmt, marker::PhantomData, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{KIND_KEY, LANGUAGE_KEY};
use crate::lang::Language;

/// The newtype name by which readers and writers know code.
pub(crate) const CODE_TOKEN: &str = "$dspy::Code";

/// Program text in the language `L`.
///
/// A model is asked for a fenced block and writes prose around it as it likes; the field is what stands in the first
/// fence. In JSON it is a plain string, and as an input it stands in the prompt as it is.
pub struct Code<L> {
    text: String,
    language: PhantomData<fn() -> L>,
}

impl<L: Language> Code<L> {
    /// Code without its fence.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), language: PhantomData }
    }

    /// The language's name.
    pub fn language(&self) -> &'static str {
        L::NAME
    }
}

impl<L> Code<L> {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The code.
    pub fn into_string(self) -> String {
        self.text
    }
}

impl<L> Deref for Code<L> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

impl<L> AsRef<str> for Code<L> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<L: Language> From<&str> for Code<L> {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl<L: Language> From<String> for Code<L> {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<L> Clone for Code<L> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), language: PhantomData }
    }
}

impl<L> PartialEq for Code<L> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<L> Eq for Code<L> {}

impl<L> Default for Code<L> {
    fn default() -> Self {
        Self { text: String::new(), language: PhantomData }
    }
}

impl<L: Language> fmt::Debug for Code<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code<{}>({:?})", L::NAME, self.text)
    }
}

impl<L> fmt::Display for Code<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Names its newtype after the language, which is how a writer learns it.
struct InLanguage<'a>(&'a str, &'static str);

impl Serialize for InLanguage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(self.1, self.0)
    }
}

impl<L: Language> Serialize for Code<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(CODE_TOKEN, &InLanguage(&self.text, L::NAME))
    }
}

impl<'de, L: Language> Deserialize<'de> for Code<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Names its newtype after the language, as the writer does, the second time that one is asked for.
        struct Visitor {
            language: &'static str,
            inside: bool,
        }

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} code", self.language)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
                Ok(text)
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<String, D::Error> {
                let Self { language, inside } = self;
                match inside {
                    true => String::deserialize(inner),
                    false => inner.deserialize_newtype_struct(language, Self { language, inside: true }),
                }
            }
        }

        let visitor = Visitor { language: L::NAME, inside: false };
        deserializer.deserialize_newtype_struct(CODE_TOKEN, visitor).map(Self::new)
    }
}

impl<L: Language> JsonSchema for Code<L> {
    fn schema_name() -> Cow<'static, str> {
        format!("Code_{}", L::NAME).into()
    }
    fn schema_id() -> Cow<'static, str> {
        format!("dspy::Code<{}>", L::NAME).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", KIND_KEY: "code", LANGUAGE_KEY: L::NAME })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::{Python, Rust};
    use crate::{Content, write, write_json, write_output};

    #[test]
    fn is_a_string_in_json() {
        let code = Code::<Rust>::new("fn f() {}\n");
        let json = write_json(&code).unwrap();
        assert_eq!(json, "fn f() {}\n");
        assert_eq!(serde_json::to_value(&code).unwrap(), json);
        assert_eq!(serde_json::from_value::<Code<Rust>>(json).unwrap(), code);
    }

    #[test]
    fn stands_in_a_fence_as_output_only() {
        let code = Code::<Python>::new("print('hi')");
        let mut out = Content::new();
        write_output(&code, &mut out).unwrap();
        assert_eq!(out.text(), "```python\nprint('hi')\n```");
        let mut out = Content::new();
        write(&code, &mut out).unwrap();
        assert_eq!(out.text(), "print('hi')");
    }

    #[test]
    fn the_fence_is_longer_than_any_inside() {
        let code = Code::<Rust>::new("/// ```\n/// f()\n/// ````\n");
        let mut out = Content::new();
        write_output(&code, &mut out).unwrap();
        assert_eq!(out.text(), "`````rust\n/// ```\n/// f()\n/// ````\n`````");
    }
}
