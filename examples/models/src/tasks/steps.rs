//! Problems of several steps, each step easy, all of them at once hard: with reasoning and without.

use dspy::{data::Rng, prelude::*};

use super::{Split, any, chance, signature, some};
use crate::{Episode, lexicon};

/// Instructions of the arrows.
pub const FOLLOW: [&str; 3] =
    ["Follow the arrows.", "Follow the arrows from the start.", "Go along the arrows from the start."];

/// Instructions of the counter.
pub const COUNT: [&str; 3] = ["Make the moves from the start.", "Make all moves.", "Where do the moves end?"];

/// Arrows from word to word, to be followed for some steps; the number of steps, whether with reasoning.
///
/// # Errors
/// When the library refuses what is written here.
pub fn arrows_of(rng: &mut Rng, rows: usize, steps: Option<usize>, reasoning: bool) -> Result<Episode> {
    let inline = if reasoning {
        "arrows, start, steps: int -> reasoning, answer"
    } else {
        "arrows, start, steps: int -> answer"
    };
    let signature = signature(inline, any(rng, &FOLLOW))?;
    let rows = (0..rows).map(|_| {
        let n = 5 + rng.below(3);
        let ring = some(rng, &lexicon::all_words(), n);
        let mut arrows: Vec<String> =
            (0..n).map(|i| format!("{} > {}", ring[i], ring[(i + 1) % n])).collect();
        rng.shuffle(&mut arrows);
        let steps = steps.unwrap_or_else(|| 1 + rng.below(6));
        let path: Vec<String> = (0..=steps).map(|i| format!("{} {}", steps - i, ring[i % n])).collect();
        let row =
            Record::from([("arrows", arrows.join(", ").as_str()), ("start", ring[0])]).with("steps", steps);
        let row = if reasoning { row.with("reasoning", path.join(", ")) } else { row };
        row.with("answer", ring[steps % n])
    });
    let rows = rows.collect();
    Ok(Episode { task: if reasoning { "arrows-reasoned" } else { "arrows" }, signature, rows })
}

/// Arrows to be followed.
///
/// # Errors
/// When the library refuses what is written here.
pub fn arrows(rng: &mut Rng, _: Split) -> Result<Episode> {
    let (rows, reasoning) = (1 + rng.below(3), chance(rng, 0.65));
    arrows_of(rng, rows, None, reasoning)
}

const MOVES: [(&str, usize); 4] = [("up", 1), ("down", 9), ("jump", 3), ("stay", 0)];
const PLACES: &str = "abcdefghij";

/// Moves of a counter that goes from 0 to 9 and round; the number of moves, whether with reasoning.
///
/// # Errors
/// When the library refuses what is written here.
pub fn counter_of(rng: &mut Rng, rows: usize, steps: Option<usize>, reasoning: bool) -> Result<Episode> {
    let inline = if reasoning {
        "start: int, moves -> reasoning, answer: int"
    } else {
        "start: int, moves -> answer: int"
    };
    let signature = signature(inline, any(rng, &COUNT))?;
    let rows = (0..rows).map(|_| {
        let steps = steps.unwrap_or_else(|| 1 + rng.below(6));
        let start = rng.below(10);
        let (mut at, mut moves, mut thoughts) = (start, Vec::new(), Vec::new());
        for place in PLACES.chars().take(steps) {
            let (name, by) = any(rng, &MOVES);
            at = (at + by) % 10;
            moves.push(format!("{place} {name}"));
            thoughts.push(format!("{place} {name} {at}"));
        }
        let row = Record::new().with("start", start).with("moves", moves.join(", "));
        let row = if reasoning { row.with("reasoning", thoughts.join(", ")) } else { row };
        row.with("answer", at)
    });
    let rows = rows.collect();
    Ok(Episode { task: if reasoning { "counter-reasoned" } else { "counter" }, signature, rows })
}

/// Moves to be made.
///
/// # Errors
/// When the library refuses what is written here.
pub fn counter(rng: &mut Rng, _: Split) -> Result<Episode> {
    let (rows, reasoning) = (1 + rng.below(4), chance(rng, 0.65));
    counter_of(rng, rows, None, reasoning)
}
