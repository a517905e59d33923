//! A schema as a sketch in the manner of TypeScript.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    node::{is_nullable, resolve},
    notes::notes,
};
use crate::types::{KIND_KEY, LANGUAGE_KEY};

/// The longest object or union that stays on one line.
const LINE: usize = 72;
/// The longest type that is repeated rather than named when it is used more than once.
const REPEATED: usize = 28;

/// The sketch of a whole schema; empty for plain text.
pub(super) fn sketch(root: &Value) -> String {
    match root.get(KIND_KEY).and_then(Value::as_str) {
        Some("reasoning") => return String::new(),
        Some("code") => {
            let language = root.get(LANGUAGE_KEY).and_then(Value::as_str).unwrap_or_default();
            return format!("{language} code in one ```{language} block");
        }
        _ => {}
    }
    let mut sketcher = Sketcher {
        root,
        uses: HashMap::new(),
        known: HashMap::new(),
        merging: Vec::new(),
        named: Vec::new(),
    };
    sketcher.count_uses(root);
    let whole = if sketcher.uses.contains_key("#") { sketcher.reference("#") } else { sketcher.shape(root) };
    let comment = whole.comment();
    if whole.text == "string" && whole.notes.is_empty() && !whole.nullable {
        return String::new();
    }
    let mut out = String::new();
    for (name, text) in &sketcher.named {
        out.push_str(&format!("type {name} = {text}\n"));
    }
    out.push_str(&with_comment(&whole.text_with_null(), &comment));
    out
}

/// A type on its way into the sketch.
#[derive(Debug, Clone, Default)]
struct Shape {
    /// Without `| null`.
    text: String,
    nullable: bool,
    /// Whether `text` is a union, which needs parentheses before `[]`.
    union: bool,
    description: String,
    notes: Vec<String>,
}

impl Shape {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn text_with_null(&self) -> String {
        match (self.nullable, self.text.is_empty()) {
            (false, _) => self.text.clone(),
            (true, true) => "null".into(),
            (true, false) if self.union && self.text.contains('\n') => format!("{}\n| null", self.text),
            (true, false) => format!("{} | null", self.text),
        }
    }

    fn comment(&self) -> String {
        let description = (!self.description.is_empty()).then_some(&self.description);
        description.into_iter().chain(&self.notes).map(String::as_str).collect::<Vec<_>>().join("; ")
    }
}

/// Puts a comment where it belongs to the whole of `text`.
fn with_comment(text: &str, comment: &str) -> String {
    if comment.is_empty() {
        text.to_owned()
    } else if let Some(rest) = text.strip_prefix("{\n") {
        format!("{{ // {comment}\n{rest}")
    } else if text.contains('\n') {
        format!("// {comment}\n{text}")
    } else {
        format!("{text} // {comment}")
    }
}

/// One level deeper; one space, because every further one is a token on every line.
fn indent(text: &str) -> String {
    text.replace('\n', "\n ")
}

/// The first paragraph on one line: what follows it is for people who read the source.
fn first_paragraph(text: &str) -> String {
    let paragraph = text.trim().split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Sketcher<'a> {
    root: &'a Value,
    /// How often each reference is used.
    uses: HashMap<&'a str, usize>,
    /// How a reference stands where it is used.
    known: HashMap<&'a str, Shape>,
    /// The references whose fields are being put into another object.
    merging: Vec<&'a str>,
    /// The types that have a name, each behind those that it uses.
    named: Vec<(String, String)>,
}

impl<'a> Sketcher<'a> {
    fn count_uses(&mut self, node: &'a Value) {
        match node {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    *self.uses.entry(reference).or_default() += 1;
                }
                object.values().for_each(|part| self.count_uses(part));
            }
            Value::Array(parts) => parts.iter().for_each(|part| self.count_uses(part)),
            _ => {}
        }
    }

    /// Whether `target` is reached again from `node`.
    fn reaches(&self, node: &Value, target: &str, seen: &mut Vec<String>) -> bool {
        match node {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    if reference == target {
                        return true;
                    }
                    if !seen.iter().any(|s| s == reference) {
                        seen.push(reference.to_owned());
                        if let Some((_, next)) = resolve(self.root, reference)
                            && self.reaches(next, target, seen)
                        {
                            return true;
                        }
                    }
                }
                object.iter().any(|(key, part)| key != "$defs" && self.reaches(part, target, seen))
            }
            Value::Array(parts) => parts.iter().any(|part| self.reaches(part, target, seen)),
            _ => false,
        }
    }

    fn reference(&mut self, reference: &'a str) -> Shape {
        if let Some(known) = self.known.get(reference) {
            return known.clone();
        }
        let Some((name, target)) = resolve(self.root, reference) else { return Shape::new("any") };
        let recursive = reference == "#" || self.reaches(target, reference, &mut Vec::new());
        if recursive {
            self.known.insert(reference, Shape::new(&name));
        }
        let shape = self.shape(target);
        let often = self.uses.get(reference).is_some_and(|&uses| uses > 1);
        let long = shape.text.contains('\n') || shape.text.len() > REPEATED;
        let shape = if recursive || (often && long) {
            self.named.push((name.clone(), with_comment(&shape.text_with_null(), &shape.comment())));
            Shape::new(name)
        } else {
            shape
        };
        self.known.insert(reference, shape.clone());
        shape
    }

    fn shape(&mut self, node: &'a Value) -> Shape {
        let Value::Object(object) = node else {
            return Shape::new(if *node == Value::Bool(false) { "never" } else { "any" });
        };
        let mut shape = self.bare_shape(node, object);
        if let Some(description) = object.get("description").and_then(Value::as_str) {
            shape.description = first_paragraph(description);
        }
        let mut own = notes(node);
        own.append(&mut shape.notes);
        shape.notes = own;
        shape
    }

    fn bare_shape(&mut self, node: &'a Value, object: &'a Map<String, Value>) -> Shape {
        if let Some(kind) = object.get(KIND_KEY).and_then(Value::as_str) {
            // Media stand in the prompt themselves when they are inputs, and are named by the model when outputs.
            let (text, note) = match kind {
                "image" => ("image", "or its URL".to_owned()),
                "audio" => ("audio", "or its data URI".to_owned()),
                "file" => ("file", "or its URL".to_owned()),
                "document" => ("document", "or its text".to_owned()),
                "history" => ("conversation", "earlier turns".to_owned()),
                "code" => {
                    let language = object.get(LANGUAGE_KEY).and_then(Value::as_str).unwrap_or("program");
                    ("string", format!("{language} code"))
                }
                _ => ("", String::new()),
            };
            if !text.is_empty() {
                let nullable = is_nullable(node);
                return Shape { notes: vec![note], nullable, ..Shape::new(text) };
            }
        }
        if let Some(value) = object.get("const") {
            return Shape::new(value.to_string());
        }
        if let Some(Value::Array(values)) = object.get("enum") {
            let nullable = values.contains(&Value::Null);
            let values: Vec<_> = values.iter().filter(|v| !v.is_null()).map(Value::to_string).collect();
            return Shape { union: values.len() > 1, nullable, ..Shape::new(values.join(" | ")) };
        }
        let is_object = object.contains_key("properties");
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            if !is_object {
                return self.reference(reference);
            }
            // A tagged variant around a struct: the tag, then the fields of the struct.
            let own = self.fields(object);
            let target = resolve(self.root, reference).and_then(|(_, target)| target.as_object());
            let target = target.filter(|t| t.contains_key("properties") && !t.contains_key("oneOf"));
            return match target.filter(|_| !self.merging.contains(&reference)) {
                Some(target) => {
                    self.merging.push(reference);
                    let theirs = self.fields(target);
                    self.merging.pop();
                    join_fields(own.into_iter().chain(theirs).collect())
                }
                None => join_all(&[join_fields(own), self.reference(reference)]),
            };
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            let Some(Value::Array(parts)) = object.get(key) else { continue };
            let parts: Vec<_> = parts.iter().map(|part| self.shape(part)).collect();
            let parts = if key == "allOf" { join_all(&parts) } else { union(parts) };
            return if is_object { join_all(&[join_fields(self.fields(object)), parts]) } else { parts };
        }
        match object.get("type") {
            Some(Value::String(name)) => self.of_type(name, object),
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                let mut shape = union(names.map(|name| self.of_type(name, object)).collect());
                shape.union &= !shape.text.is_empty();
                shape
            }
            _ if is_object => self.of_type("object", object),
            _ => Shape::new("any"),
        }
    }

    fn of_type(&mut self, name: &str, object: &'a Map<String, Value>) -> Shape {
        match name {
            "integer" => Shape::new("int"),
            "null" => Shape { nullable: true, ..Shape::default() },
            "array" => self.array(object),
            "object" => join_fields(self.fields(object)),
            other => Shape::new(other),
        }
    }

    fn array(&mut self, object: &'a Map<String, Value>) -> Shape {
        if let Some(Value::Array(items)) = object.get("prefixItems") {
            let items: Vec<_> = items.iter().map(|item| self.shape(item)).collect();
            let texts: Vec<_> = items.iter().map(|item| indent(&item.text_with_null())).collect();
            let notes = items.iter().enumerate().filter(|(_, item)| !item.comment().is_empty());
            let notes = notes.map(|(i, item)| format!("item {}: {}", i + 1, item.comment())).collect();
            return Shape { notes, ..Shape::new(format!("[{}]", texts.join(", "))) };
        }
        let Some(items) = object.get("items") else { return Shape::new("any[]") };
        let item = self.shape(items);
        let text = item.text_with_null();
        let text = if text.starts_with("| ") {
            format!("(\n {}\n)[]", indent(&text))
        } else if item.union || item.nullable {
            format!("({text})[]")
        } else {
            format!("{text}[]")
        };
        let notes = item.notes.iter().map(|note| format!("each {note}")).collect();
        Shape { notes, description: item.description, ..Shape::new(text) }
    }

    /// The fields of an object, each with its comment.
    fn fields(&mut self, object: &'a Map<String, Value>) -> Vec<(String, String)> {
        let required = object.get("required").and_then(Value::as_array);
        let mut fields = Vec::new();
        for (name, part) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let optional = !required.is_some_and(|names| names.iter().any(|n| n == name));
            let mut shape = self.shape(part);
            shape.notes.extend(default_note(part));
            // Leaving a field out says `null` as well.
            let text =
                if optional && !shape.text.is_empty() { shape.text.clone() } else { shape.text_with_null() };
            let mark = if optional { "?" } else { "" };
            let key = if is_identifier(name) { name.clone() } else { Value::from(name.as_str()).to_string() };
            fields.push(field(&format!("{key}{mark}:"), &text, &shape.comment()));
        }
        let patterns = object.get("patternProperties").and_then(Value::as_object);
        let patterns = patterns.into_iter().flatten().map(|(pattern, part)| {
            let digits = pattern == r"^\d+$" || pattern == r"^-?\d+$";
            (if digits { "int" } else { "string" }, part)
        });
        let open = object.get("additionalProperties").or_else(|| {
            // Without a word about its fields an object is open.
            let silent = !object.contains_key("properties") && !object.contains_key("patternProperties");
            silent.then_some(&Value::Bool(true))
        });
        let open = open.filter(|part| **part != Value::Bool(false)).map(|part| ("string", part));
        for (key, part) in patterns.chain(open) {
            let shape = self.shape(part);
            fields.push(field(&format!("[key: {key}]:"), &shape.text_with_null(), &shape.comment()));
        }
        fields
    }
}

/// One field and its comment, which stands apart so that a line without comments can hold several fields.
fn field(head: &str, text: &str, comment: &str) -> (String, String) {
    if text.starts_with("| ") {
        let head = with_comment(head, comment);
        (format!("{head}\n {}", indent(text)), String::new())
    } else if text.contains('\n') {
        let text = with_comment(text, comment);
        let gap = if text.starts_with("//") { "\n" } else { " " };
        (format!("{head}{gap}{text}"), String::new())
    } else {
        (format!("{head} {text}"), comment.to_owned())
    }
}

fn join_fields(fields: Vec<(String, String)>) -> Shape {
    let width: usize = fields.iter().map(|(text, _)| text.len() + 2).sum();
    let short =
        width <= LINE && fields.iter().all(|(text, comment)| comment.is_empty() && !text.contains('\n'));
    if fields.is_empty() {
        Shape::new("{}")
    } else if short {
        let fields: Vec<_> = fields.into_iter().map(|(text, _)| text).collect();
        Shape::new(format!("{{ {} }}", fields.join(", ")))
    } else {
        let lines = fields.iter().map(|(text, comment)| {
            let comment = if comment.is_empty() { String::new() } else { format!(" // {comment}") };
            format!("\n {}{comment}", indent(text))
        });
        Shape::new(format!("{{{}\n}}", lines.collect::<String>()))
    }
}

/// One of several shapes.
fn union(parts: Vec<Shape>) -> Shape {
    let nullable = parts.iter().any(|part| part.nullable);
    let mut parts: Vec<_> = parts.into_iter().filter(|part| !part.text.is_empty()).collect();
    if parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return Shape { nullable, ..only };
    }
    let width: usize = parts.iter().map(|part| part.text.len() + 3).sum();
    let short = width <= LINE && parts.iter().all(|p| p.comment().is_empty() && !p.text.contains('\n'));
    let text = if short {
        parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(" | ")
    } else {
        let lines = parts.iter().map(|part| match part.text.strip_prefix("| ") {
            Some(nested) => format!("| {nested}"),
            None => format!("| {}", with_comment(&part.text, &part.comment())),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    Shape { nullable, union: parts.len() > 1, ..Shape::new(text) }
}

/// All of several shapes at once.
fn join_all(parts: &[Shape]) -> Shape {
    let texts = parts.iter().map(|part| match (part.union, part.text.starts_with("| ")) {
        (true, true) => format!("(\n {}\n)", indent(&part.text)),
        (true, false) => format!("({})", part.text),
        (false, _) => part.text.clone(),
    });
    let text = texts.collect::<Vec<_>>().join(" & ");
    let description = parts.iter().map(|p| p.description.clone()).find(|d| !d.is_empty()).unwrap_or_default();
    Shape { description, ..Shape::new(text) }
}

/// What the field is when it is left out, unless that is nothing.
fn default_note(node: &Value) -> Option<String> {
    let default = node.get("default")?;
    let nothing = match default {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        // Longer than what it would tell.
        Value::Object(_) => true,
        _ => false,
    };
    (!nothing).then(|| format!("default {default}"))
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}
