//! Data sets with one JSON object in each line.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::error;
use crate::Result;

/// The mark that some editors put at the start of a file.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads a file with one JSON object in each line. Empty lines are skipped.
///
/// # Errors
/// [`Error::Dataset`](crate::Error::Dataset) at the first line that cannot be read.
pub fn jsonl<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    JsonlReader::open(path)?.collect()
}

/// Reads a file with one JSON object in each line, one row at a time: for files that do not fit into memory.
///
/// A line that cannot be read is an error item; the rows after it can still be read.
#[derive(Debug)]
pub struct JsonlReader<T, R = BufReader<File>> {
    path: PathBuf,
    source: R,
    line: usize,
    buffer: Vec<u8>,
    broken: bool,
    rows: PhantomData<fn() -> T>,
}

impl<T> JsonlReader<T> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset) when it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| error(path, None, e.to_string()))?;
        Ok(Self::new(BufReader::new(file), path))
    }
}

impl<T, R> JsonlReader<T, R> {
    /// Reads from any source; errors call it by `name`.
    pub fn new(source: R, name: impl Into<PathBuf>) -> Self {
        Self { path: name.into(), source, line: 0, buffer: Vec::new(), broken: false, rows: PhantomData }
    }

    /// The number of the line that was read last, from 1; 0 before the first.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl<T: DeserializeOwned, R: BufRead> Iterator for JsonlReader<T, R> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        while !self.broken {
            self.buffer.clear();
            match self.source.read_until(b'\n', &mut self.buffer) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(e) => {
                    // A source that failed once may give half lines from now on.
                    self.broken = true;
                    return Some(Err(error(&self.path, Some(self.line + 1), e.to_string())));
                }
            }
            self.line += 1;
            let text = match self.line {
                1 => self.buffer.strip_prefix(BOM).unwrap_or(&self.buffer),
                _ => &self.buffer,
            };
            if text.trim_ascii().is_empty() {
                continue;
            }
            return Some(serde_json::from_slice(text).map_err(|e| {
                let cure = match e.is_data() {
                    true => "the line must have the fields of the row's type",
                    false => "each line must be one JSON object",
                };
                let message = format!("{} at column {}; {cure}", without_place(&e), e.column());
                error(&self.path, Some(self.line), message)
            }));
        }
        None
    }
}

/// The message without "at line 1 column 5", which counts from the start of what was parsed.
pub(super) fn without_place(e: &serde_json::Error) -> String {
    let text = e.to_string();
    text.rfind(" at line ").map_or(text.clone(), |at| text[..at].to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Row {
        q: String,
        n: i32,
    }

    fn read(text: &[u8]) -> Vec<Result<Row>> {
        JsonlReader::new(text, "rows.jsonl").collect()
    }

    #[test]
    fn lines_become_rows() {
        let rows = read(b"\xef\xbb\xbf{\"q\":\"a\",\"n\":1}\r\n\n  \n{\"n\":2,\"q\":\"b\",\"more\":[]}");
        let rows: Result<Vec<_>> = rows.into_iter().collect();
        assert_eq!(rows.unwrap(), [Row { q: "a".into(), n: 1 }, Row { q: "b".into(), n: 2 }]);
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_are_still_read() {
        let rows = read(b"{\"q\":\"a\",\"n\":1}\n{\"q\":\"b\"}\nnonsense\n{\"q\":\"c\",\"n\":3}\n");
        let error = rows[1].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("rows.jsonl, line 2: missing field `n`"), "{error}");
        assert!(rows[2].as_ref().unwrap_err().to_string().contains("line 3"));
        assert_eq!(rows[3].as_ref().unwrap().n, 3);
    }

    #[test]
    fn the_extension_says_how_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let row = Row { q: "a".into(), n: 1 };
        for (name, text) in [
            ("rows.json", "[{\"q\":\"a\",\"n\":1}]"),
            ("rows.JSONL", "{\"q\":\"a\",\"n\":1}"),
            ("rows.ndjson", "{\"q\":\"a\",\"n\":1}\n"),
            ("rows.csv", "n,q\n1,a\n"),
        ] {
            let path = write(name, text);
            assert_eq!(
                crate::data::load::<Row>(&path).unwrap(),
                [&row].map(|r| Row { q: r.q.clone(), n: r.n })
            );
            assert_eq!(crate::data::rows::<Row>(&path).unwrap().count(), 1);
        }
        let error = crate::data::load::<Row>(write("rows.txt", "")).unwrap_err().to_string();
        assert!(error.contains("unknown kind of file"), "{error}");
        let error = jsonl::<Row>(folder.path().join("none.jsonl")).unwrap_err().to_string();
        assert!(error.contains("none.jsonl"), "{error}");
        if cfg!(not(feature = "parquet")) {
            let error = crate::data::load::<Row>(write("rows.parquet", "")).unwrap_err().to_string();
            assert!(error.contains("feature `parquet`"), "{error}");
        }
    }
}
