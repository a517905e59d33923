//! The file to which an evaluation writes its results as they come, and from which it is resumed.
//!
//! The first line says what was evaluated, every other one holds one row. Rows stand in the order in which they were
//! ready. A row that has no score through no fault of the program is run again when the evaluation is resumed; of
//! several lines for a row, the last one counts.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Failure, Score, Scores,
    scores::{RowId, Scored, hash},
};
use crate::{
    Error, Result,
    context::{Settings, UsageReport},
    files,
    lm::{LM, Usage},
    module::Module,
};

/// The version of the format.
const FORMAT: u32 = 1;

/// What was evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    dspy_evaluation: u32,
    metric: String,
    /// The type of the metric, which tells functions apart.
    metric_type: String,
    failure_score: f64,
    /// The settings that reach the model.
    model: Value,
    adapter: String,
    /// A hash of what the program has learnt, and of its source when that is known.
    program: String,
}

impl Header {
    pub(super) fn of<P: Module, M>(
        program: &P,
        settings: &Settings,
        metric: &str,
        failure_score: f64,
    ) -> Result<Self> {
        let state = program.to_json()?.to_string();
        let source = P::source().unwrap_or_default();
        let mut model = settings.lm.as_ref().map_or(Value::Null, LM::state);
        if let Value::Object(model) = &mut model {
            // How a model is reached does not change what it says.
            for key in ["_dspy_lm_class", "model_type", "cache", "num_retries"] {
                model.remove(key);
            }
            let options = serde_json::to_value(&settings.options)?;
            model.insert("options".into(), options);
        }
        Ok(Self {
            dspy_evaluation: FORMAT,
            metric: metric.to_owned(),
            metric_type: std::any::type_name::<M>().to_owned(),
            failure_score,
            model,
            adapter: settings.adapter.name().to_owned(),
            program: format!("{:016x}", hash(format!("{state}\n{source}").as_bytes())),
        })
    }

    /// In which respect the evaluation of a file is another one.
    fn differs(&self, found: &Self) -> Option<&'static str> {
        [
            ("format", self.dspy_evaluation == found.dspy_evaluation),
            ("program", self.program == found.program),
            ("metric", self.metric == found.metric && self.metric_type == found.metric_type),
            ("failure score", self.failure_score == found.failure_score),
            ("model", self.model == found.model),
            ("adapter", self.adapter == found.adapter),
        ]
        .into_iter()
        .find_map(|(what, same)| (!same).then_some(what))
    }
}

/// A row in a file of results, as [`results`] reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResultRow {
    /// Its place in the data, counted from 0.
    pub row: usize,
    pub(super) id: RowId,
    /// The fields of the row.
    pub example: Map<String, Value>,
    /// What the program gave; `None` when it failed.
    pub prediction: Option<Value>,
    /// What the metric says, or what a failure counts.
    pub score: f64,
    /// What the metric says in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// Why there is no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<ResultFailure>,
    /// How many suggestions of signatures and of the program are not met.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub violations: u32,
    /// What its calls cost, by model.
    pub usage: BTreeMap<String, Usage>,
    /// How long program and metric took, in milliseconds.
    pub milliseconds: f64,
}

/// Why a row in a file of results has no score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResultFailure {
    /// Whether the metric failed, and not the program.
    pub by_metric: bool,
    /// The kind of the error: see [`Error::kind`].
    pub kind: String,
    /// The error.
    pub message: String,
    /// Whether it is no fault of the program: see [`Failure::is_no_fault_of_the_program`]. Such a row has no score, and
    /// is run again when the evaluation is resumed.
    pub unscored: bool,
}

/// Whether a count need not be written down.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl ResultFailure {
    fn of(failure: &Failure) -> Self {
        Self {
            by_metric: matches!(failure, Failure::Metric(_)),
            kind: failure.error().kind().to_owned(),
            message: failure.error().to_string(),
            unscored: failure.is_no_fault_of_the_program(),
        }
    }
}

impl ResultRow {
    /// The row without its prediction.
    pub(super) fn new(
        row: usize,
        id: RowId,
        example: Map<String, Value>,
        score: &Score,
        failure: Option<&Failure>,
        usage: &UsageReport,
        duration: Duration,
    ) -> Self {
        Self {
            row,
            id,
            example,
            prediction: None,
            score: score.value,
            feedback: score.feedback.clone(),
            failure: failure.map(ResultFailure::of),
            violations: 0,
            usage: usage.by_model().map(|(model, usage)| (model.to_owned(), usage)).collect(),
            milliseconds: (duration.as_secs_f64() * 1e6).round() / 1e3,
        }
    }
}

/// Reads the rows of a file that [`to_jsonl`](super::Evaluate::to_jsonl) wrote, one at a time, in the order in which
/// they were ready. A row that was run again stands there repeatedly; the last one counts.
///
/// ```no_run
/// # fn f() -> dspy_core::Result<()> {
/// for row in dspy_core::evaluate::results("dev.results.jsonl")? {
///     let row = row?;
///     if row.score < 0.5 {
///         println!("{}: {:?}, {:?}", row.row, row.prediction, row.feedback);
///     }
/// }
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`Error::Dataset`] when the file cannot be read or is no such file.
pub fn results(path: impl AsRef<Path>) -> Result<impl Iterator<Item = Result<ResultRow>>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| failed(path, None, e.to_string()))?;
    let (_, lines) = Lines::new(path, BufReader::new(file))?;
    Ok(lines)
}

impl Scores {
    /// The scores in a file that [`to_jsonl`](super::Evaluate::to_jsonl) wrote. A file to which an evaluation still
    /// writes can be read as far as it is.
    ///
    /// # Errors
    /// [`Error::Dataset`] when the file cannot be read or is no such file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        scores(path.as_ref())
    }
}

fn scores(path: &Path) -> Result<Scores> {
    let file = File::open(path).map_err(|e| failed(path, None, e.to_string()))?;
    let (header, lines) = Lines::<_, Brief>::new(path, BufReader::new(file))?;
    let mut rows = Vec::new();
    for line in lines {
        let line = line?;
        let known = line.failure.as_ref().is_none_or(|failure| !failure.unscored);
        put(&mut rows, line.row, Scored { id: line.id, score: known.then_some(line.score) });
    }
    Ok(Scores { metric: header.metric, rows })
}

/// Puts a value at its place, and nothing at those before it that are not known yet.
pub(super) fn put<T: Clone>(rows: &mut Vec<Option<T>>, at: usize, value: T) {
    if rows.len() <= at {
        rows.resize(at + 1, None);
    }
    rows[at] = Some(value);
}

/// What counts of a row once it is judged.
#[derive(Deserialize)]
struct Brief {
    row: usize,
    id: RowId,
    score: f64,
    failure: Option<ResultFailure>,
    #[serde(default)]
    violations: u32,
    usage: BTreeMap<Arc<str>, Usage>,
}

/// The lines of a file after the header. A last line without an end is not there yet.
struct Lines<R, T> {
    path: PathBuf,
    source: R,
    line: usize,
    buffer: Vec<u8>,
    /// How many bytes of whole lines have been read.
    whole: u64,
    rows: std::marker::PhantomData<fn() -> T>,
}

impl<R: BufRead, T> Lines<R, T> {
    fn new(path: &Path, source: R) -> Result<(Header, Self)> {
        let mut lines = Self {
            path: path.to_owned(),
            source,
            line: 0,
            buffer: Vec::new(),
            whole: 0,
            rows: std::marker::PhantomData,
        };
        let found = lines.advance()?.then(|| serde_json::from_slice(&lines.buffer));
        match found {
            Some(Ok(header)) => Ok((header, lines)),
            _ => {
                let message = "this is no file of results of an evaluation; give `to_jsonl` another path";
                Err(failed(path, Some(1), message))
            }
        }
    }

    /// Reads the next whole line.
    fn advance(&mut self) -> Result<bool> {
        self.buffer.clear();
        let read = self.source.read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|e| failed(&self.path, Some(self.line + 1), e.to_string()))?;
        if self.buffer.last() != Some(&b'\n') {
            return Ok(false);
        }
        self.line += 1;
        self.whole += read as u64;
        Ok(true)
    }
}

impl<R: BufRead, T: DeserializeOwned> Iterator for Lines<R, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        match self.advance() {
            Err(error) => Some(Err(error)),
            Ok(false) => None,
            Ok(true) => Some(serde_json::from_slice(&self.buffer).map_err(|e| {
                let message = format!("{e}; the line was damaged; take it out, and its row is run again");
                failed(&self.path, Some(self.line), message)
            })),
        }
    }
}

/// The results of an earlier run, as far as they count.
#[derive(Default)]
pub(super) struct Earlier {
    rows: Vec<Option<EarlierRow>>,
    /// What all rows have cost, those that are run again included.
    pub(super) usage: UsageReport,
    kinds: Vec<String>,
}

#[derive(Clone, Copy)]
struct EarlierRow {
    id: RowId,
    score: f64,
    /// The place of the kind of its failure, if it failed.
    failure: Option<u16>,
    violations: u32,
}

/// The outcome of a row that was run earlier.
pub(super) struct Known<'a> {
    pub(super) id: RowId,
    pub(super) score: f64,
    pub(super) failure: Option<&'a str>,
    pub(super) violations: u32,
}

impl Earlier {
    fn add(&mut self, line: Brief) {
        for (model, usage) in &line.usage {
            self.usage.add(model, *usage);
        }
        let failure = match line.failure {
            Some(failure) if failure.unscored => {
                if let Some(row) = self.rows.get_mut(line.row) {
                    *row = None;
                }
                return;
            }
            Some(failure) => {
                let known = self.kinds.iter().position(|kind| *kind == failure.kind);
                let place = known.unwrap_or_else(|| {
                    self.kinds.push(failure.kind);
                    self.kinds.len() - 1
                });
                Some(u16::try_from(place).unwrap_or(u16::MAX))
            }
            None => None,
        };
        put(
            &mut self.rows,
            line.row,
            EarlierRow { id: line.id, score: line.score, failure, violations: line.violations },
        );
    }

    pub(super) fn get(&self, row: usize) -> Option<Known<'_>> {
        let row = self.rows.get(row)?.as_ref()?;
        let kind = |place: u16| self.kinds.get(usize::from(place)).map_or("other", String::as_str);
        Some(Known {
            id: row.id,
            score: row.score,
            failure: row.failure.map(kind),
            violations: row.violations,
        })
    }
}

/// The file while an evaluation writes to it.
pub(super) struct Sink {
    path: PathBuf,
    file: File,
}

impl Sink {
    /// Opens the file, or begins it, and reads what an earlier run of the same evaluation left there.
    pub(super) fn open(path: &Path, header: &Header) -> Result<(Self, Earlier)> {
        let fail = |e: std::io::Error| failed(path, None, files::not_written(path, &e));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(fail)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(failed(path, None, "another evaluation writes to this file; give each its own"));
            }
            // Not every file system has locks.
            Err(fs::TryLockError::Error(_)) => {}
        }
        let mut sink = Self { path: path.to_owned(), file };
        let mut first = serde_json::to_vec(header)?;
        first.push(b'\n');
        let mut earlier = Earlier::default();
        if sink.begins(&first).map_err(fail)? {
            sink.file.set_len(0).map_err(fail)?;
            sink.write(&first)?;
            return Ok((sink, earlier));
        }
        let (found, mut lines) = Lines::<_, Brief>::new(path, BufReader::new(&sink.file))?;
        if let Some(what) = header.differs(&found) {
            return Err(failed(
                path,
                Some(1),
                format!(
                    "the results in this file are those of another {what}; give `to_jsonl` another path, or delete \
                     the file"
                ),
            ));
        }
        for line in lines.by_ref() {
            earlier.add(line?);
        }
        // A line that a killed run left unfinished.
        let whole = lines.whole;
        drop(lines);
        sink.file.set_len(whole).map_err(fail)?;
        Ok((sink, earlier))
    }

    /// Whether the file is empty, or holds no more than a part of its first line.
    fn begins(&mut self, first: &[u8]) -> std::io::Result<bool> {
        let mut start = Vec::new();
        (&self.file).take(first.len() as u64).read_to_end(&mut start)?;
        self.file.seek(SeekFrom::Start(0))?;
        Ok(start.len() < first.len() && first.starts_with(&start))
    }

    /// Adds a row, in one piece, so that a kill leaves at most one half line.
    pub(super) fn add(&mut self, row: &ResultRow) -> Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.write(&line)
    }

    fn write(&mut self, line: &[u8]) -> Result<()> {
        self.file.write_all(line).map_err(|e| failed(&self.path, None, files::not_written(&self.path, &e)))
    }

    /// Puts everything on the disk.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.file.sync_all().map_err(|e| failed(&self.path, None, files::not_written(&self.path, &e)))
    }
}

fn failed(path: &Path, line: Option<usize>, message: impl Into<String>) -> Error {
    Error::Dataset { path: path.to_owned(), line, message: message.into() }
}
