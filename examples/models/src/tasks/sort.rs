//! Sorting words and phrases into groups whose meaning only the demonstrations tell.

use dspy::{data::Rng, prelude::*};

use super::{Split, any, chance, described, names, pick, signature, some};
use crate::{
    Episode,
    lexicon::{self, HELD_OUT_LABELS, INPUTS, KINDS, LABELS, NEVER_SORTED, PHRASES},
};

/// Instructions that say nothing of the rule. `I` and `O` stand for the names of the fields.
pub const VAGUE: [&str; 10] = [
    "Sort the I.",
    "Sort the I into its O.",
    "Choose the O of the I.",
    "Give the O of the I.",
    "Which O has the I?",
    "Put the I into the right O.",
    "Do as in the examples.",
    "Answer as the examples show.",
    "Find the O.",
    "",
];

pub(super) fn vague(rng: &mut Rng, input: &str, output: &str) -> String {
    any(rng, &VAGUE).replace('I', input).replace('O', output)
}

/// Names of groups; now and then any words.
fn labels(rng: &mut Rng) -> Vec<&'static str> {
    if chance(rng, 0.4) { lexicon::all_words() } else { lexicon::words(LABELS) }
}

/// A signature that sorts an input into one of some groups, or says nothing of which groups there are.
fn sorter(rng: &mut Rng, labels: &[&str], split: Split) -> Result<(DynSignature, String, String)> {
    let (input, output) = names(rng, INPUTS);
    let named = split == Split::HeldOut || chance(rng, 0.75);
    let ty = match named {
        true => {
            let quoted: Vec<String> = labels.iter().map(|l| format!("'{l}'")).collect();
            format!(": Literal[{}]", quoted.join(", "))
        }
        false => String::new(),
    };
    let instruction = vague(rng, &input, &output);
    let signature = described(rng, signature(&format!("{input} -> {output}{ty}"), &instruction)?)?;
    Ok((signature, input, output))
}

/// Words with labels of which some come back: what was shown once must be found again.
///
/// # Errors
/// When the library refuses what is written here.
pub fn recall(rng: &mut Rng, split: Split) -> Result<Episode> {
    let n = 2 + rng.below(5);
    let n_groups = 2 + rng.below(3);
    let names = labels(rng);
    let groups = some(rng, &names, n_groups);
    let known: Vec<(&str, &str)> =
        some(rng, &lexicon::all_words(), n).into_iter().map(|w| (w, any(rng, &groups))).collect();
    let (signature, input, output) = sorter(rng, &groups, split)?;
    let repeated = 1 + rng.below(12);
    let again = (0..repeated).map(|_| rng.below(n)).collect::<Vec<_>>();
    let order = (0..n).chain(again);
    let row = |(w, l): (&str, &str)| Record::from([(input.as_str(), w), (output.as_str(), l)]);
    Ok(Episode { task: "recall", signature, rows: order.map(|i| row(known[i])).collect() })
}

/// Kinds that may be told apart, and whether the set is one of the held-out ones.
fn kinds(rng: &mut Rng, n: usize, split: Split) -> Vec<usize> {
    loop {
        let kinds = rng.sample(KINDS.len() - NEVER_SORTED, n);
        let held_out = kinds.iter().any(|a| kinds.iter().any(|b| a < b && lexicon::held_out_pair(*a, *b)));
        if held_out == (split == Split::HeldOut) {
            return kinds;
        }
    }
}

/// How many rows: in half of the episodes few, in half of them many.
pub(super) fn many(rng: &mut Rng, most: usize) -> usize {
    let half = most / 2;
    if chance(rng, 0.5) { 1 + rng.below(half) } else { half + 1 + rng.below(most - half) }
}

/// Two groups, or up to four.
fn groups(rng: &mut Rng) -> usize {
    if chance(rng, 0.4) { 2 + rng.below(3) } else { 2 }
}

/// Words of different kinds, each kind with a label.
///
/// # Errors
/// When the library refuses what is written here.
pub fn words(rng: &mut Rng, split: Split) -> Result<Episode> {
    let n = groups(rng);
    let kinds = kinds(rng, n, split);
    let rows = many(rng, 20);
    let names = labels(rng);
    sorted(rng, "sort", &kinds, &names, rows, split, false)
}

/// Phrases about things of different kinds, each kind with a label.
///
/// # Errors
/// When the library refuses what is written here.
pub fn phrases(rng: &mut Rng, split: Split) -> Result<Episode> {
    let n = groups(rng);
    let kinds = kinds(rng, n, split);
    let rows = many(rng, 15);
    let names = labels(rng);
    sorted(rng, "sort-text", &kinds, &names, rows, split, true)
}

/// What else is new in held-out episodes, beside the set of kinds: some of them never meet in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum New {
    /// Nothing else.
    Sets,
    /// The kinds: none of them is ever sorted in training.
    Kinds,
    /// The names of the groups: in training, they are no names of groups.
    Names,
}

/// `demos` demonstrations that show all groups as soon as there are enough of them, and a row to ask.
///
/// # Errors
/// When the library refuses what is written here.
pub fn held_out(rng: &mut Rng, groups: usize, demos: usize, phrases: bool, new: New) -> Result<Episode> {
    let kinds = match new {
        New::Kinds => {
            rng.sample(NEVER_SORTED, groups).iter().map(|k| KINDS.len() - NEVER_SORTED + k).collect()
        }
        _ => kinds(rng, groups, Split::HeldOut),
    };
    let names = lexicon::words(if new == New::Names { HELD_OUT_LABELS } else { LABELS });
    let task = if phrases { "sort-text" } else { "sort" };
    sorted(rng, task, &kinds, &names, demos + 1, Split::HeldOut, phrases)
}

fn sorted(
    rng: &mut Rng,
    task: &'static str,
    kinds: &[usize],
    names: &[&'static str],
    rows: usize,
    split: Split,
    phrases: bool,
) -> Result<Episode> {
    let groups = some(rng, names, kinds.len());
    let (signature, input, output) = sorter(rng, &groups, split)?;
    // In training, words come back now and then; in evaluation they do not, and every group is shown early.
    let mut places: Vec<usize> = Vec::new();
    let mut block: Vec<usize> = Vec::new();
    for i in 0..rows {
        let in_turn = split == Split::HeldOut && i + 1 < rows;
        if in_turn {
            if block.is_empty() {
                block = rng.sample(kinds.len(), kinds.len());
            }
            places.extend(block.pop());
        } else {
            places.push(rng.below(kinds.len()));
        }
    }
    let mut fresh: Vec<Vec<&str>> = kinds.iter().map(|k| some(rng, &lexicon::of_kind(*k), 16)).collect();
    let mut out = Vec::new();
    for place in places {
        let word = match split {
            Split::Train => pick(rng, KINDS[kinds[place]].1),
            Split::HeldOut => fresh[place].pop().unwrap_or_else(|| KINDS[kinds[place]].0),
        };
        let text = if phrases { any(rng, &PHRASES).replace('_', word) } else { word.to_owned() };
        out.push(Record::from([(input.as_str(), text), (output.as_str(), groups[place].to_owned())]));
    }
    Ok(Episode { task, signature, rows: out })
}
