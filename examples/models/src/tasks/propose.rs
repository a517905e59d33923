//! Writing the instruction that some examples follow.

use dspy::{data::Rng, prelude::*};

use super::{Split, any, signature, some};
use crate::{Episode, lexicon, wording};

/// What is asked.
pub const ASKED: [&str; 3] = [
    "Propose an instruction for the examples.",
    "Write the instruction that the examples follow.",
    "Write an instruction for this task.",
];

/// Examples of a list rule, and the usual wording of that rule.
///
/// # Errors
/// When the library refuses what is written here.
pub fn propose(rng: &mut Rng, _: Split) -> Result<Episode> {
    let rows = 1 + rng.below(2);
    rows_of(rng, rows)
}

/// One list of examples, without a demonstration of how to read it.
///
/// # Errors
/// When the library refuses what is written here.
pub fn one(rng: &mut Rng) -> Result<Episode> {
    rows_of(rng, 1)
}

fn rows_of(rng: &mut Rng, rows: usize) -> Result<Episode> {
    let signature = signature("examples -> instruction", any(rng, &ASKED))?;
    let rows = (0..rows).map(|_| {
        let rule = any(rng, &wording::RULES);
        let shown = 3 + rng.below(2);
        let lines: Vec<String> = (0..shown)
            .map(|_| {
                let n = 4 + rng.below(3);
                let list = some(rng, &lexicon::all_words(), n);
                format!("{} -> {}", list.join(", "), rule.apply(&list))
            })
            .collect();
        Record::from([("examples", lines.join("\n")), ("instruction", rule.usual())])
    });
    let rows = rows.collect();
    Ok(Episode { task: "propose", signature, rows })
}
