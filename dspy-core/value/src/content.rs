//! Text with media in it.

use std::{borrow::Cow, fmt};

use serde_json::Value;

use crate::encoded::base64_len;

/// Text of a prompt, with media parts anchored at byte offsets of the text.
///
/// Media never travel as marks inside the text, so no text that a user or a model writes can pass for one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    text: String,
    parts: Vec<(usize, Part)>,
}

/// One non-text part of a message.
///
/// The fields of [`Part::data`] by kind, all texts unless noted; `data` is base64, and of the alternatives one is
/// there:
///
/// | kind | fields |
/// |---|---|
/// | `image` | `url`, or `media_type` and `data` |
/// | `audio` | `format` and `data` |
/// | `file` | `url`, or `file_id`, or `media_type` and `data`; `filename`? |
/// | `document` | `text`, `media_type`, `title`?, `context`? |
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// What it is: `image`, `audio`, `file`, `document`.
    pub kind: &'static str,
    /// Its fields, provider-neutral.
    pub data: Value,
}

impl Part {
    /// A part of a kind with its fields.
    pub fn new(kind: &'static str, data: Value) -> Self {
        Self { kind, data }
    }

    /// One of its text fields.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.data.get(field)?.as_str()
    }

    /// Where it is: its URL, or its bytes as a data URI; `None` for a document and for a file known by its id.
    pub fn url(&self) -> Option<Cow<'_, str>> {
        if let Some(url) = self.get("url") {
            return Some(url.into());
        }
        let data = self.get("data")?;
        let media_type = match self.get("media_type") {
            Some(media_type) => Cow::from(media_type),
            None => format!("audio/{}", self.get("format")?).into(),
        };
        Some(format!("data:{media_type};base64,{data}").into())
    }
}

/// Shows long texts, such as base64 data, by their beginning and length.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Part");
        shown.field("kind", &self.kind);
        for (name, value) in self.data.as_object().into_iter().flatten() {
            match value.as_str() {
                Some(text) if name == "data" => {
                    shown.field(name, &format_args!("{} bytes", base64_len(text)))
                }
                Some(text) => shown.field(name, &crate::shorten(text, 80)),
                None => shown.field(name, value),
            };
        }
        shown.finish()
    }
}

/// A stretch of [`Content`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Segment<'a> {
    /// Text, never empty.
    Text(&'a str),
    /// A medium.
    Part(&'a Part),
}

impl Content {
    /// No text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text without its media.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The media with their byte offsets in [`Content::text`], in order.
    pub fn parts(&self) -> &[(usize, Part)] {
        &self.parts
    }

    /// Text and media in the order in which they are to be sent.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|(at, _)| *at));
        let ends = self.parts.iter().map(|(at, _)| *at).chain([self.text.len()]);
        let parts = self.parts.iter().map(|(_, part)| Some(part)).chain([None]);
        starts.zip(ends).zip(parts).flat_map(|((start, end), part)| {
            // An offset beyond the text is possible when the text was cut after the part was added.
            let text = self.text.get(start..end).or_else(|| self.text.get(start..)).unwrap_or_default();
            let text = Some(text).filter(|t| !t.is_empty()).map(Segment::Text);
            text.into_iter().chain(part.map(Segment::Part))
        })
    }

    /// Whether there is neither text nor media.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.parts.is_empty()
    }

    /// The end of the text, to write to. What stands there already must stay.
    pub fn text_mut(&mut self) -> &mut String {
        &mut self.text
    }

    /// Content with room for so many bytes of text.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), parts: Vec::new() }
    }

    /// Appends text.
    pub fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends a medium.
    pub fn push_part(&mut self, part: Part) {
        self.parts.push((self.text.len(), part));
    }

    /// Appends other content.
    pub fn append(&mut self, other: Content) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        self.parts.extend(other.parts.into_iter().map(|(at, part)| (base + at, part)));
    }

    /// The present end, for [`Content::rewind`].
    pub fn mark(&self) -> (usize, usize) {
        (self.text.len(), self.parts.len())
    }

    /// Drops what was appended since the mark was taken.
    pub fn rewind(&mut self, (text, parts): (usize, usize)) {
        self.text.truncate(text);
        self.parts.truncate(parts);
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self { text, parts: Vec::new() }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_alternate() {
        let part = Part::new("image", serde_json::json!({"url": "https://a/b.png"}));
        let mut content = Content::new();
        content.push_part(part.clone());
        content.push_str("one");
        content.push_part(part.clone());
        content.push_part(part.clone());
        content.push_str("two");
        let got: Vec<_> = content.segments().collect();
        let p = Segment::Part(&part);
        assert_eq!(got, [p, Segment::Text("one"), p, p, Segment::Text("two")]);
        assert_eq!(Content::new().segments().count(), 0);
    }

    #[test]
    fn debug_hides_bytes() {
        let part =
            Part::new("image", serde_json::json!({"media_type": "image/png", "data": "AAAA".repeat(1000)}));
        let shown = format!("{part:?}");
        assert!(shown.contains("3000 bytes") && shown.len() < 100, "{shown}");
        assert!(part.url().is_some_and(|u| u.starts_with("data:image/png;base64,AAAA")));
    }
}
