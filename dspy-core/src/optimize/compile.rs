//! A compile from its beginning to its end, whatever the optimizer.

use std::sync::Arc;

use tracing::{Instrument as _, field};

use super::{
    CandidateId, Compiled, Engine, Optimizer, Parameters, PredictorInfo, Report, Rows, Split, Stop, Student,
    Task, engine::SearchOptions, program::ProgramTask,
};
use crate::{
    Error, Result,
    context::{Context, Recorder, begin, observe::EventKind, with},
    data::Example,
    evaluate::Metric,
    lm::{BoxFuture, Meter},
    module::Module,
};

/// What a search found: the report, and the parameters of all candidates.
type Found = (Report, Vec<Arc<Parameters>>);

pub(super) fn compile<'o, O, S, E, M, K>(
    optimizer: &'o O,
    student: S,
    data: Split<'_, E>,
    metric: M,
) -> impl Future<Output = Result<Compiled<S::Program>>> + Send + use<'o, O, S, E, M, K>
where
    O: Optimizer,
    S: Student,
    E: Example,
    E::Input: Into<<S::Program as Module>::Input>,
    M: Metric<E, <S::Program as Module>::Output, K>,
    K: 'static,
{
    let (program, teacher) = student.into_parts();
    let rows: Arc<[Arc<E>]> = [Some(data.train), data.val, data.test]
        .into_iter()
        .flatten()
        .flat_map(|rows| rows.iter().cloned().map(Arc::new))
        .collect();
    let metric = Arc::new(metric);
    let teacher = teacher.map(|teacher| {
        Arc::new(ProgramTask::<_, _, _, K>::new(teacher, rows.clone(), metric.clone())) as Arc<dyn Task>
    });
    let task = Arc::new(ProgramTask::<_, _, _, K>::new(program.clone(), rows, metric));
    let parts = parts(data.train.len(), data.val.map(<[E]>::len), data.test.map_or(0, <[E]>::len));
    let found = search(optimizer, task, teacher, parts);
    async move {
        let (report, candidates) = found.await?;
        Ok(Compiled::new(program, report, candidates))
    }
}

pub(super) async fn optimize<O: Optimizer>(
    optimizer: &O,
    task: Arc<dyn Task>,
    rows: Rows,
) -> Result<(Parameters, Report)> {
    let (report, candidates) = search(optimizer, task, None, rows).await?;
    let chosen = candidates.get(report.chosen.index()).map(|p| Parameters::clone(p)).unwrap_or_default();
    Ok((chosen, report))
}

/// The rows of a task that holds those of a split one after the other.
fn parts(train: usize, val: Option<usize>, test: usize) -> Rows {
    let rows = Rows::new((0..train).collect());
    let judged = val.unwrap_or(0);
    let rows = if val.is_some() { rows.val((train..train + judged).collect()) } else { rows };
    rows.test((train + judged..train + judged + test).collect())
}

/// Runs an optimizer on a task: compiled once for each optimizer.
fn search<'o, O: Optimizer>(
    optimizer: &'o O,
    task: Arc<dyn Task>,
    teacher: Option<Arc<dyn Task>>,
    rows: Rows,
) -> BoxFuture<'o, Result<Found>> {
    let name = optimizer.name();
    let options = optimizer.options();
    let searching = Box::pin(async move {
        let prepared = prepare(task, teacher, rows, options, |rows| optimizer.rows(rows))?;
        let engine = &prepared.engine;
        let searched = prepared.scope(Box::pin(async move {
            engine.begin(name);
            let ended = engine.interruptible(Box::pin(optimizer.search(engine))).await;
            engine.finish(ended).await
        }));
        let (chosen, ended_early) = searched.await?;
        let usage = prepared.recorder.take().usage;
        let report = engine.report(name, chosen, ended_early, usage);
        Ok((report, engine.candidates().into_iter().map(|c| c.parameters).collect()))
    });
    Box::pin(observed(name, searching))
}

/// Runs a search, and tells observers of it.
async fn observed(optimizer: &str, searching: BoxFuture<'_, Result<Found>>) -> Result<Found> {
    let begun = begin(|| {
        let span = tracing::info_span!(
            "compile",
            otel.name = format!("compile {optimizer}"),
            otel.status_code = field::Empty,
            dspy.optimizer = optimizer,
            error.r#type = field::Empty,
        );
        (span, EventKind::CompileStarted { optimizer })
    });
    let Some(work) = begun else { return searching.await };
    let searching = searching.instrument(work.span().clone());
    let result = Context::current().within(&work).scope(searching).await;
    let error = result.as_ref().err();
    let ended = EventKind::CompileEnded { optimizer, error, duration: work.elapsed() };
    work.end(ended, error.map(Error::kind));
    result
}

/// A search that is ready to begin.
struct Prepared {
    engine: Engine,
    meter: Arc<Meter>,
    recorder: Arc<Recorder>,
}

fn prepare(
    task: Arc<dyn Task>,
    teacher: Option<Arc<dyn Task>>,
    rows: Rows,
    options: SearchOptions,
    divide: impl FnOnce(Rows) -> Result<Rows>,
) -> Result<Prepared> {
    if rows.train.is_empty() {
        return Err(Error::other("there are no rows to compile with"));
    }
    if rows.val.is_empty() {
        return Err(Error::other(
            "there are no validation rows; leave them out to judge by the rows that are learnt from",
        ));
    }
    let rows = divide(rows)?;
    if let Some(racing) = options.racing.filter(|error| !(*error > 0.0 && *error < 0.5)) {
        return Err(Error::other(format!(
            "the error of racing is a probability above 0 and below 0.5, not {racing}"
        )));
    }
    if let Some(score) = options.failure_score.filter(|score| !score.is_finite()) {
        return Err(Error::other(format!("what a failed row counts is a finite number, not {score}")));
    }
    if let Some(teacher) = &teacher {
        check_teacher(task.predictors(), teacher.predictors())?;
    }
    let context = Context::current();
    let meter = Meter::new(options.budget.clone(), context.meter());
    // Its steps are no part of a call around it: there is one for every row and candidate.
    let recorder = Recorder::counting(context.recorder().cloned());
    let engine = Engine::new(task, teacher, rows, options, meter.clone())?;
    Ok(Prepared { engine, meter, recorder })
}

impl Prepared {
    fn scope<'f, T: Send + 'f>(&'f self, work: BoxFuture<'f, T>) -> BoxFuture<'f, T> {
        let (meter, recorder) = (self.meter.clone(), self.recorder.clone());
        let work = async move { Context::current().recording(recorder).detached().scope(work).await };
        Box::pin(with(move |c| c.meter(meter), work))
    }
}

impl Engine {
    /// What a search gives: the candidate, and why it ended before its own end, if it did.
    async fn finish(&self, ended: Result<CandidateId, Stop>) -> Result<(CandidateId, Option<String>)> {
        let (chosen, reason) = match ended {
            Ok(chosen) => (chosen, None),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Budget(why)) => (self.leader(), Some(why)),
            Err(Stop::Cancelled) => (self.leader(), Some("the user asked for an end".to_owned())),
        };
        self.note_copies(chosen)?;
        self.note_failures_that_pay();
        if reason.is_none() {
            self.confirm(chosen).await?;
        }
        self.end(reason.clone());
        Ok((chosen, reason))
    }
}

/// What the teacher's predictors do is shown to those of the same path, so they must be there.
fn check_teacher(ours: &[PredictorInfo], theirs: &[PredictorInfo]) -> Result<()> {
    let fields =
        |p: &PredictorInfo| -> Vec<String> { p.spec().fields.iter().map(|f| f.name.clone()).collect() };
    for predictor in ours {
        let path = predictor.path();
        let Some(other) = theirs.iter().find(|p| p.path() == path) else {
            return Err(Error::other(format!(
                "the teacher has no predictor `{path}`, which the program has"
            )));
        };
        if fields(predictor) != fields(other) {
            return Err(Error::other(format!(
                "the predictor `{path}` of the teacher has the fields {}, but that of the program {}",
                fields(other).join(", "),
                fields(predictor).join(", ")
            )));
        }
    }
    Ok(())
}
