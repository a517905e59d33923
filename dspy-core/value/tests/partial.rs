//! The value of a prefix is a beginning of the value of the whole, however the text is cut.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use dspy_value::{
    Code, Form, PartialReader, Raw, ReadOptions, TypeInfo, lang::Rust, write_json, write_output,
};
use proptest::{prelude::*, sample::Index};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Calm,
    VeryHappy,
    Angry,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Box { width: u32, label: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Event {
    Click { x: i64, y: i64 },
    KeyPress { text: String, held: Option<bool> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Rich {
    title: String,
    count: i64,
    ratio: f64,
    single: f32,
    yes: bool,
    maybe: Option<String>,
    number: Option<i32>,
    tags: Vec<String>,
    grid: Vec<Vec<i16>>,
    pair: (u32, String),
    by_name: BTreeMap<String, i32>,
    mood: Mood,
    shapes: Vec<Shape>,
    event: Event,
    tree: Tree,
    any: Value,
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        3 => "[a-zA-Z ]{0,20}",
        2 => ".{0,24}",
        2 => proptest::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", "\"", "'", ",", ":", "\\", "\n", "```", "null", "None", "true", "42", " ", "é", "“",
                "//", "#", "...", "answer:", "<b>", "- ", "\t", "\u{1F600}", "/*", "=", "a", "[[ ## ",
            ]),
            0..12
        ).prop_map(|parts| parts.concat()),
    ]
    .boxed()
}

/// Text that needs no escapes, so that mangling cannot change what it says.
fn word() -> BoxedStrategy<String> {
    "[a-z]{1,6}( [a-z]{1,6}){0,3}".boxed()
}

fn rich(text: &BoxedStrategy<String>) -> impl Strategy<Value = Rich> {
    let t = || text.clone();
    let shape = prop_oneof![
        Just(Shape::Point),
        (-99i32..99).prop_map(|n| Shape::Circle(f64::from(n) / 4.0)),
        any::<(i32, i32)>().prop_map(|(a, b)| Shape::Line(a, b)),
        (any::<u32>(), t()).prop_map(|(width, label)| Shape::Box { width, label }),
    ];
    let event = prop_oneof![
        any::<(i64, i64)>().prop_map(|(x, y)| Event::Click { x, y }),
        (t(), any::<Option<bool>>()).prop_map(|(text, held)| Event::KeyPress { text, held }),
    ];
    let leaf = t().prop_map(|name| Tree { name, children: Vec::new() });
    let again = t();
    let tree = leaf.prop_recursive(3, 8, 3, move |inner| {
        (again.clone(), proptest::collection::vec(inner, 0..3))
            .prop_map(|(name, children)| Tree { name, children })
    });
    let float = prop_oneof![
        any::<f64>().prop_filter("JSON has no other", |f| f.is_finite()),
        (-1000i32..1000).prop_map(f64::from)
    ];
    let scalars = (t(), any::<i64>(), float, -99i16..99, any::<bool>());
    let options = (proptest::option::of(t()), any::<Option<i32>>());
    let lists = (
        proptest::collection::vec(t(), 0..4),
        proptest::collection::vec(proptest::collection::vec(any::<i16>(), 0..3), 0..3),
        (any::<u32>(), t()),
        proptest::collection::btree_map("[a-z]{1,8}", any::<i32>(), 0..3),
    );
    let mood = prop::sample::select(vec![Mood::Calm, Mood::VeryHappy, Mood::Angry]);
    let value = prop_oneof![
        Just(json!({"a": [1, "x", null, true]})),
        Just(Value::Null),
        Just(json!("some text")),
        Just(json!([1.5, {"b": {}}, []]))
    ];
    (scalars, options, lists, (mood, proptest::collection::vec(shape, 0..3), event, tree, value)).prop_map(
        |(s, o, l, m)| Rich {
            title: s.0,
            count: s.1,
            ratio: s.2,
            single: f32::from(s.3) / 8.0,
            yes: s.4,
            maybe: o.0,
            number: o.1,
            tags: l.0,
            grid: l.1,
            pair: l.2,
            by_name: l.3,
            mood: m.0,
            shapes: m.1,
            event: m.2,
            tree: m.3,
            any: m.4,
        },
    )
}

/// Whether `part` is a beginning of `whole`.
fn begins(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::String(part), Value::String(whole)) => whole.starts_with(&**part),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() <= whole.len() && part.iter().zip(whole).all(|(part, whole)| begins(part, whole))
        }
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| begins(part, whole)))
        }
        (part, whole) => part == whole,
    }
}

/// Cuts a text into chunks.
fn chunks(text: &str, cuts: &[Index]) -> Vec<String> {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut at: Vec<usize> = cuts.iter().map(|cut| *cut.get(&places)).chain([0, text.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|pair| text[pair[0]..pair[1]].to_owned()).collect()
}

/// Reads a text in chunks: each value begins the next one, the last one is that of the whole text.
fn grows(ty: &TypeInfo, form: Form, text: &str, chunks: &[String]) -> Result<(), TestCaseError> {
    let raw = Raw { text, form };
    let whole = ty.read(raw, &ReadOptions::default());
    let whole = whole.map_err(|e| TestCaseError::fail(format!("{e}\nin {text}")))?.value;
    let mut reader = PartialReader::new(ty, form);
    let mut before: Option<Value> = None;
    for (index, chunk) in chunks.iter().enumerate() {
        reader.push(chunk);
        let Some(value) = reader.value() else { continue };
        let so_far = chunks[..=index].concat();
        prop_assert!(
            begins(value, &whole),
            "{} does not begin {}\nafter {}\nof {}",
            value,
            whole,
            so_far,
            text
        );
        if let Some(before) = &before {
            prop_assert!(begins(before, value), "{} became {}\nafter {}", before, value, so_far);
        }
        before = Some(value.clone());
    }
    reader.finish();
    prop_assert_eq!(reader.value(), Some(&whole), "of {}", text);
    Ok(())
}

fn by_char(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

fn json(value: &impl Serialize) -> String {
    write_json(value).unwrap().to_string()
}

const RICH: TypeInfo = TypeInfo::of::<Rich>();

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn clean_json_grows(value in rich(&text()), cuts in proptest::collection::vec(any::<Index>(), 0..40)) {
        let compact = json(&value);
        let pretty = serde_json::to_string_pretty(&write_json(&value).unwrap()).unwrap();
        for text in [&compact, &pretty] {
            for form in [Form::Text, Form::Json] {
                grows(&RICH, form, text, &chunks(text, &cuts))?;
                grows(&RICH, form, text, &by_char(text))?;
            }
        }
    }

    #[test]
    fn what_is_written_for_a_model_grows(value in rich(&text())) {
        let mut out = dspy_value::Content::new();
        write_output(&value, &mut out).unwrap();
        grows(&RICH, Form::Text, out.text(), &by_char(out.text()))?;
    }

    #[test]
    fn malformed_json_grows(
        value in rich(&word()),
        which in proptest::collection::vec(any::<bool>(), 12),
        cuts in proptest::collection::vec(any::<Index>(), 0..40),
    ) {
        let mut text = serde_json::to_string_pretty(&write_json(&value).unwrap()).unwrap();
        if which[0] {
            text = text.replace("true", "True").replace("false", "False").replace("null", "None");
        }
        if which[1] {
            // Trailing commas.
            text = text.replace("\n  ]", ",\n  ]").replace("\n  }", ",\n  }").replace("\n}", ",\n}");
        }
        if which[2] {
            for key in ["title", "count", "children", "tags"] {
                text = text.replace(&format!("\"{key}\":"), &format!("{key}:"));
            }
        }
        if which[3] {
            text = text.replace("\"very_happy\"", "\"Very Happy\"").replace("\"calm\"", "\"CALM\"");
            text = text.replace("\"by_name\"", "\"byName\"").replace("\"mood\"", "\"Mood\"");
        }
        if which[4] {
            text = text.replace("\"event\":", "// what happened\n  \"event\":").replace("\"pair\":", "/* two */ \"pair\":");
        }
        if which[5] {
            text = text.replace(",\n  \"yes\"", "\n  \"yes\"").replace(",\n  \"maybe\"", "\n  \"maybe\"");
        }
        if which[6] {
            text = text.replace('"', "'");
        }
        if which[7] {
            text = text.replacen("\"maybe\": null", "\"maybe\": N/A", 1);
        }
        if which[8] {
            text = format!("```json\n{text}\n```");
        }
        if which[9] {
            text = format!("Sure, [as you asked] here it is:\n\n{text}");
        }
        if which[10] {
            text = format!("{text}\n\nI hope this helps!");
        }
        if which[11] && !which[8] && !which[9] && !which[10] {
            text = format!("{{\"result\": {text}}}");
        }
        grows(&RICH, Form::Text, &text, &chunks(&text, &cuts))?;
        grows(&RICH, Form::Text, &text, &by_char(&text))?;
    }

    #[test]
    fn strings_are_tolerated(words in proptest::collection::vec(word(), 1..5), cuts in proptest::collection::vec(any::<Index>(), 0..20)) {
        #[derive(Serialize, Deserialize, JsonSchema)]
        struct Said { said: String, count: u32 }
        let ty = TypeInfo::of::<Said>();
        for said in [
            words.join(" \"and\" "),
            words.join("\n"),
            words.join(", "),
            words.join("\\\" "),
            words.join("\\u00e9\\ud83d\\ude00"),
            words.join("\\d"),
            words.join("'"),
        ] {
            for text in [
                format!("{{\"said\": \"{said}\", \"count\": 3}}"),
                format!("{{\"said\": \"{said}\", \"count\": \"3\"}}"),
                format!("{{\"Said\" : \"{said}\" , count = 3 }}"),
                format!("[{{\"said\": \"{said}\" \"count\": 3.0}}]"),
            ] {
                grows(&ty, Form::Json, &text, &chunks(&text, &cuts))?;
                grows(&ty, Form::Text, &text, &by_char(&text))?;
            }
        }
    }

    #[test]
    fn no_text_breaks_the_reader(parts in proptest::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "(", ")", "\"", "'", "“", "”", "`", "```", ",", ":", "=", "=>", "\\", "\\u", "\\ud800", "\n",
        " ", "//", "/*", "*/", "#", "...", "…", "null", "None", "true", "1", "1,000", "-", "0x", "e", ".", "title", "count",
        "kind", "name", "children", "Circle", "calm", "answer:", "- ", "1. ", "<a>", "é", "\u{a0}", "\u{feff}", "r\"", "\"\"\"",
        "~~~", "\"tags\": [\"", "\"title\": \"", "{\"tree\": {",
    ]), 0..80)) {
        let text = parts.concat();
        for form in [Form::Text, Form::Json] {
            for ty in types() {
                let mut reader = PartialReader::new(&ty, form);
                parts.iter().for_each(|part| reader.push(part));
                reader.finish();
                let mut reader = PartialReader::new(&ty, form);
                by_char(&text).iter().for_each(|part| reader.push(part));
                reader.finish();
            }
        }
    }

    #[test]
    fn text_grows(text in text(), cuts in proptest::collection::vec(any::<Index>(), 0..20)) {
        let cuts = chunks(&text, &cuts);
        grows(&TypeInfo::of::<String>(), Form::Text, &text, &cuts)?;
        grows(&TypeInfo::of::<Option<String>>(), Form::Text, &text, &cuts)?;
        // Of several fences, a later one may be that of the language; what is no code is refused.
        let code = TypeInfo::of::<Code<Rust>>();
        let read = code.read(Raw::text(&text), &ReadOptions::default()).is_ok();
        if read && text.matches("```").count() + text.matches("~~~").count() <= 2 {
            grows(&code, Form::Text, &text, &cuts)?;
        }
        let fenced = format!("Here:\n```rust\n{text}\n```\nDone.");
        grows(&TypeInfo::of::<Code<Rust>>(), Form::Text, &fenced, &by_char(&fenced))?;
    }
}

fn types() -> Vec<TypeInfo> {
    vec![
        RICH,
        TypeInfo::of::<Vec<Rich>>(),
        TypeInfo::of::<Tree>(),
        TypeInfo::of::<Vec<String>>(),
        TypeInfo::of::<Value>(),
        TypeInfo::of::<String>(),
        TypeInfo::of::<Mood>(),
        TypeInfo::of::<Option<f64>>(),
        TypeInfo::of::<Code<Rust>>(),
        TypeInfo::of::<BTreeMap<String, Vec<i32>>>(),
    ]
}

#[track_caller]
fn shows<T: Serialize + serde::de::DeserializeOwned + JsonSchema>(text: &str, value: &Value) {
    let mut reader = PartialReader::new(&TypeInfo::of::<T>(), Form::Text);
    by_char(text).iter().for_each(|part| reader.push(part));
    assert_eq!(reader.value().unwrap_or(&Value::Null), value, "{text}");
}

#[test]
fn values_appear_when_they_are_certain() {
    shows::<Vec<u32>>("[1, 2, 3", &json!([1, 2]));
    shows::<Vec<u32>>("[1, 2, 3 ", &json!([1, 2]));
    shows::<Vec<u32>>("[1, 2, 3,", &json!([1, 2, 3]));
    shows::<Vec<bool>>("[true, fals", &json!([true]));
    shows::<Vec<String>>("[\"a\", \"b", &json!(["a", "b"]));
    shows::<Vec<String>>("[\"a\", \"b\\", &json!(["a", "b"]));
    shows::<Vec<Mood>>("[\"calm\", \"very", &json!(["calm"]));
    shows::<Vec<Mood>>("[\"calm\", \"Very Happy\", \"", &json!(["calm", "very_happy"]));
    shows::<Vec<Shape>>("[\"Point\", {\"Circle\": 1", &json!(["Point", {}]));
    shows::<Vec<Shape>>("[{\"Box\": {\"label\": \"a", &json!([{"Box": {"label": "a"}}]));
    shows::<Tree>("{\"name\": \"a\", \"other\": [1, 2], \"chil", &json!({"name": "a"}));
    shows::<Event>("{\"kind\": \"key", &json!({}));
    shows::<Event>("{\"kind\": \"keyPress\", \"text\": \"he", &json!({"kind": "keyPress", "text": "he"}));
    shows::<Option<Vec<i32>>>("[1,", &json!([1]));
    shows::<Option<String>>("no", &json!(null));
    shows::<Option<String>>("now", &json!("now"));
    shows::<String>("  two words  ", &json!(null));
    shows::<String>("two words  ", &json!("two words"));
    shows::<u32>("42", &json!(null));
    shows::<Vec<String>>("I think [of a list]: [\"a", &json!(["a"]));
    // The list before a key was not closed.
    shows::<Value>("{\"a\": [\"b\", \"c\": 1, \"d\"： 2}", &json!({"a": ["b"], "c": 1, "d": 2}));
    shows::<Value>("{\"a\": [\"b\", \"c\" ： 1}", &json!({"a": ["b"], "c": 1}));
    // Brackets inside of text are no end of it.
    shows::<Vec<Mood>>("[\"calm\", {\"a\": [1]", &json!(["calm"]));
    shows::<Vec<String>>("[[1, [2]", &json!([]));
    shows::<Vec<String>>("[[1, [2], 3],", &json!(["[1, [2], 3]"]));
    shows::<Code<Rust>>("Here:\n```rust\nf();\n  g();\n", &json!("f();\n  g();"));
}

#[test]
fn structures_in_odd_places() {
    for (text, value) in [
        ("{\"items\": [1, 2]}", json!([1, 2])),
        ("{1, 2}", json!([1, 2])),
        ("(1, 2)", json!([1, 2])),
        ("set([1, 2])", json!([1, 2])),
        ("\"[1, 2]\"", json!([1, 2])),
        ("[1, 2", json!([1, 2])),
        ("[1, 2, ...]", json!([1, 2])),
    ] {
        let ty = TypeInfo::of::<Vec<u32>>();
        grows(&ty, Form::Text, text, &by_char(text)).unwrap();
        assert_eq!(ty.read(Raw::text(text), &ReadOptions::default()).unwrap().value, value);
    }
    for text in [
        "{\"tree\": {\"name\": \"a\", \"children\": []}}",
        "[{\"name\": \"a\", \"children\": []}]",
        "Tree(name='a', children=[])",
        "{\"name\": [\"a\"], \"children\": {\"name\": \"b\", \"children\": []}}",
        "{\"name\": \"a\", \"children\": [{\"name\": r\"\\b\", \"children\": []]}",
        "{\"name\": \"a, \"children\": []}",
        "{\"name\": \"\"\"a \"b\" c\"\"\", \"children\": []}",
        "{\"name\": 12, \"children\": None}",
        "{'name': 'it's', 'children': []}",
        "{“name”: “a”, “children”: []}",
    ] {
        grows(&TypeInfo::of::<Tree>(), Form::Text, text, &by_char(text)).unwrap();
    }
}
