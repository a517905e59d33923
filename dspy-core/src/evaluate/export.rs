//! The rows of an evaluation as columns: for files and for the terminal.

use std::{borrow::Cow, io::Write, path::Path};

use serde::Serialize;
use serde_json::{Map, Value};

use super::row::Row;
use crate::{
    Error, Result,
    data::Example,
    data::record_of,
    error::shorten,
    files::{self, write_atomically},
};

const FEEDBACK: &str = "feedback";
const ERROR: &str = "error";

/// Rows as columns.
pub(super) struct Columns {
    names: Vec<String>,
    rows: Vec<Map<String, Value>>,
    indices: Vec<usize>,
}

impl Columns {
    /// The fields of the rows, those of the predictions, the metric, its feedback and the errors.
    pub(super) fn of<E: Example, O: Serialize>(rows: &[Row<E, O>], metric: &str) -> Result<Self> {
        let mut sides = Vec::with_capacity(rows.len());
        for row in rows {
            let output =
                row.prediction.as_ref().map(|p| outputs(p.output())).transpose()?.unwrap_or_default();
            sides.push((row.example.record()?, output));
        }
        let given = names(sides.iter().map(|(example, _)| example));
        let found = names(sides.iter().map(|(_, output)| output));
        let with_feedback = rows.iter().any(|r| r.feedback.is_some());
        // Where a name would stand twice, both sides say whose it is.
        let taken = |name: &str| name == metric || name == ERROR || with_feedback && name == FEEDBACK;
        let of_example = |name: &str| match taken(name) || found.iter().any(|n| n == name) {
            true => format!("example_{name}"),
            false => name.to_owned(),
        };
        let of_output = |name: &str| match taken(name) || given.iter().any(|n| n == name) {
            true => format!("pred_{name}"),
            false => name.to_owned(),
        };
        let mut columns: Vec<String> = given.iter().map(|n| of_example(n)).collect();
        columns.extend(found.iter().map(|n| of_output(n)));
        columns.push(metric.to_owned());
        if with_feedback {
            columns.push(FEEDBACK.into());
        }
        columns.push(ERROR.into());
        let rows_as_maps = rows
            .iter()
            .zip(sides)
            .map(|(row, (example, output))| {
                let mut all = Map::new();
                all.extend(example.into_iter().map(|(name, value)| (of_example(&name), value)));
                all.extend(output.into_iter().map(|(name, value)| (of_output(&name), value)));
                all.insert(metric.to_owned(), row.score.into());
                if with_feedback {
                    all.insert(FEEDBACK.into(), row.feedback.clone().into());
                }
                all.insert(ERROR.into(), row.failure.as_ref().map(ToString::to_string).into());
                all
            })
            .collect();
        Ok(Self { names: columns, rows: rows_as_maps, indices: rows.iter().map(|r| r.index).collect() })
    }

    /// A table for the terminal, with shortened cells.
    pub(super) fn table(&self) -> String {
        /// Beyond this, cells are cut.
        const WIDTH: usize = 30;
        let header = std::iter::once("row".to_owned()).chain(self.names.iter().cloned()).collect();
        let mut lines: Vec<Vec<String>> = vec![header];
        for (index, row) in self.indices.iter().zip(&self.rows) {
            let cells = self.names.iter().map(|name| {
                let text = cell(row.get(name).unwrap_or(&Value::Null));
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                shorten(&text, WIDTH - 1).into_owned()
            });
            lines.push(std::iter::once(index.to_string()).chain(cells).collect());
        }
        // A column without a word in any row says nothing.
        let used = |c: &usize| lines.iter().skip(1).any(|l| !l[*c].is_empty());
        let kept: Vec<usize> = (0..self.names.len() + 1).filter(used).collect();
        let width = |c: usize| lines.iter().map(|l| l[c].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = kept.iter().map(|&c| width(c)).collect();
        let mut out = String::new();
        for (i, line) in lines.iter().enumerate() {
            let cells: Vec<String> =
                kept.iter().zip(&widths).map(|(&c, &w)| format!("{:<w$}", line[c])).collect();
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
            if i == 0 {
                let rules: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
                out.push_str(&rules.join("  "));
                out.push('\n');
            }
        }
        out
    }
}

/// The fields of an output; an output that is no map is the field `prediction`.
fn outputs<O: Serialize>(output: &O) -> Result<Map<String, Value>> {
    if let Ok(fields) = record_of(output) {
        return Ok(fields);
    }
    let value = crate::value::write_json(output).map_err(Error::other)?;
    Ok(Map::from_iter([("prediction".to_owned(), value)]))
}

/// All names, in the order in which they first stand.
fn names<'a>(rows: impl Iterator<Item = &'a Map<String, Value>>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    rows.flat_map(Map::keys).filter(|name| seen.insert(name.as_str())).cloned().collect()
}

fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(x) if x.fract() == 0.0 && x.abs() < 1e15 => format!("{x:.0}").into(),
            _ => n.to_string().into(),
        },
        other => other.to_string().into(),
    }
}

pub(super) fn csv(columns: &Columns, path: &Path) -> Result<()> {
    let written = write_atomically(path, |out| {
        let mut writer = ::csv::Writer::from_writer(out);
        writer.write_record(&columns.names)?;
        for row in &columns.rows {
            let cells = columns.names.iter().map(|name| row.get(name).map_or(Cow::Borrowed(""), cell));
            writer.write_record(cells.map(Cow::into_owned))?;
        }
        writer.flush()
    });
    written.map_err(|e| not_written(path, &e))
}

pub(super) fn json(columns: &Columns, path: &Path) -> Result<()> {
    let written = write_atomically(path, |out| {
        serde_json::to_writer_pretty(&mut *out, &columns.rows)?;
        out.write_all(b"\n")
    });
    written.map_err(|e| not_written(path, &e))
}

fn not_written(path: &Path, error: &std::io::Error) -> Error {
    Error::other(format!("{}: {}", path.display(), files::not_written(path, error)))
}
