//! Many choices of demonstrations, and the best of them.

use std::{fmt, sync::Arc, time::Instant};

use super::{
    BootstrapFewShot, Candidate, Compiled, LabeledFewShot, Optimizer, Split, Student, Taught, Teacher,
    bootstrap::{Options, bootstrap_options},
    engine::{Common, Data, ErrorBudget, Judge, Judgement, Shown, common_options},
    teach::Course,
};
use crate::{
    Result,
    context::{Context, Recorder},
    data::{Example, Rng},
    evaluate::{Metric, Progress},
    module::Module,
};

/// Makes several choices of demonstrations as [`BootstrapFewShot`] does, judges each by the metric, and takes the
/// best (Khattab et al. 2023, "DSPy: Compiling Declarative Language Model Calls into Self-Improving Pipelines",
/// §4).
///
/// The candidates are the program without demonstrations, with rows of the data only, with demonstrations from the
/// first rows that go well, and [`num_candidates`](Self::num_candidates) with those from rows in random order, of
/// random number. Of equally good candidates the first is taken. The teacher runs on a row once, whatever number of
/// candidates learn from it.
///
/// Candidates are judged by the validation rows, if there are any, otherwise by the rows that they learnt from: each
/// row is then answered without the demonstrations that were made from it.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{BootstrapFewShotWithRandomSearch, Optimizer};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
///
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let optimizer = BootstrapFewShotWithRandomSearch::new().num_candidates(8).seed(7);
/// let compiled = optimizer.compile(program, &trainset, metric).await?;
/// println!("{compiled}");
/// compiled.save("qa.json")?;
/// # Ok(()) }
/// ```
#[must_use = "an optimizer does nothing until `compile`"]
#[derive(Clone)]
pub struct BootstrapFewShotWithRandomSearch<T = Student> {
    teacher: T,
    common: Common,
    options: Options,
    num_candidates: usize,
    stop_at_score: Option<f64>,
}

impl Default for BootstrapFewShotWithRandomSearch {
    fn default() -> Self {
        let BootstrapFewShot { teacher, common, options } = BootstrapFewShot::new();
        Self { teacher, common, options, num_candidates: 16, stop_at_score: None }
    }
}

impl<T> fmt::Debug for BootstrapFewShotWithRandomSearch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapFewShotWithRandomSearch")
            .field("common", &self.common)
            .field("options", &self.options)
            .field("num_candidates", &self.num_candidates)
            .field("stop_at_score", &self.stop_at_score)
            .finish_non_exhaustive()
    }
}

impl BootstrapFewShotWithRandomSearch {
    /// 16 random candidates; at most 4 demonstrations from runs, 16 with those from the data, one round, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets another program of the same type teach; see [`BootstrapFewShot::teacher`].
    pub fn teacher<P>(self, program: P) -> BootstrapFewShotWithRandomSearch<Teacher<P>> {
        let BootstrapFewShot { teacher, common, options } =
            BootstrapFewShot { teacher: self.teacher, common: self.common, options: self.options }
                .teacher(program);
        BootstrapFewShotWithRandomSearch {
            teacher,
            common,
            options,
            num_candidates: self.num_candidates,
            stop_at_score: self.stop_at_score,
        }
    }
}

impl<T> BootstrapFewShotWithRandomSearch<T> {
    bootstrap_options!();
    common_options!();

    /// Sets how many candidates are made from rows in random order, besides the three others.
    pub fn num_candidates(mut self, n: usize) -> Self {
        self.num_candidates = n;
        self
    }

    /// Stops at the first candidate that scores at least this. Candidates are then judged one after the other.
    pub fn stop_at_score(mut self, score: f64) -> Self {
        self.stop_at_score = Some(score);
        self
    }

    /// The courses of the candidates that are bootstrapped, with their names.
    fn courses(&self, rows: usize) -> Vec<(String, Course)> {
        let most = self.options.max_bootstrapped;
        let rng = Rng::new(self.common.seed).fork("candidates");
        let in_order = self.options.course((0..rows).collect(), most, rng.fork("in order"));
        let random = (0..self.num_candidates).map(|i| {
            let rng = rng.fork_index(i as u64);
            let mut order: Vec<usize> = (0..rows).collect();
            rng.fork("order").shuffle(&mut order);
            let size = rng.fork("size").range(most.min(1)..most + 1);
            (format!("random {i}"), self.options.course(order, size, rng))
        });
        std::iter::once(("in order".to_owned(), in_order)).chain(random).collect()
    }
}

impl<P, T: Taught<P>> Optimizer<P> for BootstrapFewShotWithRandomSearch<T> {
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
        let recorder = Recorder::new(Context::current().recorder().cloned(), false);
        let scope = Context::current().recording(recorder.clone());
        let Found { candidates, best, note } =
            scope.scope(self.search(program, data.into(), Arc::new(metric))).await?;
        Ok(Compiled {
            program: candidates[best].program.clone(),
            score: candidates[best].score,
            candidates,
            optimizer: "BootstrapFewShotWithRandomSearch",
            notes: vec![note],
            usage: recorder.take().usage,
            duration: started.elapsed(),
        })
    }
}

/// What a search found.
struct Found<P> {
    candidates: Vec<Candidate<P>>,
    best: usize,
    note: String,
}

impl<T> BootstrapFewShotWithRandomSearch<T> {
    async fn search<P, E, M, K>(&self, program: P, data: Split<'_, E>, metric: Arc<M>) -> Result<Found<P>>
    where
        T: Taught<P>,
        P: Module + Clone + 'static,
        E: Example,
        E::Input: Into<P::Input>,
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        let train = Data::new(data.train)?;
        let val = data.val.map_or_else(|| Ok(train.clone()), Data::new)?;
        let budget = Arc::new(ErrorBudget::new(self.common.max_errors));

        let teacher = self.options.teacher(&program, self.teacher.teacher(), &train.records, &self.common)?;
        let mut school = self.options.school(teacher, &train, &metric, &budget, &self.common);
        let (names, courses): (Vec<String>, Vec<Course>) = self.courses(train.len()).into_iter().unzip();
        let mut progress = Progress::new("bootstrap", train.len(), self.common.progress);
        school.run(&courses, &mut progress).await?;
        drop(progress);

        let rng = Rng::new(self.common.seed).fork("candidates");
        let labels = LabeledFewShot::new().k(self.options.max_labeled);
        let mut made = vec![
            ("zero-shot".to_owned(), Shown::new(program.clone(), |_, _| Vec::new())),
            ("labels only".to_owned(), labels.show(program.clone(), &train.records, &rng)),
        ];
        for (name, course) in names.into_iter().zip(&courses) {
            made.push((name, school.teach(program.clone(), course)));
        }

        let judge = Judge {
            train: &train,
            val: &val,
            metric: &metric,
            budget: &budget,
            concurrency: self.common.concurrency(),
        };
        let mut progress = Progress::new("judge", made.len() * val.len(), self.common.progress);
        let mut candidates: Vec<Candidate<P>> = Vec::new();
        // Judging all at once keeps the model busy to the end, but cannot tell when to stop.
        let at_once = if self.stop_at_score.is_some() { 1 } else { made.len() };
        for some in made.chunks(at_once) {
            let shown: Vec<&Shown<P>> = some.iter().map(|(_, shown)| shown).collect();
            let judgements = judge.judge(&shown, &mut progress).await?;
            for ((name, shown), Judgement { score, scores, failures }) in some.iter().zip(judgements) {
                let program = P::clone(&shown.program);
                candidates.push(Candidate { name: name.clone(), score, scores, failures, program });
            }
            let good_enough = |score| self.stop_at_score.is_some_and(|enough| score >= enough);
            if candidates.last().and_then(|c| c.score).is_some_and(good_enough) {
                break;
            }
        }
        let best = best(candidates.iter().map(|c| c.score));
        Ok(Found { candidates, best, note: school.note() })
    }
}

/// The place of the highest score, of the first of equal ones.
fn best(scores: impl Iterator<Item = Option<f64>>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (i, score) in scores.enumerate() {
        if let Some(score) = score.filter(|s| *s > best.1) {
            best = (i, score);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_best_is_taken() {
        assert_eq!(best([None, Some(0.5), Some(0.7), Some(0.7), None].into_iter()), 2);
        assert_eq!(best([None, None].into_iter()), 0);
    }

    #[test]
    fn courses_depend_on_the_seed_alone() {
        let of = |seed| {
            let search = BootstrapFewShotWithRandomSearch::new().seed(seed).num_candidates(6);
            let of = |(name, c): (String, Course)| (name, c.order, c.enough);
            search.courses(10).into_iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(3).iter().all(|(_, order, enough)| order.len() == 10 && (1..=4).contains(enough)));
    }
}
