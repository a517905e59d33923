//! JSON written straight into the body of a request.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{lm::Options, value::Part};

/// Writes a value.
pub(super) fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let before = out.len();
    // Writing to a vector cannot fail, and a value that could (a map with keys that are no text) is never passed.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// Writes a member of an object that has others before it.
pub(super) fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    name_of(out, name);
    json(out, value);
}

/// Writes the name of a member of an object that has others before it.
pub(super) fn name_of(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Writes the parameters of the user's own.
pub(super) fn extra<'a>(out: &mut Vec<u8>, extra: impl IntoIterator<Item = (&'a String, &'a Value)>) {
    for (name, value) in extra {
        out.push(b',');
        json(out, name);
        out.push(b':');
        json(out, value);
    }
}

/// What a protocol calls the options that most protocols have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) temperature: &'static str,
    pub(super) top_p: &'static str,
    /// These three are not written here where they have no name.
    pub(super) max_tokens: Option<&'static str>,
    pub(super) stop: Option<&'static str>,
    pub(super) seed: Option<&'static str>,
}

impl Names {
    /// Writes those that are set; a parameter of the user's own takes the place of the one of its name. `sampling`: whether
    /// the model takes a temperature.
    pub(super) fn write(self, out: &mut Vec<u8>, o: &Options, theirs: &Map<String, Value>, sampling: bool) {
        let own = |name: &&str| !theirs.contains_key(*name);
        if sampling {
            set(out, Some(self.temperature).filter(own), o.temperature);
            set(out, Some(self.top_p).filter(own), o.top_p);
        }
        set(out, self.max_tokens.filter(own), o.max_tokens);
        set(out, self.stop.filter(own), Some(&*o.stop).filter(|stop| !stop.is_empty()));
        set(out, self.seed.filter(own), o.seed);
    }
}

fn set(out: &mut Vec<u8>, name: Option<&str>, value: Option<impl Serialize>) {
    if let (Some(name), Some(value)) = (name, value) {
        member(out, name, &value);
    }
}

/// Writes items after those that are written already, with a comma between them where there are both.
pub(super) fn joined(out: &mut Vec<u8>, before: &[u8], after: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(before);
    if before.is_empty() {
        return after(out);
    }
    out.push(b',');
    let start = out.len();
    after(out);
    if out.len() == start {
        out.pop();
    }
}

/// The items of a list that is being written.
#[derive(Default)]
pub(super) struct List {
    items: usize,
}

impl List {
    /// Begins the next item.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) {
        out.push(if self.items == 0 { b'[' } else { b',' });
        self.items += 1;
    }

    /// Ends the list.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.items == 0 { b"[]" } else { b"]" });
    }
}

/// The text of a content and what stands between it, in order.
pub(super) enum Piece<'a> {
    /// Text, not empty.
    Text(&'a str),
    /// A medium.
    Part(&'a Part),
}

/// Hands over the pieces of a content.
pub(super) fn pieces<'a>(text: &'a str, parts: &'a [(usize, Part)], mut each: impl FnMut(Piece<'a>)) {
    let mut done = 0;
    for (at, part) in parts {
        if let Some(text) = text.get(done..*at).filter(|text| !text.is_empty()) {
            each(Piece::Text(text));
        }
        done = *at;
        each(Piece::Part(part));
    }
    if let Some(text) = text.get(done..).filter(|text| !text.is_empty()) {
        each(Piece::Text(text));
    }
}

/// A part as text, where a protocol has nothing else for it: a document with its title; of kinds unknown here, all.
pub(super) fn as_text(part: &Part) -> String {
    match (part.get("text"), part.get("title")) {
        (Some(body), Some(title)) => format!("{title}\n\n{body}"),
        (Some(body), None) => body.to_owned(),
        (None, _) => part.data.to_string(),
    }
}

/// The bytes of a part in base64 with their media type, if it holds them.
pub(super) fn bytes_of(part: &Part) -> Option<(Cow<'_, str>, &str)> {
    let data = part.get("data")?;
    let media_type = match (part.get("media_type"), part.get("format")) {
        (Some(media_type), _) => media_type.into(),
        (None, Some(format)) => format!("audio/{format}").into(),
        (None, None) => return None,
    };
    Some((media_type, data))
}
