//! Data sets in CSV.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error;
use crate::Result;

/// Reads a file of comma-separated values (RFC 4180) whose first line names the fields. The type of the row says
/// what a cell is: text, a number, a boolean; an empty cell is `None` where the field is an `Option`. Rows with
/// lists or nested structs belong into JSON lines: see [`jsonl`](super::jsonl).
///
/// # Errors
/// [`Error::Dataset`](crate::Error::Dataset) at the first line that cannot be read.
pub fn csv<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    let path = path.as_ref();
    let mut headers = ::csv::StringRecord::new();
    let fail = |e: &::csv::Error, line: Option<u64>, headers: &::csv::StringRecord| {
        let line = e.position().map(::csv::Position::line).or(line).and_then(|l| usize::try_from(l).ok());
        let message = match e.kind() {
            ::csv::ErrorKind::Io(e) => e.to_string(),
            ::csv::ErrorKind::Deserialize { err, .. } => {
                let column = err.field().and_then(|i| headers.get(usize::try_from(i).ok()?));
                match column {
                    Some(name) => {
                        format!("column `{name}`: {}; the row's type says what a cell is", err.kind())
                    }
                    None => format!("{err}; the header line must name the fields of the row's type"),
                }
            }
            ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} cells, but the header names {expected_len}; quote cells that hold commas")
            }
            _ => e.to_string(),
        };
        error(path, line, message)
    };
    let mut reader = ::csv::Reader::from_path(path).map_err(|e| fail(&e, None, &headers))?;
    let mut rows = Vec::new();
    headers = reader.headers().map_err(|e| fail(&e, Some(1), &headers))?.clone();
    let mut record = ::csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => {
                rows.push(record.deserialize(Some(&headers)).map_err(|e| fail(&e, Some(line), &headers))?);
            }
            Err(e) => return Err(fail(&e, Some(line), &headers)),
        }
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

    #[test]
    fn cells_have_the_types_of_the_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(
            &path,
            "\u{feff}good,question,score,note,extra\ntrue,\"a, \"\"b\"\"\nc\",0.5,,x\nfalse,42,1,n,\n",
        )
        .unwrap();
        let rows = csv::<Row>(&path).unwrap();
        assert_eq!(rows[0], Row { question: "a, \"b\"\nc".into(), score: 0.5, good: true, note: None });
        assert_eq!(rows[1], Row { question: "42".into(), score: 1.0, good: false, note: Some("n".into()) });
    }

    #[test]
    fn errors_name_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "question,score,good,note\na,1,true,\nb,many,true,\n").unwrap();
        let error = csv::<Row>(&path).unwrap_err().to_string();
        assert!(
            error.contains("rows.csv, line 3: column `score`: ") && error.contains("invalid float"),
            "{error}"
        );
        std::fs::write(&path, "question,score,good,note\na,1,true\n").unwrap();
        let error = csv::<Row>(&path).unwrap_err().to_string();
        assert!(error.contains("line 2: 3 cells, but the header names 4"), "{error}");
        std::fs::write(&path, "question,good,note\na,true,\n").unwrap();
        assert!(csv::<Row>(&path).unwrap_err().to_string().contains("missing field `score`"));
    }
}
