//! The nine types that are asked for, with random values of each.

use std::collections::BTreeMap;

use dspy_value::{CoercionKind, Raw, ReadOptions, read};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::random::Random;

/// One of the nine types.
#[derive(Debug)]
pub(crate) struct Type {
    /// How the tables call it.
    pub(crate) name: &'static str,
    /// The names of fields and variants: keys that mean the same in another case.
    pub(crate) fields: &'static [&'static str],
    /// Fields below which a number in quotes may be meant as text.
    pub(crate) loose: &'static [&'static str],
    /// Fields below which every key is data.
    pub(crate) free: &'static [&'static str],
    /// A random value, as JSON.
    pub(crate) sample: fn(&mut Random) -> Value,
    /// The value that a text is read as.
    pub(crate) read: fn(&str) -> Result<Read, String>,
}

/// What came of reading.
#[derive(Debug)]
pub(crate) struct Read {
    /// The value, as JSON.
    pub(crate) value: Value,
    /// What was bent for it.
    pub(crate) bent: Vec<CoercionKind>,
}

fn read_as<T: DeserializeOwned + Serialize>(text: &str) -> Result<Read, String> {
    let reading = read::<T>(Raw::text(text), &ReadOptions::default()).map_err(|error| error.to_string())?;
    let value = serde_json::to_value(&reading.value).map_err(|error| error.to_string())?;
    Ok(Read { value, bent: reading.coercions.iter().map(|c| c.kind).collect() })
}

fn sample_of<T: Serialize + Sample>(random: &mut Random) -> Value {
    serde_json::to_value(T::sample(random)).expect("all keys are texts")
}

trait Sample {
    fn sample(random: &mut Random) -> Self;
}

const fn named<T: Serialize + DeserializeOwned + Sample>(
    name: &'static str,
    fields: &'static [&'static str],
) -> Type {
    Type { name, fields, loose: &[], free: &[], sample: sample_of::<T>, read: read_as::<T> }
}

/// The nine types.
pub(crate) const TYPES: [Type; 9] = [
    named::<Ticket>("flat struct", &["id", "title", "open", "reply_count", "mean_score", "priority"]),
    named::<Profile>(
        "options and defaults",
        &[
            "full_name",
            "nick",
            "age",
            "height_cm",
            "tags",
            "verified",
            "last_event",
            "kind",
            "x",
            "y",
            "text",
            "held",
            "target_url",
            "delay_ms",
        ],
    ),
    named::<Invoice>(
        "nested struct",
        &["number", "buyer", "name", "city", "lines", "sku", "quantity", "unit_price", "note", "total"],
    ),
    named::<Event>("internally tagged", &["kind", "x", "y", "text", "held", "target_url", "delay_ms"]),
    named::<Shape>(
        "externally tagged",
        &["Circle", "radius", "label", "Segment", "Label", "Path", "points", "closed"],
    ),
    Type {
        loose: &["answer", "others"],
        ..named::<Reply>("untagged", &["topic", "answer", "others", "amount", "unit", "given_name", "age"])
    },
    named::<Scores>("map", &[]),
    named::<Vec<Command>>("list of enums", &["say", "move_to", "left", "top", "wait"]),
    Type { free: &["data"], ..named::<Tree>("tree", &["label", "weight", "data", "child_nodes"]) },
];

#[derive(Serialize, Deserialize)]
struct Ticket {
    id: i64,
    title: String,
    open: bool,
    reply_count: u32,
    mean_score: f64,
    priority: Priority,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Priority {
    Low,
    Medium,
    VeryHigh,
}

impl Sample for Ticket {
    fn sample(random: &mut Random) -> Self {
        Self {
            id: random.whole(),
            title: random.text(),
            open: random.once_in(2),
            reply_count: random.whole().unsigned_abs() as u32,
            mean_score: random.decimal(),
            priority: random.pick(&[Priority::Low, Priority::Medium, Priority::VeryHigh]),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Profile {
    full_name: String,
    nick: Option<String>,
    age: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    height_cm: Option<f64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    verified: bool,
    last_event: Option<Event>,
}

impl Sample for Profile {
    fn sample(random: &mut Random) -> Self {
        Self {
            full_name: random.name(),
            nick: random.maybe(Random::text),
            age: random.maybe(|random| random.below(100) as u8),
            height_cm: random.maybe(|random| 50.0 + random.below(1500) as f64 / 10.0),
            tags: random.several(0, 3, Random::text),
            verified: random.once_in(2),
            last_event: random.maybe(Event::sample),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Invoice {
    number: String,
    buyer: Buyer,
    lines: Vec<Line>,
    total: f64,
}

#[derive(Serialize, Deserialize)]
struct Buyer {
    name: String,
    city: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    unit_price: f64,
    note: Option<String>,
}

impl Sample for Invoice {
    fn sample(random: &mut Random) -> Self {
        let line = |random: &mut Random| Line {
            sku: random.name(),
            quantity: random.below(5000) as u32,
            unit_price: random.below(1_000_000) as f64 / 100.0,
            note: random.maybe(Random::text),
        };
        Self {
            number: format!("2024-{:03}", random.below(1000)),
            buyer: Buyer { name: random.name(), city: random.text() },
            lines: random.several(0, 4, line),
            total: random.decimal(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Event {
    Click { x: i64, y: i64 },
    KeyPress { text: String, held: Option<bool> },
    PageLoad { target_url: String, delay_ms: f64 },
}

impl Sample for Event {
    fn sample(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Click { x: random.whole(), y: random.whole() },
            1 => Self::KeyPress { text: random.text(), held: random.maybe(|random| random.once_in(2)) },
            _ => Self::PageLoad {
                target_url: format!("https://example.org/{}?q=a,b#top", random.below(100)),
                delay_ms: random.decimal(),
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Shape {
    Circle { radius: f64, label: Option<String> },
    Segment(i64, i64),
    Label(String),
    Path { points: Vec<(i64, i64)>, closed: bool },
}

impl Sample for Shape {
    fn sample(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::Circle { radius: random.decimal(), label: random.maybe(Random::text) },
            1 => Self::Segment(random.whole(), random.whole()),
            2 => Self::Label(random.text()),
            _ => Self::Path {
                points: random.several(1, 4, |random| (random.whole(), random.whole())),
                closed: random.once_in(2),
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Reply {
    topic: String,
    answer: Loose,
    others: Vec<Loose>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Flag(bool),
    Number(f64),
    Measure { amount: f64, unit: String },
    Person { given_name: String, age: u8 },
    Words(String),
    List(Vec<String>),
}

impl Loose {
    fn sample(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::Flag(random.once_in(2)),
            1 => Self::Number(random.decimal()),
            2 => Self::Measure {
                amount: random.decimal(),
                unit: random.pick(&["kg", "m²", "°C"]).to_owned(),
            },
            3 => Self::Person { given_name: random.name(), age: random.below(100) as u8 },
            4 => Self::Words(random.text()),
            _ => Self::List(random.several(0, 3, Random::text)),
        }
    }
}

impl Sample for Reply {
    fn sample(random: &mut Random) -> Self {
        Self {
            topic: random.name(),
            answer: Loose::sample(random),
            others: random.several(0, 3, Loose::sample),
        }
    }
}

type Scores = BTreeMap<String, f64>;

impl Sample for Scores {
    fn sample(random: &mut Random) -> Self {
        random.several(1, 6, |random| (random.name(), random.decimal())).into_iter().collect()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    Stop,
    TurnBack,
    Say(String),
    MoveTo { left: i64, top: f64 },
    Wait(u32),
}

impl Sample for Vec<Command> {
    fn sample(random: &mut Random) -> Self {
        random.several(1, 5, |random| match random.below(5) {
            0 => Command::Stop,
            1 => Command::TurnBack,
            2 => Command::Say(random.text()),
            3 => Command::MoveTo { left: random.whole(), top: random.decimal() },
            _ => Command::Wait(random.below(100_000) as u32),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Tree {
    label: String,
    weight: Option<f64>,
    data: Value,
    child_nodes: Vec<Tree>,
}

impl Sample for Tree {
    fn sample(random: &mut Random) -> Self {
        tree(random, 3)
    }
}

fn tree(random: &mut Random, levels: usize) -> Tree {
    let children = if levels > 1 { random.several(0, 2, |random| tree(random, levels - 1)) } else { vec![] };
    Tree {
        label: random.text(),
        weight: random.maybe(Random::decimal),
        data: data(random, 2),
        child_nodes: children,
    }
}

/// A value of no type.
fn data(random: &mut Random, levels: usize) -> Value {
    let choices = if levels == 0 { 4 } else { 6 };
    match random.below(choices) {
        0 => Value::Null,
        1 => json!(random.once_in(2)),
        2 => json!(random.whole()),
        3 => json!(random.text()),
        4 => random.several(0, 3, |random| data(random, levels - 1)).into(),
        _ => {
            let members = random.several(1, 3, |random| (random.name(), data(random, levels - 1)));
            Value::Object(members.into_iter().collect())
        }
    }
}
