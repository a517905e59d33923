//! Writes training text: one JSON object with a `task` and a `text` in each line.
//!
//! ```text
//! generate SEED COUNT sort=30,list-shown=15,... > episodes.jsonl
//! generate SEED COUNT held-out > held-out.jsonl
//! generate SEED COUNT lexicon > lexicon.json
//! ```
//!
//! The second form writes COUNT held-out episodes of each cell of the card's tables, the
//! third one the words by their kinds and the names of groups.

use std::io::{BufWriter, Write};

use dspy::{Error, Result, data::Rng};
use dspy_tiny::{
    cells::cells,
    lexicon::{self, HELD_OUT_LABELS, KINDS, LABELS},
    tasks::{FAMILIES, Family, Split},
};

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(seed), Some(count), Some(mix)) = (args.next(), args.next(), args.next()) else {
        return Err(Error::other("usage: generate SEED COUNT name=weight,..."));
    };
    let seed: u64 = seed.parse().map_err(Error::other)?;
    let count: u64 = count.parse().map_err(Error::other)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    if mix == "held-out" {
        for cell in cells() {
            for i in 0..count {
                let text = cell.episode(seed, i)?.text()?;
                let name = format!("{} | {} | {}", cell.table, cell.row, cell.column);
                writeln!(out, "{}", serde_json::json!({ "task": name, "text": text }))
                    .map_err(Error::other)?;
            }
        }
        return out.flush().map_err(Error::other);
    }
    if mix == "lexicon" {
        let kinds: Vec<_> = (0..KINDS.len()).map(lexicon::of_kind).collect();
        let labels = [LABELS, HELD_OUT_LABELS].map(lexicon::words).concat();
        writeln!(out, "{}", serde_json::json!({ "kinds": kinds, "labels": labels })).map_err(Error::other)?;
        return out.flush().map_err(Error::other);
    }
    let mix = parse(&mix)?;
    let total: usize = mix.iter().map(|(weight, _)| weight).sum();

    let root = Rng::new(seed).fork("train");
    for i in 0..count {
        let mut rng = root.fork_index(i);
        let mut at = rng.below(total);
        let family = mix.iter().find(|(weight, _)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let Some((_, family)) = family else { continue };
        let episode = family(&mut rng, Split::Train)?;
        let line = serde_json::json!({ "task": episode.task, "text": episode.text()? });
        writeln!(out, "{line}").map_err(Error::other)?;
    }
    out.flush().map_err(Error::other)
}

/// Reads `name=weight,...`.
fn parse(mix: &str) -> Result<Vec<(usize, Family)>> {
    mix.split(',')
        .map(|part| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let known = FAMILIES.iter().find(|(known, _)| *known == name);
            let names = || FAMILIES.map(|(name, _)| name).join(", ");
            let (_, family) =
                known.ok_or_else(|| Error::other(format!("no task `{name}`; there are {}", names())))?;
            Ok((weight.parse().map_err(Error::other)?, *family))
        })
        .collect()
}
