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

/// A source that an answer rests on: a place of a document, or a page of the web.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Citation {
    /// The words of the source, as they stand there; empty where the provider does not repeat them.
    #[serde(default)]
    pub cited_text: String,
    /// Which of the documents of the request, counted from 0; `None` for sources that were not part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_index: Option<usize>,
    /// The source's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_title: Option<String>,
    /// The source's address, if it is one of the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the words begin, in characters of the document.
    #[serde(default, alias = "start_char_index", skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// Where they end, in characters of the document, exclusive.
    #[serde(default, alias = "end_char_index", skip_serializing_if = "Option::is_none")]
    pub end: Option<usize>,
    /// Where the part of the answer begins that rests on the source, in characters of the answer's whole text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_start: Option<usize>,
    /// Where it ends, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_end: Option<usize>,
}

impl Citation {
    /// The part of an answer that rests on the source, if the provider tells it. The answer is the whole text of a model's
    /// response, as it came.
    ///
    /// ```
    /// # use dspy_value::Citation;
    /// let cited = Citation { answer_start: Some(4), answer_end: Some(10), ..Citation::default() };
    /// assert_eq!(cited.supported("The Danube."), Some("Danube"));
    /// ```
    pub fn supported<'a>(&self, answer: &'a str) -> Option<&'a str> {
        let mut places = answer.char_indices().map(|(at, _)| at).chain([answer.len()]);
        let (start, end) = (self.answer_start?, self.answer_end?);
        let from = places.nth(start)?;
        let to = match end.checked_sub(start)? {
            0 => from,
            length => places.nth(length - 1)?,
        };
        answer.get(from..to)
    }
}

/// The places of documents that an answer rests on.
///
/// Where the model cites the documents of its input on its own, the field is left out of the prompt; and what the provider
/// names takes the place of what the model wrote. It is a list in JSON; DSPy's `{"citations": […]}` is read as well.
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
                    "document_index": { "type": "integer", "format": "uint", "minimum": 0 },
                },
                "required": ["cited_text", "document_index"],
            },
            KIND_KEY: "citations",
        })
    }
}
