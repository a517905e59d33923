//! Writes the rows of the fixed tasks: `NAME-train.jsonl` and `NAME-dev.jsonl` for each.
//!
//! ```text
//! cargo run --release -p dspy-tiny --bin rows -- examples/data
//! ```

use std::{fs, path::Path};

use dspy::{Error, Record, Result};
use dspy_tiny::fixed::{DESKS, NOTES};

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).ok_or_else(|| Error::other("usage: rows FOLDER"))?;
    for (task, train, dev) in [(NOTES, 90, 201), (DESKS, 240, 200)] {
        let (train, dev) = task.rows(1, train, dev);
        for (side, rows) in [("train", train), ("dev", dev)] {
            let path = Path::new(&folder).join(format!("{}-{side}.jsonl", task.name));
            let line =
                |row: &Record| serde_json::to_string(row).map(|line| line + "\n").map_err(Error::other);
            let text: String = rows.iter().map(line).collect::<Result<_>>()?;
            fs::write(&path, text).map_err(Error::other)?;
        }
    }
    Ok(())
}
