//! Demonstrations from runs that the metric accepts.

use std::{collections::BTreeMap, sync::Arc};

use super::{Engine, Run, SettingsChange, Stop, errors::nothing_heard, exclude};
use crate::{
    data::Rng,
    evaluate::Failure,
    optimize::{Demonstration, Parameters, Rollout, RolloutStep},
};

/// How rows are tried.
#[derive(Clone)]
#[non_exhaustive]
pub struct Attempts {
    /// How often a row is tried until the metric accepts a run.
    pub max_rounds: u64,
    /// The temperature of all runs; without it, 1 for those that are not the first of their row.
    pub temperature: Option<f64>,
    /// The score from which on a run is accepted; without it, any above 0.
    pub threshold: Option<f64>,
    /// How settings are changed for the runs.
    pub settings: Option<SettingsChange>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self { max_rounds: 1, temperature: None, threshold: None, settings: None }
    }
}

impl Attempts {
    /// Whether a run with this score is accepted.
    pub fn accepts(&self, score: f64) -> bool {
        self.threshold.map_or(score > 0.0, |threshold| score >= threshold)
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts")
            .field("max_rounds", &self.max_rounds)
            .field("temperature", &self.temperature)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

/// A row, and which of several independent runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::optimize) struct Place {
    pub(in crate::optimize) row: usize,
    pub(in crate::optimize) sample: u64,
}

/// A wish for rows that go well: the first `enough` of `order`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Bootstrap {
    pub(in crate::optimize) order: Vec<Place>,
    pub(in crate::optimize) enough: usize,
}

impl Bootstrap {
    /// The first `enough` rows of `order` that are accepted.
    pub fn new(order: Vec<usize>, enough: usize) -> Self {
        Self { order: order.into_iter().map(|row| Place { row, sample: 0 }).collect(), enough }
    }

    /// All rows, each so many times.
    pub(in crate::optimize) fn all(rows: &[usize], samples: usize) -> Self {
        let places = |sample: u64| rows.iter().map(move |row| Place { row: *row, sample });
        let order: Vec<Place> = (0..samples.max(1) as u64).flat_map(places).collect();
        Self { enough: order.len(), order }
    }

    /// What is run next: as many rows as it takes until enough are accepted, when as many are as so far. At most
    /// [`IN_VAIN`] more than would be needed if all were accepted.
    fn next(&self, outcomes: &BTreeMap<Place, Outcome>) -> Vec<Place> {
        let (mut accepted, mut tried, mut open) = (0, 0, Vec::new());
        let needed = |accepted: usize| self.enough - accepted;
        for place in &self.order {
            match outcomes.get(place) {
                Some(Outcome::Accepted(_)) => (accepted, tried) = (accepted + 1, tried + 1),
                Some(Outcome::Rejected(_) | Outcome::Failed(_)) => tried += 1,
                None | Some(Outcome::Open(..)) => open.push(*place),
            }
            if accepted == self.enough {
                return Vec::new();
            }
            let needed = needed(accepted);
            let expected = (needed * tried / (accepted + 1)).clamp(needed, needed + IN_VAIN);
            if open.len() >= expected {
                break;
            }
        }
        open
    }
}

/// How many rows are run in vain at most, for each wish.
const IN_VAIN: usize = 16;

/// What became of a row.
#[derive(Debug)]
enum Outcome {
    /// It was tried so often, and the last failure, if it always failed.
    Open(u64, Option<Failure>),
    /// The metric accepted a run: what was done in it.
    Accepted(Vec<RolloutStep>),
    /// The metric accepted none, or none that meets all suggestions: the last run.
    Rejected(Box<Rollout>),
    /// Every run failed, the last one so.
    Failed(Failure),
}

/// What became of the rows that were tried.
#[derive(Debug, Default)]
pub struct Bootstrapped {
    outcomes: BTreeMap<Place, Outcome>,
    rows: usize,
    /// The lowest and the highest score, when no threshold was set.
    judged: Option<(f64, f64)>,
}

impl Engine {
    /// Runs the teacher on rows until every wish is met or its rows are used up. Each row is tried once, whoever
    /// wishes for it. The teacher is the student with `parameters`, unless the compile was given another.
    ///
    /// # Errors
    /// As [`rollouts`](Self::rollouts).
    pub async fn bootstrap(
        &self,
        parameters: &Arc<Parameters>,
        attempts: &Attempts,
        wishes: &[Bootstrap],
    ) -> Result<Bootstrapped, Stop> {
        let mut found = Bootstrapped { rows: self.rows.train.len(), ..Bootstrapped::default() };
        loop {
            let mut next: Vec<Place> = wishes.iter().flat_map(|wish| wish.next(&found.outcomes)).collect();
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                found.was_heard()?;
                return Ok(found);
            }
            let run = |place: &Place| {
                let round = match found.outcomes.get(place) {
                    Some(Outcome::Open(rounds, _)) => *rounds,
                    _ => 0,
                };
                Run {
                    draw: place.sample.saturating_mul(attempts.max_rounds).saturating_add(round),
                    temperature: attempts.temperature,
                    settings: attempts.settings.clone(),
                    trace: true,
                    teacher: true,
                    ..Run::new(parameters.clone(), place.row)
                }
            };
            let rollouts = self.rollouts(next.iter().map(run).collect()).await?;
            for (place, rollout) in next.into_iter().zip(rollouts) {
                found.take(place, rollout, attempts);
            }
        }
    }

    /// The parameters of the teacher: those of the program that the compile was given as one, otherwise the
    /// student's.
    pub fn teacher_parameters(&self) -> Parameters {
        self.teacher.as_ref().unwrap_or(&self.task).parameters()
    }

    /// A row as a demonstration of a predictor, when it has an input and an output of it.
    ///
    /// # Errors
    /// As [`Task::record`](crate::optimize::Task::record).
    pub fn labeled(&self, path: &str, row: usize) -> crate::Result<Option<Demonstration>> {
        let Some(info) = self.predictors().iter().find(|info| **info.path() == *path) else {
            return Ok(None);
        };
        let demo = exclude::labeled_demo(info.spec(), &self.task.record(row)?);
        Ok(demo.map(|demo| Demonstration::of_row(row, demo)))
    }

    /// What a predictor did in a run on a row, as a demonstration. Of several steps, the last is taken half of the
    /// time, otherwise one of those before it.
    pub fn demo_of(&self, path: &str, row: usize, steps: &[RolloutStep], rng: &Rng) -> Option<Demonstration> {
        let info = self.predictors().iter().find(|info| **info.path() == *path)?;
        let own = steps.iter().filter(|step| *step.path == *path);
        let demos: Vec<_> = own.filter_map(|step| exclude::demo_of_step(info.spec(), step)).collect();
        let last = demos.len().checked_sub(1)?;
        let mut rng = rng.fork("step").fork_index(row as u64).fork(path);
        let chosen = if last == 0 || rng.below(2) == 0 { last } else { rng.below(last) };
        demos.into_iter().nth(chosen).map(|demo| Demonstration::of_row(row, demo))
    }
}

impl Bootstrapped {
    fn take(&mut self, place: Place, rollout: Rollout, attempts: &Attempts) {
        let rounds = match self.outcomes.get(&place) {
            Some(Outcome::Open(rounds, _)) => *rounds + 1,
            _ => 1,
        };
        if let (Ok(score), None) = (&rollout.outcome, attempts.threshold) {
            let (low, high) = self.judged.unwrap_or((score.value, score.value));
            self.judged = Some((low.min(score.value), high.max(score.value)));
        }
        let rejected_before = matches!(self.outcomes.get(&place), Some(Outcome::Open(_, None)));
        let failure = match &rollout.outcome {
            // What does not meet a wish of the program is no example of how it is to be done.
            Ok(score) if attempts.accepts(score.value) && rollout.violations.is_empty() => {
                self.outcomes.insert(place, Outcome::Accepted(rollout.trace));
                return;
            }
            Ok(_) => None,
            Err(failure) => Some(failure.clone()).filter(|_| !rejected_before),
        };
        let outcome = match failure {
            failure if rounds < attempts.max_rounds => Outcome::Open(rounds, failure),
            Some(failure) => Outcome::Failed(failure),
            None => Outcome::Rejected(Box::new(rollout)),
        };
        self.outcomes.insert(place, outcome);
    }

    /// # Errors
    /// [`Error::Limit`](crate::Error::Limit) when rows were run and not one of them tells anything about the program.
    fn was_heard(&self) -> crate::Result<()> {
        let mut failures = self.outcomes.values().map(|outcome| match outcome {
            Outcome::Failed(failure) if failure.is_no_fault_of_the_program() => Some(failure),
            _ => None,
        });
        let Some(Some(first)) = failures.next() else { return Ok(()) };
        match failures.all(|failure| failure.is_some()) {
            true => Err(nothing_heard(first)),
            false => Ok(()),
        }
    }

    /// The rows that meet a wish, with what the predictors did on them.
    pub fn accepted(&self, wish: &Bootstrap) -> Vec<(usize, &[RolloutStep])> {
        let steps = |place: &Place| match self.outcomes.get(place) {
            Some(Outcome::Accepted(steps)) => Some((place.row, steps.as_slice())),
            _ => None,
        };
        wish.order.iter().filter_map(steps).take(wish.enough).collect()
    }

    /// The rows that the metric accepted no run of, with the last run on each.
    pub fn rejected(&self) -> Vec<(usize, &Rollout)> {
        let run = self.outcomes.iter().filter_map(|(place, outcome)| match outcome {
            Outcome::Rejected(rollout) => Some((place.row, &**rollout)),
            _ => None,
        });
        run.collect()
    }

    /// What happened, in one sentence.
    pub fn summary(&self) -> String {
        let (mut accepted, mut tried, mut unmet) = (0, 0, 0);
        let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in self.outcomes.values() {
            tried += 1;
            match outcome {
                Outcome::Accepted(_) => accepted += 1,
                Outcome::Rejected(run) => unmet += usize::from(!run.violations.is_empty()),
                Outcome::Open(..) => {}
                Outcome::Failed(failure) => *failed.entry(failure.error().kind()).or_default() += 1,
            }
        }
        let samples = self.outcomes.keys().map(|place| place.sample + 1).max().unwrap_or(1);
        let mut text = match samples {
            1 => format!("the teacher ran on {tried} rows, {accepted} of them were accepted"),
            n => format!(
                "the teacher ran {n} times on {} rows, {accepted} runs of {tried} were accepted",
                self.rows
            ),
        };
        if let Some((low, high)) = self.judged.filter(|(low, high)| *low < 0.0 && *high <= 0.0) {
            text.push_str(&format!(
                "; without `metric_threshold`, runs with a score above 0 are, and the scores were {low} to {high}"
            ));
        }
        if unmet > 0 {
            text.push_str(&format!(", {unmet} did not meet a suggestion"));
        }
        for (kind, n) in failed {
            text.push_str(&format!(", {n} failed ({kind})"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn outcomes<const N: usize>(rows: [(usize, Outcome); N]) -> BTreeMap<Place, Outcome> {
        rows.into_iter().map(|(row, outcome)| (Place { row, sample: 0 }, outcome)).collect()
    }

    fn next(order: &[usize], enough: usize, outcomes: &BTreeMap<Place, Outcome>) -> Vec<usize> {
        Bootstrap::new(order.to_vec(), enough).next(outcomes).into_iter().map(|place| place.row).collect()
    }

    #[test]
    fn as_many_rows_are_run_as_are_needed() {
        let none = BTreeMap::new();
        assert_eq!(next(&[2, 0, 1, 3], 2, &none), [2, 0]);
        assert_eq!(next(&[0], 0, &none), [0; 0]);
        let accepted = || Outcome::Accepted(Vec::new());
        let failed = || Outcome::Failed(Failure::Program(Error::other("no")));
        let rejected = || Outcome::Rejected(Box::new(Rollout::scored(crate::evaluate::Score::new(0.0))));
        let some = outcomes([(0, rejected()), (2, accepted()), (3, failed())]);
        assert_eq!(next(&[2, 0, 1, 3], 2, &some), [1]);
        assert_eq!(next(&[2, 0, 1, 3], 1, &some), [0; 0]);
        assert_eq!(next(&[0, 3], 1, &some), [0; 0]);
        let again = outcomes([(0, Outcome::Open(1, None))]);
        assert_eq!(next(&[0, 1], 1, &again), [0]);
    }

    #[test]
    fn when_little_is_accepted_more_rows_run_at_a_time() {
        let order: Vec<usize> = (0..100).collect();
        let rejected = |n: usize| {
            let outcome = || Outcome::Rejected(Box::new(Rollout::scored(crate::evaluate::Score::new(0.0))));
            (0..n).map(|row| (Place { row, sample: 0 }, outcome())).collect()
        };
        assert_eq!(next(&order, 4, &rejected(0)).len(), 4);
        assert_eq!(next(&order, 4, &rejected(4)).len(), 16);
        assert_eq!(next(&order, 4, &rejected(40)).len(), 4 + IN_VAIN);
    }
}
