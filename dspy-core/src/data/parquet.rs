//! Data sets in Parquet.

use std::{
    fmt,
    fs::File,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, Row, reader::RowIter},
    schema::types::Type,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::{error, json::without_place};
use crate::{Error, Result};

/// Reads a Parquet file: see [`ParquetReader`].
///
/// # Errors
/// [`Error::Dataset`] at the first row that cannot be read.
pub fn parquet<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Vec<T>> {
    ParquetReader::open(path)?.collect()
}

/// Reads a Parquet file, one row at a time. Columns become the fields of the row's type: numbers, texts and booleans as
/// they are; lists, structs and maps as such; dates, times and decimal numbers as text in their usual form; bytes as
/// text where they are UTF-8. Snappy and uncompressed files are read.
///
/// A row that does not have the fields of the row's type is an error of its own; the rows after it can still be had.
/// What is damaged in the file ends the reading. Rows are counted from 1 in errors.
pub struct ParquetReader<T> {
    path: PathBuf,
    source: Option<RowIter<'static>>,
    columns: String,
    total: usize,
    row: usize,
    rows: PhantomData<fn() -> T>,
}

impl<T> ParquetReader<T> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Dataset`] when it cannot be opened, is no Parquet file, or has a column that cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| error(path, None, e.to_string()))?;
        let damaged =
            |e: &dyn fmt::Display| error(path, None, format!("not a Parquet file, or a damaged one: {e}"));
        let file = guarded(|| SerializedFileReader::new(file)).map_err(|e| damaged(&e))?;
        let metadata = file.metadata().file_metadata();
        let schema = metadata.schema();
        if let Some(column) = bare_repetition(schema) {
            return Err(error(
                path,
                None,
                format!(
                    "column `{column}` repeats without being a list, as old writers did; write the file anew"
                ),
            ));
        }
        let columns: Vec<String> =
            schema.get_fields().iter().map(|column| format!("`{}`", column.name())).collect();
        let columns = columns.join(", ");
        let total = usize::try_from(metadata.num_rows()).unwrap_or(0);
        let source =
            guarded(|| Ok::<_, Error>(RowIter::from_file_into(Box::new(file)))).map_err(|e| damaged(&e))?;
        Ok(Self { path: path.to_owned(), source: Some(source), columns, total, row: 0, rows: PhantomData })
    }
}

impl<T: DeserializeOwned> Iterator for ParquetReader<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let source = self.source.as_mut()?;
        let next = guarded(|| source.next().transpose());
        self.row += 1;
        let row = match next {
            Ok(Some(row)) => record(&row),
            Ok(None) => {
                self.source = None;
                return None;
            }
            Err(message) => {
                self.source = None;
                let message = format!(
                    "row {}: the file is damaged, or compressed otherwise than with Snappy: {message}",
                    self.row
                );
                return Some(Err(error(&self.path, None, message)));
            }
        };
        Some(serde_json::from_value(Value::Object(row)).map_err(|e| {
            let message = format!(
                "row {}: {}; the columns, which are {}, must be the fields of the row's type",
                self.row,
                without_place(&e),
                self.columns
            );
            error(&self.path, None, message)
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.source.as_ref().map_or(0, |_| self.total.saturating_sub(self.row));
        // What the file says of itself is no promise.
        (0, Some(left))
    }
}

impl<T> fmt::Debug for ParquetReader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetReader")
            .field("path", &self.path)
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

/// A damaged file makes the decoder panic in places.
fn guarded<R, E: fmt::Display>(read: impl FnOnce() -> Result<R, E>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("its content contradicts itself".into()),
    }
}

/// A column that repeats outside of a list or a map, which the row reader takes for something else.
fn bare_repetition(schema: &Type) -> Option<String> {
    fn within(ty: &Type, of_list: bool) -> Option<String> {
        let info = ty.get_basic_info();
        let repeats = info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED;
        if repeats && !of_list {
            return Some(info.name().to_owned());
        }
        if !ty.is_group() {
            return None;
        }
        use parquet::basic::ConvertedType::{LIST, MAP, MAP_KEY_VALUE};
        let of_list = matches!(info.converted_type(), LIST | MAP | MAP_KEY_VALUE);
        ty.get_fields().iter().find_map(|field| within(field, of_list))
    }
    schema.get_fields().iter().find_map(|field| within(field, false))
}

fn record(row: &Row) -> Map<String, Value> {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(v) => (*v).into(),
        Field::Byte(v) => (*v).into(),
        Field::Short(v) => (*v).into(),
        Field::Int(v) => (*v).into(),
        Field::Long(v) => (*v).into(),
        Field::UByte(v) => (*v).into(),
        Field::UShort(v) => (*v).into(),
        Field::UInt(v) => (*v).into(),
        Field::ULong(v) => (*v).into(),
        // By its shortest decimal form: 0.1 is not to become 0.10000000149011612.
        Field::Float(v) => number(v.to_string().parse().unwrap_or(f64::from(*v))),
        Field::Float16(v) => number(v.to_f64()),
        Field::Double(v) => number(*v),
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => bytes.data().to_vec().into(),
        },
        Field::Group(row) => record(row).into(),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let entry = |(key, of): &(Field, Field)| {
                let key = match value(key) {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                (key, value(of))
            };
            Value::Object(map.entries().iter().map(entry).collect())
        }
        other => other.to_string().into(),
    }
}

/// JSON has no number for what is not finite.
fn number(v: f64) -> Value {
    Number::from_f64(v).map_or(Value::Null, Value::Number)
}
