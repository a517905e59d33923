//! The tasks: each writes episodes for training, and others, disjoint from them, for evaluation.

pub mod lists;
pub mod names;
pub mod propose;
pub mod sort;
pub mod steps;

use std::str::FromStr;

use dspy::{data::Rng, prelude::*};

use crate::{Episode, lexicon};

/// Which rows may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// What the model is trained on.
    Train,
    /// What it never sees in training.
    HeldOut,
}

/// One of the words of a list.
pub(crate) fn pick<'a>(rng: &mut Rng, list: &'a str) -> &'a str {
    let words: Vec<&str> = list.split_whitespace().collect();
    words[rng.below(words.len())]
}

/// One of some things.
pub(crate) fn any<T: Copy>(rng: &mut Rng, items: &[T]) -> T {
    items[rng.below(items.len())]
}

/// `n` different things.
pub(crate) fn some<T: Copy>(rng: &mut Rng, items: &[T], n: usize) -> Vec<T> {
    rng.sample(items.len(), n).into_iter().map(|i| items[i]).collect()
}

/// True with this probability.
pub(crate) fn chance(rng: &mut Rng, p: f64) -> bool {
    rng.unit() < p
}

/// A signature from its inline form and its instruction; sometimes with descriptions of its fields, which say
/// nothing that matters.
pub(crate) fn signature(inline: &str, instruction: &str) -> Result<DynSignature> {
    Ok(DynSignature::parse(inline)?.with_instructions(instruction))
}

/// Descriptions that say nothing of the rule.
pub(crate) fn described(rng: &mut Rng, signature: DynSignature) -> Result<DynSignature> {
    const DESCRIPTIONS: [&str; 6] = [
        "what is given",
        "what is asked for",
        "one word",
        "as in the examples",
        "the text",
        "where it belongs",
    ];
    if !chance(rng, 0.12) {
        return Ok(signature);
    }
    let names: Vec<String> = signature.spec().fields.iter().map(|f| f.name.clone()).collect();
    let name = &names[rng.below(names.len())];
    signature.with_desc(name, any(rng, &DESCRIPTIONS))
}

/// How many rows an episode has: often few, at times many.
pub(crate) fn shots(rng: &mut Rng, most: usize) -> usize {
    let bound = if chance(rng, 0.3) { most } else { most.div_ceil(2) };
    1 + rng.below(bound)
}

/// A family of tasks.
pub type Family = fn(&mut Rng, Split) -> Result<Episode>;

/// The families of the training text, by the name that the generator's mix uses.
pub const FAMILIES: [(&str, Family); 10] = [
    ("copy", lists::copy),
    ("recall", sort::recall),
    ("sort", sort::words),
    ("sort-text", sort::phrases),
    ("kind", names::kind),
    ("list-shown", lists::shown),
    ("list-told", lists::told),
    ("arrows", steps::arrows),
    ("counter", steps::counter),
    ("propose", propose::propose),
];

/// Families with their weights, read from `name=weight,...`.
#[derive(Debug, Clone)]
pub struct Mix(Vec<(usize, Family)>);

impl Mix {
    /// A random episode of a random family.
    ///
    /// # Errors
    /// When a generator writes a row that does not fit its signature.
    pub fn episode(&self, rng: &mut Rng, split: Split) -> Result<Episode> {
        let mut at = rng.below(self.0.iter().map(|(weight, _)| weight).sum());
        let family = self.0.iter().find(|(weight, _)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let (_, family) = family.ok_or_else(|| Error::other("all weights of the mix are 0"))?;
        family(rng, split)
    }
}

impl FromStr for Mix {
    type Err = Error;

    fn from_str(mix: &str) -> Result<Self> {
        let part = |part: &str| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let known = FAMILIES.iter().find(|(known, _)| *known == name);
            let names = || FAMILIES.map(|(name, _)| name).join(", ");
            let (_, family) =
                known.ok_or_else(|| Error::other(format!("no task `{name}`; there are {}", names())))?;
            Ok((weight.parse().map_err(Error::other)?, *family))
        };
        mix.split(',').map(part).collect::<Result<_>>().map(Self)
    }
}

/// Two different names for the fields of a task.
pub(crate) fn names(rng: &mut Rng, inputs: &str) -> (String, String) {
    (pick(rng, inputs).to_owned(), pick(rng, lexicon::OUTPUTS).to_owned())
}
