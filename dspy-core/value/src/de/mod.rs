//! Reading values from what models write.
//!
//! An answer that is plain JSON for its type is left to `serde_json`. Any other is read here, in an ordinary run of a
//! [`serde::Deserializer`] over the text: no tree is built, and the type that asks decides what a piece of text can
//! mean. What is bent on the way is noted with a cost. Where a text has several places for a value, each is tried, and
//! the cheapest reading wins; where an attempt fails in a way that tells what to do otherwise (a name in another case,
//! a key that comes twice), it is made again with that in mind.
//!
//! From the bottom up: [`lex`] knows the characters, [`scalar`] and [`names`] what single words mean, [`word`] is a
//! scalar of any type, [`parser`], [`shape`], [`access`] and [`asked`] are JSON, [`find`] tells where in a text a value
//! may stand, [`prose`] and [`pieces`] are lists and objects without brackets, and [`top`] with [`answer`] is a whole
//! answer.

mod access;
mod answer;
mod asked;
mod cx;
mod fail;
mod find;
mod lex;
mod names;
mod parser;
mod partial;
mod pieces;
mod prose;
mod scalar;
mod shape;
mod strict;
mod top;
mod word;

use std::{cell::Cell, fmt};

pub use self::{
    access::{ObjectMembers, object_members},
    names::{Choice, choose},
    partial::{MemberPiece, MemberReader, PartialReader},
};

use serde::de::{DeserializeOwned, DeserializeSeed};

use self::{
    cx::{Cx, Plan},
    fail::{Cure, Fail},
    lex::Place,
    parser::Parser,
    strict::{Strict, knows_key},
    top::Top,
};

/// How a raw piece of an answer is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Free text, as between two section markers: a string field is the text itself.
    Text,
    /// A JSON value as it stood in an object: a string field is a JSON string.
    Json,
}

/// A raw piece of an answer that should hold one value.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// The text.
    pub text: &'a str,
    /// How to understand it.
    pub form: Form,
}

impl<'a> Raw<'a> {
    /// Free text.
    pub fn text(text: &'a str) -> Self {
        Self { text, form: Form::Text }
    }
    /// A JSON value.
    pub fn json(text: &'a str) -> Self {
        Self { text, form: Form::Json }
    }
}

/// How tolerant reading is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Refuse everything that needs a coercion.
    pub strict: bool,
    /// How deep values may nest.
    pub max_depth: usize,
}

impl ReadOptions {
    /// Options that refuse everything that needs a coercion.
    pub fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// Limits how deep values may nest, 128 by default.
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { strict: false, max_depth: 128 }
    }
}

/// A value together with what had to be bent to read it.
#[derive(Debug, Clone)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// The tolerances used, in the order of their use.
    pub coercions: Vec<Coercion>,
}

/// One tolerance used while reading.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Coercion {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What was bent, such as `trailing comma`.
    pub what: &'static str,
    /// How far: the reading with the smallest sum wins.
    pub cost: u32,
}

/// Text that could not be read as a value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReadError {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What was expected.
    pub expected: String,
    /// What stood there, shortened.
    pub found: String,
    /// Byte offset in the raw text.
    pub offset: usize,
    /// The names that would have fitted, nearest first.
    pub nearest: Vec<String>,
}

impl ReadError {
    /// An error of the value itself: what was expected, and what stood there.
    pub fn new(expected: impl Into<String>, found: &str) -> Self {
        Self {
            path: String::new(),
            expected: expected.into(),
            found: crate::shorten(found, 80).into_owned(),
            offset: 0,
            nearest: Vec::new(),
        }
    }

    /// The same error at this place in the value.
    #[must_use]
    pub fn inside(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at `{}`: ", self.path)?;
        }
        write!(f, "expected {}", self.expected)?;
        if !self.found.is_empty() {
            write!(f, ", found {:?} at byte {}", self.found, self.offset)?;
        }
        if !self.nearest.is_empty() {
            write!(f, "; did the model mean {}?", self.nearest.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ReadError {}

/// Reads a `T` from a raw piece of a model's answer.
///
/// # Errors
/// [`ReadError`] when the text holds no such value, or several that fit equally well.
pub fn read<T: DeserializeOwned>(raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<T>, ReadError> {
    read_seed(|| std::marker::PhantomData::<T>, raw, options)
}

/// Like [`read`], for values whose type is known only at run time. `seed` is called once for each attempt.
///
/// # Errors
/// As [`read`].
pub fn read_seed<'de, S: DeserializeSeed<'de>>(
    seed: impl Fn() -> S,
    raw: Raw<'de>,
    options: &ReadOptions,
) -> Result<Reading<S::Value>, ReadError> {
    if let Some(value) = clean(seed(), raw, options) {
        return Ok(Reading { value, coercions: Vec::new() });
    }
    let mut best: Option<(u32, S::Value, Cx)> = None;
    let mut failure: Option<Fail> = None;
    let (mut chosen, mut candidates, mut attempts) = (0, 1, 0);
    while chosen < candidates {
        let mut plan = Plan::default();
        while attempts < MOST_ATTEMPTS {
            attempts += 1;
            let cx = Cx::new(plan.clone(), chosen, options.max_depth);
            let result = attempt(seed(), raw, &cx);
            candidates = cx.candidates.get();
            if chosen >= candidates {
                break;
            }
            let fail = match result {
                Ok(value) => {
                    let cost = cx.cost();
                    if cost == 0 || (cx.ordered.get() && !options.strict) || (options.strict && !cx.is_bent())
                    {
                        return Ok(Reading { value, coercions: cx.into_coercions() });
                    }
                    if best.as_ref().is_none_or(|(least, ..)| cost <= *least) {
                        best = Some((cost, value, cx));
                    }
                    break;
                }
                Err(fail) => fail,
            };
            let learnt = plan.learn(fail.cure())
                || (cx.doubtful.get() && !std::mem::replace(&mut plan.otherwise, true))
                // Perhaps it was the first of two equal keys.
                || plan.learn(Cure::Duplicate);
            // Of several pieces that may be a scalar, the first is the one that people see; of several structures,
            // the one that came furthest.
            let tells_more = |known: &Fail| !cx.ordered.get() && fail.reach() >= known.reach();
            if failure.as_ref().is_none_or(tells_more) {
                failure = Some(fail);
            }
            if !learnt {
                break;
            }
        }
        chosen += 1;
    }
    match (best, failure) {
        (Some((_, value, cx)), _) if !options.strict => Ok(Reading { value, coercions: cx.into_coercions() }),
        (Some((.., cx)), _) => Err(refused(raw, &cx.into_coercions())),
        (None, Some(fail)) => Err(fail.into_error()),
        (None, None) => Err(Fail::new("a value", raw.text).into_error()),
    }
}

/// Reads an answer that is JSON and nothing else, which most are, at the speed of `serde_json`.
fn clean<'de, S: DeserializeSeed<'de>>(seed: S, raw: Raw<'de>, options: &ReadOptions) -> Option<S::Value> {
    let text = raw.text.trim();
    let structure = matches!(text.as_bytes(), [b'{', .., b'}'] | [b'[', .., b']']);
    // Code in a fence loses the fence. The limit of depth is that of `serde_json` unless a lower one is asked for.
    let plain = (structure || raw.form == Form::Json) && !text.contains("```");
    if !plain || options.max_depth < ReadOptions::default().max_depth {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let fields = Cell::new(None);
    let value = seed.deserialize(Strict { json: &mut json, fields: &fields }).ok()?;
    json.end().ok()?;
    // An object that has nothing of what is asked for is not it: that is left to the reader that can say so.
    let known = fields.get().is_none_or(|fields| knows_key(text, fields));
    known.then_some(value)
}

/// How often a text is read at most, all candidates together.
const MOST_ATTEMPTS: usize = 32;

fn attempt<'de, S: DeserializeSeed<'de>>(seed: S, raw: Raw<'_>, cx: &Cx) -> Result<S::Value, Fail> {
    match raw.form {
        Form::Text => seed.deserialize(Top { text: raw.text, base: 0, cx, outer: true }),
        Form::Json => {
            let text = find::unfenced(raw.text);
            let mut parser = Parser::new(text, text.as_ptr() as usize - raw.text.as_ptr() as usize, cx);
            let value = parser.seeded(seed, Place::Alone)?;
            parser.finish()?;
            Ok(value)
        }
    }
}

/// What a strict reader says of a value that had to be bent.
fn refused(raw: Raw<'_>, coercions: &[Coercion]) -> ReadError {
    let first = coercions.first();
    ReadError {
        path: first.map_or_else(String::new, |c| c.path.clone()),
        expected: format!(
            "a value as it should be written, without {}",
            first.map_or("any change", |c| c.what)
        ),
        found: crate::shorten(raw.text.lines().next().unwrap_or_default(), 80).into_owned(),
        offset: 0,
        nearest: Vec::new(),
    }
}

/// Reads a `T` from a JSON tree, strictly: for demos and saved state, which programs wrote.
///
/// # Errors
/// [`ReadError`] when the tree does not fit the type.
pub fn read_json<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, ReadError> {
    T::deserialize(value).or_else(|_| {
        // Once more as text, for an error that names the place.
        read(Raw::json(&value.to_string()), &ReadOptions::strict()).map(|reading| reading.value)
    })
}
