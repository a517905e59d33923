//! Programs whose models are trained on what went well.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};

use super::{
    FineTuneJob, FineTuneTask, FineTuner, Tuned, TuningProgress,
    balance::Balance,
    groups::{Group, groups},
    rows::{Made, Scribe, Written, labelled},
};
use crate::{
    Error, Result,
    context::{Context, Settings},
    data::Rng,
    evaluate::Progress,
    lm::BoxFuture,
    lm::LM,
    optimize::{
        Amount, Attempts, Bootstrap, CandidateId, Engine, Optimizer, Parameters, PlannedStage, PredictorInfo,
        RolloutStep, SearchOptions, Stop, TaskShape,
        bootstrap::{DemoOptions, attempt_options, rounds},
        engine::search_options,
    },
    predict::Predictor,
};

/// Trains the model of a program on what a teacher's predictors did in the runs that the metric accepts (Khattab et
/// al. 2023, "DSPy: Compiling Declarative Language Model Calls into Self-Improving Pipelines", §4), and gives the
/// program with the tuned model.
///
/// The teacher is the program itself unless the compile is given
/// [another](crate::module::Module::with_teacher);
/// [`teacher_settings`](Self::teacher_settings) lets it ask a stronger model. Every step of an accepted run becomes a
/// row: the messages that the student's predictor of the same path sends for the step's inputs, and the answer in the
/// format of its adapter. Validation rows, if there are any, are run in the same way and go to the tuner to measure
/// its progress by.
///
/// A teacher that does no better than chance says the same to everything, and the runs that the metric accepts are
/// those where that happens to be right. A model that is trained on them learns to say it always. So the notes tell
/// how often each answer is learnt, with a warning where one dominates although the data is not so; to hear other
/// answers, set [`samples`](Self::samples) and [`temperature`](Self::temperature), or train
/// [on the rows' own outputs](Self::from_labels).
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module, lm::LM};
/// use dspy_core::optimize::{BootstrapFinetune, Optimizer, finetune::OpenAiFineTuner};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
///
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let strong = LM::new("openai/gpt-4.1")?;
/// let optimizer = BootstrapFinetune::new(OpenAiFineTuner::new())
///     .base(LM::new("openai/gpt-4.1-nano-2025-04-14")?)
///     .teacher_settings(move |c| c.lm(strong.clone()))
///     .on_progress(|progress| eprintln!("{progress}"));
/// let compiled = optimizer.compile(program, &trainset, metric).await?;
/// compiled.save("qa.json")?;
/// # Ok(()) }
/// ```
#[must_use = "an optimizer does nothing until `compile`"]
#[derive(Clone)]
pub struct BootstrapFinetune {
    tuner: Arc<dyn FineTuner>,
    attempts: Attempts,
    search: SearchOptions,
    samples: usize,
    max_labeled: usize,
    base: Option<LM>,
    multitask: bool,
    exclude_demos: bool,
    from_labels: bool,
    name: Arc<str>,
    listener: Option<Listener>,
}

type Listener = Arc<dyn Fn(&TuningProgress) + Send + Sync>;

impl fmt::Debug for BootstrapFinetune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapFinetune")
            .field("tuner", &self.tuner)
            .field("attempts", &self.attempts)
            .field("search", &self.search)
            .field("base", &self.base)
            .field("multitask", &self.multitask)
            .field("exclude_demos", &self.exclude_demos)
            .field("from_labels", &self.from_labels)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl BootstrapFinetune {
    /// One model for all predictors, trained by this tuner on one run of each row; seed 0.
    pub fn new(tuner: impl FineTuner) -> Self {
        Self {
            tuner: Arc::new(tuner),
            attempts: Attempts::default(),
            search: SearchOptions::default(),
            samples: 1,
            max_labeled: 16,
            base: None,
            multitask: true,
            exclude_demos: false,
            from_labels: false,
            name: "dspy".into(),
            listener: None,
        }
    }

    /// Sets the model that is trained. Without it, that is the model of each predictor, or that of the settings.
    pub fn base(mut self, lm: impl Into<LM>) -> Self {
        self.base = Some(lm.into());
        self
    }

    /// Sets whether predictors of the same model share one that is trained on the rows of all of them, as they do
    /// unless set, or each has a model of its own.
    pub fn multitask(mut self, yes: bool) -> Self {
        self.multitask = yes;
        self
    }

    /// Sets whether the demonstrations of the program are left out of the rows, and taken from the compiled program.
    /// They are kept unless set.
    pub fn exclude_demos(mut self, yes: bool) -> Self {
        self.exclude_demos = yes;
        self
    }

    /// Sets whether the model is trained on the outputs that the rows have, instead of on a teacher's runs: no model is
    /// asked, and the metric judges nothing. For programs of one predictor, all of whose fields the rows have.
    pub fn from_labels(mut self, yes: bool) -> Self {
        self.from_labels = yes;
        self
    }

    /// Sets how often the teacher is run on each row: once unless set. Each run that is accepted makes rows; equal
    /// ones are kept once. From the second on, runs have temperature 1, unless [`temperature`](Self::temperature) is
    /// set.
    pub fn samples(mut self, n: usize) -> Self {
        self.samples = n.max(1);
        self
    }

    /// Sets the temperature of all runs of the teacher.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.attempts.temperature = Some(temperature);
        self
    }

    /// Sets how many rows of the data a teacher without demonstrations is shown: 16 unless set. The student is not
    /// shown them.
    pub fn max_labeled_demos(mut self, n: usize) -> Self {
        self.max_labeled = n;
        self
    }

    /// Sets what tuned models are called after: `dspy` unless set. With a model for each predictor, its path is added.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Calls a function with every progress of every job.
    pub fn on_progress(mut self, listener: impl Fn(&TuningProgress) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    attempt_options!();
    search_options!();
}

impl Optimizer for BootstrapFinetune {
    fn name(&self) -> &'static str {
        "BootstrapFinetune"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        if self.from_labels {
            return Vec::new();
        }
        let rows = shape.train + if shape.judged_by_train { 0 } else { shape.val };
        let runs = rows.saturating_mul(self.samples);
        let amount = Amount::new(runs, rounds(runs, &self.attempts));
        vec![PlannedStage::rollouts("bootstrap", amount).demos(self.max_labeled)]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl BootstrapFinetune {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            match self.tune(engine).await {
                // Without its end there is no tuned model, which is all that the compile is for.
                Err(Stop::Cancelled) => Err(cancelled().into()),
                Err(Stop::Budget(why)) => Err(Error::Limit(format!("no model was trained: {why}")).into()),
                ended => ended,
            }
        })
    }
}

fn cancelled() -> Error {
    Error::Task("the compile was cancelled".into())
}

/// What predictors did in an accepted run on a row.
type AcceptedRun = (usize, Vec<RolloutStep>);

impl BootstrapFinetune {
    async fn tune(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        let settings = Context::current().settings();
        let mut student = Parameters::clone(&engine.parameters(CandidateId::STUDENT));
        let predictors = student_predictors(engine.predictors())?;
        let models = self.models(&predictors, &settings)?;
        let mut rows = engine.train().to_vec();
        rows.extend(engine.val().iter().filter(|row| !engine.train().contains(row)));
        let (runs, mut notes) = match self.from_labels {
            true => (from_labels(engine, &rows)?, Vec::new()),
            false => self.runs(engine, &rows).await?,
        };
        if self.exclude_demos {
            student = student.without_demos();
        }
        let student = Arc::new(student);
        let scribe = Scribe {
            engine,
            student: &student,
            predictors: &predictors,
            models: &models,
            settings: &settings,
        };
        let Written { rows, faults, repeated } = scribe.write(&runs)?;
        if let Some(first) = faults.first() {
            let message = format!("{} steps could not be written as rows; the first: {first}", faults.len());
            if self.from_labels {
                return Err(Error::other(format!(
                    "{message}. To train on the rows' own outputs, they must have all fields of the predictor"
                ))
                .into());
            }
            notes.push(message);
        }
        if repeated > 0 {
            notes.push(format!("{repeated} rows were equal to others from the same row of the data"));
        }
        let (learnt, validation): (Vec<Made>, Vec<Made>) =
            rows.into_iter().partition(|made| engine.train().contains(&made.origin));
        let paths: Vec<String> = predictors.iter().map(|(path, _)| path.to_string()).collect();
        notes.extend(self.balance(engine, &predictors, &learnt)?);

        let groups = groups(&models, &paths, self.multitask, &self.name);
        let tuned = self.train(groups, &paths, &learnt, &validation, &mut notes).await?;
        let mut parameters = Parameters::clone(&student);
        for (group, tuned) in &tuned {
            for (i, (_, own)) in parameters.iter_mut().enumerate() {
                if group.members.contains(&i) {
                    // A client of the predictor's own has options of its own.
                    let options = own.lm.as_ref().map(|lm| lm.options().clone());
                    own.lm = Some(options.map_or_else(|| tuned.lm.clone(), |o| tuned.lm.with_options(&o)));
                }
            }
        }
        notes.extend(tuned.iter().map(|(_, tuned)| tuned.to_string()));
        notes.into_iter().for_each(|note| engine.note(note));
        Ok(engine.propose("fine-tuned", [CandidateId::STUDENT], parameters))
    }

    /// The model of each predictor that is trained.
    fn models(&self, predictors: &[(Arc<str>, Predictor)], settings: &Settings) -> Result<Vec<LM>> {
        if predictors.is_empty() {
            return Err(Error::other("the program has no predictor, so there is no model to train"));
        }
        let model = |p: &Predictor| {
            match &self.base {
            Some(base) => Ok(base.clone()),
            None => p.lm_or(settings).map_err(|_| {
                Error::Context(
                    "there is no model to train: give one with `.base(lm)`, or the program its own with `set_lm`, \
                     or set one with `configure`"
                        .into(),
                )
            }),
        }
        };
        predictors.iter().map(|(_, p)| model(p)).collect()
    }

    /// Runs the teacher: what was done in the runs that were accepted.
    async fn runs(&self, engine: &Engine, rows: &[usize]) -> Result<(Vec<AcceptedRun>, Vec<String>), Stop> {
        let demos = DemoOptions { max_bootstrapped: 0, max_labeled: self.max_labeled };
        let teacher = Arc::new(demos.teacher(engine)?);
        let wish = Bootstrap::all(rows, self.samples);
        engine.stage("bootstrap", rows.len() * self.samples);
        let found = engine.bootstrap(&teacher, &self.attempts, std::slice::from_ref(&wish)).await?;
        let runs = found.accepted(&wish).into_iter().map(|(row, steps)| (row, steps.to_vec())).collect();
        Ok((runs, vec![found.summary()]))
    }

    /// What is worth knowing of the answers that are learnt.
    fn balance(
        &self,
        engine: &Engine,
        predictors: &[(Arc<str>, Predictor)],
        learnt: &[Made],
    ) -> Result<Vec<String>> {
        let records: Vec<_> = engine.train().iter().map(|row| engine.record(*row)).collect::<Result<_>>()?;
        let mut notes = Vec::new();
        for (i, (path, predictor)) in predictors.iter().enumerate() {
            for field in predictor.spec().outputs() {
                let values = learnt.iter().filter(|made| made.predictor == i).map(|made| &made.values);
                let Some(balance) = Balance::of(&field.name, values, &records) else { continue };
                let note = balance.note(&format!("`{}` of `{path}`", field.name));
                if balance.is_lopsided() {
                    tracing::warn!("{note}");
                }
                notes.push(note);
            }
        }
        Ok(notes)
    }

    /// Trains a model for each group that has rows.
    async fn train(
        &self,
        groups: Vec<Group>,
        paths: &[String],
        learnt: &[Made],
        validation: &[Made],
        notes: &mut Vec<String>,
    ) -> Result<Vec<(Group, Tuned)>> {
        let rng = Rng::new(self.search.seed).fork("rows");
        let told = notes.join("; ");
        let mut tasks = Vec::new();
        for (i, group) in groups.into_iter().enumerate() {
            let (rows, mut tests) = (group.rows(learnt), group.rows(validation));
            if self.search.cancellation.is_cancelled() {
                return Err(cancelled());
            }
            if rows.is_empty() && learnt.len() >= self.tuner.min_rows() {
                notes.push(format!(
                    "{} took part in no accepted run and keeps its model",
                    group.described(paths)
                ));
                continue;
            }
            if rows.len() < self.tuner.min_rows() {
                let hint = match self.from_labels {
                    true => "give more rows",
                    false => {
                        "give more rows, let more runs be accepted (`metric_threshold`, `max_rounds`, `samples`), \
                         take a better teacher, or train on the rows' own outputs (`from_labels`)"
                    }
                };
                return Err(Error::other(format!(
                    "there are {} rows to train {} on, but the tuner needs {}: {hint}{}{told}",
                    rows.len(),
                    group.described(paths),
                    self.tuner.min_rows(),
                    if told.is_empty() { "" } else { ". " },
                )));
            }
            if !tests.is_empty() && tests.len() < self.tuner.min_rows() {
                notes.push(format!(
                    "{} rows are too few to measure progress by; they are left out",
                    tests.len()
                ));
                tests.clear();
            }
            let mut rows = rows;
            rng.fork_index(i as u64).shuffle(&mut rows);
            let task = FineTuneTask::new(group.base.clone(), rows)
                .validation(tests)
                .name(group.name.clone())
                .seed(self.search.seed);
            tasks.push((group, task));
        }
        let bar = Arc::new(Mutex::new(Progress::new("fine-tune", 0, self.search.progress)));
        let jobs = tasks.into_iter().map(|(group, task)| {
            let job = self.watched(self.tuner.start(task), &bar);
            async { (group, self.guided(job).await) }
        });
        // A job that fails stops no other: what they make is taken up by the next compile.
        let done: Vec<(Group, Result<Tuned>)> =
            stream::iter(jobs).buffered(self.tuner.concurrency().max(1)).collect().await;
        done.into_iter().map(|(group, tuned)| Ok((group, tuned?))).collect()
    }

    fn watched(&self, job: FineTuneJob, bar: &Arc<Mutex<Progress>>) -> FineTuneJob {
        let bar = bar.clone();
        let job = job.on_progress(move |p| {
            let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
            bar.at(p.step.unwrap_or(0), p.steps.unwrap_or(0), || p.to_string());
        });
        match self.listener.clone() {
            Some(listener) => job.on_progress(move |progress| listener(progress)),
            None => job,
        }
    }

    /// Runs a job to its end, which comes soon when the compile is cancelled.
    async fn guided(&self, job: FineTuneJob) -> Result<Tuned> {
        let control = job.control();
        let stopping = Box::pin(async {
            self.search.cancellation.cancelled().await;
            control.cancel();
        });
        match select(job, stopping).await {
            Either::Left((tuned, _)) => tuned,
            Either::Right(((), job)) => job.await,
        }
    }
}

/// The predictors of the student.
fn student_predictors(infos: &[PredictorInfo]) -> Result<Vec<(Arc<str>, Predictor)>> {
    let predictor = |info: &PredictorInfo| match info.predictor() {
        Some(predictor) => Ok((info.path().clone(), predictor.clone())),
        None => Err(Error::other(format!(
            "`{}` is no predictor of a program, so it has no model to train",
            info.path()
        ))),
    };
    infos.iter().map(predictor).collect()
}

/// The rows' own outputs as what the only predictor does.
fn from_labels(engine: &Engine, rows: &[usize]) -> Result<Vec<AcceptedRun>> {
    let [info] = engine.predictors() else {
        let paths: Vec<&str> = engine.predictors().iter().map(|info| &**info.path()).collect();
        return Err(Error::other(format!(
            "the program has {} predictors ({}), so that the outputs of its rows do not tell what each of them is to \
             answer; train on a teacher's runs instead, without `from_labels`",
            paths.len(),
            paths.join(", ")
        )));
    };
    rows.iter().map(|row| Ok((*row, vec![labelled(info, &engine.record(*row)?)]))).collect()
}
