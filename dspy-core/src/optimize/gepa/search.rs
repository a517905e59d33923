//! The state of a search: the pool of candidates, what they scored, and what may still be spent.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Component, GEPA, pareto};
use crate::{
    data::Rng,
    evaluate::ruled_out,
    optimize::{CandidateId, Engine, PredictorInfo, Rollout, Stop},
};

/// Which share of the calls of a limited budget is planned with.
const CALLS_KEPT: f64 = 0.95;

/// After how many validation rows candidates are compared for the first time, and how many times as many each time
/// after.
const FIRST_LOOK: usize = 16;

/// From how many validation rows on a candidate that is only as good as the leader is given up.
const NO_TIES: usize = 64;

/// The error of the test by which a candidate leads before the end of its race. It may be large: who leads wrongly is
/// overtaken, and the result is run on all rows.
const PROOF: f64 = 0.1;

/// How many times as many rows as are wanted are run to find some that go wrong.
const SCANNED: usize = 3;

/// How often a row is reflected on before others are preferred.
const SHOWN_ENOUGH: usize = 3;

/// What became of a candidate on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is better than the leader was, and leads now.
    Leads,
    /// It is no better.
    Fails,
    /// The metric calls do not suffice to tell.
    Open,
}

/// Rows to reflect on, and the rows on which the child is compared with its parent.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) shown: Vec<usize>,
    pub(super) compared: Vec<usize>,
}

pub(super) struct Search<'e> {
    pub(super) engine: &'e Engine,
    options: &'e GEPA,
    pub(super) components: Vec<Component>,
    /// The validation rows in the order in which all candidates are run on them.
    val: Vec<usize>,
    train: Epochs<'e>,
    learnt_from: HashSet<usize>,
    /// The candidates that were better than their parents on the rows of a reflection.
    pub(super) pool: Vec<CandidateId>,
    pub(super) leader: CandidateId,
    limit: usize,
    pub(super) used: usize,
    /// The rollouts on rows that are learnt from.
    rollouts: BTreeMap<(CandidateId, usize), Rollout>,
    /// How often each row was reflected on.
    shown: HashMap<usize, usize>,
    highest: f64,
    calls_of_runs: u64,
}

impl<'e> Search<'e> {
    pub(super) fn new(options: &'e GEPA, engine: &'e Engine) -> Self {
        let student = engine.parameters(CandidateId::STUDENT);
        let components =
            Component::of(engine.predictors(), &student, options.descriptions, options.tool_words);
        let mut val = engine.val().to_vec();
        engine.rng("validation order").shuffle(&mut val);
        let limit = options.size.metric_calls(components.len(), engine.train().len(), val.len());
        let mut search = Self {
            train: Epochs::new(engine.train(), engine.rng("epochs")),
            learnt_from: engine.train().iter().copied().collect(),
            pool: vec![CandidateId::STUDENT],
            leader: CandidateId::STUDENT,
            rollouts: BTreeMap::new(),
            shown: HashMap::new(),
            highest: f64::NEG_INFINITY,
            calls_of_runs: 0,
            used: 0,
            engine,
            options,
            components,
            val,
            limit,
        };
        search.fit_validation();
        search
    }

    /// Leaves out validation rows when not even three candidates could be run on all of them.
    fn fit_validation(&mut self) {
        let (all, fit) = (self.val.len(), (self.left() / 3).max(1));
        if fit < all {
            self.val.truncate(fit);
            self.engine.note(format!(
                "candidates are judged by {fit} of the {all} validation rows, because the budget allows {} metric calls",
                self.left()
            ));
        }
    }

    /// How many metric calls are left: of the limit, and of the budget of the compile.
    pub(super) fn left(&self) -> usize {
        let own = self.limit.saturating_sub(self.used);
        let Some(calls) = self.engine.calls_left() else { return own };
        // Until something was run: as if each predictor asked once.
        let per_run = match self.used {
            0 => self.engine.predictors().len().max(1) as f64,
            runs => (self.calls_of_runs as f64 / runs as f64).max(1e-9),
        };
        // Runs differ in their calls.
        own.min((calls as f64 * CALLS_KEPT / per_run) as usize)
    }

    /// How many metric calls it takes to run the leader on all validation rows.
    fn reserve(&self) -> usize {
        self.missing(&[self.leader], &self.val)
    }

    /// How many metric calls may be made, with those kept back that confirm the leader.
    pub(super) fn free(&self) -> usize {
        self.left().saturating_sub(self.reserve())
    }

    pub(super) fn missing(&self, candidates: &[CandidateId], rows: &[usize]) -> usize {
        let unknown = |c: CandidateId| rows.iter().filter(|row| !self.engine.covers(c, &[**row])).count();
        candidates.iter().map(|c| unknown(*c)).sum()
    }

    /// Runs candidates on rows, unless it is known what they score there.
    pub(super) async fn run(&mut self, candidates: &[CandidateId], rows: &[usize]) -> Result<(), Stop> {
        let trace = rows.iter().any(|row| self.learnt_from.contains(row));
        self.used += self.missing(candidates, rows);
        let before = self.engine.spent().calls;
        let runs = self.engine.run_missing(candidates, rows, trace).await?;
        self.calls_of_runs += self.engine.spent().calls - before;
        for (candidate, row, rollout) in runs {
            self.highest = self.highest.max(rollout.score().unwrap_or(f64::NEG_INFINITY));
            if self.learnt_from.contains(&row) {
                self.rollouts.insert((candidate, row), rollout);
            }
        }
        Ok(())
    }

    pub(super) fn predictor(&self, path: &str) -> Option<&'e PredictorInfo> {
        self.engine.predictors().iter().find(|info| **info.path() == *path)
    }

    pub(super) fn rollout(&self, candidate: CandidateId, row: usize) -> Option<&Rollout> {
        self.rollouts.get(&(candidate, row))
    }

    /// The sum of the scores of a candidate on rows, those left out on which another has none.
    fn sums(&self, a: CandidateId, b: CandidateId, rows: &[usize]) -> (f64, f64) {
        let pairs = self.engine.scores(a, rows).into_iter().zip(self.engine.scores(b, rows));
        pairs.filter_map(|(a, b)| Some((a?, b?))).fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b))
    }

    /// By how much a candidate is better than another one on rows.
    pub(super) fn gain(&self, candidate: CandidateId, over: CandidateId, rows: &[usize]) -> f64 {
        let (a, b) = self.sums(candidate, over, rows);
        a - b
    }

    /// How many of the first validation rows a candidate was run on.
    fn reach(&self, candidate: CandidateId) -> usize {
        self.val.iter().take_while(|row| self.engine.covers(candidate, &[**row])).count()
    }

    /// Whether another reflection, and the confirmation of what may come of it, can be paid.
    pub(super) fn goes_on(&self) -> bool {
        self.left() >= self.val.len() + 2 * self.options.minibatch
    }

    /// Runs the student on the first validation rows.
    pub(super) async fn begin(&mut self) -> Result<(), Stop> {
        let first = self.val[..FIRST_LOOK.min(self.val.len()).min(self.left())].to_vec();
        self.run(&[CandidateId::STUDENT], &first).await
    }

    /// Compares a candidate with the leader on more and more validation rows, until it falls behind, a test says that it is
    /// better, or both were run on all rows.
    pub(super) async fn race(&mut self, candidate: CandidateId, most: usize) -> Result<Verdict, Stop> {
        let most = most.min(self.val.len());
        let mut end = FIRST_LOOK.min(most);
        loop {
            let rows = self.val[..end].to_vec();
            // If the candidate wins, it is what has to be confirmed.
            let rest = self.missing(&[candidate], &self.val).max(self.reserve());
            let cost = self.missing(&[candidate, self.leader], &rows);
            if cost + rest > self.left() {
                return Ok(Verdict::Open);
            }
            self.run(&[candidate, self.leader], &rows).await?;
            let gain = self.gain(candidate, self.leader, &rows);
            let all = end == most;
            let tied = gain == 0.0 && (all || end >= NO_TIES);
            if gain < 0.0 || tied {
                return Ok(Verdict::Fails);
            }
            let scores = |c| self.engine.scores(c, &rows);
            let proven = || ruled_out(&scores(self.leader), &scores(candidate), PROOF);
            if all || proven() {
                self.leader = candidate;
                self.engine.lead(candidate);
                return Ok(Verdict::Leads);
            }
            end = (end * 2).min(most);
        }
    }

    /// The candidate to improve next: drawn from the Pareto front over the validation rows that the leader was run on.
    pub(super) fn parent(&self, rng: &mut Rng) -> CandidateId {
        let rows = &self.val[..self.reach(self.leader)];
        if self.options.greedy {
            return self.leader;
        }
        let scores: Vec<Vec<Option<f64>>> = self.pool.iter().map(|c| self.engine.scores(*c, rows)).collect();
        pareto::draw(&scores, rng).and_then(|i| self.pool.get(i)).copied().unwrap_or(self.leader)
    }

    /// The candidates of the front, the best first.
    pub(super) fn front(&self) -> Vec<CandidateId> {
        let rows = &self.val[..self.reach(self.leader)];
        let scores: Vec<Vec<Option<f64>>> = self.pool.iter().map(|c| self.engine.scores(*c, rows)).collect();
        let mut front: Vec<CandidateId> =
            pareto::undominated(&scores).into_iter().map(|i| self.pool[i]).collect();
        let mean = |c: CandidateId| self.engine.mean(c, rows).unwrap_or(f64::NEG_INFINITY);
        front.sort_by(|a, b| {
            (*b == self.leader).cmp(&(*a == self.leader)).then(mean(*b).total_cmp(&mean(*a))).then(a.cmp(b))
        });
        front
    }

    /// The mean of a candidate over those validation rows that the leader was run on.
    pub(super) fn mean(&self, candidate: CandidateId) -> f64 {
        let rows = &self.val[..self.reach(self.leader)];
        self.engine.mean(candidate, rows).unwrap_or(f64::NEG_INFINITY)
    }

    /// The score from which on a row is not reflected on.
    fn perfect(&self) -> f64 {
        match (self.options.skip_perfect_score, self.options.perfect_score) {
            (false, _) => f64::INFINITY,
            (true, Some(score)) => score,
            // Without a word about it: 1 for metrics that never give more.
            (true, None) if self.highest <= 1.0 => 1.0,
            (true, None) => f64::INFINITY,
        }
    }

    /// Rows that go wrong with a candidate: some that are known to, and new ones, which are run until there are enough;
    /// beside them the new ones that go well. `None` when there is nothing to learn from, or too little is left.
    pub(super) async fn batch(&mut self, parent: CandidateId) -> Result<Option<Batch>, Stop> {
        let wanted = self.options.minibatch;
        let known = self.rollouts.range((parent, 0)..=(parent, usize::MAX));
        let failed = |rollout: &Rollout| rollout.score().is_some_and(|score| score < self.perfect());
        let times = |row: usize| self.shown.get(&row).copied().unwrap_or(0);
        let mut old: Vec<usize> = known
            .filter(|((_, row), rollout)| failed(rollout) && times(*row) < SHOWN_ENOUGH)
            .map(|((_, row), _)| *row)
            .collect();
        old.sort_by_key(|row| (times(*row), self.train.place(*row)));
        old.truncate(wanted / 2);
        let mut batch = Batch { shown: old, compared: Vec::new() };
        let (mut seen, most) = (0, SCANNED * wanted);
        let mut well = Vec::new();
        while batch.shown.len() < wanted && seen < most {
            let n = (wanted - batch.shown.len()).min(most - seen);
            let fresh: Vec<usize> =
                self.train.next(n, |row| batch.shown.contains(&row) || well.contains(&row));
            if fresh.is_empty() {
                break;
            }
            seen += fresh.len();
            if self.missing(&[parent], &fresh) > self.free() {
                return Ok(None);
            }
            self.run(&[parent], &fresh).await?;
            let perfect = self.perfect();
            let mut scored: Vec<(f64, usize)> = fresh
                .into_iter()
                .filter_map(|row| Some((self.rollout(parent, row)?.score()?, row)))
                .collect();
            scored.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (score, row) in scored {
                if score < perfect { batch.shown.push(row) } else { well.push(row) }
            }
        }
        if batch.shown.is_empty() {
            return Ok(None);
        }
        well.truncate(wanted);
        batch.compared = batch.shown.iter().chain(&well).copied().collect();
        for row in &batch.shown {
            *self.shown.entry(*row).or_default() += 1;
        }
        Ok(Some(batch))
    }

    /// Runs the leader on all validation rows, then, as long as there are metric calls, those that may be better, and
    /// gives the best of those that were run on all.
    pub(super) async fn confirm(&mut self) -> Result<CandidateId, Stop> {
        let val = self.val.clone();
        if self.missing(&[self.leader], &val) > self.left() {
            return Ok(self.leader);
        }
        self.run(&[self.leader], &val).await?;
        let gain = |rival: &CandidateId| self.gain(*rival, self.leader, &val);
        let mut rivals: Vec<(f64, CandidateId)> =
            self.pool.iter().filter(|c| **c != self.leader).map(|c| (gain(c), *c)).collect();
        rivals.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, rival) in rivals {
            if self.reach(rival) > 0 && self.gain(rival, self.leader, &val) >= 0.0 {
                self.race(rival, usize::MAX).await?;
            }
        }
        Ok(self.engine.best().map_or(self.leader, |(best, _)| best))
    }
}

/// The rows that are learnt from, over and over, each time in another order.
struct Epochs<'e> {
    rows: &'e [usize],
    order: Vec<usize>,
    places: HashMap<usize, usize>,
    at: usize,
    epoch: u64,
    rng: Rng,
}

impl<'e> Epochs<'e> {
    fn new(rows: &'e [usize], rng: Rng) -> Self {
        let mut epochs = Self { rows, order: Vec::new(), places: HashMap::new(), at: 0, epoch: 0, rng };
        epochs.shuffle();
        epochs.places = epochs.order.iter().enumerate().map(|(place, row)| (*row, place)).collect();
        epochs
    }

    fn shuffle(&mut self) {
        self.order = self.rows.to_vec();
        self.rng.fork_index(self.epoch).shuffle(&mut self.order);
        self.at = 0;
        self.epoch += 1;
    }

    /// The place of a row in the first order.
    fn place(&self, row: usize) -> usize {
        self.places.get(&row).copied().unwrap_or(usize::MAX)
    }

    /// The next `n` rows, as far as there are so many others than those.
    fn next(&mut self, n: usize, not: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for _ in 0..2 * self.rows.len() {
            if found.len() == n {
                break;
            }
            if self.at == self.order.len() {
                self.shuffle();
            }
            let row = self.order[self.at];
            self.at += 1;
            if !not(row) && !found.contains(&row) {
                found.push(row);
            }
        }
        found
    }
}
