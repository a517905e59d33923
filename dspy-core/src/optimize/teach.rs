//! What a teacher's runs teach: which rows went well, and what its predictors did on them.

use std::{collections::BTreeMap, sync::Arc};

use super::engine::{
    Data, ErrorBudget, Origin, Shown, from_step, is_no_fault_of_the_program, labeled, nothing_heard,
};
use crate::{
    Result,
    adapter::Demo,
    context::{Settings, with},
    data::{Example, Rng},
    evaluate::{Failure, Metric, Progress, score_of},
    module::{Flow, Module, Prediction, Program, TraceStep, fan_out},
};

/// How settings are changed for a teacher.
pub(super) type Change = Arc<dyn Fn(Settings) -> Settings + Send + Sync>;

/// A teacher with its rows. Every row is run once at most, or once for each of several samples, whoever needs it.
pub(super) struct School<P, E, M> {
    pub(super) lesson: Arc<Lesson<P, E, M>>,
    pub(super) concurrency: usize,
    /// What became of each row that was run; then the same for the second sample of each, and so on.
    pub(super) outcomes: Vec<Option<Outcome>>,
}

/// What all runs share.
pub(super) struct Lesson<P, E, M> {
    pub(super) teacher: Shown<P>,
    pub(super) data: Data<E>,
    pub(super) metric: Arc<M>,
    pub(super) budget: Arc<ErrorBudget>,
    pub(super) settings: Option<Change>,
    pub(super) max_rounds: u64,
    /// The temperature of all runs; without it, 1 for those that are not the first of their row.
    pub(super) temperature: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) rng: Rng,
}

/// What predictors did in a run, by path, in the order in which they began.
pub(super) type Steps = Vec<(Arc<str>, Demo)>;

/// What became of a row.
pub(super) enum Outcome {
    /// The metric accepted a run: what was done in it.
    Accepted(Steps),
    /// The metric accepted none.
    Rejected,
    /// Every run failed, the last one so.
    Failed(Failure),
}

/// What a student is to learn.
pub(super) struct Course {
    /// The rows, in the order in which they are tried.
    pub(super) order: Vec<usize>,
    /// How many accepted rows are enough.
    pub(super) enough: usize,
    /// How many demonstrations a predictor is filled up to with rows of the data.
    pub(super) max_labeled: usize,
    /// Decides by which rows.
    pub(super) rng: Rng,
}

impl<P, E, M> School<P, E, M>
where
    P: Module + Clone + 'static,
    E: Example,
    E::Input: Into<P::Input>,
    M: Send + Sync + 'static,
{
    /// Runs the rows that these courses need. No row is run that would not be if all were run one after the other.
    pub(super) async fn run<K>(&mut self, courses: &[Course], progress: &mut Progress) -> Result<()>
    where
        M: Metric<E, P::Output, K>,
        K: 'static,
    {
        loop {
            let mut next: Vec<usize> = courses.iter().flat_map(|c| c.next(&self.outcomes)).collect();
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return self.was_heard();
            }
            let (lesson, outcomes) = (&self.lesson, &mut self.outcomes);
            let work = |i: usize| {
                let (lesson, row) = (lesson.clone(), next[i]);
                async move { lesson.run::<K>(row).await }
            };
            let done = |i: usize, outcome: Result<Outcome>| {
                progress.tick(String::new);
                let panicked = |error| {
                    let failure = Failure::Program(error);
                    lesson.budget.allows(&failure);
                    Outcome::Failed(failure)
                };
                outcomes[next[i]] = Some(outcome.unwrap_or_else(panicked));
                if lesson.budget.check().is_err() { Flow::Drain } else { Flow::Continue }
            };
            fan_out(next.len(), self.concurrency, work, done).await;
            self.lesson.budget.check()?;
        }
    }

    /// # Errors
    /// [`Error::Limit`] when rows were run and not one of them tells anything about the program.
    fn was_heard(&self) -> Result<()> {
        let mut failures = self.outcomes.iter().flatten().map(|outcome| match outcome {
            Outcome::Failed(failure) if is_no_fault_of_the_program(failure) => Some(failure),
            _ => None,
        });
        let Some(Some(first)) = failures.next() else { return Ok(()) };
        match failures.all(|failure| failure.is_some()) {
            true => Err(nothing_heard(first)),
            false => Ok(()),
        }
    }

    /// A student after a course whose rows have been run.
    pub(super) fn teach(&self, student: P, course: &Course) -> Shown<P> {
        let accepted = course.accepted(&self.outcomes);
        let is_accepted = |row: &usize| accepted.iter().any(|(r, _)| r == row);
        let rest: Vec<usize> = course.order.iter().copied().filter(|row| !is_accepted(row)).collect();
        Shown::new(student, |path, spec| {
            let mut demos: Vec<Origin> = accepted
                .iter()
                .filter_map(|(row, made)| Some((*row, self.lesson.shown(*row, path, made)?)))
                .collect();
            let records = &self.lesson.data.records;
            let usable: Vec<Origin> =
                rest.iter().filter_map(|&row| Some((row, labeled(spec, &records[row])?))).collect();
            let missing = course.max_labeled.saturating_sub(demos.len());
            let chosen = course.rng.fork("labeled").fork(path).sample(usable.len(), missing);
            demos.extend(chosen.into_iter().map(|i| usable[i].clone()));
            demos
        })
    }

    /// What happened, for people.
    pub(super) fn note(&self) -> String {
        let (mut accepted, mut tried) = (0, 0);
        let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in self.outcomes.iter().flatten() {
            tried += 1;
            match outcome {
                Outcome::Accepted(_) => accepted += 1,
                Outcome::Rejected => {}
                Outcome::Failed(failure) => *failed.entry(failure.error().kind()).or_default() += 1,
            }
        }
        let mut note = match self.outcomes.len() / self.lesson.data.len().max(1) {
            0 | 1 => format!("the teacher ran on {tried} rows, {accepted} of them were accepted"),
            samples => format!(
                "the teacher ran {samples} times on {} rows, {accepted} runs of {tried} were accepted",
                self.lesson.data.len()
            ),
        };
        for (kind, n) in failed {
            note.push_str(&format!(", {n} failed ({kind})"));
        }
        note
    }
}

impl Course {
    /// The rows that are to be run next: as many as would all be needed if all of them were accepted.
    fn next(&self, outcomes: &[Option<Outcome>]) -> Vec<usize> {
        let (mut found, mut next) = (0, Vec::new());
        for &row in &self.order {
            if found == self.enough {
                break;
            }
            match outcomes.get(row) {
                Some(Some(Outcome::Accepted(_))) => found += 1,
                Some(Some(_)) | None => {}
                Some(None) => {
                    found += 1;
                    next.push(row);
                }
            }
        }
        next
    }

    /// The first rows that were accepted, with what the predictors did on them.
    pub(super) fn accepted<'o>(&self, outcomes: &'o [Option<Outcome>]) -> Vec<(usize, &'o Steps)> {
        let made = |row: &usize| match outcomes.get(*row) {
            Some(Some(Outcome::Accepted(made))) => Some((*row, made)),
            _ => None,
        };
        self.order.iter().filter_map(made).take(self.enough).collect()
    }
}

impl<P, E, M> Lesson<P, E, M>
where
    P: Module + Clone + 'static,
    E: Example,
    E::Input: Into<P::Input>,
{
    /// Runs the teacher on a row until the metric accepts it. `place` is the place of the outcome.
    async fn run<K>(&self, place: usize) -> Outcome
    where
        M: Metric<E, P::Output, K>,
    {
        let (sample, row) = (place / self.data.len(), place % self.data.len());
        let first = (sample as u64).saturating_mul(self.max_rounds);
        let teacher = self.teacher.for_row(&self.data.records, &self.data.records[row]);
        let mut outcome = None;
        for round in 0..self.max_rounds {
            match self.attempt(&teacher, &self.data.rows[row], first.saturating_add(round)).await {
                Ok((prediction, score)) if self.accepts(score) => {
                    return Outcome::Accepted(steps(&*teacher, &prediction));
                }
                Ok(_) => outcome = Some(Outcome::Rejected),
                Err(failure) => {
                    let go_on = self.budget.allows(&failure);
                    if !matches!(outcome, Some(Outcome::Rejected)) {
                        outcome = Some(Outcome::Failed(failure));
                    }
                    if !go_on {
                        break;
                    }
                }
            }
        }
        outcome.unwrap_or(Outcome::Rejected)
    }

    async fn attempt<K>(
        &self,
        teacher: &Arc<P>,
        row: &Arc<E>,
        attempt: u64,
    ) -> Result<(Prediction<P::Output>, f64), Failure>
    where
        M: Metric<E, P::Output, K>,
    {
        let change = |mut settings: Settings| {
            if let Some(change) = &self.settings {
                settings = change(settings);
            }
            if let Some(temperature) = self.temperature.or((attempt > 0).then_some(1.0)) {
                let rollout = settings.rollout;
                settings = settings.temperature(temperature).rollout(rollout.wrapping_add(attempt));
            }
            settings.trace(true)
        };
        let prediction = with(change, teacher.call(row.input())).await.map_err(Failure::Program)?;
        let score = score_of(&*self.metric, &**row, prediction.output()).await?;
        Ok((prediction, score.value))
    }

    fn accepts(&self, score: f64) -> bool {
        self.threshold.map_or(score > 0.0, |threshold| score >= threshold)
    }

    /// What of the steps in a row's run is shown to the predictor of this path. Of several, the last is taken half of
    /// the time, otherwise one of those before it.
    fn shown(&self, row: usize, path: &str, steps: &Steps) -> Option<Demo> {
        let demos: Vec<&Demo> = steps.iter().filter(|(p, _)| **p == *path).map(|(_, demo)| demo).collect();
        let last = demos.len().checked_sub(1)?;
        let mut rng = self.rng.fork("step").fork_index(row as u64).fork(path);
        let chosen = if last == 0 || rng.below(2) == 0 { last } else { rng.below(last) };
        demos.get(chosen).map(|demo| Demo::clone(demo))
    }
}

/// What a program's own predictors did in a run, as far as they gave an output.
fn steps<P: Program, O>(program: &P, prediction: &Prediction<O>) -> Steps {
    let predictors = program.predictors();
    let step = |step: &TraceStep| {
        let path = step.path.as_ref()?;
        let (_, predictor) = predictors.iter().find(|(p, _)| **p == **path)?;
        Some((path.clone(), from_step(predictor.spec(), step)?))
    };
    prediction.trace().iter().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn no_row_is_run_that_would_not_be_in_turn() {
        let course = |order: &[usize], enough| Course {
            order: order.to_vec(),
            enough,
            max_labeled: 0,
            rng: Rng::new(0),
        };
        let accepted = || Some(Outcome::Accepted(Vec::new()));
        let none = [None, None, None, None];
        assert_eq!(course(&[2, 0, 1, 3], 2).next(&none), [2, 0]);
        assert_eq!(course(&[0], 0).next(&none), [0; 0]);
        let some = [
            Some(Outcome::Rejected),
            None,
            accepted(),
            Some(Outcome::Failed(Failure::Program(Error::other("no")))),
        ];
        assert_eq!(course(&[2, 0, 1, 3], 2).next(&some), [1]);
        assert_eq!(course(&[2, 0, 1, 3], 1).next(&some), [0; 0]);
        assert_eq!(course(&[0, 3, 2, 1], 1).accepted(&some).len(), 1);
        assert_eq!(course(&[0, 3], 1).next(&some), [0; 0]);
    }
}
