//! Data sets in CSV.

use std::{
    fs::File,
    io::Read,
    marker::PhantomData,
    path::{Path, PathBuf},
};

use csv::{ErrorKind, Position, Reader, StringRecord};
use serde::de::DeserializeOwned;

use super::error;
use crate::{Error, Result};

/// Reads a file of comma-separated values: see [`CsvReader`].
///
/// # Errors
/// [`Error::Dataset`] at the first row that cannot be read.
pub fn csv<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    CsvReader::open(path)?.collect()
}

/// Reads a file of comma-separated values (RFC 4180) whose first line names the fields, one row at a time. The type of
/// the row says what a cell is: text, a number, a boolean; an empty cell is `None` where the field is an `Option`. Rows
/// with lists or nested structs belong into JSON lines or Parquet: see [`jsonl`](super::jsonl).
///
/// A row that cannot be read is an error of its own; the rows after it can still be had.
pub struct CsvReader<T, R = File> {
    path: PathBuf,
    source: Reader<R>,
    /// The names of the columns, once they have been read.
    headers: Option<StringRecord>,
    record: StringRecord,
    broken: bool,
    rows: PhantomData<fn() -> T>,
}

impl<T> CsvReader<T> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Dataset`] when it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| error(path, None, e.to_string()))?;
        Ok(Self::new(file, path))
    }
}

impl<T, R: Read> CsvReader<T, R> {
    /// Reads from any source, through a buffer; errors call it by `name`.
    pub fn new(source: R, name: impl Into<PathBuf>) -> Self {
        Self {
            path: name.into(),
            source: Reader::from_reader(source),
            headers: None,
            record: StringRecord::new(),
            broken: false,
            rows: PhantomData,
        }
    }

    fn fail(&self, e: &csv::Error, line: u64) -> Error {
        let line = e.position().map_or(line, Position::line);
        let message = match e.kind() {
            ErrorKind::Io(e) => e.to_string(),
            ErrorKind::Deserialize { err, .. } => {
                let cell = err.field().and_then(|i| usize::try_from(i).ok());
                match cell.and_then(|i| self.headers.as_ref()?.get(i)) {
                    Some(name) => {
                        format!("column `{name}`: {}; the row's type says what a cell is", err.kind())
                    }
                    None => format!("{}; the header line must name the fields of the row's type", err.kind()),
                }
            }
            ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} cells, but the header names {expected_len}; quote cells that hold commas")
            }
            ErrorKind::Utf8 { .. } => "the text is not UTF-8; save the file in this encoding".to_owned(),
            _ => e.to_string(),
        };
        error(&self.path, usize::try_from(line).ok(), message)
    }
}

impl<T: DeserializeOwned, R: Read> Iterator for CsvReader<T, R> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.broken {
            return None;
        }
        if self.headers.is_none() {
            match self.source.headers() {
                Ok(headers) => self.headers = Some(headers.clone()),
                Err(e) => {
                    self.broken = true;
                    return Some(Err(self.fail(&e, 1)));
                }
            }
        }
        let line = self.source.position().line();
        match self.source.read_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => Some(self.record.deserialize(self.headers.as_ref()).map_err(|e| self.fail(&e, line))),
            Err(e) => {
                // A source that failed once may give half rows from now on.
                self.broken = e.is_io_error();
                Some(Err(self.fail(&e, line)))
            }
        }
    }
}

impl<T, R> std::fmt::Debug for CsvReader<T, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvReader").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Row {
        question: String,
        score: f64,
        good: bool,
        note: Option<String>,
    }

    fn read(text: &str) -> Vec<Result<Row>> {
        CsvReader::new(text.as_bytes(), "rows.csv").collect()
    }

    #[test]
    fn cells_have_the_types_of_the_row() {
        let rows =
            read("\u{feff}good,question,score,note,extra\ntrue,\"a, \"\"b\"\"\nc\",0.5,,x\nfalse,42,1,n,\n");
        let rows: Vec<Row> = rows.into_iter().collect::<Result<_>>().unwrap();
        assert_eq!(rows[0], Row { question: "a, \"b\"\nc".into(), score: 0.5, good: true, note: None });
        assert_eq!(rows[1], Row { question: "42".into(), score: 1.0, good: false, note: Some("n".into()) });
        assert!(read("").is_empty());
    }

    #[test]
    fn errors_name_the_line_and_the_other_rows_are_still_read() {
        let rows = read("question,score,good,note\na,1,true,\nb,many,true,\nc,1,true\nd,4,true,\n");
        let error = rows[1].as_ref().unwrap_err().to_string();
        assert!(
            error.contains("rows.csv, line 3: column `score`: ") && error.contains("invalid float"),
            "{error}"
        );
        let error = rows[2].as_ref().unwrap_err().to_string();
        assert!(error.contains("line 4: 3 cells, but the header names 4"), "{error}");
        assert_eq!(rows[3].as_ref().unwrap().score, 4.0);
        let rows = read("question,good,note\na,true,\n");
        assert!(rows[0].as_ref().unwrap_err().to_string().contains("missing field `score`"));
        let rows: Vec<Result<Row>> =
            CsvReader::new(&b"question,score,good,note\nb\xff,1,true,\n"[..], "x.csv").collect();
        assert!(rows[0].as_ref().unwrap_err().to_string().contains("x.csv, line 2: the text is not UTF-8"));
    }
}
