//! Lists and structures that are written as tags within tags.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    headers::trim_outer,
    markup::{self, Kind, Tag, tags},
    names::same_name,
};
use crate::signature::Field;

/// The text in a tag.
pub(super) fn content(text: &str) -> Cow<'_, str> {
    match markup::plain(trim_outer(text)) {
        Cow::Owned(plain) if markup::has_cdata(text) => trim_outer(&plain).to_owned().into(),
        plain => plain,
    }
}

/// Whether a field is a list.
pub(super) fn is_list(field: &Field) -> bool {
    let schema = field.schema();
    Shape::of(schema.as_value()).is("array")
}

/// The value of a list or a structure whose tags came with these contents; `None` when it is not written as tags, but
/// as the text of one.
pub(super) fn value(field: &Field, contents: &[&str]) -> Option<Value> {
    // A text is a text, whatever tags are in it.
    if !contents.iter().any(|text| text.contains('<')) && contents.len() < 2 {
        return None;
    }
    let schema = field.schema();
    let shape = Shape::of(schema.as_value());
    if shape.is("array") && contents.len() > 1 {
        let item = shape.items();
        // Whole lists that were written twice are no items.
        let whole = |text: &&str| text.trim_start().starts_with('[') && !item.is("array");
        return (!contents.iter().any(whole))
            .then(|| contents.iter().map(|text| item.tree(text, DEEPEST)).collect());
    }
    let text = contents.iter().find(|text| !text.trim().is_empty())?;
    let structure = shape.is("array") || shape.is("object") || shape.at("oneOf").is_some();
    (structure && elements(text).is_some()).then(|| shape.tree(text, DEEPEST))
}

/// How deep elements may nest.
const DEEPEST: usize = 64;

/// A text that consists of nothing but elements: their names and contents.
fn elements(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    let mut at = 0;
    while !text[at..].trim().is_empty() {
        let start = at + text[at..].len() - text[at..].trim_start().len();
        let open = tags(text, start).next().filter(|tag| tag.start == start && tag.kind != Kind::Close)?;
        if open.kind == Kind::Empty {
            found.push((open.name, ""));
            at = open.end;
            continue;
        }
        let close = closing(text, open)?;
        found.push((open.name, &text[open.end..close.start]));
        at = close.end;
    }
    Some(found).filter(|found| !found.is_empty())
}

/// The tag that closes this one.
fn closing<'a>(text: &'a str, open: Tag<'_>) -> Option<Tag<'a>> {
    let mut depth = 1_usize;
    tags(text, open.end).filter(|tag| tag.name == open.name).find(|tag| {
        match tag.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            Kind::Empty => {}
        }
        depth == 0
    })
}

/// A schema within a schema; nothing is known where it is null.
#[derive(Clone, Copy)]
struct Shape<'a> {
    root: &'a Value,
    node: &'a Value,
}

impl<'a> Shape<'a> {
    fn of(root: &'a Value) -> Self {
        Self { root, node: root }.resolved()
    }

    fn to(self, node: &'a Value) -> Self {
        Self { root: self.root, node }.resolved()
    }

    /// What references and `Option`s lead to.
    fn resolved(mut self) -> Self {
        // Those of a schema that arrived as data may go in a circle.
        for _ in 0..16 {
            let target = self.at("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
            if let Some(node) = target.and_then(|target| self.root.pointer(target)) {
                self.node = node;
                continue;
            }
            let not_null = |part: &&Value| part.get("type").is_none_or(|ty| ty != "null");
            let parts = self.at("anyOf").and_then(Value::as_array);
            let mut parts = parts.into_iter().flatten().filter(not_null);
            match (parts.next(), parts.next()) {
                (Some(only), None) => self.node = only,
                _ => break,
            }
        }
        self
    }

    fn at(self, key: &str) -> Option<&'a Value> {
        self.node.get(key)
    }

    fn is(self, name: &str) -> bool {
        match self.at("type") {
            Some(Value::Array(names)) => names.iter().any(|n| n == name),
            Some(ty) => ty == name,
            None => false,
        }
    }

    fn items(self) -> Self {
        self.to(self.at("items").unwrap_or(&Value::Null))
    }

    /// The property of this name, as it is spelt, with its schema.
    fn property(self, name: &str) -> Option<(&'a str, Self)> {
        let properties = self.at("properties")?.as_object()?;
        let (name, node) = properties.iter().find(|(key, _)| same_name(key, name))?;
        Some((name, self.to(node)))
    }

    /// The value that an element's content is.
    fn tree(self, text: &str, depth: usize) -> Value {
        let written = || content(text).into_owned();
        if self.is("string") {
            return written().into();
        }
        let Some((elements, depth)) = elements(text).zip(depth.checked_sub(1)) else {
            let text = written();
            return serde_json::from_str(&text).unwrap_or(Value::String(text));
        };
        if !self.is("array") {
            return self.object(&elements, depth);
        }
        let (item, first) = (self.items(), elements[0].0);
        let same = elements.iter().all(|(name, _)| *name == first);
        if same && item.property(first).is_none() {
            return elements.iter().map(|(_, text)| item.tree(text, depth)).collect();
        }
        Value::Array(vec![item.object(&elements, depth)])
    }

    fn object(self, elements: &[(&str, &str)], depth: usize) -> Value {
        let mut object = Map::new();
        for (name, text) in elements {
            let of_map = || self.to(self.at("additionalProperties").unwrap_or(&Value::Null));
            let (key, shape) = self.property(name).unwrap_or_else(|| (name, of_map()));
            let same: Vec<&str> = elements.iter().filter(|(n, _)| n == name).map(|(_, text)| *text).collect();
            let value = match (same.len(), shape.is("array")) {
                (1, _) => shape.tree(text, depth),
                (_, true) => same.iter().map(|text| shape.items().tree(text, depth)).collect(),
                (_, false) => same.iter().map(|text| shape.tree(text, depth)).collect(),
            };
            object.insert(key.to_owned(), value);
        }
        object.into()
    }
}
