//! Data sets: rows, files of rows, and seeded ways to divide them.
//!
//! A file is read into rows of any type that serde can read: whole with [`load`], or one row at a time with [`rows`].
//! [`Gsm8k`], [`HotPotQa`] and [`Banking77`] are the rows of published data sets.

mod array;
mod csv;
mod divide;
mod example;
mod json;
#[cfg(feature = "parquet")]
mod parquet;
mod published;

use std::{fmt, path::Path};

use serde::de::DeserializeOwned;

pub use self::csv::{CsvReader, csv};
#[cfg(feature = "parquet")]
pub use self::parquet::{ParquetReader, parquet};
pub use array::{JsonReader, json};
pub use divide::{sample, shuffle, split};
pub use dspy_random::Rng;
pub use example::Example;
pub(crate) use example::record_of;
pub use json::{JsonlReader, jsonl};
pub use published::{Banking77, Gsm8k, HotPotKind, HotPotLevel, HotPotQa, Passage, SupportingFact};

use crate::{Error, Result};

/// Reads a data set by its extension: `.jsonl` and `.ndjson` (one JSON object in each line), `.json` (one array of
/// objects), `.csv` (a header line with the names of the fields), `.parquet` (with the feature `parquet`).
///
/// # Errors
/// [`Error::Dataset`] naming the file and the line.
pub fn load<T: DeserializeOwned + 'static>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    rows(path)?.collect()
}

/// Reads a data set one row at a time, by its extension as [`load`]: for files that do not fit into memory.
///
/// A row that cannot be read is an error of its own, and the rows after it can still be had.
///
/// ```no_run
/// # use serde::Deserialize;
/// # #[derive(Deserialize)] struct Qa { question: String }
/// for row in dspy_core::data::rows::<Qa>("train.jsonl")? {
///     println!("{}", row?.question);
/// }
/// # Ok::<(), dspy_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::Dataset`] when the file cannot be opened, or its extension is not known.
pub fn rows<T: DeserializeOwned + 'static>(path: impl AsRef<Path>) -> Result<Rows<T>> {
    let path = path.as_ref();
    Ok(match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl" | "ndjson") => Rows(Box::new(JsonlReader::open(path)?)),
        Some("json") => Rows(Box::new(JsonReader::open(path)?)),
        Some("csv") => Rows(Box::new(CsvReader::open(path)?)),
        #[cfg(feature = "parquet")]
        Some("parquet") => Rows(Box::new(ParquetReader::open(path)?)),
        #[cfg(not(feature = "parquet"))]
        Some("parquet") => {
            return Err(error(path, None, "Parquet files are read with the feature `parquet` of the crate"));
        }
        _ => {
            let message = "unknown kind of file; name it .jsonl, .json, .csv or .parquet";
            return Err(error(path, None, message));
        }
    })
}

/// The rows of a file, one at a time; see [`rows`].
pub struct Rows<T>(Box<dyn Iterator<Item = Result<T>> + Send>);

impl<T> Iterator for Rows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

fn error(path: &Path, line: Option<usize>, message: impl Into<String>) -> Error {
    Error::Dataset { path: path.to_owned(), line, message: message.into() }
}
