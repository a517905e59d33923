//! Demonstration sets, and what went wrong on the way to them.

use std::sync::Arc;

use super::options::MIPROv2;
use crate::{
    Result,
    adapter::Coverage,
    data::Rng,
    optimize::{
        Bootstrap, CandidateId, Demonstration, Engine, LabeledFewShot, Parameters, PredictorInfo, Rollout,
        RolloutStep, Run, Stop,
    },
};

/// What the runs on train rows have shown.
#[derive(Default)]
pub(super) struct Learnt {
    /// Rows that went well, with what the predictors did.
    pub(super) accepted: Vec<(usize, Vec<RolloutStep>)>,
    /// Rows that went wrong.
    pub(super) failed: Vec<(usize, Rollout)>,
}

/// How many train rows are run when the runs are shown to the prompt model alone.
const TOLD: usize = 24;
/// How many train rows are run with the best program to see what still fails.
pub(super) const FAILURES: usize = 24;

/// How many accepted runs demonstrations are drawn from: more than a set holds, so that sets differ.
fn pool(options: &MIPROv2) -> usize {
    match options.demos.max_bootstrapped {
        0 if options.is_zero_shot() => TOLD,
        n => n + n.div_ceil(2),
    }
}

/// How many train rows are tried at most.
pub(super) fn rows_tried(options: &MIPROv2, train: usize) -> usize {
    let rows = if options.is_zero_shot() { TOLD } else { 6 * pool(options) };
    rows.min(train)
}

impl Learnt {
    /// Runs a teacher on train rows in random order until enough are accepted. The teacher is shown what was learnt from
    /// the first of them: it then runs on the rows that went wrong first, whose demonstrations teach most.
    pub(super) async fn from_runs(engine: &Engine, options: &MIPROv2) -> Result<Self, Stop> {
        let enough = pool(options);
        let mut order = engine.train().to_vec();
        engine.rng("bootstrap").shuffle(&mut order);
        order.truncate(rows_tried(options, order.len()));
        engine.stage("bootstrap", order.len());
        let teacher = Arc::new(options.demos.teacher(engine)?);
        let again = !engine.has_teacher() && options.demos.max_bootstrapped > 0;
        let first = Bootstrap::new(order.clone(), if again { enough.div_ceil(3) } else { enough });
        let found = engine.bootstrap(&teacher, &options.attempts, std::slice::from_ref(&first)).await?;
        engine.note(found.summary());
        let accepted = found.accepted(&first).into_iter().map(|(row, steps)| (row, steps.to_vec()));
        let failed = found.rejected().into_iter().map(|(row, rollout)| (row, rollout.clone()));
        let mut learnt = Self { accepted: accepted.collect(), failed: failed.collect() };
        if !again || learnt.accepted.is_empty() {
            return Ok(learnt);
        }
        let taught = Arc::new(options.demos.show(engine, &found, &first, &engine.rng("teacher"))?);
        let done = |row: &usize| learnt.accepted.iter().any(|(accepted, _)| accepted == row);
        let wrong = |row: &usize| learnt.failed.iter().any(|(failed, _)| failed == row);
        let mut order: Vec<usize> = order.into_iter().filter(|row| !done(row)).collect();
        order.sort_by_key(|row| !wrong(row));
        let second = Bootstrap::new(order, enough - learnt.accepted.len().min(enough));
        let found = engine.bootstrap(&taught, &options.attempts, std::slice::from_ref(&second)).await?;
        engine.note(found.summary());
        learnt.accepted.extend(found.accepted(&second).into_iter().map(|(row, steps)| (row, steps.to_vec())));
        for (row, rollout) in found.rejected() {
            if !learnt.failed.iter().any(|(failed, _)| *failed == row) {
                learnt.failed.push((row, rollout.clone()));
            }
        }
        Ok(learnt)
    }

    /// What a candidate does on some train rows.
    pub(super) async fn failures_of(
        engine: &Engine,
        options: &MIPROv2,
        candidate: CandidateId,
        trial: usize,
    ) -> Result<Self, Stop> {
        let mut rng = engine.rng("failures").fork_index(trial as u64);
        let rows: Vec<usize> =
            rng.sample(engine.train().len(), FAILURES).into_iter().map(|i| engine.train()[i]).collect();
        let parameters = engine.parameters(candidate);
        engine.stage("failures", rows.len());
        let runs = rows.iter().map(|row| Run::new(parameters.clone(), *row).traced()).collect();
        let rollouts = engine.rollouts(runs).await?;
        let mut learnt = Self::default();
        for (row, rollout) in rows.into_iter().zip(rollouts) {
            match rollout.score() {
                Some(score) if rollout.outcome.is_ok() && options.attempts.accepts(score) => {
                    learnt.accepted.push((row, rollout.trace));
                }
                Some(_) => learnt.failed.push((row, rollout)),
                None => {}
            }
        }
        Ok(learnt)
    }

    /// Rows to describe the data by: those that went wrong, with the answer, then others.
    pub(super) fn rows_to_describe(&self, engine: &Engine, n: usize) -> Vec<(usize, Option<&Rollout>)> {
        let wrong = self.failed.iter().map(|(row, rollout)| (*row, Some(rollout)));
        let mut others: Vec<usize> = engine.train().to_vec();
        others.retain(|row| !self.failed.iter().any(|(failed, _)| failed == row));
        engine.rng("describe").shuffle(&mut others);
        let mut rows: Vec<_> = wrong.chain(others.into_iter().map(|row| (row, None))).take(n).collect();
        engine.rng("describe order").shuffle(&mut rows);
        rows
    }

    /// The demonstration sets of each predictor, `n` at most: what it has, rows of the data alone, all that went well,
    /// and random choices of it of random size. Equal sets are kept once.
    pub(super) fn demo_sets(
        &self,
        engine: &Engine,
        options: &MIPROv2,
        n: usize,
    ) -> Result<Vec<Vec<Vec<Demonstration>>>> {
        let student = engine.parameters(CandidateId::STUDENT);
        let rng = engine.rng("sets");
        let labels = LabeledFewShot::new().k(options.demos.max_labeled).show(engine, &student, &rng)?;
        let mut sets = Vec::new();
        for info in engine.predictors() {
            let own = |p: &Parameters| p.get(info.path()).map(|own| own.demos.clone());
            let mut of_one = vec![own(&student).unwrap_or_default()];
            let mut add = |set: Vec<Demonstration>| {
                if of_one.len() < n && !of_one.contains(&set) {
                    of_one.push(set);
                }
            };
            add(Vec::new());
            if options.demos.max_labeled > 0 {
                add(own(&labels).unwrap_or_default());
            }
            let most = options.demos.max_bootstrapped;
            for i in 0..n {
                let rng = rng.fork(info.path()).fork_index(i as u64);
                let size = match i {
                    0 => most,
                    _ => rng.fork("size").range(most.div_ceil(2)..most + 1),
                };
                add(self.demo_set(engine, options, info, (i > 0, size), &rng)?);
            }
            sets.push(of_one);
        }
        Ok(sets)
    }

    /// A set of demonstrations from runs, filled up with rows of the data that show all that the predictor does.
    fn demo_set(
        &self,
        engine: &Engine,
        options: &MIPROv2,
        info: &PredictorInfo,
        (shuffled, size): (bool, usize),
        rng: &Rng,
    ) -> Result<Vec<Demonstration>> {
        let mut order: Vec<usize> = (0..self.accepted.len()).collect();
        if shuffled {
            rng.fork("order").shuffle(&mut order);
        }
        let made = order.iter().filter_map(|i| {
            let (row, steps) = &self.accepted[*i];
            engine.demo_of(info.path(), *row, steps, rng)
        });
        let mut set: Vec<Demonstration> = made.take(size).collect();
        let mut rows = engine.train().to_vec();
        rng.fork("labeled").shuffle(&mut rows);
        // Rows have all fields of a predictor or, mostly, none of them has.
        for row in rows.into_iter().take(4 * options.demos.max_labeled) {
            if set.len() >= options.demos.max_labeled {
                break;
            }
            if set.iter().any(|demo| demo.row == Some(row)) {
                continue;
            }
            let labeled = engine.labeled(info.path(), row)?;
            set.extend(labeled.filter(|demo| demo.demo.coverage(info.spec()) == Coverage::Complete));
        }
        Ok(set)
    }
}
