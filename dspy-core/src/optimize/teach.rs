//! What a teacher's runs teach: which rows went well, and what its predictors did on them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::engine::{
    Data, ErrorBudget, Origin, Shown, from_step, is_no_fault_of_the_program, labeled, nothing_heard,
};
use crate::{
    Result,
    adapter::Demo,
    context::{Settings, with},
    data::{Example, Rng},
    evaluate::{Failure, Metric, Progress, score_of},
    module::{Flow, Module, Prediction, fan_out},
};

/// How settings are changed for a teacher.
pub(super) type Change = Arc<dyn Fn(Settings) -> Settings + Send + Sync>;

/// A teacher with its rows. Every row is run once at most, whoever needs it.
pub(super) struct School<P, E, M> {
    pub(super) lesson: Arc<Lesson<P, E, M>>,
    pub(super) concurrency: usize,
    /// What became of each row that was run.
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
    pub(super) threshold: Option<f64>,
    pub(super) rng: Rng,
}

/// What became of a row.
pub(super) enum Outcome {
    /// The metric accepted a run: what each predictor did in it, by path.
    Accepted(HashMap<Arc<str>, Demo>),
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
            let mut demos: Vec<Origin> =
                accepted.iter().filter_map(|(row, made)| Some((*row, made.get(path)?.clone()))).collect();
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
        let mut note = format!("the teacher ran on {tried} rows, {accepted} of them were accepted");
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
    fn accepted<'o>(&self, outcomes: &'o [Option<Outcome>]) -> Vec<(usize, &'o HashMap<Arc<str>, Demo>)> {
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
    /// Runs the teacher on a row until the metric accepts it.
    async fn run<K>(&self, row: usize) -> Outcome
    where
        M: Metric<E, P::Output, K>,
    {
        let teacher = self.teacher.for_row(&self.data.records, &self.data.records[row]);
        let mut outcome = None;
        for round in 0..self.max_rounds {
            match self.round(&teacher, &self.data.rows[row], round).await {
                Ok((prediction, score)) if self.accepts(score) => {
                    return Outcome::Accepted(self.demos(row, &teacher, &prediction));
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

    async fn round<K>(
        &self,
        teacher: &Arc<P>,
        row: &Arc<E>,
        round: u64,
    ) -> Result<(Prediction<P::Output>, f64), Failure>
    where
        M: Metric<E, P::Output, K>,
    {
        let change = |mut settings: Settings| {
            if let Some(change) = &self.settings {
                settings = change(settings);
            }
            if round > 0 {
                let (options, rollout) = (settings.options.clone(), settings.rollout);
                settings = settings.options(options.temperature(1.0)).rollout(rollout.wrapping_add(round));
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

    /// One demonstration of each predictor that took part. Of several steps of one predictor, the last is taken
    /// half of the time, otherwise one of those before it.
    fn demos(
        &self,
        row: usize,
        teacher: &Arc<P>,
        prediction: &Prediction<P::Output>,
    ) -> HashMap<Arc<str>, Demo> {
        let predictors = teacher.predictors();
        let mut steps: HashMap<Arc<str>, Vec<Demo>> = HashMap::new();
        for step in prediction.trace() {
            let Some(path) = &step.path else { continue };
            let Some((_, predictor)) = predictors.iter().find(|(p, _)| **p == **path) else { continue };
            if let Some(demo) = from_step(predictor.spec(), step) {
                steps.entry(path.clone()).or_default().push(demo);
            }
        }
        let one_of = |(path, mut demos): (Arc<str>, Vec<Demo>)| {
            let mut rng = self.rng.fork("step").fork_index(row as u64).fork(&path);
            let last = demos.len().saturating_sub(1);
            let chosen = if last == 0 || rng.below(2) == 0 { last } else { rng.below(last) };
            (path, demos.swap_remove(chosen))
        };
        steps.into_iter().map(one_of).collect()
    }
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
        let accepted = || Some(Outcome::Accepted(HashMap::new()));
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
