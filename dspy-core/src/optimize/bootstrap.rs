//! Demonstrations from runs that went well.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Instant,
};

use super::{
    Compiled, LabeledFewShot, Optimizer, Split,
    engine::{self, Common, Data, ErrorBudget, common_options},
};
use crate::{
    Error, Result,
    adapter::Demo,
    context::{Context, Recorder, Settings, with},
    data::{Example, Rng},
    evaluate::{Failure, Metric, score_of},
    module::{Flow, Module, Prediction, Program, fan_out},
};

/// Runs a teacher over the rows and shows every predictor what the teacher's predictor did in the runs that the
/// metric accepts; then fills up with rows of the data (Khattab et al. 2023, "DSPy: Compiling Declarative Language
/// Model Calls into Self-Improving Pipelines", §4).
///
/// The teacher is the program itself, with labelled demonstrations when it has none, unless
/// [`teacher`](Self::teacher) gives another; [`teacher_settings`](Self::teacher_settings) lets it ask a stronger
/// model. It never sees a demonstration with the answer of the row it runs on. The rows are tried in their order
/// until enough of them are accepted; they run at the same time as far as that changes nothing.
#[must_use = "an optimizer does nothing until `compile`"]
pub struct BootstrapFewShot<T = Student> {
    teacher: T,
    pub(super) common: Common,
    pub(super) options: Options,
}

#[derive(Clone)]
pub(super) struct Options {
    pub(super) max_bootstrapped: usize,
    pub(super) max_labeled: usize,
    max_rounds: u64,
    threshold: Option<f64>,
    settings: Option<Arc<dyn Fn(Settings) -> Settings + Send + Sync>>,
}

/// The program teaches itself.
#[derive(Debug, Clone, Copy)]
pub struct Student(());

/// Another program teaches.
#[derive(Debug, Clone)]
pub struct Teacher<P>(P);

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
        Self {
            teacher: Student(()),
            common: Common::default(),
            options: Options {
                max_bootstrapped: 4,
                max_labeled: 16,
                max_rounds: 1,
                threshold: None,
                settings: None,
            },
        }
    }
}

impl<T: Clone> Clone for BootstrapFewShot<T> {
    fn clone(&self) -> Self {
        Self { teacher: self.teacher.clone(), common: self.common.clone(), options: self.options.clone() }
    }
}

impl<T> fmt::Debug for BootstrapFewShot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapFewShot")
            .field("common", &self.common)
            .field("max_bootstrapped_demos", &self.options.max_bootstrapped)
            .field("max_labeled_demos", &self.options.max_labeled)
            .field("max_rounds", &self.options.max_rounds)
            .field("metric_threshold", &self.options.threshold)
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
        BootstrapFewShot { teacher: Teacher(program), common: self.common, options: self.options }
    }
}

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
            change: impl Fn(crate::context::Settings) -> crate::context::Settings + Send + Sync + 'static,
        ) -> Self {
            self.options.settings = Some(std::sync::Arc::new(change));
            self
        }
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
        let rng = Rng::new(self.common.seed);
        let budget = Arc::new(ErrorBudget::new(self.common.max_errors));
        let recorder = Recorder::new(Context::current().recorder().cloned(), false);
        let teacher = self.options.prepare(&program, self.teacher.teacher(), &data, &rng)?;
        let lesson = Lesson {
            options: self.options.clone(),
            teacher,
            data,
            metric: Arc::new(metric),
            budget,
            concurrency: self.common.concurrency(),
        };
        let order: Vec<usize> = (0..lesson.data.len()).collect();
        let scope = Context::current().recording(recorder.clone());
        let (program, learnt) =
            scope.scope(lesson.teach(program, &order, self.options.max_bootstrapped, &rng)).await?;
        Ok(Compiled {
            program,
            score: None,
            candidates: Vec::new(),
            optimizer: "BootstrapFewShot",
            notes: vec![learnt.note()],
            usage: recorder.take().usage,
            duration: started.elapsed(),
        })
    }
}

impl Options {
    /// The teacher as it runs.
    pub(super) fn prepare<P: Module + Clone, E: Example>(
        &self,
        student: &P,
        teacher: Option<P>,
        data: &Data<E>,
        rng: &Rng,
    ) -> Result<Arc<P>> {
        let mut teacher = match teacher {
            Some(teacher) => {
                check_teacher(student, &teacher)?;
                teacher
            }
            None => student.clone(),
        };
        let knows = teacher.predictors().iter().any(|(_, p)| !p.demos().is_empty());
        if !knows && self.max_labeled > 0 {
            let labels = LabeledFewShot::new().k(self.max_labeled);
            labels.apply_records(&mut teacher, &data.records, &rng.fork("teacher"));
        }
        Ok(Arc::new(teacher))
    }
}

/// What the teacher's predictors do is shown to those of the same path, so they must be there.
fn check_teacher<P: Program>(student: &P, teacher: &P) -> Result<()> {
    let fields = |p: &crate::predict::Predictor| -> Vec<String> {
        p.spec().fields.iter().map(|f| f.name.clone()).collect()
    };
    let (ours, theirs) = (student.predictors(), teacher.predictors());
    for (path, predictor) in &ours {
        let Some((_, other)) = theirs.iter().find(|(p, _)| p == path) else {
            return Err(Error::other(format!("the teacher has no predictor `{path}`, which the program has")));
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

/// What is needed to teach programs from rows.
pub(super) struct Lesson<P, E, M> {
    pub(super) options: Options,
    pub(super) teacher: Arc<P>,
    pub(super) data: Data<E>,
    pub(super) metric: Arc<M>,
    pub(super) budget: Arc<ErrorBudget>,
    pub(super) concurrency: usize,
}

impl<P, E, M> Clone for Lesson<P, E, M> {
    fn clone(&self) -> Self {
        Self {
            options: self.options.clone(),
            teacher: self.teacher.clone(),
            data: self.data.clone(),
            metric: self.metric.clone(),
            budget: self.budget.clone(),
            concurrency: self.concurrency,
        }
    }
}

/// What a lesson gave.
#[derive(Default)]
pub(super) struct Learnt {
    /// The demonstrations of each predictor, by path.
    demos: HashMap<String, Vec<Demo>>,
    /// The rows whose runs were accepted.
    accepted: Vec<usize>,
    tried: usize,
    failures: BTreeMap<&'static str, usize>,
}

impl Learnt {
    pub(super) fn note(&self) -> String {
        let mut note = format!("{} runs of {} rows were accepted", self.accepted.len(), self.tried);
        for (kind, n) in &self.failures {
            note.push_str(&format!(", {n} failed ({kind})"));
        }
        note
    }
}

impl<P, E, M> Lesson<P, E, M>
where
    P: Module + Clone + 'static,
    E: Example,
    E::Input: Into<P::Input>,
    M: Send + Sync + 'static,
{
    /// Teaches a program from the rows in this order, until `want` of them are accepted.
    pub(super) async fn teach<K>(
        &self,
        mut student: P,
        order: &[usize],
        want: usize,
        rng: &Rng,
    ) -> Result<(P, Learnt)>
    where
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let mut learnt = Learnt::default();
        let mut at = 0;
        let mut wave = 0;
        while learnt.accepted.len() < want && at < order.len() {
            // As many rows as are missing can run at once without asking for more than one after the other would.
            // Where none of them was accepted, the next wave is wider, so that a hard data set does not take for ever.
            let missing = want - learnt.accepted.len();
            wave = missing.max(wave * 2).min(self.concurrency).min(order.len() - at);
            let before = learnt.accepted.len();
            let outcomes = self.wave::<K>(&order[at..at + wave]).await;
            self.budget.check()?;
            for (&row, outcome) in order[at..at + wave].iter().zip(outcomes) {
                if learnt.accepted.len() == want {
                    break;
                }
                learnt.tried += 1;
                match outcome {
                    Ok(Some(run)) => {
                        self.collect(row, &run, rng, &mut learnt);
                        learnt.accepted.push(row);
                    }
                    Ok(None) => {}
                    Err(kind) => *learnt.failures.entry(kind).or_default() += 1,
                }
            }
            if learnt.accepted.len() > before {
                wave = 0;
            }
            at += outcomes_len(wave, &learnt, at, order.len());
        }
        self.show(&mut student, want, order, &learnt, rng);
        Ok((student, learnt))
    }
}
