//! Data sets that are one JSON array.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{
    error,
    json::{BOM, without_place},
};
use crate::{Error, Result};

/// Reads a file that is one JSON array of objects.
///
/// # Errors
/// [`Error::Dataset`] naming the line at fault.
pub fn json<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    JsonReader::open(path)?.collect()
}

/// Reads a file that is one JSON array of objects, one object at a time: for files that do not fit into memory.
///
/// An object that does not have the fields of the row's type is an error of its own; the objects after it can still be
/// had. What is no JSON ends the reading.
#[derive(Debug)]
pub struct JsonReader<T, R = BufReader<File>> {
    path: PathBuf,
    source: R,
    /// The line of the next byte, counted from 1.
    line: usize,
    buffer: Vec<u8>,
    place: Place,
    rows: PhantomData<fn() -> T>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Before,
    Within,
    After,
}

impl<T> JsonReader<T> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Dataset`] when it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| error(path, None, e.to_string()))?;
        Ok(Self::new(BufReader::with_capacity(1 << 16, file), path))
    }
}

impl<T, R> JsonReader<T, R> {
    /// Reads from any source; errors call it by `name`.
    pub fn new(source: R, name: impl Into<PathBuf>) -> Self {
        Self {
            path: name.into(),
            source,
            line: 1,
            buffer: Vec::new(),
            place: Place::Before,
            rows: PhantomData,
        }
    }

    fn fail(&self, line: usize, message: impl Into<String>) -> Error {
        error(&self.path, Some(line), message)
    }
}

impl<T: DeserializeOwned, R: BufRead> JsonReader<T, R> {
    /// The first byte that is no white space, without taking it.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.line += bytes[..blank].iter().filter(|b| **b == b'\n').count();
            let found = bytes.get(blank).copied();
            self.source.consume(blank);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Takes the opening bracket.
    fn open_array(&mut self) -> Result<()> {
        let failed = |e: io::Error| error(&self.path, None, e.to_string());
        let start = self.source.fill_buf().map_err(failed)?;
        if start.starts_with(BOM) {
            self.source.consume(BOM.len());
        }
        let message = match self.peek().map_err(|e| self.fail(self.line, e.to_string()))? {
            Some(b'[') => {
                self.source.consume(1);
                return Ok(());
            }
            Some(b'{') => {
                "the file must be one JSON array; a file with one object in each line is named .jsonl"
            }
            Some(_) => "the file must be one JSON array",
            None => "the file is empty; it must be one JSON array",
        };
        Err(self.fail(self.line, message))
    }

    /// Takes the next element into the buffer, with the byte that ends it: a comma or the closing bracket.
    fn element(&mut self) -> io::Result<Option<u8>> {
        self.buffer.clear();
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        loop {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let end = bytes.iter().position(|&byte| {
                self.line += usize::from(byte == b'\n');
                if quoted {
                    quoted = escaped || byte != b'"';
                    escaped = !escaped && byte == b'\\';
                    return false;
                }
                match byte {
                    b'"' => quoted = true,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' if depth > 0 => depth -= 1,
                    b',' | b']' if depth == 0 => return true,
                    _ => {}
                }
                false
            });
            let taken = end.unwrap_or(bytes.len());
            let by = end.map(|end| bytes[end]);
            self.buffer.extend_from_slice(&bytes[..taken]);
            self.source.consume(end.map_or(taken, |end| end + 1));
            if by.is_some() {
                return Ok(by);
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Result<T>>> {
        let first = self.place == Place::Before;
        if first {
            self.place = Place::After;
            self.open_array()?;
        } else if self.place == Place::After {
            return Ok(None);
        }
        self.place = Place::After;
        let found = self.peek().map_err(|e| self.fail(self.line, e.to_string()))?;
        let start = self.line;
        let by = match found {
            Some(b']') if first => {
                self.buffer.clear();
                self.source.consume(1);
                Some(b']')
            }
            _ => self.element().map_err(|e| self.fail(self.line, e.to_string()))?,
        };
        if by == Some(b']') {
            let rest = self.peek().map_err(|e| self.fail(self.line, e.to_string()))?;
            if rest.is_some() {
                return Err(self.fail(self.line, "text after the end of the array"));
            }
            if first && self.buffer.is_empty() {
                return Ok(None);
            }
        }
        let row = serde_json::from_slice(&self.buffer).map_err(|e| {
            let line = start + e.line().saturating_sub(1);
            let cure = match (by, e.is_data()) {
                (None, _) => "the file ends within the array",
                (_, true) => "the file must be an array of objects with the fields of the row's type",
                (_, false) => "the file must be one JSON array",
            };
            (e.is_data(), self.fail(line, format!("{}; {cure}", without_place(&e))))
        });
        if by == Some(b',') {
            self.place = Place::Within;
        }
        match row {
            Ok(_) if by.is_none() => Err(self.fail(self.line, "the file ends within the array")),
            Ok(row) => Ok(Some(Ok(row))),
            Err((true, fault)) if by.is_some() => Ok(Some(Err(fault))),
            Err((_, fault)) => {
                self.place = Place::After;
                Err(fault)
            }
        }
    }
}

impl<T: DeserializeOwned, R: BufRead> Iterator for JsonReader<T, R> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        self.advance().unwrap_or_else(|fault| Some(Err(fault)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Row {
        q: String,
        n: i32,
    }

    fn read(text: &str) -> Vec<Result<Row>> {
        // Small buffers, so that everything is cut everywhere.
        JsonReader::new(BufReader::with_capacity(3, text.as_bytes()), "rows.json").collect()
    }

    fn fault(text: &str) -> String {
        let rows = read(text);
        rows.into_iter().find_map(Result::err).map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn elements_become_rows() {
        let text =
            "\u{feff} [\n {\"q\": \"a ]},[ \\\" \\\\\", \"n\": 1},{\"n\":2,\"q\":\"b\",\"more\":[[{}]]}\n]\n";
        let rows: Result<Vec<Row>> = read(text).into_iter().collect();
        assert_eq!(rows.unwrap(), [Row { q: "a ]},[ \" \\".into(), n: 1 }, Row { q: "b".into(), n: 2 }]);
        assert!(read("[]").is_empty() && read(" [ \n ] ").is_empty());
    }

    #[test]
    fn a_bad_element_is_named_and_the_others_are_still_read() {
        let rows = read("[\n{\"q\":\"a\",\"n\":1},\n{\"q\":\"b\",\n\"n\":\"x\"},\n{\"q\":\"c\",\"n\":3}]");
        let error = rows[1].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("rows.json, line 4: invalid type: string \"x\", expected i32;"), "{error}");
        assert_eq!((rows.len(), rows[2].as_ref().unwrap().n), (3, 3));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        let good = "{\"q\":\"a\",\"n\":1}";
        for (text, says) in [
            (format!("{good}\n{good}"), "line 1: the file must be one JSON array; a file with one object"),
            (String::new(), "the file is empty"),
            ("true".into(), "the file must be one JSON array"),
            (format!("[{good},\n{good}"), "line 2: the file ends within the array"),
            (format!("[{good},\n{{\"q\":"), "the file ends within the array"),
            (format!("[{good},\n"), "the file ends within the array"),
            ("[".into(), "the file ends within the array"),
            (format!("[{good},]"), "line 1: EOF while parsing a value; the file must be one JSON array"),
            (format!("[{good}]\nmore"), "line 2: text after the end of the array"),
            (format!("[{good}\n{good}]"), "line 2: trailing characters"),
            (format!("[{good}}}]"), "the file must be one JSON array"),
        ] {
            let error = fault(&text);
            assert!(error.contains(says), "{text:?}: {error:?}");
            assert!(read(&text).iter().filter(|r| r.is_err()).count() == 1, "{text:?}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\\\\"\\[\\]{},a\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec(("[\"\\\\a]{0,2}", inner), 0..3)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_array_is_read_as_the_whole(values in prop::collection::vec(value(), 0..6), capacity in 1_usize..9, pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&json!(values)) } else { serde_json::to_string(&json!(values)) };
            let text = text.unwrap();
            let source = BufReader::with_capacity(capacity, text.as_bytes());
            let read: Result<Vec<Value>> = JsonReader::new(source, "x").collect();
            prop_assert_eq!(read.unwrap(), values);
        }

        #[test]
        fn nothing_makes_it_panic_or_go_on_forever(text in "[\\[\\]{},\":a1 \n\\\\]{0,24}") {
            let rows: Vec<Result<Value>> = JsonReader::new(text.as_bytes(), "x").take(100).collect();
            prop_assert!(rows.len() < 100);
            let whole = serde_json::from_str::<Vec<Value>>(&text);
            let read: Result<Vec<Value>> = rows.into_iter().collect();
            prop_assert_eq!(read.ok(), whole.ok());
        }
    }
}
