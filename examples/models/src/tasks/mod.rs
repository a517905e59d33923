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
pub const FAMILIES: [(&str, Family); 11] = [
    ("copy", lists::copy),
    ("recall", sort::recall),
    ("sort", sort::words),
    ("sort-text", sort::phrases),
    ("kind", names::kind),
    ("list-few", lists::few),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lexicon::{HELD_OUT_LABELS, KINDS, NEVER_SORTED, held_out_pair, words},
        wording::{self, RULES},
    };

    fn kind_of(text: &str) -> Option<usize> {
        let known =
            |word: &str| KINDS.iter().position(|(_, list)| list.split_whitespace().any(|w| w == word));
        text.split_whitespace().find_map(known)
    }

    #[test]
    fn episodes_depend_on_the_seed_alone() {
        for (name, family) in FAMILIES {
            for i in 0..30 {
                let draw = || family(&mut Rng::new(3).fork_index(i), Split::Train).unwrap().text().unwrap();
                let text = draw();
                assert_eq!(text, draw(), "{name}");
                assert!(text.starts_with("<|system|>") && text.ends_with("]]<|end|>"), "{name}: {text}");
            }
        }
    }

    #[test]
    fn held_out_sets_of_kinds_do_not_meet_in_training() {
        let kinds = |episode: &Episode| -> Vec<usize> {
            let mut kinds: Vec<usize> =
                episode.rows.iter().filter_map(|row| kind_of(row.iter().next()?.1.as_str()?)).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        };
        let meets =
            |kinds: &[usize]| kinds.iter().any(|a| kinds.iter().any(|b| a < b && held_out_pair(*a, *b)));
        for i in 0..500 {
            let rng = &mut Rng::new(4).fork_index(i);
            for episode in
                [sort::words(rng, Split::Train).unwrap(), sort::phrases(rng, Split::Train).unwrap()]
            {
                let kinds = kinds(&episode);
                assert!(!meets(&kinds) && kinds.iter().all(|k| k + NEVER_SORTED < KINDS.len()));
                let new =
                    |row: &Record| row.iter().any(|(_, v)| words(HELD_OUT_LABELS).iter().any(|l| v == l));
                assert!(!episode.rows.iter().any(new));
            }
            let held_out = sort::held_out(rng, 2, 8, i % 2 == 0, sort::New::Sets).unwrap();
            assert!(meets(&kinds(&held_out)));
        }
    }

    #[test]
    fn training_avoids_the_held_out_instructions() {
        for i in 0..500 {
            let told = lists::told(&mut Rng::new(5).fork_index(i), Split::Train).unwrap();
            let text = &told.signature.spec().instructions;
            assert!(
                !wording::held_out(text)
                    || RULES.iter().any(|r| r.usual() == *text)
                    || text.contains("Give the ")
            );
        }
    }
}
