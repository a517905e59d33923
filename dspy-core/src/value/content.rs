//! Text with media in it.

use serde_json::Value;

/// Text of a prompt, with media parts anchored at byte offsets of the text.
///
/// Media never travel as marks inside the text, so no text that a user or a model writes can pass for one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    text: String,
    parts: Vec<(usize, Part)>,
}

/// One non-text part of a message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// What it is: `image`, `audio`, `file`, `document`.
    pub kind: &'static str,
    /// Its fields, provider-neutral.
    pub data: Value,
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

    /// Whether there is neither text nor media.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.parts.is_empty()
    }

    /// The end of the text, to write to.
    pub fn text_mut(&mut self) -> &mut String {
        &mut self.text
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
