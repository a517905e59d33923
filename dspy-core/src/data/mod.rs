//! Data sets: rows, files of rows, and seeded ways to divide them.

mod csv;
mod divide;
mod example;
mod json;
mod rng;

use std::path::Path;

use serde::de::DeserializeOwned;

pub use self::csv::csv;
pub use divide::{sample, shuffle, split};
pub use example::Example;
pub(crate) use example::record_of;
pub use json::{JsonlReader, json, jsonl};
pub use rng::Rng;

use crate::{Error, Result};

/// Reads a data set by its extension: `.jsonl` and `.ndjson` (one JSON object in each line), `.json` (one array
/// of objects), `.csv` (a header line with the names of the fields).
///
/// # Errors
/// [`Error::Dataset`] naming the file and the line.
pub fn load<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    let path = path.as_ref();
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl" | "ndjson") => jsonl(path),
        Some("json") => json(path),
        Some("csv") => csv(path),
        _ => Err(error(path, None, "unknown kind of file; name it .jsonl, .json or .csv")),
    }
}

fn error(path: &Path, line: Option<usize>, message: impl Into<String>) -> Error {
    Error::Dataset { path: path.to_owned(), line, message: message.into() }
}
