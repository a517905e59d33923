//! Lists of words from which the rule of the task takes something. The instruction tells the rule, or only the
//! demonstrations show it.

use dspy::{data::Rng, prelude::*};

use super::{Split, any, chance, described, names, pick, shots, signature, some, sort::vague};
use crate::{
    Episode,
    lexicon::{self, HELD_OUT_LABELS, KINDS, LABELS, LISTS},
    wording::{self, Rule, Wording},
};

/// `n` different words for a list that a rule can be applied to.
fn list(rng: &mut Rng, rule: Rule, n: usize) -> Vec<&'static str> {
    let Rule::Kind(kind) = rule else {
        let mut list = some(rng, &lexicon::all_words(), n);
        // The names of groups are words of lists, too: those of training, and those that are only that.
        for names in [LABELS, HELD_OUT_LABELS, HELD_OUT_LABELS] {
            let name = pick(rng, names);
            if chance(rng, 0.3) && !list.contains(&name) {
                list[rng.below(n)] = name;
            }
        }
        return list;
    };
    // One word of the kind among words of others.
    let others: Vec<usize> = (0..KINDS.len()).filter(|k| *k != kind).collect();
    let mut list: Vec<&str> = some(rng, &others, n - 1).into_iter().map(|k| pick(rng, KINDS[k].1)).collect();
    let word = pick(rng, KINDS[kind].1);
    list.insert(rng.below(n), word);
    list
}

/// A rule: seldom to pick the word of a kind, mostly one of positions.
fn rule(rng: &mut Rng) -> Rule {
    if chance(rng, 0.15) {
        return Rule::Kind(rng.below(KINDS.len()));
    }
    // Those that give one word are the easier ones, and come more often.
    match chance(rng, 0.6) {
        true => any(rng, &wording::RULES[..5]),
        false => any(rng, &wording::RULES),
    }
}

/// Rows of one rule.
///
/// # Errors
/// When the library refuses what is written here.
pub fn rows(
    rng: &mut Rng,
    task: &'static str,
    rule: Rule,
    rows: usize,
    instruction: Option<&str>,
) -> Result<Episode> {
    let usual = 4 + rng.below(3);
    rows_of(
        rng,
        task,
        rule,
        rows,
        instruction,
        |rng| {
            if chance(rng, 0.75) { usual } else { 3 + rng.below(4) }
        },
    )
}

fn rows_of(
    rng: &mut Rng,
    task: &'static str,
    rule: Rule,
    rows: usize,
    instruction: Option<&str>,
    length: impl Fn(&mut Rng) -> usize,
) -> Result<Episode> {
    let (input, output) = loop {
        let (input, output) = names(rng, LISTS);
        if input != output {
            break (input, output);
        }
    };
    let instruction = instruction.map_or_else(|| vague(rng, &input, &output), str::to_owned);
    let signature = described(rng, signature(&format!("{input} -> {output}"), &instruction)?)?;
    let rows = (0..rows).map(|_| {
        let n = length(rng);
        let list = list(rng, rule, n);
        Record::from([(input.as_str(), list.join(", ")), (output.as_str(), rule.apply(&list))])
    });
    let rows = rows.collect();
    Ok(Episode { task, signature, rows })
}

/// The whole list again.
///
/// # Errors
/// When the library refuses what is written here.
pub fn copy(rng: &mut Rng, _: Split) -> Result<Episode> {
    let n = 1 + rng.below(3);
    let text = any(rng, &["Copy the words.", "Write the same.", "Copy the list."]);
    rows(rng, "copy", Rule::All, n, Some(text))
}

/// A rule that only the demonstrations show.
///
/// # Errors
/// When the library refuses what is written here.
pub fn shown(rng: &mut Rng, _: Split) -> Result<Episode> {
    let (rule, n) = (rule(rng), super::sort::many(rng, 14));
    rows(rng, "list-shown", rule, n, None)
}

/// One of four rules, in lists of four or five words, many times over: from this, reading the rule off the
/// demonstrations is learnt first.
///
/// # Errors
/// When the library refuses what is written here.
pub fn few(rng: &mut Rng, _: Split) -> Result<Episode> {
    let rule = any(rng, &[Rule::First, Rule::Second, Rule::BeforeLast, Rule::Last]);
    let (rows, length) = (4 + rng.below(10), 4 + rng.below(2));
    rows_of(rng, "list-few", rule, rows, None, |_| length)
}

/// A rule that the instruction tells.
///
/// # Errors
/// When the library refuses what is written here.
pub fn told(rng: &mut Rng, split: Split) -> Result<Episode> {
    let (rule, n) = (rule(rng), shots(rng, 8));
    let wording = if split == Split::Train { Wording::Trained } else { Wording::Unseen };
    let text = wording::instruction(rng, rule, wording);
    rows(rng, "list-told", rule, n, Some(&text))
}
