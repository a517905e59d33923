//! Measures a model on held-out episodes, through the library as its users call it, and prints the tables of the
//! card.
//!
//! ```text
//! cargo run --release -p dspy-tiny --features local --bin measure -- local/examples/models/tiny 500
//! ```
//!
//! The arguments: a model, how many episodes each number is measured on (100), and the tables to measure (all).

#![allow(clippy::print_stdout)]

use std::fmt::Write;

use dspy::prelude::*;
use dspy_tiny::{
    Episode,
    cells::{Cell, cells},
};

/// Held-out episodes are drawn from this seed.
const SEED: u64 = 11;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let model = args.next().ok_or_else(|| Error::other("usage: measure MODEL [COUNT [TABLE...]]"))?;
    let count = args.next().map_or(Ok(100), |n| n.parse()).map_err(Error::other)?;
    let tables: Vec<String> = args.collect();
    let lm = LM::new(model)?;
    let mut all = cells();
    all.retain(|cell| tables.is_empty() || tables.iter().any(|t| t == cell.table));

    let mut rest = all.as_slice();
    let mut table = "";
    while let Some(first) = rest.first() {
        let (row, others) = rest.split_at(rest.iter().take_while(|c| c.row == first.row).count());
        rest = others;
        if table != first.table {
            table = first.table;
            println!("{}", heading(row));
        }
        let mut line = format!("| {} |", first.row);
        for cell in row {
            let right = measure(&lm, cell, count).await?;
            let _ = write!(line, " {} |", share(right, count));
        }
        println!("{line}");
    }
    Ok(())
}

/// The first two lines of a table.
fn heading(row: &[Cell]) -> String {
    let columns: Vec<String> = row.iter().map(|cell| cell.column.to_string()).collect();
    format!("\n| {} | {} |\n|---|{}", row[0].table, columns.join(" | "), "---|".repeat(row.len()))
}

/// How many of a cell's episodes are answered right.
async fn measure(lm: &LM, cell: &Cell, count: usize) -> Result<usize> {
    const AT_ONCE: usize = 8;
    let mut right = 0;
    for start in (0..count).step_by(AT_ONCE) {
        let mut asked = Vec::new();
        for index in start..count.min(start + AT_ONCE) {
            let (lm, episode) = (lm.clone(), cell.episode(SEED, index as u64)?);
            asked.push(tokio::spawn(async move { ask(lm, &episode).await }));
        }
        for answer in asked {
            right += usize::from(answer.await.map_err(Error::other)??);
        }
    }
    Ok(right)
}

/// Whether the model answers the last row of an episode right, when the others are its demonstrations.
async fn ask(lm: LM, episode: &Episode) -> Result<bool> {
    let Some((last, demos)) = episode.rows.split_last() else { return Ok(false) };
    let program = Predict::dynamic(episode.signature.clone())
        .lm(lm)
        .adapter(ChatAdapter::new().without_fallback())
        .repairs(0)
        .options(Options::new().temperature(0.0).max_tokens(96))
        .demos(demos.to_vec());
    match program.call(episode.inputs(last)).await {
        Ok(found) => Ok(found.iter().filter(|(name, _)| *name != "reasoning").all(|(n, v)| last[n] == *v)),
        // An answer that cannot be read is a wrong one.
        Err(Error::Parse(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A share in per cent with its 95 % interval (Wilson 1927).
fn share(right: usize, of: usize) -> String {
    let (n, z) = (of as f64, 1.96_f64);
    let p = right as f64 / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let percent = |x: f64| (100.0 * x).round();
    format!("{} ({}-{})", percent(p), percent(middle - half).abs(), percent(middle + half).min(100.0))
}
