//! Attempts to read a value, from the plain way to the last tolerance.

use std::{any::type_name, cell::Cell};

use serde::de::{DeserializeOwned, DeserializeSeed};

use super::{
    coercion::{Coercion, CoercionKind},
    cx::{Answer, Cx, Plan},
    fail::{Cure, Fail},
    find,
    options::{Form, Raw, ReadError, ReadOptions, Reading},
    place::De,
    strict::{Strict, knows_key},
    tree::{self, Kind, Node},
};

/// A place for a value of some type: whoever reads into it needs not know which. `'de` is how long the text lives.
pub trait Slot<'de> {
    /// Reads plain JSON; whether it is a value of the type.
    fn plain(&mut self, json: PlainJson<'_, 'de>) -> bool;
    /// Reads anything else.
    ///
    /// # Errors
    /// Whatever the type refuses.
    fn read(&mut self, de: De<'_, '_>) -> Result<(), Fail>;
}

/// What plain JSON is read from.
pub(super) type PlainJson<'a, 'de> =
    Strict<'a, &'a mut serde_json::Deserializer<serde_json::de::StrRead<'de>>>;

impl<'de, T: DeserializeOwned> Slot<'de> for Option<T> {
    fn plain(&mut self, json: PlainJson<'_, 'de>) -> bool {
        match T::deserialize(json) {
            Ok(value) => {
                *self = Some(value);
                true
            }
            Err(_) => false,
        }
    }

    fn read(&mut self, de: De<'_, '_>) -> Result<(), Fail> {
        match T::deserialize(de) {
            Ok(value) => {
                *self = Some(value);
                Ok(())
            }
            Err(fail) => Err(fail),
        }
    }
}

/// A value that is read through a seed, which is made anew for each attempt.
struct Seeded<F, V> {
    seed: F,
    value: Option<V>,
}

impl<'de, S: DeserializeSeed<'de>, F: Fn() -> S> Slot<'de> for Seeded<F, S::Value> {
    fn plain(&mut self, json: PlainJson<'_, 'de>) -> bool {
        self.value = (self.seed)().deserialize(json).ok();
        self.value.is_some()
    }

    fn read(&mut self, de: De<'_, '_>) -> Result<(), Fail> {
        self.value = Some((self.seed)().deserialize(de)?);
        Ok(())
    }
}

/// Reads a `T` from a raw piece of a model's answer.
///
/// # Errors
/// [`ReadError`] when the text holds no such value, or several that fit equally well.
pub fn read<T: DeserializeOwned>(raw: Raw<'_>, options: &ReadOptions) -> Result<Reading<T>, ReadError> {
    let mut value = None;
    let read = read_slot(&mut value, type_name::<T>(), raw, options);
    reading(value, read)
}

fn reading<T>(value: Option<T>, read: Result<Vec<Coercion>, ReadError>) -> Result<Reading<T>, ReadError> {
    match (read, value) {
        (Ok(coercions), Some(value)) => Ok(Reading { value, coercions }),
        (Ok(_), None) => Err(ReadError::new("a value", "")),
        (Err(error), _) => Err(error),
    }
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
    let mut slot = Seeded { seed, value: None };
    let read = read_slot(&mut slot, type_name::<S::Value>(), raw, options);
    reading(slot.value, read)
}

/// Reads a `T` from a JSON tree, strictly: for demos and saved state, which programs wrote.
///
/// # Errors
/// [`ReadError`] when the tree does not fit the type.
pub fn read_json<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, ReadError> {
    let text = value.to_string();
    read(Raw::json(&text), &ReadOptions::written()).map(|reading| reading.value)
}

/// Reads what stands in for a field that is missing: nothing, for an `Option`. Whether there is such a thing.
pub fn read_missing(slot: &mut dyn Slot<'_>, kind: &'static str) -> bool {
    let (options, answer) = (ReadOptions::default(), Answer::new(""));
    let mut cx = Cx::new(Plan::default(), 0, &options, &answer);
    cx.absent = true;
    slot.read(De { kind, ..De::root(&Node::new(0, "", Kind::Missing), &cx) }).is_ok()
}

/// Reads a raw piece of a model's answer into a slot for the type that is called `kind`. What is in it is of no use when
/// this fails.
///
/// # Errors
/// As [`read`].
pub fn read_slot<'de>(
    slot: &mut dyn Slot<'de>,
    kind: &'static str,
    raw: Raw<'de>,
    options: &ReadOptions,
) -> Result<Vec<Coercion>, ReadError> {
    if let Some((text, coercions)) = plain(raw, options)
        && clean(slot, text)
    {
        return Ok(coercions);
    }
    attempts(raw, options, &mut |de| {
        let de = De { kind, ..de };
        slot.read(de).map_err(|fail| de.learn(fail))
    })
}

/// The JSON in an answer that is nothing else, or has nothing else in its only fence.
fn plain<'t>(raw: Raw<'t>, options: &ReadOptions) -> Option<(&'t str, Vec<Coercion>)> {
    let structure = |text: &str| matches!(text.as_bytes(), [b'{', .., b'}'] | [b'[', .., b']']);
    // The limit of depth is that of `serde_json` unless a lower one is asked for.
    if options.max_depth < ReadOptions::default().max_depth || has_long_number(raw.text) {
        return None;
    }
    let text = raw.text.trim();
    match ticks(text) {
        // Code in a fence loses the fence.
        None => (structure(text) || raw.form == Form::Json).then_some((text, Vec::new())),
        Some(open) => {
            let (before, inner) = text.split_at(open);
            let (inner, behind) = inner[3..].split_at(ticks(&inner[3..])?);
            let inner = inner.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).trim();
            let alone = [before, &behind[3..]].iter().all(|text| !text.contains(['{', '[', '`', '<']));
            let kind = CoercionKind::Around;
            let refused = options.refuses(kind);
            let note = Coercion { path: String::new(), kind, cost: kind.cost() };
            (alone && structure(inner) && !refused).then(|| (inner, vec![note]))
        }
    }
}

/// Where a text has the mark of a fence.
fn ticks(text: &str) -> Option<usize> {
    // A search for one byte is many times faster than one for three.
    let mut places = text.match_indices('`').map(|(at, _)| at);
    places.find(|at| text[*at..].starts_with("```"))
}

/// Whether a text has a number of which a float may lose digits: types that keep them ask for them otherwise.
fn has_long_number(text: &str) -> bool {
    const LONG: usize = 16;
    let bytes = text.as_bytes();
    let part = |b: &&u8| b.is_ascii_digit() || **b == b'.';
    // So long a run has one of its bytes at one of these places.
    (LONG - 1..bytes.len()).step_by(LONG).filter(|at| part(&&bytes[*at])).any(|at| {
        let before = bytes[..at].iter().rev().take(64).take_while(part).count();
        let run = &bytes[at - before..];
        let run = &run[..run.iter().take(128).take_while(part).count()];
        run.len() > LONG && run.contains(&b'.')
    })
}

/// Reads JSON at the speed of `serde_json`.
fn clean<'de>(slot: &mut dyn Slot<'de>, text: &'de str) -> bool {
    let mut json = serde_json::Deserializer::from_str(text);
    let fields = Cell::new(None);
    slot.plain(Strict { json: &mut json, fields: &fields })
        && json.end().is_ok()
        // An object that has nothing of what is asked for is not it: that is left to the reader that can say so.
        && fields.get().is_none_or(|fields| knows_key(text, fields))
}

/// How often a text is read at most, all candidates together.
const MOST_ATTEMPTS: usize = 64;

/// How often one candidate is read at most.
const MOST_TRIES: usize = 12;

/// Reads a text until an attempt succeeds: candidate by candidate, each again as long as its failure tells what to do
/// otherwise.
fn attempts(
    raw: Raw<'_>,
    options: &ReadOptions,
    read: &mut dyn FnMut(De<'_, '_>) -> Result<(), Fail>,
) -> Result<Vec<Coercion>, ReadError> {
    let depth = options.max_depth;
    let answer = Answer::new(raw.text);
    let node = match raw.form {
        Form::Text => Node::free(0, raw.text),
        Form::Json => {
            let text = find::unfenced(raw.text);
            let base = text.as_ptr() as usize - raw.text.as_ptr() as usize;
            match tree::whole(text, base, depth) {
                Ok(Ok(node)) => node,
                Ok(Err(at)) => {
                    let behind = raw.text[at..].trim_start();
                    return Err(Fail::new("nothing behind the value", behind).at(at, behind).into_error());
                }
                Err(deep) => return Err(Fail::too_deep(deep, depth).into_error()),
            }
        }
    };
    let mut failure: Option<Fail> = None;
    // The value that was read, up to where there are candidates as likely as it.
    let mut known: Option<(Vec<Coercion>, usize)> = None;
    let (mut chosen, mut candidates, mut left) = (0, 1, MOST_ATTEMPTS);
    while chosen < candidates && left > 0 && known.as_ref().is_none_or(|(_, last)| chosen <= *last) {
        let mut plan = Plan::default();
        for _ in 0..MOST_TRIES.min(left) {
            left -= 1;
            let cx = Cx::new(plan.clone(), chosen, options, &answer);
            let result = read(De::root(&node, &cx));
            candidates = cx.candidates.get();
            if chosen >= candidates {
                break;
            }
            let fail = match result {
                Ok(()) if known.is_some() => {
                    let text = raw.text.trim();
                    return Err(
                        Fail::new("one value: the answer has several in its sentences", text).into_error()
                    );
                }
                Ok(()) => {
                    match options.refused_of(cx.used()) {
                        None => known = Some((Vec::new(), chosen + cx.rivals.get())),
                        Some(kind) => {
                            let told = cx.into_coercions().into_iter().find(|told| told.kind == kind);
                            let path = told.map_or_else(String::new, |told| told.path);
                            failure = Some(refused(raw, kind, &path));
                            break;
                        }
                    }
                    known = known.map(|(_, last)| (cx.into_coercions(), last));
                    break;
                }
                Err(fail) => fail,
            };
            let learnt = plan.learn(fail.cure())
                || (cx.doubtful.get() && !std::mem::replace(&mut plan.otherwise, true))
                // Perhaps it was the first of two equal keys.
                || plan.learn(Cure::Duplicate);
            // The attempt that came furthest tells most.
            if failure.as_ref().is_none_or(|known| fail.reach() > known.reach()) {
                failure = Some(fail);
            }
            if !learnt {
                break;
            }
        }
        chosen += 1;
    }
    match known {
        Some((coercions, _)) => Ok(coercions),
        None => Err(failure.unwrap_or_else(|| Fail::new("a value", raw.text)).into_error()),
    }
}

/// What is said of a value that had to be bent in a way that is refused.
fn refused(raw: Raw<'_>, kind: CoercionKind, path: &str) -> Fail {
    let found = raw.text.trim().lines().next().unwrap_or_default();
    Fail::new(format!("a value as it should be written, without {kind}"), found)
        .with(Cure::None)
        .at_path(path)
}
