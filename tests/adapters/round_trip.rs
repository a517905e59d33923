//! Whatever a format writes, it reads.

use std::collections::BTreeMap;

use dspy::{adapter::XmlAdapter, prelude::*};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};

use super::model::Model;

/// One of several.
#[value]
#[derive(PartialEq)]
pub(super) struct Item {
    name: String,
    quantity: u32,
    price: f64,
    tags: Vec<String>,
    note: Option<String>,
}

#[value]
#[derive(PartialEq)]
pub(super) enum Priority {
    Low,
    Normal,
    VeryHigh,
}

#[value]
#[derive(PartialEq)]
pub(super) enum Shape {
    Nothing,
    Named(String),
    Pair(i32, bool),
    Circle { radius: f64, label: Option<String> },
}

#[value]
#[derive(PartialEq)]
pub(super) struct Node {
    label: String,
    children: Vec<Node>,
}

/// Fill in everything.
#[signature]
#[derive(PartialEq)]
struct Rich {
    #[input]
    topic: String,
    #[output]
    text: String,
    #[output]
    count: i64,
    #[output]
    ratio: f64,
    #[output]
    done: bool,
    #[output]
    remark: Option<String>,
    #[output]
    names: Vec<String>,
    #[output]
    items: Vec<Item>,
    #[output]
    scores: BTreeMap<String, i32>,
    #[output]
    priority: Priority,
    #[output]
    shape: Shape,
    #[output]
    tree: Node,
    #[output]
    last: String,
}

/// Pieces of which texts are made, among them much that has a meaning in some format.
const PIECES: &[&str] = &[
    "plain words",
    "é",
    "日本",
    "\n",
    "\n\n",
    "\n    indented",
    " ",
    "\t",
    "\"",
    "'",
    "\\",
    "\\n",
    "{",
    "}",
    "[[",
    "]]",
    "[[ ## ",
    " ## ]]",
    "## heading\n",
    "**bold**",
    "`code`",
    "```json\n[1]\n```",
    "<b>",
    "</b>",
    "&amp;",
    "null",
    "true",
    "42",
    "-1.5e3",
    "name: value",
    "{\"text\": 1}",
    "[1, 2]",
    "a, b",
    "// no comment",
    "%",
    "$",
    "(left out in this example)",
    "<think>",
    "…",
    "[[ ## text ## ]]",
    "\n[[ ## count ## ]]\n",
    "\n**[[ ## last ## ]]** x",
    "[[ ## completed ## ]]",
    "\n[[ ## completed ## ]]\n",
    "\n[[ ## other ## ]]\n",
    "\n[[ count ]]\n",
    "\n\\[[ ## text ## ]]\n",
    "\n\\\\ [[ ## text ## ]]",
    "\n```\n",
    "\n~~~~\n",
    "\n## Last\n",
    "\n**Count:**\n",
    "\r\n",
    "<text>",
    "</text>",
    "<last/>",
    "</last >",
    "<names>a</names>",
    "<Items x=\"1\">",
    "<![CDATA[",
    "]]>",
    "&",
    "&lt;",
    "&#65;",
    "&#x1F600;",
    "&amp;amp;",
    "</think>\n",
    "<thinking>",
    "</thinking>\n",
    "{\"text\": \"a\", \"last\": \"b\"}",
];

/// Any text, as it comes back: without blanks at its ends.
pub(super) fn text() -> impl Strategy<Value = String> + Clone {
    vec(prop::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat().trim().to_owned())
}

/// Any text that stands inside JSON, where nothing is trimmed.
pub(super) fn inner() -> impl Strategy<Value = String> + Clone {
    vec(prop::sample::select(PIECES), 0..5).prop_map(|pieces| pieces.concat())
}

pub(super) fn number() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1e300), Just(0.1), any::<i32>().prop_map(f64::from), prop::num::f64::NORMAL]
}

pub(super) fn item() -> impl Strategy<Value = Item> {
    (inner(), any::<u32>(), number(), vec(inner(), 0..3), option::of(inner()))
        .prop_map(|(name, quantity, price, tags, note)| Item { name, quantity, price, tags, note })
}

pub(super) fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Nothing),
        inner().prop_map(Shape::Named),
        any::<(i32, bool)>().prop_map(|(a, b)| Shape::Pair(a, b)),
        (number(), option::of(inner())).prop_map(|(radius, label)| Shape::Circle { radius, label }),
    ]
}

pub(super) fn tree() -> impl Strategy<Value = Node> {
    let leaf = inner().prop_map(|label| Node { label, children: Vec::new() });
    leaf.prop_recursive(3, 12, 3, |node| {
        (inner(), vec(node, 0..3)).prop_map(|(label, children)| Node { label, children })
    })
}

fn rich(text: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = Rich> {
    let priority = prop::sample::select(&[0, 1, 2][..]).prop_map(|i| match i {
        0 => Priority::Low,
        1 => Priority::Normal,
        _ => Priority::VeryHigh,
    });
    // That "null" is no text is a decision of the reader's.
    let remark =
        prop::sample::select(&["a word", "two\nlines", "[1, 2]", "{}", "3"][..]).prop_map(str::to_owned);
    let plain = (text.clone(), any::<i64>(), number(), any::<bool>(), option::of(remark));
    let nested = (vec(inner(), 0..4), vec(item(), 0..3), btree_map(inner(), any::<i32>(), 0..3));
    (inner(), plain, nested, priority, shape(), (tree(), text)).prop_map(
        |(
            topic,
            (text, count, ratio, done, remark),
            (names, items, scores),
            priority,
            shape,
            (tree, last),
        )| Rich {
            topic,
            text,
            count,
            ratio,
            done,
            remark,
            names,
            items,
            scores,
            priority,
            shape,
            tree,
            last,
        },
    )
}

/// Shows records as demonstrations to a model that repeats the answer of the last demonstration.
fn survives(adapter: &(impl Adapter + Clone), texts: impl Strategy<Value = String> + Clone) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let model = runtime.block_on(Model::saying(|asked| asked.texts("assistant").pop().unwrap_or_default()));
    check(500, rich(texts), |record| {
        let program = Predict::<Rich>::new().lm(model.lm.clone()).adapter(adapter.clone()).repairs(0);
        let program = program.demos([&record]);
        let output = runtime.block_on(program.forward(RichInput::from(&record)));
        let output = output.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(output, RichOutput::from(&record));
        Ok(())
    });
}

pub(super) fn check<T: std::fmt::Debug>(
    cases: u32,
    values: impl Strategy<Value = T>,
    test: impl Fn(T) -> Result<(), TestCaseError>,
) {
    let config =
        Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() };
    if let Err(failure) = TestRunner::new(config).run(&values, test) {
        panic!("{failure}");
    }
}

#[test]
fn the_chat_format_reads_what_it_writes() {
    survives(&ChatAdapter::new().without_fallback(), text());
}

#[test]
fn the_json_format_reads_what_it_writes() {
    survives(&JsonAdapter::new(), inner());
}

#[test]
fn the_xml_format_reads_what_it_writes() {
    survives(&XmlAdapter::new().without_fallback(), text());
}
