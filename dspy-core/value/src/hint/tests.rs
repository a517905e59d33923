use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::{JsonSchema, Schema, schema_for};
use serde_json::json;

use super::{samples::samples, *};
use crate::{Code, Image, Kind, Reasoning, ToolCalls, Validator, lang};

fn of(schema: Value) -> String {
    hint(&schema.try_into().unwrap())
}

#[test]
fn plain_text_needs_no_hint() {
    assert_eq!(hint(&schema_for!(String)), "");
    assert_eq!(hint(&schema_for!(Reasoning)), "");
    assert_eq!(hint_with(&schema_for!(String), HintStyle::JsonSchema), "");
    assert_eq!(hint(&schema_for!(Option<String>)), "string | null");
    assert_eq!(hint(&schema_for!(Code<lang::Rust>)), "rust code in one ```rust block");
}

#[test]
fn simple_types() {
    assert_eq!(hint(&schema_for!(bool)), "boolean");
    assert_eq!(hint(&schema_for!(u8)), "int");
    assert_eq!(hint(&schema_for!(f32)), "number");
    assert_eq!(hint(&schema_for!(Vec<Option<i32>>)), "(int | null)[]");
    assert_eq!(hint(&schema_for!((i32, String))), "[int, string]");
    assert_eq!(hint(&schema_for!(BTreeMap<String, f64>)), "{ [key: string]: number }");
    assert_eq!(hint(&schema_for!(BTreeMap<u8, f64>)), "{ [key: int]: number }");
    assert_eq!(hint(&schema_for!(serde_json::Value)), "any");
    assert_eq!(hint(&schema_for!(Vec<Image>)), "image[] // each or its URL");
    assert_eq!(
        hint(&schema_for!(ToolCalls)),
        "{ tool_calls: { name: string, args: { [key: string]: any } }[] }"
    );
}

#[test]
fn constraints_are_comments() {
    assert_eq!(of(json!({"type": "string", "maxLength": 10})), "string // at most 10 characters");
    assert_eq!(of(json!({"type": "integer", "minimum": 1, "maximum": 5})), "int // 1 to 5");
    assert_eq!(of(json!({"type": "number", "exclusiveMinimum": 0.0})), "number // > 0");
    assert_eq!(
        of(json!({"type": "string", "pattern": "^a", "minLength": 1})),
        "string // at least 1 character; matches /^a/"
    );
    assert_eq!(
        of(
            json!({"type": "array", "items": {"type": "string", "format": "email"}, "minItems": 2, "uniqueItems": true})
        ),
        "string[] // at least 2 items; no duplicates; each email"
    );
    assert_eq!(
        of(json!({"type": "array", "prefixItems": [{"type": "integer", "minimum": 3}, true], "minItems": 2})),
        "[int, any] // item 1: >= 3"
    );
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct Node {
    #[serde(rename = "node-name")]
    name: String,
    left: Option<Box<Node>>,
    #[serde(default = "three")]
    weight: u8,
}

fn three() -> u8 {
    3
}

#[test]
fn recursive_types_are_named_once() {
    assert_eq!(
        hint(&schema_for!(Vec<Node>)),
        "type Node = {\n \"node-name\": string\n left?: Node\n weight?: int // default 3\n}\nNode[]"
    );
    assert!(hint(&schema_for!(Node)).ends_with("}\nNode"));
    assert_eq!(of(json!({"type": "object", "properties": {"x": {"$ref": "#/nowhere"}}})), "{ x?: any }");
}

#[test]
fn unions() {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    enum Answer {
        None,
        Number(f64),
        Range { min: f64, max: f64 },
    }
    assert_eq!(
        hint(&schema_for!(Vec<Answer>)),
        "(\"None\" | { Number: number } | { Range: { min: number, max: number } })[]"
    );
    assert_eq!(
        of(json!({"type": "object", "required": ["a"], "properties": {"a": {
            "description": "state",
            "oneOf": [{"const": "x", "description": "one"}, {"const": "y"}],
        }}})),
        "{\n a: // state\n  | \"x\" // one\n  | \"y\"\n}"
    );
    assert_eq!(
        of(json!({"type": ["integer", "string", "null"]})),
        "integer | string | null".replace("integer", "int")
    );
}

#[test]
fn the_whole_sketch_of_a_nested_type() {
    let (_, invoice) = samples().swap_remove(4);
    let expected = r#"
type Address = {
 street: string
 city: string
 postal_code: string
 country: string // two letters, as in ISO 3166; exactly 2 characters
}
{
 number: string
 issued: string // as in 2024-01-31
 seller: Address
 buyer: Address
 items: { // at least 1 item
  description: string
  quantity: int // >= 1
  unit_price: number // before tax
 }[]
 currency: string // three letters, as in ISO 4217
 total: number
}"#;
    assert_eq!(hint(&invoice), expected.trim_start());
}

#[test]
fn json_schema_style_drops_what_only_tools_need() {
    let shown = hint_with(&schema_for!(Node), HintStyle::JsonSchema);
    for noise in ["$schema", "title", "uint8", "255"] {
        assert!(!shown.contains(noise), "{shown}");
    }
    let named_like_keywords =
        json!({"type": "object", "properties": {"title": {"type": "string", "title": "Title"}}});
    assert_eq!(
        hint_with(&named_like_keywords.try_into().unwrap(), HintStyle::JsonSchema),
        r#"{"type":"object","properties":{"title":{"type":"string"}}}"#
    );
}

#[test]
fn strict_schemas_close_objects_and_require_everything() {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Row {
        #[schemars(length(max = 3))]
        name: String,
        age: Option<u8>,
        #[serde(default = "three")]
        level: u8,
    }
    assert_eq!(
        strict_schema(&schema_for!(Row)).unwrap(),
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "age": {"type": ["integer", "null"]},
                "level": {"type": "integer", "description": "(default 3)"},
            },
            "required": ["name", "age", "level"],
            "additionalProperties": false,
        })
    );
    let optional = json!({"type": "object", "properties": {"e": {"enum": ["a"]}, "s": {"type": "string"}}});
    let strict = strict_schema(&optional.try_into().unwrap()).unwrap();
    assert_eq!(strict["properties"]["e"]["anyOf"][1], json!({"type": "null"}));
    assert_eq!(strict["properties"]["s"]["type"], json!(["string", "null"]));
}

#[test]
fn open_types_have_no_strict_schema() {
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Nested {
        map: Option<Vec<BTreeMap<String, u8>>>,
    }
    assert!(strict_schema(&schema_for!(Nested)).is_none());
    assert!(strict_schema(&schema_for!(serde_json::Map<String, Value>)).is_none());
    assert!(strict_schema(&schema_for!(serde_json::Value)).is_none());
    assert!(strict_schema(&schema_for!((u8, u8))).is_none());
    assert!(strict_schema(&json!({"type": "object"}).try_into().unwrap()).is_none());
    assert!(strict_schema(&json!({"type": ["object", "null"]}).try_into().unwrap()).is_none());
    assert!(strict_schema(&schema_for!(ToolCalls)).is_none());
}

#[test]
fn outputs_share_one_table_of_types() {
    mod other {
        #[derive(schemars::JsonSchema)]
        #[allow(dead_code)]
        pub(super) struct Node {
            x: bool,
        }
    }
    let (a, b, c) = (schema_for!(Vec<Node>), schema_for!(Vec<other::Node>), schema_for!(Node));
    let strict = strict_object([("a", "first", &a), ("b", "", &b), ("c", "third", &c)]).unwrap();
    assert_eq!(strict["required"], json!(["a", "b", "c"]));
    assert_eq!(strict["properties"]["a"]["items"]["$ref"], "#/$defs/Node");
    assert_eq!(strict["properties"]["b"]["items"]["$ref"], "#/$defs/Node2");
    assert_eq!(strict["properties"]["c"]["$ref"], "#/$defs/Node3");
    assert_eq!(strict["properties"]["a"]["description"], "first");
    assert_eq!(strict["$defs"]["Node3"]["properties"]["left"]["anyOf"][0]["$ref"], "#/$defs/Node3");
    assert_eq!(strict["$defs"].as_object().unwrap().len(), 3);
}

/// About the tokens of a byte-pair encoding: a word in pieces of up to seven letters, digits by threes, other signs by
/// threes, each together with one space before it; a line break; the spaces of an indentation but the last.
fn tokens(text: &str) -> usize {
    let mut count = 0;
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        let next = chars.peek().copied().unwrap_or('\n');
        let (class, limit) = match first {
            // Belongs to what follows.
            ' ' if !next.is_whitespace() => continue,
            ' ' => (' ', usize::MAX),
            '\n' => ('\n', 1),
            c if c.is_alphabetic() => ('a', 7),
            c if c.is_ascii_digit() => ('0', 3),
            _ => ('.', 3),
        };
        let same = |c: &char| match class {
            ' ' => *c == ' ',
            'a' => c.is_alphabetic(),
            '0' => c.is_ascii_digit(),
            _ => !c.is_alphanumeric() && !c.is_whitespace(),
        };
        let mut length = 1;
        while length < limit && chars.next_if(same).is_some() {
            length += 1;
        }
        count += 1;
    }
    count
}

#[test]
fn sketches_take_a_fraction_of_the_tokens() {
    let (mut sketch, mut schema) = (0, 0);
    for (_, sample) in samples() {
        sketch += tokens(&hint(&sample));
        schema += tokens(&sample.as_value().to_string());
    }
    assert!(sketch * 100 <= schema * 40, "{sketch} of {schema} tokens");
}

#[test]
#[ignore = "writes the samples to a file, to count their tokens with a real tokenizer"]
fn export_samples() {
    let rows: Vec<_> = samples()
        .into_iter()
        .map(|(name, schema)| {
            json!({
                "name": name,
                "sketch": hint(&schema),
                "plain": hint_with(&schema, HintStyle::JsonSchema),
                "schema": schema.as_value().to_string(),
                "approximate": [tokens(&hint(&schema)), tokens(&schema.as_value().to_string())],
            })
        })
        .collect();
    std::fs::write(std::env::temp_dir().join("dspy-hints.json"), json!(rows).to_string()).unwrap();
}

/// Schemas as they may arrive from elsewhere: any keyword with any value, references in circles and to nowhere.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!("string")),
        Just(json!("object")),
        Just(json!(["integer", "null"])),
        Just(json!(3)),
        Just(json!("#")),
        Just(json!("#/$defs/A")),
        Just(json!("#/$defs/B")),
        Just(json!("#/properties/a")),
        Just(json!([])),
    ];
    let key = prop_oneof![
        Just("type"),
        Just("$ref"),
        Just("properties"),
        Just("items"),
        Just("anyOf"),
        Just("oneOf"),
        Just("allOf"),
        Just("prefixItems"),
        Just("required"),
        Just("additionalProperties"),
        Just("enum"),
        Just("const"),
        Just("$defs"),
        Just("minimum"),
        Just("maxLength"),
        Just("pattern"),
        Just("format"),
        Just("default"),
        Just("description"),
        Just("x-dspy"),
        Just("a"),
        Just("A"),
        Just("B"),
    ];
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            3 => prop::collection::btree_map(key.clone(), inner.clone(), 0..5)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
        ]
    })
}

fn survive(schema: Value) {
    let Ok(schema) = Schema::try_from(schema) else { return };
    hint(&schema);
    hint_with(&schema, HintStyle::JsonSchema);
    strict_schema(&schema);
    Kind::of(&schema);
    if let Some(validator) = Validator::new(&schema) {
        validator.check(&json!({"a": [1, "b"]}));
    }
}

#[test]
fn references_in_circles_end() {
    let circle =
        json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}});
    survive(circle);
    survive(json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]}));
    survive(json!({"properties": {"a": {"$ref": "#/properties/a", "minimum": 1}}}));
    survive(json!({"properties": {"a": {"properties": {}, "$ref": "#"}}}));
}

proptest! {
    #[test]
    fn no_schema_is_too_strange(schema in any_schema(), a in any_schema(), b in any_schema()) {
        let mut schema = schema;
        if let Value::Object(object) = &mut schema {
            object.insert("$defs".into(), json!({"A": a, "B": b}));
        }
        survive(schema);
    }
}

#[test]
fn formats_that_leave_their_notation_open_show_it() {
    let schema = |format: &str| Schema::try_from(json!({"type": "string", "format": format})).unwrap();
    assert!(hint(&schema("date")).contains("date, as 2024-05-31"));
    assert!(hint(&schema("uuid")).contains("uuid"));
}
