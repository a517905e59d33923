//! Demonstrations from runs that went well.

use std::{fmt, sync::Arc, time::Instant};

use serde_json::{Map, Value};

use super::{
    Compiled, LabeledFewShot, Optimizer, Split,
    engine::{Common, Data, ErrorBudget, Shown, common_options},
    teach::{Change, Course, Lesson, School},
};
use crate::{
    Error, Result,
    context::{Context, Recorder},
    data::{Example, Rng},
    evaluate::{Metric, Progress},
    module::{Module, Program},
    predict::Predictor,
};

/// Runs a teacher over the rows and shows every predictor what the teacher's predictor did in the runs that the
/// metric accepts; then fills up with rows of the data (Khattab et al. 2023, "DSPy: Compiling Declarative Language
/// Model Calls into Self-Improving Pipelines", §4).
///
/// The teacher is the program itself, with labelled demonstrations when it has none, unless
/// [`teacher`](Self::teacher) gives another; [`teacher_settings`](Self::teacher_settings) lets it ask a stronger
/// model. It never sees a demonstration with the answer of the row it runs on. The rows are tried in their order
/// until enough of them are accepted; they run at the same time as far as that asks for nothing more. What the
/// program itself was shown before is replaced; its instructions stay.
#[must_use = "an optimizer does nothing until `compile`"]
#[derive(Clone)]
pub struct BootstrapFewShot<T = Student> {
    pub(super) teacher: T,
    pub(super) common: Common,
    pub(super) options: Options,
}

#[derive(Clone)]
pub(super) struct Options {
    pub(super) max_bootstrapped: usize,
    pub(super) max_labeled: usize,
    pub(super) max_rounds: u64,
    /// How often a row is run, each time for itself.
    pub(super) samples: usize,
    pub(super) temperature: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) settings: Option<Change>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_bootstrapped: 4,
            max_labeled: 16,
            max_rounds: 1,
            samples: 1,
            temperature: None,
            threshold: None,
            settings: None,
        }
    }
}

/// The program teaches itself.
#[derive(Debug, Clone, Copy)]
pub struct Student(());

impl Student {
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// Another program teaches.
#[derive(Debug, Clone)]
pub struct Teacher<P>(P);

impl<P> Teacher<P> {
    pub(super) fn new(program: P) -> Self {
        Self(program)
    }
}

/// Who can teach a program `P`.
pub trait Taught<P>: Clone + Send + Sync {
    /// The teacher, when it is not the program itself.
    fn teacher(&self) -> Option<P>;
}

impl<P> Taught<P> for Student {
    fn teacher(&self) -> Option<P> {
        None
    }
}

impl<P: Clone + Send + Sync> Taught<P> for Teacher<P> {
    fn teacher(&self) -> Option<P> {
        Some(self.0.clone())
    }
}

impl Default for BootstrapFewShot {
    fn default() -> Self {
        Self { teacher: Student::new(), common: Common::default(), options: Options::default() }
    }
}

impl<T> fmt::Debug for BootstrapFewShot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapFewShot")
            .field("common", &self.common)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_bootstrapped_demos", &self.max_bootstrapped)
            .field("max_labeled_demos", &self.max_labeled)
            .field("max_rounds", &self.max_rounds)
            .field("samples", &self.samples)
            .field("temperature", &self.temperature)
            .field("metric_threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

impl BootstrapFewShot {
    /// At most 4 demonstrations from runs, 16 with those from the data, one round, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets another program of the same type teach, such as one that was compiled before. It keeps its own
    /// demonstrations; a teacher without any is shown rows of the data.
    pub fn teacher<P>(self, program: P) -> BootstrapFewShot<Teacher<P>> {
        BootstrapFewShot { teacher: Teacher::new(program), common: self.common, options: self.options }
    }
}

/// The builder methods of those [`Options`] that say how the teacher is run, for a struct with a field `options`.
macro_rules! teacher_options {
    () => {
        /// Sets how often a row is tried until the metric accepts its run: from the second time on with
        /// temperature 1.
        pub fn max_rounds(mut self, n: u64) -> Self {
            self.options.max_rounds = n.max(1);
            self
        }

        /// Accepts a run whose score is at least this. Without it, a run is accepted whose score is above 0.
        pub fn metric_threshold(mut self, score: f64) -> Self {
            self.options.threshold = Some(score);
            self
        }

        /// Changes the settings under which the teacher runs, such as its model:
        /// `.teacher_settings(move |c| c.lm(strong.clone()))`. A predictor that has a model of its own keeps it.
        pub fn teacher_settings(
            mut self,
            change: impl Fn($crate::context::Settings) -> $crate::context::Settings + Send + Sync + 'static,
        ) -> Self {
            self.options.settings = Some(std::sync::Arc::new(change));
            self
        }
    };
}
pub(super) use teacher_options;

/// The builder methods of [`Options`], for a struct with a field `options`.
macro_rules! bootstrap_options {
    () => {
        /// Sets how many demonstrations from runs a predictor has at most.
        pub fn max_bootstrapped_demos(mut self, n: usize) -> Self {
            self.options.max_bootstrapped = n;
            self
        }

        /// Sets how many demonstrations a predictor has at most when it is filled up with rows of the data, those
        /// from runs included. Also the number of labelled demonstrations of the teacher.
        pub fn max_labeled_demos(mut self, n: usize) -> Self {
            self.options.max_labeled = n;
            self
        }

        $crate::optimize::bootstrap::teacher_options!();
    };
}
pub(super) use bootstrap_options;

impl<T> BootstrapFewShot<T> {
    bootstrap_options!();
    common_options!();
}

impl<P, T: Taught<P>> Optimizer<P> for BootstrapFewShot<T> {
    async fn compile<'a, E, M, K>(
        &self,
        program: P,
        data: impl Into<Split<'a, E>> + Send,
        metric: M,
    ) -> Result<Compiled<P>>
    where
        P: Module + Clone + 'static,
        E: Example,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let started = Instant::now();
        let data = Data::new(data.into().train)?;
        let recorder = Recorder::new(Context::current().recorder().cloned(), false);
        let rng = Rng::new(self.common.seed);
        let order = (0..data.len()).collect();
        let course = self.options.course(order, self.options.max_bootstrapped, rng.clone());
        let mut progress = Progress::new("bootstrap", data.len(), self.common.progress);
        let budget = Arc::new(ErrorBudget::new(self.common.max_errors));
        let teacher = self.options.teacher(&program, self.teacher.teacher(), &data.records, &self.common)?;
        let mut school = self.options.school(teacher, &data, &Arc::new(metric), &budget, &self.common);
        let scope = Context::current().recording(recorder.clone());
        scope.scope(school.run(std::slice::from_ref(&course), &mut progress)).await?;
        Ok(Compiled {
            program: P::clone(&school.teach(program, &course).program),
            score: None,
            candidates: Vec::new(),
            optimizer: "BootstrapFewShot",
            notes: vec![school.note()],
            usage: recorder.take().usage,
            duration: started.elapsed(),
        })
    }
}

impl Options {
    /// Who teaches: the student itself, unless there is a `teacher`. One without demonstrations is shown rows.
    pub(super) fn teacher<P: Program + Clone>(
        &self,
        student: &P,
        teacher: Option<P>,
        records: &[Map<String, Value>],
        common: &Common,
    ) -> Result<Shown<P>> {
        if let Some(teacher) = &teacher {
            check_teacher(student, teacher)?;
        }
        let teacher = teacher.unwrap_or_else(|| student.clone());
        let knows = teacher.predictors().iter().any(|(_, p)| !p.demos().is_empty());
        Ok(match knows || self.max_labeled == 0 {
            true => Shown::as_is(teacher),
            false => LabeledFewShot::new().k(self.max_labeled).show(teacher, records, &teacher_rng(common)),
        })
    }

    /// A teacher with its rows, the first of which are those that it was shown.
    pub(super) fn school<P, E: Example, M>(
        &self,
        teacher: Shown<P>,
        data: &Data<E>,
        metric: &Arc<M>,
        budget: &Arc<ErrorBudget>,
        common: &Common,
    ) -> School<P, E, M> {
        let lesson = Lesson {
            teacher,
            data: data.clone(),
            metric: metric.clone(),
            budget: budget.clone(),
            settings: self.settings.clone(),
            max_rounds: self.max_rounds,
            temperature: self.temperature,
            threshold: self.threshold,
            rng: teacher_rng(common),
        };
        let outcomes = (0..data.len() * self.samples.max(1)).map(|_| None).collect();
        School { lesson: Arc::new(lesson), concurrency: common.concurrency(), outcomes }
    }

    pub(super) fn course(&self, order: Vec<usize>, enough: usize, rng: Rng) -> Course {
        Course { order, enough, max_labeled: self.max_labeled, rng }
    }
}

fn teacher_rng(common: &Common) -> Rng {
    Rng::new(common.seed).fork("teacher")
}

/// What the teacher's predictors do is shown to those of the same path, so they must be there.
fn check_teacher<P: Program>(student: &P, teacher: &P) -> Result<()> {
    let fields = |p: &Predictor| -> Vec<String> { p.spec().fields.iter().map(|f| f.name.clone()).collect() };
    let (ours, theirs) = (student.predictors(), teacher.predictors());
    for (path, predictor) in &ours {
        let Some((_, other)) = theirs.iter().find(|(p, _)| p == path) else {
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
