//! Evaluations over rows that come one by one.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use super::{
    Evaluate, Metric, Progress, Score, Summary,
    observed::evaluation,
    results::{Earlier, Header, ResultRow, Sink},
    run::{Judged, judge},
    scores::RowId,
    summary::Tally,
    watch::Watch,
};
use crate::{
    Error, Result,
    context::{Context, Recorder, UsageReport, with},
    data::Example,
    module::{Flow, Module, fan_out},
    value::write_json,
};

/// Rows that come one by one, and where the results go; see [`Evaluate::stream`].
#[derive(Debug)]
pub struct Stream<I> {
    rows: I,
    path: Option<PathBuf>,
}

/// What a stream of rows gives: rows, or the `Result`s of a reader.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row of data",
    label = "not a row, nor the `Result` of one",
    note = "give an iterator over rows, `rows.into_iter()`, or a reader, `dspy::data::rows::<Row>(path)?`"
)]
pub trait IntoRow {
    /// The row.
    type Row: Example;

    /// The row, or why it could not be read.
    ///
    /// # Errors
    /// The reader's own.
    fn into_row(self) -> Result<Self::Row>;
}

impl<E: Example> IntoRow for E {
    type Row = E;

    fn into_row(self) -> Result<E> {
        Ok(self)
    }
}

impl<E: Example> IntoRow for Result<E> {
    type Row = E;

    fn into_row(self) -> Self {
        self
    }
}

impl<I, M> Evaluate<Stream<I>, M> {
    /// An evaluation over rows that come one by one: any number of them, of which only those that run are in memory.
    /// It ends with a [`Summary`]. With [`to_jsonl`](Self::to_jsonl), every result is written to a file as soon as it
    /// is there, and an evaluation that was stopped goes on where it was.
    ///
    /// ```no_run
    /// # use dspy_core::{Result, data::Example, evaluate::Evaluate, module::Module};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Clone)] struct Qa { question: String, answer: String }
    /// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
    /// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P) -> Result<()> {
    /// let rows = dspy_core::data::rows::<Qa>("questions.jsonl")?;
    /// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
    /// let summary = Evaluate::stream(rows, metric).to_jsonl("results.jsonl").run(&program).await?;
    /// println!("{summary}"); // score 0.8312 [0.83, 0.83] (83120 of 100000 rows) ...
    /// # Ok(()) }
    /// ```
    ///
    /// A row that the reader cannot read ends the evaluation with the reader's error, once the rows that run have
    /// ended; `rows.filter_map(Result::ok)` passes over such rows instead.
    pub fn stream(rows: impl IntoIterator<IntoIter = I>, metric: M) -> Self
    where
        I: Iterator<Item: IntoRow>,
    {
        Self::over(Stream { rows: rows.into_iter(), path: None }, metric)
    }

    /// Writes every result to this file as soon as it is there: a line of JSON with the row, the prediction, the
    /// score and what it cost ([`ResultRow`]), in the order in which the rows are ready. See
    /// [`results`](super::results) and [`Scores::load`](super::Scores::load) for reading it.
    ///
    /// When the file is there already, the evaluation goes on where it was: rows that stand in it are not run again,
    /// except those that have no score through no fault of the program. The file of another evaluation is refused: another
    /// program, metric, failure score, adapter or model, or other rows. Metrics are told apart by name and type, not by
    /// what is written in them: give a metric that you changed another
    /// [`metric_name`](Self::metric_name), or the results another file.
    pub fn to_jsonl(mut self, path: impl Into<PathBuf>) -> Self {
        self.rows.path = Some(path.into());
        self
    }

    /// Runs the program over all rows.
    ///
    /// # Errors
    /// As [`run`](Evaluate::run) over rows in memory, and [`Error::Dataset`] when a row cannot be read, the file of
    /// results cannot be written or is that of another evaluation.
    pub async fn run<P, E, K>(self, program: &P) -> Result<Summary>
    where
        I: Iterator<Item: IntoRow<Row = E>> + Send,
        E: Example,
        P: Module + Clone + 'static,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let name = self.metric_name.clone();
        evaluation(name, None, Box::pin(self.evaluate(program)), |summary| summary.score).await
    }

    async fn evaluate<P, E, K>(self, program: &P) -> Result<Summary>
    where
        I: Iterator<Item: IntoRow<Row = E>> + Send,
        E: Example,
        P: Module + Clone + 'static,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let started = Instant::now();
        let concurrency = self.width();
        let Self { rows: Stream { rows, path }, metric, failure_score, metric_name, .. } = self;
        let (sink, earlier) = match path {
            None => (None, Earlier::default()),
            Some(path) => {
                let settings = Context::current().settings();
                let header = Header::of::<P, M>(program, &settings, &metric_name, failure_score)?;
                let (sink, earlier) = Sink::open(&path, &header)?;
                (Some(sink), earlier)
            }
        };
        let (_, most) = rows.size_hint();
        let state = Mutex::new(State {
            rows: rows.enumerate(),
            sink,
            watch: Watch::new(self.max_errors, most.unwrap_or(usize::MAX)),
            tally: Tally::new(metric_name, failure_score, earlier.usage.clone()),
            progress: Progress::new("evaluate", most.unwrap_or(0), self.progress),
            earlier,
            fault: None,
            stopped: false,
        });
        let program = Arc::new(program.clone());
        let next = |_: usize| {
            let row = lock(&state).next();
            let (program, metric) = (program.clone(), metric.clone());
            async move {
                let (index, row) = row?;
                Some(evaluate(index, &row, &*program, &*metric).await)
            }
        };
        let each = |_: usize, result: Result<Option<Finished<P::Output>>>| match result {
            Ok(Some(finished)) => lock(&state).ended(finished),
            Ok(None) => Flow::Drain,
            Err(error) => lock(&state).broken(error),
        };
        with(|c| c.trace(self.trace || M::READS_TRACE), async {
            let context = Context::current();
            let recorder = Recorder::counting(context.recorder().cloned());
            // The rows end where the iterator does.
            context.recording(recorder).detached().scope(fan_out(usize::MAX, concurrency, next, each)).await;
        })
        .await;
        let State { sink, watch, tally, fault, .. } =
            state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut sink) = sink {
            sink.finish()?;
        }
        match fault.or_else(|| watch.verdict_at_end()) {
            Some(error) => Err(error),
            None => tally.finish(started.elapsed()),
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a row came to.
struct Finished<O> {
    index: usize,
    /// The row as fields, and what tells it apart.
    record: Result<(Map<String, Value>, RowId)>,
    judged: Judged<O>,
    usage: UsageReport,
    duration: Duration,
}

async fn evaluate<P, E, M, K>(index: usize, row: &E, program: &P, metric: &M) -> Finished<P::Output>
where
    P: Module,
    E: Example,
    E::Input: Into<P::Input>,
    M: Metric<E, P::Output, K>,
{
    let started = Instant::now();
    let context = Context::current();
    let recorder = Recorder::counting(context.recorder().cloned());
    let judged = context.recording(recorder.clone()).scope(judge(index, program, row, metric)).await;
    let record = identified(row);
    Finished { index, record, judged, usage: recorder.take().usage, duration: started.elapsed() }
}

fn identified<E: Example>(row: &E) -> Result<(Map<String, Value>, RowId)> {
    let record = row.record()?;
    let id = RowId::of(&record)?;
    Ok((record, id))
}

/// What the rows that begin and those that end have in common.
struct State<I> {
    rows: I,
    sink: Option<Sink>,
    earlier: Earlier,
    watch: Watch,
    tally: Tally,
    progress: Progress,
    /// Why no further row begins.
    fault: Option<Error>,
    /// Whether the rows that run were told to stop.
    stopped: bool,
}

impl<T: IntoRow, I: Iterator<Item = (usize, T)>> State<I> {
    /// The next row that was not run earlier.
    fn next(&mut self) -> Option<(usize, T::Row)> {
        while self.fault.is_none() {
            let (index, row) = self.rows.next()?;
            match self.take_known(index, row) {
                Ok(Some(row)) => return Some((index, row)),
                Ok(None) => {}
                Err(error) => self.fault = Some(error),
            }
        }
        None
    }

    /// The row, unless it was run earlier.
    fn take_known(&mut self, index: usize, row: T) -> Result<Option<T::Row>> {
        let row = row.into_row()?;
        let Some(known) = self.earlier.get(index) else { return Ok(Some(row)) };
        let (_, id) = identified(&row)?;
        if id != known.id {
            return Err(Error::other(format!(
                "row {index} is not the one whose result stands in the file of results: the data have changed; give \
                 `to_jsonl` another path, or delete the file"
            )));
        }
        self.tally.resumed(index, &known);
        self.watch.resumed(known.failure.is_some());
        let tally = &self.tally;
        self.progress.tick(|| tally.so_far());
        Ok(None)
    }

    fn ended<O: serde::Serialize>(&mut self, finished: Finished<O>) -> Flow {
        let flow = self.keep(finished).unwrap_or_else(|error| self.fail(error));
        self.stopped |= matches!(flow, Flow::Stop);
        flow
    }

    /// A row has no result: it was stopped, from here or from outside.
    fn broken(&mut self, error: Error) -> Flow {
        if self.stopped { Flow::Stop } else { self.fail(error) }
    }

    fn keep<O: serde::Serialize>(&mut self, finished: Finished<O>) -> Result<Flow> {
        let Finished { index, record, judged, usage, duration } = finished;
        let (record, id) = record?;
        let violations = judged.violations();
        let (score, failure) = match judged.score {
            Ok(score) => (score, None),
            Err(failure) => (Score::new(self.tally.failure_score), Some(failure)),
        };
        if let Some(sink) = &mut self.sink {
            let mut row = ResultRow::new(index, id, record, &score, failure.as_ref(), &usage, duration);
            let output = judged.prediction.as_ref().map(|p| write_json(p.output()));
            row.violations = violations;
            row.prediction = output.transpose().map_err(Error::other)?;
            sink.add(&row)?;
        }
        self.tally.add(index, id, score.value, failure.as_ref(), violations, &usage);
        let flow = self.watch.see(index, failure.as_ref());
        let tally = &self.tally;
        self.progress.tick(|| tally.so_far());
        Ok(flow)
    }

    /// Ends the evaluation.
    fn fail(&mut self, error: Error) -> Flow {
        self.fault.get_or_insert(error);
        self.stopped = true;
        Flow::Stop
    }
}
