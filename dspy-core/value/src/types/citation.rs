//! Documents as sources, and the places of them that an answer rests on.

use std::{borrow::Cow, fmt, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    KIND_KEY,
    source::{Fields, Loose, MediaError},
};

/// A text that the model may cite.
///
/// In JSON it is `{"text": …, "media_type": "text/plain"}` with an optional `title` and `context`; a plain text is
/// read as well.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Document {
    /// The text.
    pub text: String,
    /// Its title.
    pub title: Option<String>,
    /// What the model should know of it, but not cite.
    pub context: Option<String>,
    /// Its media type.
    pub media_type: String,
}

impl Document {
    /// A plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), title: None, context: None, media_type: "text/plain".into() }
    }

    /// Gives it a title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Tells the model something about it.
    #[must_use]
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("title", &self.title)
            .field("text", &crate::shorten(&self.text, 200))
            .finish_non_exhaustive()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = Fields {
            media_type: Some(&self.media_type),
            text: Some(&self.text),
            title: self.title.as_deref(),
            context: self.context.as_deref(),
            ..Fields::default()
        };
        serializer.serialize_newtype_struct("$dspy::Part:document", &fields)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = match Loose::read(deserializer)? {
            Loose::Text(text) => return Ok(Self::new(text)),
            Loose::Fields(fields) => *fields,
        };
        // DSPy calls the text `data`.
        let text = fields
            .text
            .or(fields.data)
            .ok_or(MediaError::Empty { kind: "a document", fields: "`text`" })
            .map_err(de::Error::custom)?;
        let media_type = fields.media_type.unwrap_or_else(|| "text/plain".into());
        Ok(Self { text, title: fields.title, context: fields.context, media_type })
    }
}

impl JsonSchema for Document {
    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "text": { "type": "string" }, "title": { "type": ["string", "null"] } },
            "required": ["text"],
            KIND_KEY: "document",
        })
    }
}

/// One place of a document that an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Citation {
    /// The words of the document, as they stand there.
    pub cited_text: String,
    /// Which of the documents of the request, counted from 0.
    #[serde(default)]
    pub document_index: usize,
    /// The document's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_title: Option<String>,
    /// Where the words begin, in characters of the document.
    #[serde(default, alias = "start_char_index", skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// Where they end, in characters of the document, exclusive.
    #[serde(default, alias = "end_char_index", skip_serializing_if = "Option::is_none")]
    pub end: Option<usize>,
}

/// The places of documents that an answer rests on.
///
/// With a provider that cites on its own, the field is left out of the prompt and filled from the response. It is a
/// list in JSON; DSPy's `{"citations": […]}` is read as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Citations(pub Vec<Citation>);

impl Deref for Citations {
    type Target = [Citation];
    fn deref(&self) -> &[Citation] {
        &self.0
    }
}

impl From<Vec<Citation>> for Citations {
    fn from(citations: Vec<Citation>) -> Self {
        Self(citations)
    }
}

impl FromIterator<Citation> for Citations {
    fn from_iter<I: IntoIterator<Item = Citation>>(citations: I) -> Self {
        Self(citations.into_iter().collect())
    }
}

impl IntoIterator for Citations {
    type Item = Citation;
    type IntoIter = std::vec::IntoIter<Citation>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Citations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Citations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::history::list_or_field(deserializer, "citations").map(Self)
    }
}

impl JsonSchema for Citations {
    fn schema_name() -> Cow<'static, str> {
        "Citations".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "cited_text": { "type": "string" },
                    "document_index": { "type": "integer", "minimum": 0 },
                },
                "required": ["cited_text", "document_index"],
            },
            KIND_KEY: "citations",
        })
    }
}
