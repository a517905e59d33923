//! A value of any type of field, alone and between texts, is read as it was written, in every format.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use dspy::{
    LmError,
    adapter::XmlAdapter,
    lm::{BoxFuture, Choice, LanguageModel, Request, Response},
    prelude::*,
    signature::Types,
    value::{
        Audio, Citation, Citations, Code, Document, File, Image, Reasoning, ToolCall, ToolCalls,
        lang::{Python, Rust},
        write_json,
    },
};
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::round_trip::{Item, Node, Priority, Shape, check, inner, item, number, shape, text, tree};

/// Repeats the last answer that it was shown.
struct Echo;

impl LanguageModel for Echo {
    fn id(&self) -> &str {
        "test/echo"
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        let shown = request.prompt.messages().filter(|m| m.role == dspy::lm::Role::Assistant).last();
        let text = shown.map(|m| m.content.text().to_owned()).unwrap_or_default();
        let mut response = Response::default();
        response.choices = vec![Choice::text(text)];
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// Shows values of `T` as demonstrations to a model that repeats them.
fn survives<T>(values: impl Strategy<Value = T>)
where
    T: Serialize + DeserializeOwned + JsonSchema + Debug,
{
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let types = Types::new().with::<T>("T");
    let signature = |source: &str| DynSignature::parse_with(source, &types).unwrap();
    let program = |source: &str| Predict::dynamic(signature(source)).lm(Echo).repairs(0);
    let adapters: [fn(Predict<DynSignature>) -> Predict<DynSignature>; 4] = [
        |p| p.adapter(ChatAdapter::new().without_fallback()),
        |p| p.adapter(JsonAdapter::new()),
        |p| p.adapter(JsonAdapter::new().plain()),
        |p| p.adapter(XmlAdapter::new().without_fallback()),
    ];
    let programs: Vec<_> = adapters
        .iter()
        .flat_map(|with| ["topic -> value: T", "topic -> first, value: T, last"].map(|s| with(program(s))))
        .collect();
    check(100, (values, text(), text()), |(value, first, last)| {
        let value = write_json(&value).unwrap();
        for program in &programs {
            let names: Vec<String> = program.predictor().spec().outputs().map(|f| f.name.clone()).collect();
            let output =
                [("value", &value), ("first", &first.clone().into()), ("last", &last.clone().into())];
            let output = output.into_iter().filter(|(name, _)| names.iter().any(|n| n == name));
            let output: Record = output.map(|(name, value)| (name, value.clone())).collect();
            let demo = output.clone().with("topic", "t");
            let program = program.clone().try_demos([demo]).unwrap();
            let read = runtime.block_on(program.forward(Record::from([("topic", "u")])));
            let prompt = || program.render(Record::from([("topic", "u")])).unwrap().to_string();
            let read = read.map_err(|e| TestCaseError::fail(format!("{e}\n{}", prompt())))?;
            for name in &names {
                prop_assert_eq!(read.value(name), output.value(name), "{}\n{}", name, prompt());
            }
        }
        Ok(())
    });
}

macro_rules! types {
    ($($(#[$attribute:meta])* $name:ident: $ty:ty = $values:expr;)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            survives::<$ty>($values);
        }
    )*};
}

/// Texts of any characters, as they come back: without blanks at their ends.
fn any_text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![any::<String>().prop_map(|text| text.trim().to_owned()), text()]
}

fn word() -> impl Strategy<Value = String> + Clone {
    prop::sample::select(&["a word", "two\nlines", "[1, 2]", "{}", "3", "true", "<b>"][..])
        .prop_map(str::to_owned)
}

/// Tagged inside.
#[value]
#[derive(PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Inside {
    Nothing,
    Text { text: String, also: Option<i64> },
    Many { items: Vec<Item> },
}

/// Tagged beside.
#[value]
#[derive(PartialEq)]
#[serde(tag = "t", content = "c")]
enum Beside {
    Nothing,
    Text(String),
    Pair(i64, bool),
}

/// Not tagged.
#[value]
#[derive(PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<bool>),
    Fields { text: String },
}

/// Wrapped.
#[value]
#[derive(PartialEq)]
struct Wrapper(String);

/// Everything within.
#[value]
#[derive(PartialEq)]
struct Deep {
    code: Code<Rust>,
    picture: Option<Image>,
    by_name: BTreeMap<String, Vec<Option<Shape>>>,
    pair: (Priority, Box<Node>),
    any: Value,
    #[serde(default)]
    left: i32,
}

fn priority() -> impl Strategy<Value = Priority> + Clone {
    prop::sample::select(&[0, 1, 2][..]).prop_map(|i| match i {
        0 => Priority::Low,
        1 => Priority::Normal,
        _ => Priority::VeryHigh,
    })
}

fn inside() -> impl Strategy<Value = Inside> {
    prop_oneof![
        Just(Inside::Nothing),
        (inner(), option::of(any::<i64>())).prop_map(|(text, also)| Inside::Text { text, also }),
        vec(item(), 0..3).prop_map(|items| Inside::Many { items }),
    ]
}

fn beside() -> impl Strategy<Value = Beside> {
    prop_oneof![
        Just(Beside::Nothing),
        inner().prop_map(Beside::Text),
        any::<(i64, bool)>().prop_map(|(a, b)| Beside::Pair(a, b)),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    prop_oneof![
        any::<i64>().prop_map(Untagged::Number),
        inner()
            .prop_filter("as for any JSON", |text| is_clear(&text.as_str().into()))
            .prop_map(Untagged::Text),
        vec(any::<bool>(), 0..3).prop_map(Untagged::List),
        inner().prop_map(|text| Untagged::Fields { text }),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        inner().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 8, 3, |inside| {
        prop_oneof![
            vec(inside.clone(), 0..3).prop_map(Value::from),
            btree_map("[a-z]{1,5}", inside, 0..3).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Whether a text that stands for itself cannot be taken for a structure.
fn is_clear(value: &Value) -> bool {
    let packed = |text: &str| text.trim_start().starts_with(['{', '[', '(', '`']);
    !value.as_str().is_some_and(packed)
}

fn image() -> impl Strategy<Value = Image> {
    let bytes = vec(any::<u8>(), 0..20).prop_map(|bytes| Image::from_bytes_as(bytes, "image/png"));
    prop_oneof![Just(Image::from_url("https://example.org/a?b=c&d=<e>").unwrap()), bytes]
}

fn deep() -> impl Strategy<Value = Deep> {
    let by_name = btree_map(inner(), vec(option::of(shape()), 0..2), 0..3);
    let pair = (priority(), tree().prop_map(Box::new));
    (code(), option::of(image()), by_name, pair, json(), any::<i32>()).prop_map(
        |(code, picture, by_name, pair, any, left)| Deep {
            code: Code::new(code),
            picture,
            by_name,
            pair,
            any,
            left,
        },
    )
}

/// Program text: what a fence keeps is all but line breaks at its end.
fn code() -> impl Strategy<Value = String> {
    inner().prop_map(|text| text.trim_matches(['\n', '\r']).to_owned())
}

fn calls() -> impl Strategy<Value = ToolCalls> {
    let args = btree_map("[a-z]{1,5}", json(), 0..3).prop_map(|map| map.into_iter().collect());
    let call = ("[a-z_]{1,8}", args).prop_map(|(name, args)| ToolCall::new(name, args));
    vec(call, 0..3).prop_map(ToolCalls)
}

fn citations() -> impl Strategy<Value = Citations> {
    let place = (inner(), any::<u16>(), option::of(inner()), option::of(any::<u16>()));
    let citation = place.prop_map(|(cited_text, index, document_title, start)| Citation {
        cited_text,
        document_index: Some(index.into()),
        document_title,
        start: start.map(usize::from),
        ..Citation::default()
    });
    vec(citation, 0..3).prop_map(Citations)
}

types! {
    texts: String = any_text();
    texts_or_nothing: Option<String> = option::of(word());
    #[cfg(feature = "constraints")] // a length
    characters: char = any::<char>().prop_filter("a blank", |c| !c.is_whitespace());
    truth_values: bool = any::<bool>();
    truth_values_or_nothing: Option<bool> = any::<Option<bool>>();
    small_numbers: u8 = any::<u8>();
    whole_numbers: i64 = any::<i64>();
    large_numbers: u64 = any::<u64>();
    whole_numbers_or_nothing: Option<i32> = any::<Option<i32>>();
    numbers: f64 = number();
    short_numbers: f32 = prop::num::f32::NORMAL;
    lists_of_texts: Vec<String> = vec(inner(), 0..4);
    lists_of_texts_or_nothing: Option<Vec<String>> = option::of(vec(inner(), 0..4));
    lists_of_numbers: Vec<i64> = vec(any::<i64>(), 0..4);
    lists_of_optional_numbers: Vec<Option<f64>> = vec(option::of(number()), 0..4);
    lists_of_lists: Vec<Vec<String>> = vec(vec(inner(), 0..3), 0..3);
    lists_of_choices: Vec<Priority> = vec(priority(), 0..4);
    sets: BTreeSet<String> = btree_set(inner(), 0..4);
    tuples: (String, i64, bool) = (inner(), any::<i64>(), any::<bool>());
    #[cfg(feature = "constraints")] // a length
    arrays: [f64; 3] = [number(), number(), number()];
    maps: BTreeMap<String, String> = btree_map(inner(), inner(), 0..4);
    maps_by_number: BTreeMap<i64, Vec<String>> = btree_map(any::<i64>(), vec(inner(), 0..3), 0..3);
    choices: Priority = priority();
    choices_or_nothing: Option<Priority> = option::of(priority());
    variants: Shape = shape();
    variants_tagged_inside: Inside = inside();
    variants_tagged_beside: Beside = beside();
    variants_without_tags: Untagged = untagged();
    wrapped_texts: Wrapper = any_text().prop_map(Wrapper);
    structs: Item = item();
    structs_or_nothing: Option<Item> = option::of(item());
    lists_of_structs: Vec<Item> = vec(item(), 0..3);
    structs_within_themselves: Box<Node> = tree().prop_map(Box::new);
    structs_of_everything: Deep = deep();
    anything: Value = json().prop_filter("a structure in quotes is read as the structure", is_clear);
    program_texts: Code<Python> = code().prop_map(Code::new);
    thoughts: Reasoning = any_text().prop_map(Reasoning::from);
    tool_calls: ToolCalls = calls();
    places_of_documents: Citations = citations();
    images: Image = image();
    lists_of_images: Vec<Image> = vec(image(), 0..3);
    sounds: Audio = vec(any::<u8>(), 0..9).prop_map(|bytes| Audio::from_bytes(bytes, "wav"));
    files: File = prop_oneof![
        Just(File::from_id("file-1").named("a.pdf")),
        vec(any::<u8>(), 0..9).prop_map(|bytes| File::from_bytes(bytes, "application/pdf")),
    ];
    documents: Document = (inner(), option::of(inner())).prop_map(|(text, title)| match title {
        Some(title) => Document::new(text).titled(title),
        None => Document::new(text),
    });
}
