//! Naming the kind of a word.

use dspy::{data::Rng, prelude::*};

use super::{Split, any, chance, names, pick, shots, signature, some};
use crate::{
    Episode,
    lexicon::{INPUTS, KINDS, PHRASES},
};

/// What is asked.
pub const TOLD: [&str; 6] = [
    "Name the kind of the I.",
    "Say what kind of thing it is.",
    "Give the kind of the I.",
    "What kind of thing is it?",
    "Which kind is the I?",
    "Tell the kind.",
];

/// The kind of a word or of the word in a phrase.
///
/// # Errors
/// When the library refuses what is written here.
pub fn kind(rng: &mut Rng, _: Split) -> Result<Episode> {
    let (input, output) = names(rng, INPUTS);
    let all: Vec<usize> = (0..KINDS.len()).collect();
    let (kinds, ty) = match chance(rng, 0.5) {
        true => {
            let n = 2 + rng.below(4);
            let kinds = some(rng, &all, n);
            let quoted: Vec<String> = kinds.iter().map(|k| format!("'{}'", KINDS[*k].0)).collect();
            (kinds, format!(": Literal[{}]", quoted.join(", ")))
        }
        false => (all, String::new()),
    };
    let instruction = any(rng, &TOLD).replace('I', &input);
    let phrases = chance(rng, 0.4);
    let rows = (0..shots(rng, 8)).map(|_| {
        let (name, list) = KINDS[any(rng, &kinds)];
        let word = pick(rng, list);
        let text = if phrases { any(rng, &PHRASES).replace('_', word) } else { word.to_owned() };
        Record::from([(input.as_str(), text.as_str()), (output.as_str(), name)])
    });
    let rows = rows.collect();
    Ok(Episode {
        task: "kind",
        signature: signature(&format!("{input} -> {output}{ty}"), &instruction)?,
        rows,
    })
}
