//! The work of a reader is linear in the text, for texts made to be hard and for every way of cutting them.
//!
//! Steps are counted, not time: of [`lex`], where most of the text is looked at, and of what is done beside it.

use proptest::{prelude::*, sample::select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{super::lex::STEPS, MemberReader, PartialReader};
use crate::{Code, Form, TypeInfo, lang::Rust};

#[derive(Serialize, Deserialize, JsonSchema)]
enum Mood {
    Calm,
    Angry,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Rich {
    title: String,
    count: i64,
    maybe: Option<String>,
    tags: Vec<String>,
    mood: Mood,
    tree: Option<Tree>,
    any: Value,
}

fn types() -> [TypeInfo; 5] {
    [
        TypeInfo::of::<Rich>(),
        TypeInfo::of::<Vec<String>>(),
        TypeInfo::of::<Value>(),
        TypeInfo::of::<Option<String>>(),
        TypeInfo::of::<Code<Rust>>(),
    ]
}

/// The steps that reading takes, in pieces of so many characters.
fn steps(ty: &TypeInfo, form: Form, text: &str, piece: usize) -> usize {
    STEPS.take();
    let mut reader = PartialReader::new(ty, form);
    pieces(text, piece, &mut |piece| reader.push(piece));
    reader.finish();
    STEPS.take()
}

fn member_steps(text: &str, piece: usize) -> usize {
    STEPS.take();
    let mut reader = MemberReader::new(["title", "tree", "tags"].into_iter());
    pieces(text, piece, &mut |piece| reader.push(piece, &mut |_| {}));
    reader.finish(&mut |_| {});
    STEPS.take()
}

fn pieces(mut text: &str, piece: usize, push: &mut dyn FnMut(&str)) {
    while !text.is_empty() {
        let end = text.char_indices().nth(piece).map_or(text.len(), |(at, _)| at);
        push(&text[..end]);
        text = &text[end..];
    }
}

/// Whether twice the text takes twice the steps.
fn doubles(start: &str, unit: &str, size: usize, piece: usize) -> Result<(), String> {
    // With a word behind it, the end of the text does not decide what the last white space was.
    let text = |size: usize| format!("{start}{}b!", unit.repeat(size / unit.len()));
    let (short, long) = (text(size), text(2 * size));
    let check = |what: &str, short: usize, long: usize| match long * 10 < short * 30 + 40_000 {
        true => Ok(()),
        false => Err(format!("{what}, pieces of {piece}: {short} and {long} steps for {start:?} + {unit:?}")),
    };
    check("members", member_steps(&short, piece), member_steps(&long, piece))?;
    for (at, ty) in types().iter().enumerate() {
        let steps = |text| steps(ty, Form::Text, text, piece);
        check(&format!("type {at}"), steps(&short), steps(&long))?;
    }
    Ok(())
}

/// More than what is looked ahead, by far enough for that to count little.
const SIZE: usize = 3000;

const UNITS: &[&str] = &[
    "[",
    "{",
    "(",
    "]",
    "}",
    "{}",
    "[],",
    "[[1],",
    "{\"a\":",
    "{\"a\":[],",
    "{\"name\":\"a\",\"children\":[",
    "{\"name\":\"a\",",
    "\"",
    "'",
    "“",
    "”:",
    "«,",
    "\",",
    "\",/*",
    "\"//",
    "\",#",
    "\",#\"",
    "\"\"\"",
    "[\"",
    "\"[\"",
    "\"{'",
    "{'",
    "{'a}",
    "{\"a},",
    "'a',",
    "“x”:",
    "`a,`k`:",
    "\\",
    "\\u",
    "\\ud83d",
    ",",
    "1,",
    "null,",
    "-",
    "1e",
    "...",
    "a:",
    "a\n",
    "\n",
    "\n,",
    ",\n",
    "\",\n\n\n\n",
    " ",
    "\u{a0}",
    "a ",
    " a",
    "a, ",
    "/*",
    "//",
    "#",
    "/",
    "```",
    "```\n",
    "~~~x",
    "`",
    "{a",
    "(a",
    "a(",
    "a([",
    "x [ ",
    "x { ",
    "x {\"",
    "é",
    "\",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "\r\n",
];

const STARTS: &[&str] = &[
    "",
    "x [",
    "```\n",
    "[",
    "[\"",
    "{\"title\": \"a",
    "{\"title\": a",
    "{\"any\": {\"a\": 1, \"a\": \"",
    "{\"tree\": {\"name\": [",
];

/// Each hard text behind each beginning, in pieces of so many characters.
fn all_double(piece: usize) {
    let texts = STARTS.iter().flat_map(|start| UNITS.iter().map(move |unit| (start, unit)));
    let failures: Vec<String> =
        texts.filter_map(|(start, unit)| doubles(start, unit, SIZE, piece).err()).collect();
    assert_eq!(failures, Vec::<String>::new());
}

#[test]
fn twice_the_text_takes_twice_the_steps_at_once() {
    all_double(usize::MAX);
}

#[test]
fn twice_the_text_takes_twice_the_steps_by_character() {
    all_double(1);
}

/// A step that calls itself for each part of a text would not come back.
#[test]
fn no_text_is_too_deep() {
    for unit in ["```\n", "[", "{\"a\":", "(", "\"[", "['", "a("] {
        for ty in types() {
            let mut reader = PartialReader::new(&ty, Form::Text);
            reader.push(&unit.repeat(50_000));
            reader.finish();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_takes_more(
        start in proptest::collection::vec(select(STARTS.to_vec()), 0..3),
        units in proptest::collection::vec(prop_oneof![select(UNITS.to_vec()).prop_map(String::from), ".{1,3}"], 1..6),
        piece in prop_oneof![Just(1usize), 2usize..40, Just(usize::MAX)],
    ) {
        doubles(&start.concat(), &units.concat(), SIZE, piece).map_err(TestCaseError::fail)?;
    }

    /// A bound for each character, whatever stands beside it.
    #[test]
    fn no_character_takes_many(
        parts in proptest::collection::vec((select(UNITS.to_vec()), 1usize..200), 1..24),
        piece in prop_oneof![Just(1usize), 2usize..40, Just(usize::MAX)],
    ) {
        let text: String = parts.iter().map(|(unit, times)| unit.repeat(*times)).collect();
        for ty in types() {
            for form in [Form::Text, Form::Json] {
                let steps = steps(&ty, form, &text, piece);
                prop_assert!(steps <= 1000 * (text.len() + 10), "{} steps for {}", steps, text.len());
            }
        }
    }
}
