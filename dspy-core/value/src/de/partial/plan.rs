//! What a schema tells of the values of a prefix.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{super::lex::count, whole};
use crate::types::KIND_KEY;

/// The place of a [`Node`] in its [`Plan`].
pub(super) type NodeId = usize;

/// The node that allows anything.
pub(super) const ANY: NodeId = 0;

/// More types than this in one schema are taken for anything.
const MOST_NODES: usize = 4096;

/// Where values of a type may go on: its alternatives laid over each other, so that a partial value of any of them
/// finds its place before it is known which one it will be.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Anything at all.
    pub(super) any: bool,
    /// `null`, beside others.
    pub(super) null: bool,
    pub(super) bool: bool,
    pub(super) integer: bool,
    pub(super) number: bool,
    /// The number has 32 bits.
    pub(super) single: bool,
    /// Text that may be shown before its end.
    pub(super) text: bool,
    /// Text that means something as a whole only, such as a date.
    pub(super) notation: bool,
    /// Program text, which loses its fence.
    pub(super) code: bool,
    /// The names of an enum.
    pub(super) choices: Vec<String>,
    pub(super) list: Option<List>,
    pub(super) object: Option<Object>,
}

#[derive(Debug)]
pub(super) struct List {
    /// The items of a tuple.
    first: Vec<NodeId>,
    rest: NodeId,
}

impl List {
    pub(super) fn item(&self, index: usize) -> NodeId {
        self.first.get(index).copied().unwrap_or(self.rest)
    }
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) properties: Vec<(String, NodeId)>,
    /// What other keys hold; `None` when they are passed over.
    pub(super) rest: Option<NodeId>,
}

impl Object {
    /// Which property a key names.
    pub(super) fn property(&self, key: &str) -> Option<usize> {
        count(key.len());
        let names = || self.properties.iter().map(|(name, _)| name.as_str());
        names().position(|name| name == key).or_else(|| {
            let name = whole::loosely(key, &names().collect::<Vec<_>>())?;
            names().position(|known| known == name)
        })
    }

    /// Whether the brace at the start is followed by a property in quotes: the usual case, at no cost.
    pub(super) fn begins(&self, text: &str) -> bool {
        let key = text[1..].trim_start_matches([' ', '\n', '\t', '\r']);
        count(text.len() - key.len());
        key.strip_prefix('"').is_some_and(|key| {
            let follows = |name: &str| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('"'));
            self.properties.iter().any(|(name, _)| follows(name))
        })
    }
}

impl Node {
    fn anything() -> Self {
        let object = Object { properties: Vec::new(), rest: Some(ANY) };
        let list = List { first: Vec::new(), rest: ANY };
        Self { any: true, null: true, list: Some(list), object: Some(object), ..Self::default() }
    }

    /// Whether a value is written as an object or a list and as nothing else.
    pub(super) fn structure(&self) -> bool {
        (self.list.is_some() || self.object.is_some()) && !self.scalar()
    }

    /// Whether a value may be a scalar other than `null`.
    pub(super) fn scalar(&self) -> bool {
        self.any || self.words() || self.bool || self.integer || self.number
    }

    /// Whether a value may be text of any sort.
    pub(super) fn words(&self) -> bool {
        self.text || self.notation || self.code || !self.choices.is_empty()
    }

    /// Whether a value is free text, or nothing, and cannot be anything else.
    pub(super) fn free_text(&self) -> bool {
        let more = self.any || self.notation || self.bool || self.integer || self.number;
        self.text && !more && self.list.is_none() && self.object.is_none()
    }
}

/// The types of a schema.
#[derive(Debug)]
pub(super) struct Plan {
    nodes: Vec<Node>,
}

impl Plan {
    /// The plan of a schema, and its own node.
    pub(super) fn of(schema: &Value) -> (Self, NodeId) {
        let mut build = Build { root: schema, nodes: vec![Node::anything()], known: HashMap::new() };
        let node = build.node(vec![schema]);
        (Self { nodes: build.nodes }, node)
    }

    /// The plan of an object with these members, each of which may be anything.
    pub(super) fn members<'n>(names: impl Iterator<Item = &'n str>) -> (Self, NodeId) {
        let properties = names.map(|name| (name.to_owned(), ANY)).collect();
        let object = Node { object: Some(Object { properties, rest: None }), ..Node::default() };
        (Self { nodes: vec![Node::anything(), object] }, 1)
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id).unwrap_or(&self.nodes[ANY])
    }
}

struct Build<'s> {
    root: &'s Value,
    nodes: Vec<Node>,
    /// The node of each set of alternatives, so that a type that contains itself ends.
    known: HashMap<Vec<*const Value>, NodeId>,
}

impl<'s> Build<'s> {
    fn node(&mut self, schemas: Vec<&'s Value>) -> NodeId {
        let mut parts: Vec<&'s Value> = Vec::new();
        for schema in schemas {
            self.collect(schema, &mut parts);
        }
        let mut key: Vec<*const Value> = parts.iter().map(|part| std::ptr::from_ref(*part)).collect();
        key.sort_unstable();
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        if parts.is_empty() || self.nodes.len() >= MOST_NODES || parts.iter().any(|part| is_anything(part)) {
            return ANY;
        }
        let id = self.nodes.len();
        self.known.insert(key, id);
        self.nodes.push(Node::default());
        let node = self.merged(&parts);
        self.nodes[id] = node;
        id
    }

    /// The schema and its alternatives, references followed.
    fn collect(&self, schema: &'s Value, parts: &mut Vec<&'s Value>) {
        if parts.iter().any(|known| std::ptr::eq(*known, schema)) {
            return;
        }
        parts.push(schema);
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        if let Some(target) = target.and_then(|pointer| self.root.pointer(pointer)) {
            self.collect(target, parts);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            let alternatives = schema.get(key).and_then(Value::as_array).into_iter().flatten();
            alternatives.for_each(|alternative| self.collect(alternative, parts));
        }
    }

    fn merged(&mut self, parts: &[&'s Value]) -> Node {
        let mut node = Node::default();
        let mut properties: Vec<(&'s String, Vec<&'s Value>)> = Vec::new();
        let (mut others, mut first, mut items) = (Vec::new(), Vec::<Vec<_>>::new(), Vec::new());
        let (mut list, mut object) = (false, false);
        for part in parts.iter().filter_map(|part| part.as_object()) {
            let map = |key| part.get(key).and_then(Value::as_object);
            for name in types(part) {
                match name {
                    "null" => node.null = true,
                    "boolean" => node.bool = true,
                    "integer" => node.integer = true,
                    "number" => {
                        node.number = true;
                        node.single = part.get("format").is_some_and(|format| format == "float");
                    }
                    "string" => text(&mut node, part),
                    "array" => {
                        list = true;
                        for (index, item) in array(part, "prefixItems").enumerate() {
                            first.resize_with(first.len().max(index + 1), Vec::new);
                            first[index].push(item);
                        }
                        items.extend(part.get("items").filter(|items| **items != Value::Bool(false)));
                    }
                    _ => {
                        object = true;
                        for (name, schema) in map("properties").into_iter().flatten() {
                            match properties.iter_mut().find(|(known, _)| *known == name) {
                                Some((_, schemas)) => schemas.push(schema),
                                None => properties.push((name, vec![schema])),
                            }
                        }
                        let (patterns, rest) = (map("patternProperties"), part.get("additionalProperties"));
                        let free = properties.is_empty() && patterns.is_none() && rest.is_none();
                        others.extend(patterns.into_iter().flat_map(Map::values));
                        others.extend(rest.filter(|rest| **rest != Value::Bool(false)));
                        others.extend(free.then_some(&Value::Bool(true)));
                    }
                }
            }
        }
        if list {
            let first = first.into_iter().map(|schemas| self.node(schemas)).collect();
            node.list = Some(List { first, rest: self.node(items) });
        }
        if object {
            let properties = properties.into_iter().map(|(name, of)| (name.clone(), self.node(of))).collect();
            let rest = Some(others).filter(|others| !others.is_empty()).map(|others| self.node(others));
            node.object = Some(Object { properties, rest });
        }
        node
    }
}

/// The schemas or values in a list of a schema.
fn array<'s>(schema: &'s Map<String, Value>, key: &str) -> impl Iterator<Item = &'s Value> + use<'s> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a schema says nothing of its values.
fn is_anything(schema: &Value) -> bool {
    const TELLING: &str = "type enum const $ref anyOf oneOf allOf properties items prefixItems not";
    match schema {
        Value::Object(schema) => !TELLING.split(' ').any(|key| schema.contains_key(key)),
        other => *other != Value::Bool(false),
    }
}

/// The types that a schema allows itself, apart from its alternatives.
fn types(schema: &Map<String, Value>) -> Vec<&str> {
    let of = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        _ => "string",
    };
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if schema.contains_key("properties") => vec!["object"],
        _ if schema.contains_key("items") || schema.contains_key("prefixItems") => vec!["array"],
        _ => {
            let mut names: Vec<&str> = array(schema, "enum").chain(schema.get("const")).map(of).collect();
            names.dedup();
            names
        }
    }
}

/// Adds what a schema of texts says.
fn text(node: &mut Node, schema: &Map<String, Value>) {
    for choice in array(schema, "enum").chain(schema.get("const")).filter_map(Value::as_str) {
        if !node.choices.iter().any(|known| known == choice) {
            node.choices.push(choice.to_owned());
        }
    }
    match schema.get(KIND_KEY).and_then(Value::as_str) {
        _ if schema.contains_key("enum") || schema.contains_key("const") => {}
        Some("code") => node.code = true,
        _ if schema.contains_key("format") => node.notation = true,
        _ => node.text = true,
    }
}
