//! The types that the corpus asks for. `tests/peers/parser_compare.py` has the same ones in Python.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    str::FromStr,
};

use dspy_value::{
    Code, Raw, ReadError, ReadOptions, Reading,
    lang::{Python, Rust},
    read,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// A type of the corpus: how its answers are read.
pub(crate) struct Entry {
    /// By this library.
    pub(crate) read: fn(Raw<'_>, &ReadOptions) -> Result<Reading<Value>, ReadError>,
    /// By `serde_json`, which forgives nothing.
    pub(crate) strict: fn(&str) -> Option<Value>,
}

fn reads<T: DeserializeOwned + Serialize>(
    raw: Raw<'_>,
    options: &ReadOptions,
) -> Result<Reading<Value>, ReadError> {
    let Reading { value, coercions } = read::<T>(raw, options)?;
    Ok(Reading { value: serde_json::to_value(&value).expect("the value is writable"), coercions })
}

fn strictly<T: DeserializeOwned + Serialize>(text: &str) -> Option<Value> {
    serde_json::from_str::<T>(text).ok().and_then(|value| serde_json::to_value(value).ok())
}

macro_rules! types {
    ($($name:literal $ty:ty;)*) => {
        /// The type of this name.
        pub(crate) fn entry(name: &str) -> Option<Entry> {
            match name {
                $($name => Some(Entry { read: reads::<$ty>, strict: strictly::<$ty> }),)*
                _ => None,
            }
        }
    };
}

types! {
    "String" String;
    "bool" bool;
    "char" char;
    "i8" i8;
    "i64" i64;
    "u8" u8;
    "u32" u32;
    "u64" u64;
    "f32" f32;
    "f64" Float;
    "Value" Value;
    "IpAddr" IpAddr;
    "Date" Date;
    "Time" Time;
    "Version" Version;
    "Color" Color;
    "Score" Score;
    "Python" Code<Python>;
    "Rust" Code<Rust>;
    "Option<String>" Option<String>;
    "Option<i64>" Option<i64>;
    "Option<f64>" Option<Float>;
    "Option<bool>" Option<bool>;
    "Option<Mood>" Option<Mood>;
    "Option<Date>" Option<Date>;
    "Option<Person>" Option<Person>;
    "Option<Vec<String>>" Option<Vec<String>>;
    "Vec<String>" Vec<String>;
    "Vec<i64>" Vec<i64>;
    "Vec<f64>" Vec<Float>;
    "Vec<bool>" Vec<bool>;
    "Vec<Mood>" Vec<Mood>;
    "Vec<Date>" Vec<Date>;
    "Vec<Person>" Vec<Person>;
    "Vec<Vec<i64>>" Vec<Vec<i64>>;
    "Vec<Option<i64>>" Vec<Option<i64>>;
    "Set<String>" BTreeSet<String>;
    "(String, i64)" (String, i64);
    "[f64; 3]" [Float; 3];
    "Vec<(String, i64)>" Vec<(String, i64)>;
    "Map<String, i64>" BTreeMap<String, i64>;
    "Map<String, String>" BTreeMap<String, String>;
    "Map<String, Vec<String>>" BTreeMap<String, Vec<String>>;
    "Map<u32, String>" BTreeMap<u32, String>;
    "Map<bool, i64>" BTreeMap<bool, i64>;
    "Map<char, u32>" BTreeMap<char, u32>;
    "Map<Mood, f64>" BTreeMap<Mood, Float>;
    "Map<Date, f64>" BTreeMap<Date, Float>;
    "Map<String, Person>" BTreeMap<String, Person>;
    "Person" Person;
    "Item" Item;
    "Order" Order;
    "Profile" Profile;
    "Settings" Settings;
    "Point" Point;
    "Article" Article;
    "Snippet" Snippet;
    "Measure" Measure;
    "Server" Server;
    "Event" Event;
    "Contact" Contact;
    "Review" Review;
    "Mood" Mood;
    "Priority" Priority;
    "Topic" Topic;
    "Verdict" Verdict;
    "Pet" Pet;
    "Grade" Grade;
    "Shape" Shape;
    "Vec<Shape>" Vec<Shape>;
    "Input" Input;
    "Vec<Input>" Vec<Input>;
    "Action" Action;
    "Loose" Loose;
    "Target" Target;
    "Post" Post;
    "Extra" Extra;
    "Tree" Tree;
    "Expr" Expr;
    "Chain" Chain;
    "Stance" Stance;
    "Relation" Relation;
    "Spam" Spam;
    "Safety" Safety;
    "Urgency" Urgency;
    "Invoice" Invoice;
    "Resume" Resume;
    "Agenda" Agenda;
    "Call" Call;
    "Triage" Triage;
    "Recipe" Recipe;
    "Judgement" Judgement;
    "Tool" Tool;
    "Vec<Tool>" Vec<Tool>;
}

/// A number that may be none: in JSON that is written as a string.
#[derive(Deserialize)]
#[serde(transparent)]
struct Float(f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_finite() => to.serialize_f64(x),
            x if x.is_nan() => to.serialize_str("NaN"),
            x if x > 0.0 => to.serialize_str("Infinity"),
            _ => to.serialize_str("-Infinity"),
        }
    }
}

/// A type that is read from its own notation.
macro_rules! notation {
    ($($name:ident)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    )* };
}

notation! { Date Time Version Color }

/// A day, as `2024-05-01`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// The numbers between `mark`s, of which the first has `first` digits and the others two.
fn digits(text: &str, mark: char, first: usize) -> Option<Vec<u16>> {
    let fits = |(i, part): (usize, &str)| {
        let wanted = if i == 0 { first } else { 2 };
        (part.len() == wanted && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?
    };
    text.split(mark).enumerate().map(fits).collect()
}

impl FromStr for Date {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match digits(text, '-', 4).as_deref() {
            Some(&[year, month @ 1..=12, day @ 1..=31]) => {
                Ok(Self { year, month: month as u8, day: day as u8 })
            }
            _ => Err("a date is written as 2024-05-01"),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A time of day, as `14:30:00` or `14:30`.
struct Time(u16, u16, u16);

impl FromStr for Time {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match digits(text, ':', 2).as_deref() {
            Some(&[hour @ 0..24, minute @ 0..60]) => Ok(Self(hour, minute, 0)),
            Some(&[hour @ 0..24, minute @ 0..60, second @ 0..60]) => Ok(Self(hour, minute, second)),
            _ => Err("a time is written as 14:30"),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0, self.1, self.2)
    }
}

/// A version, as `1.4.2`.
struct Version([u32; 3]);

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.and_then(|parts| parts.try_into().ok());
        parts.map(Self).ok_or("a version is written as 1.4.2")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// A colour, as `#ff8800`.
struct Color(u32);

impl FromStr for Color {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix('#').filter(|hex| hex.len() == 6).map(|hex| u32::from_str_radix(hex, 16));
        hex.and_then(Result::ok).map(Self).ok_or("a colour is written as #ff8800")
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0)
    }
}

#[derive(Serialize, Deserialize)]
struct Score(f64);

#[derive(Serialize, Deserialize)]
struct Person {
    name: String,
    age: u32,
    email: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    sku: String,
    price: f64,
    quantity: u32,
}

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
    items: Vec<Item>,
    paid: bool,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    first_name: String,
    last_name: String,
    #[serde(alias = "mail", alias = "e-mail")]
    email_address: String,
    is_active: bool,
}

fn three() -> u32 {
    3
}

#[derive(Serialize, Deserialize)]
struct Settings {
    name: String,
    #[serde(default = "three")]
    retries: u32,
    #[serde(default)]
    verbose: bool,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Serialize, Deserialize)]
struct Article {
    title: String,
    summary: String,
    keywords: Vec<String>,
    sentiment: Mood,
    confidence: f64,
}

#[derive(Serialize, Deserialize)]
struct Snippet {
    language: String,
    code: String,
}

#[derive(Serialize, Deserialize)]
struct Measure {
    label: String,
    value: Float,
    unit: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Server {
    host: IpAddr,
    port: u16,
    version: Version,
    since: Option<Date>,
}

#[derive(Serialize, Deserialize)]
struct Event {
    title: String,
    date: Date,
    start: Option<Time>,
    all_day: bool,
}

#[derive(Serialize, Deserialize)]
struct Contact {
    name: Option<String>,
    phone: Option<String>,
    age: Option<u32>,
    birthday: Option<Date>,
    mood: Option<Mood>,
}

#[derive(Serialize, Deserialize)]
struct Review {
    stars: u8,
    mood: Mood,
    topic: Topic,
    text: String,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Mood {
    Positive,
    Negative,
    Neutral,
    Mixed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Priority {
    Low,
    Medium,
    High,
    VeryHigh,
}

#[derive(Serialize, Deserialize)]
enum Topic {
    #[serde(rename = "Billing & Payments", alias = "billing")]
    Billing,
    #[serde(rename = "Technical Support", alias = "tech", alias = "support")]
    Technical,
    #[serde(rename = "Sales")]
    Sales,
    #[serde(rename = "Other")]
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Verdict {
    Supported,
    Refuted,
    NotEnoughInfo,
}

#[derive(Serialize, Deserialize)]
enum Pet {
    Cat,
    Dog,
    GuineaPig,
    Pig,
}

#[derive(Serialize, Deserialize)]
enum Grade {
    A,
    #[serde(rename = "A+")]
    APlus,
    B,
    C,
}

#[derive(Serialize, Deserialize)]
enum Shape {
    Circle { radius: f64 },
    Rect { width: f64, height: f64 },
    Square(f64),
    Line(f64, f64),
    Empty,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Input {
    Click { x: i64, y: i64 },
    KeyPress { key: String, count: Option<u32> },
    Quit,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
enum Action {
    Say(String),
    Move { dx: i64, dy: i64 },
    Wait,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Flag(bool),
    Int(i64),
    Num(f64),
    Text(String),
    Many(Vec<i64>),
    Pair { left: i64, right: i64 },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Target {
    ById { id: u64 },
    ByName { name: String },
}

#[derive(Serialize, Deserialize)]
struct Meta {
    author: String,
    year: u32,
}

#[derive(Serialize, Deserialize)]
struct Post {
    id: u32,
    #[serde(flatten)]
    meta: Meta,
    published: bool,
}

#[derive(Serialize, Deserialize)]
struct Extra {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Tree {
    label: String,
    #[serde(default)]
    children: Vec<Tree>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expr {
    Num(f64),
    Neg(Box<Expr>),
    Add(Box<Expr>, Box<Expr>),
}

#[derive(Serialize, Deserialize)]
struct Chain {
    value: i64,
    next: Option<Box<Chain>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stance {
    StronglyAgree,
    Agree,
    Neutral,
    Disagree,
    StronglyDisagree,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Relation {
    Entailment,
    Contradiction,
    Neutral,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Spam {
    Spam,
    NotSpam,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Safety {
    Safe,
    Unsafe,
}

#[derive(Serialize, Deserialize)]
enum Urgency {
    Emergency,
    Urgent,
    SemiUrgent,
    NonUrgent,
}

#[derive(Serialize, Deserialize)]
struct Address {
    street: String,
    city: String,
    postal_code: String,
    country: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Party {
    name: String,
    vat_id: Option<String>,
    address: Option<Address>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    description: String,
    quantity: f64,
    unit_price: f64,
    tax_rate: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Invoice {
    number: String,
    issued: Date,
    due: Option<Date>,
    seller: Party,
    buyer: Party,
    lines: Vec<Line>,
    currency: String,
    total: f64,
    paid: bool,
}

#[derive(Serialize, Deserialize)]
struct Job {
    company: String,
    title: String,
    start: String,
    end: Option<String>,
    #[serde(default)]
    highlights: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Resume {
    full_name: String,
    headline: Option<String>,
    skills: Vec<String>,
    jobs: Vec<Job>,
    years_of_experience: u32,
}

#[derive(Serialize, Deserialize)]
struct Meeting {
    title: String,
    date: Date,
    start: Time,
    end: Option<Time>,
    attendees: Vec<String>,
    location: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Agenda {
    owner: String,
    timezone: Option<String>,
    meetings: Vec<Meeting>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[derive(Serialize, Deserialize)]
struct Call {
    method: Method,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    timeout_ms: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Symptom {
    name: String,
    severity: u8,
    since_days: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Triage {
    urgency: Urgency,
    symptoms: Vec<Symptom>,
    red_flags: Vec<String>,
    needs_ambulance: bool,
    temperature_c: Option<f64>,
    advice: String,
}

#[derive(Serialize, Deserialize)]
struct Ingredient {
    name: String,
    amount: Option<f64>,
    unit: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Recipe {
    title: String,
    servings: u32,
    ingredients: Vec<Ingredient>,
    steps: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Judgement {
    reasoning: String,
    verdict: Verdict,
    score: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "name", content = "arguments", rename_all = "snake_case")]
enum Tool {
    GetWeather { city: String, unit: Option<String> },
    SendEmail { to: Vec<String>, subject: String, body: String },
    Search { query: String, limit: Option<u32> },
    Finish,
}
