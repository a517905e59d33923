//! What holds for the reader whatever the text.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;

use dspy_core::value::{Content, Raw, ReadOptions, Reading, read, write_json, write_output};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Calm,
    VeryHappy,
    #[serde(alias = "upset")]
    Angry,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Box { width: u32, label: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Event {
    Click { x: i64, y: i64 },
    KeyPress { text: String, held: Option<bool> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rich {
    title: String,
    count: i64,
    small: u8,
    ratio: f64,
    single: f32,
    yes: bool,
    letter: char,
    maybe: Option<String>,
    number: Option<i32>,
    tags: Vec<String>,
    grid: Vec<Vec<i16>>,
    pair: (u32, String),
    by_name: BTreeMap<String, i32>,
    by_number: BTreeMap<u16, bool>,
    mood: Mood,
    shapes: Vec<Shape>,
    event: Event,
    tree: Tree,
}

/// Text as people write it, with whatever could be taken for syntax.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z ]{0,20}",
        2 => ".{0,24}",
        2 => proptest::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", "\"", "'", ",", ":", "\\", "\n", "```", "null", "None", "true", "42", " ", "é", "“",
                "//", "#", "...", "answer:", "<b>", "- ", "\t", "\u{a0}", "\u{1F600}", "/*", "=", "a",
            ]),
            0..12
        ).prop_map(|parts| parts.concat()),
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("JSON has no other", |f| f.is_finite()),
        (-1000i32..1000).prop_map(f64::from)
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        float().prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(a, b)| Shape::Line(a, b)),
        (any::<u32>(), text()).prop_map(|(width, label)| Shape::Box { width, label }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<(i64, i64)>().prop_map(|(x, y)| Event::Click { x, y }),
        (text(), any::<Option<bool>>()).prop_map(|(text, held)| Event::KeyPress { text, held }),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = text().prop_map(|name| Tree { name, children: Vec::new() });
    leaf.prop_recursive(4, 12, 3, |inner| {
        (text(), proptest::collection::vec(inner, 0..3)).prop_map(|(name, children)| Tree { name, children })
    })
}

fn rich() -> impl Strategy<Value = Rich> {
    let scalars = (text(), any::<i64>(), any::<u8>(), float(), any::<bool>(), any::<char>());
    let single = any::<f32>().prop_filter("JSON has no other", |f| f.is_finite());
    let options = (proptest::option::of(text()), any::<Option<i32>>(), single);
    let lists = (
        proptest::collection::vec(text(), 0..4),
        proptest::collection::vec(proptest::collection::vec(any::<i16>(), 0..3), 0..3),
        (any::<u32>(), text()),
    );
    let maps = (
        proptest::collection::btree_map(text(), any::<i32>(), 0..3),
        proptest::collection::btree_map(any::<u16>(), any::<bool>(), 0..3),
    );
    let mood = prop::sample::select(vec![Mood::Calm, Mood::VeryHappy, Mood::Angry]);
    let enums = (mood, proptest::collection::vec(shape(), 0..3), event(), tree());
    (scalars, options, lists, maps, enums).prop_map(|(s, o, l, m, e)| Rich {
        title: s.0,
        count: s.1,
        small: s.2,
        ratio: s.3,
        single: o.2,
        yes: s.4,
        letter: s.5,
        maybe: o.0,
        number: o.1,
        tags: l.0,
        grid: l.1,
        pair: l.2,
        by_name: m.0,
        by_number: m.1,
        mood: e.0,
        shapes: e.1,
        event: e.2,
        tree: e.3,
    })
}

/// The value as compact JSON, whatever serde_json does not know of.
fn json(value: &impl Serialize) -> String {
    write_json(value).map(|v| v.to_string()).unwrap_or_default()
}

fn tolerant<T: DeserializeOwned>(text: &str) -> Result<Reading<T>, String> {
    read(Raw::text(text), &ReadOptions::default()).map_err(|e| e.to_string())
}

/// The value is read back, by the tolerant reader itself and not by the shortcut for clean JSON.
fn comes_back<T: DeserializeOwned + PartialEq + std::fmt::Debug>(
    text: &str,
    value: &T,
) -> Result<(), TestCaseError> {
    let reading = tolerant::<T>(text).map_err(|e| TestCaseError::fail(format!("{e}\nin {text}")))?;
    prop_assert_eq!(&reading.value, value, "in {}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_read(value in rich()) {
        let mut out = Content::new();
        write_output(&value, &mut out).map_err(|e| TestCaseError::fail(e.to_string()))?;
        comes_back(out.text(), &value)?;
        let text = json(&value);
        let reading = read::<Rich>(Raw::json(&text), &ReadOptions::strict()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(reading.value, value);
    }

    #[test]
    fn the_tolerant_way_reads_what_is_clean(value in rich()) {
        // A depth below the default one keeps the shortcut out.
        let options = ReadOptions::default().max_depth(100);
        let text = serde_json::to_string_pretty(&write_json(&value).unwrap_or_default()).unwrap_or_default();
        let reading = read::<Rich>(Raw::text(&text), &options)
            .map_err(|e| TestCaseError::fail(format!("{e}\nin {text}")))?;
        prop_assert_eq!(reading.value, value);
        prop_assert_eq!(reading.coercions, vec![]);
    }

    #[test]
    fn prose_and_fences_change_nothing(value in rich()) {
        let text = json(&value);
        comes_back(&format!("Sure, here it is:\n\n{text}\n"), &value)?;
        comes_back(&format!("```json\n{text}\n```"), &value)?;
        comes_back(&format!("Let me think.\n\n```\n{text}\n```\nI hope this helps!"), &value)?;
        comes_back(&format!("<answer>{text}</answer>"), &value)?;
        comes_back(&format!("{{\"result\": {text}}}"), &value)?;
        comes_back(&format!("[{text}]"), &value)?;
        comes_back(&serde_json::to_string(&text).unwrap_or_default(), &value)?;
    }

    #[test]
    fn words_of_other_languages_change_nothing(shapes in proptest::collection::vec(shape(), 1..4), yes: bool) {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Answer { yes: bool, none: Option<i32>, shapes: Vec<Shape> }
        let word = if yes { "True" } else { "False" };
        let list = json(&shapes);
        let text = format!("{{'Yes': {word}, none: None, // nothing\n \"shapes\": {list},}}");
        comes_back(&text, &Answer { yes, none: None, shapes })?;
    }

    #[test]
    fn a_cut_list_keeps_its_items(numbers in proptest::collection::vec(0u32..1000, 1..20)) {
        let text = json(&numbers);
        comes_back(&text[..text.len() - 1], &numbers)?;
    }

    #[test]
    fn no_text_breaks_the_reader(text in prop_oneof![
        ".{0,200}",
        proptest::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "(", ")", "\"", "'", "“", "”", "`", "```", ",", ":", "=", "=>", "\\", "\\u", "\\ud800",
            "\n", " ", "//", "/*", "*/", "#", "...", "…", "null", "None", "true", "1", "1,000", "-", "0x", "e", ".",
            "title", "count", "kind", "name", "children", "Circle", "Click", "calm", "answer:", "- ", "1. ", "<a>", "é",
            "\u{a0}", "\u{feff}", "1/2", "%", "$", "\"\"\"", "~~~",
        ]), 0..120).prop_map(|parts| parts.concat()),
    ]) {
        reads_anything(&text);
    }

    #[test]
    fn cut_or_changed_json_never_breaks_the_reader(value in rich(), at in any::<prop::sample::Index>(), with in ".{0,3}") {
        let mut text = json(&value);
        let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        let place = *at.get(&places);
        reads_anything(&text[..place]);
        text.insert_str(place, &with);
        reads_anything(&text);
    }

    #[test]
    fn two_names_are_refused(first in 0usize..3, second in 0usize..3) {
        const NAMES: [&str; 3] = ["calm", "very happy", "angry"];
        prop_assume!(first != second);
        let (a, b) = (NAMES[first], NAMES[second]);
        for text in [format!("{a} or {b}"), format!("It is {a}, or maybe {b}"), format!("both {a} and {b}")] {
            prop_assert!(tolerant::<Mood>(&text).is_err(), "{}", text);
        }
    }

    #[test]
    fn two_numbers_are_refused(a in 0u32..1000, b in 0u32..1000) {
        prop_assume!(a != b);
        for text in [format!("{a} or {b}"), format!("between {a} and {b}"), format!("{a}-{b}")] {
            prop_assert!(tolerant::<u32>(&text).is_err(), "{}", text);
        }
    }
}

/// Asks for values of every kind; only a panic or an endless loop can fail.
fn reads_anything(text: &str) {
    let options = ReadOptions::default();
    for raw in [Raw::text(text), Raw::json(text)] {
        let _ = read::<Rich>(raw, &options);
        let _ = read::<Vec<Rich>>(raw, &options);
        let _ = read::<Tree>(raw, &options);
        let _ = read::<Event>(raw, &options);
        let _ = read::<Shape>(raw, &options);
        let _ = read::<Mood>(raw, &options);
        let _ = read::<Vec<String>>(raw, &options);
        let _ = read::<BTreeMap<String, i32>>(raw, &options);
        let _ = read::<(i32, String)>(raw, &options);
        let _ = read::<Option<f64>>(raw, &options);
        let _ = read::<bool>(raw, &options);
        let _ = read::<u8>(raw, &options);
        let _ = read::<String>(raw, &options);
        let _ = read::<std::net::IpAddr>(raw, &options);
        let _ = read::<serde_json::Value>(raw, &options);
    }
}

/// Texts that would take a reader of quadratic time many minutes.
#[test]
fn long_texts_are_read_in_linear_time() {
    const SIZE: usize = 16_000;
    for unit in [
        "{",
        "[",
        "(",
        "\"",
        "'",
        "{\"a\":",
        "[[1],",
        "\",",
        "\",/*",
        "\"//",
        "a:",
        "a\n",
        "- a\n",
        "```\n",
        "{a",
        "}{",
        "1,",
        "…",
        "...",
        "\\",
        "\\u",
        "\"\"\"",
        "{'a':\"",
        ",",
        "\u{a0}",
        "“",
        "answer:",
        "1 or ",
        "calm ",
        "{\"name\":\"a\",",
        "{\"name\":\"a\",\"children\":[",
        "not ",
        "x=",
        "~~~",
        "/*",
        "#",
        "1.",
        "$",
        "[1] ",
        ", and ",
        "é",
    ] {
        reads_anything(&unit.repeat(SIZE / unit.len()));
    }
}

#[test]
fn nesting_has_a_limit() {
    let deep = "[".repeat(100_000);
    let error = read::<serde_json::Value>(Raw::json(&deep), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("at most 128 levels"), "{error}");
    let tree = format!("{}{}", "{\"name\":\"a\",\"children\":[".repeat(300), "]}".repeat(300));
    assert!(read::<Tree>(Raw::text(&tree), &ReadOptions::default()).is_err());
}

/// `DSPY_FUZZ_SECONDS=600 cargo test -p dspy-core --test reader_props -- --ignored --nocapture`
#[test]
#[ignore = "runs for as long as DSPY_FUZZ_SECONDS says, one minute by default"]
fn fuzz() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let seconds = std::env::var("DSPY_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let mut runner = TestRunner::new(ProptestConfig::default());
    let (noise, values) = (proptest::collection::vec(text(), 0..60), rich());
    let (mut inputs, mut bytes) = (0u64, 0usize);
    while std::time::Instant::now() < end {
        let noise = noise.new_tree(&mut runner).map(|t| t.current().concat()).unwrap_or_default();
        let clean = values.new_tree(&mut runner).map(|t| json(&t.current())).unwrap_or_default();
        let cut = noise.len() * 7919 % (clean.len() + 1);
        let cut = (0..=cut).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
        for text in
            [noise.clone(), format!("{}{noise}{}", &clean[..cut], &clean[cut..]), clean[..cut].to_owned()]
        {
            reads_anything(&text);
            inputs += 1;
            bytes += text.len();
        }
    }
    println!("{inputs} inputs, {bytes} bytes, each asked for as 15 types in 2 forms: no crash");
}
