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
    tasks::{Mix, Split},
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
    let mix: Mix = mix.parse()?;
    let root = Rng::new(seed).fork("train");
    for i in 0..count {
        let episode = mix.episode(&mut root.fork_index(i), Split::Train)?;
        let line = serde_json::json!({ "task": episode.task, "text": episode.text()? });
        writeln!(out, "{line}").map_err(Error::other)?;
    }
    out.flush().map_err(Error::other)
}
