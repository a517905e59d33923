//! The search over combinations.

use std::collections::BTreeMap;

use super::{options::MIPROv2, size::Size};
use crate::{
    data::Rng,
    evaluate::ruled_out,
    optimize::{CandidateId, Demonstration, Engine, Parameters, Stop, Tpe},
};

/// What can be chosen for a predictor. The first of each is what the student has.
struct Options {
    instructions: Vec<String>,
    demos: Vec<Vec<Demonstration>>,
    /// How many instructions were asked for.
    asked: usize,
}

/// The trials: combinations of an instruction and demonstrations for each predictor, and what they scored.
pub(super) struct Trials<'e> {
    engine: &'e Engine,
    predictors: Vec<Options>,
    tpe: Tpe,
    /// The combinations that were tried, in their order, and the candidates that they are.
    tried: Vec<(Vec<usize>, CandidateId)>,
    /// The validation rows: those of a minibatch, then the others.
    rows: Vec<usize>,
    minibatch: usize,
    every: usize,
    most: usize,
    /// How many runs the trials have made, and how many calls these took.
    made: (u64, u64),
    rng: Rng,
}

/// After how many rows of a minibatch a trial is first compared with the leader.
const FIRST_LOOK: usize = 12;
/// The probability with which a trial may be given up that is as good as the leader.
const GIVE_UP: f64 = 0.15;
/// How many of the best combinations are evaluated on all validation rows at the end, at most.
const CONFIRMED: usize = 2;

impl<'e> Trials<'e> {
    pub(super) fn new(
        engine: &'e Engine,
        options: &MIPROv2,
        size: &Size,
        sets: Vec<Vec<Vec<Demonstration>>>,
    ) -> Self {
        let student = engine.parameters(CandidateId::STUDENT);
        let predictors: Vec<Options> = student
            .iter()
            .zip(sets)
            .map(|((_, own), demos)| Options {
                instructions: vec![own.instructions.clone()],
                demos,
                asked: 0,
            })
            .collect();
        let choices: Vec<usize> = predictors.iter().flat_map(|p| [1, p.demos.len()]).collect();
        let mut rows = engine.val().to_vec();
        engine.rng("minibatch").shuffle(&mut rows);
        Self {
            engine,
            predictors,
            tpe: Tpe::new(choices),
            tried: Vec::new(),
            minibatch: options.minibatch_of(rows.len()),
            rows,
            every: options.full_eval_every,
            most: size.trials,
            made: (0, 0),
            rng: engine.rng("trials"),
        }
    }

    /// Adds instructions that can be chosen, for each predictor; those that are there already are left out.
    pub(super) fn add(&mut self, proposed: Vec<Vec<Option<String>>>) {
        for (predictor, (own, texts)) in self.predictors.iter_mut().zip(proposed).enumerate() {
            own.asked += texts.len();
            let before = own.instructions.len();
            for text in texts.into_iter().flatten().filter(|text| !text.is_empty()) {
                if !own.instructions.contains(&text) {
                    own.instructions.push(text);
                }
            }
            self.tpe.extend(2 * predictor, own.instructions.len() - before);
        }
    }

    /// How many instructions were asked for, for a predictor.
    pub(super) fn instructions_asked(&self, predictor: usize) -> usize {
        self.predictors.get(predictor).map_or(0, |own| own.asked)
    }

    /// How many trials were carried out, the student's included.
    pub(super) fn done(&self) -> usize {
        self.tried.len()
    }

    /// Whether as many trials were carried out as there are to be.
    pub(super) fn are_done(&self) -> bool {
        self.done() > self.most
    }

    /// Whether all combinations were tried.
    pub(super) fn are_exhausted(&self) -> bool {
        self.done() >= self.tpe.points()
    }

    /// Carries out the next trial; the first is the student's own combination.
    pub(super) async fn next(&mut self) -> Result<(), Stop> {
        let trial = self.done();
        if trial == 0 {
            self.engine.stage("trials", (self.most + 1) * self.minibatch);
        }
        if self.is_budget_short() {
            self.evaluate_leader_fully().await?;
        }
        let point = match trial {
            0 => vec![0; 2 * self.predictors.len()],
            _ => {
                self.tell();
                self.tpe.suggest(&mut self.rng.fork_index(trial as u64))
            }
        };
        let candidate = self.candidate(&point, trial);
        self.tried.push((point, candidate));
        let before = self.engine.spent().calls;
        self.run(candidate).await?;
        let runs = self.engine.scores(candidate, &self.rows).iter().flatten().count() as u64;
        self.made = (self.made.0 + runs, self.made.1 + (self.engine.spent().calls - before));
        Ok(())
    }

    /// Runs a candidate on the minibatch, unless it is clearly behind before.
    async fn run(&self, candidate: CandidateId) -> Result<(), Stop> {
        let leader = self.leading(&self.tried).filter(|leader| *leader != candidate);
        self.extend(candidate, (FIRST_LOOK, self.minibatch), leader).await
    }

    /// Runs a candidate on more and more of the rows, at first `from`, at last `to`, as long as it is not clearly behind
    /// another one on them.
    async fn extend(
        &self,
        candidate: CandidateId,
        (from, to): (usize, usize),
        other: Option<CandidateId>,
    ) -> Result<(), Stop> {
        let give_up = self.engine.options().racing.unwrap_or(GIVE_UP);
        let mut end = from;
        loop {
            // A last look at a few rows more would save nothing.
            end = if 4 * end > 3 * to { to } else { end };
            let seen = &self.rows[..end];
            self.engine.evaluate(&[candidate], seen).await?;
            let behind = |other| {
                let (own, other) = (self.engine.scores(candidate, seen), self.engine.scores(other, seen));
                ruled_out(&own, &other, give_up)
            };
            if end == to || other.is_some_and(behind) {
                return Ok(());
            }
            end *= 2;
        }
    }

    /// Whether the calls that are left are too few for another trial and a full evaluation, and there was none yet:
    /// without one, all that was spent would give nothing.
    fn is_budget_short(&self) -> bool {
        let Some(left) = self.engine.calls_left() else { return false };
        let (runs, calls) = self.made;
        if runs == 0 || self.engine.best().is_some() {
            return false;
        }
        left < calls.div_ceil(runs).saturating_mul(self.rows.len() as u64)
    }

    /// Whether the leader is to be evaluated on all rows now.
    pub(super) fn is_time_for_full_evaluation(&self) -> bool {
        self.done() > 1 && (self.done() - 1).is_multiple_of(self.every)
    }

    /// Evaluates the best combination that was not on all rows yet, as long as it can be the best.
    pub(super) async fn evaluate_leader_fully(&self) -> Result<(), Stop> {
        let open: Vec<_> =
            self.tried.iter().filter(|(_, c)| !self.engine.covers(*c, &self.rows)).cloned().collect();
        match self.leading(&open) {
            Some(candidate) => self.evaluate_fully(candidate).await,
            None => Ok(()),
        }
    }

    /// Runs a candidate on all rows, unless it is clearly behind the best before.
    async fn evaluate_fully(&self, candidate: CandidateId) -> Result<(), Stop> {
        let best = self.engine.best().map(|(best, _)| best);
        self.extend(candidate, (2 * self.minibatch, self.rows.len()), best).await
    }

    /// Evaluates the best combinations on all rows, and gives the best of those that were.
    pub(super) async fn confirm(self) -> Result<CandidateId, Stop> {
        self.engine.stage("confirm", CONFIRMED * (self.rows.len() - self.minibatch));
        let mut open = self.tried.clone();
        for _ in 0..CONFIRMED {
            let Some(candidate) = self.leading(&open) else { break };
            self.evaluate_fully(candidate).await?;
            open.retain(|(_, c)| *c != candidate);
        }
        Ok(self.engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
    }

    /// The candidate that leads so far.
    pub(super) fn leader(&self) -> CandidateId {
        self.leading(&self.tried).unwrap_or(CandidateId::STUDENT)
    }

    /// The candidate with the highest estimate; of equals, the first.
    fn leading(&self, of: &[(Vec<usize>, CandidateId)]) -> Option<CandidateId> {
        let estimates = self.estimates(of).into_iter().filter_map(|(_, c, value)| Some((c, value?)));
        estimates.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(c, _)| c)
    }

    /// What candidates would score on all rows, by the rows that each was run on: its mean difference there from the
    /// candidate that was run on most rows, added to the mean of that one. So candidates that were run on different rows
    /// are compared.
    fn estimates<'a>(
        &self,
        of: &'a [(Vec<usize>, CandidateId)],
    ) -> Vec<(&'a [usize], CandidateId, Option<f64>)> {
        let scores = |c: CandidateId| self.engine.scores(c, &self.rows);
        let known = |c: CandidateId| scores(c).iter().flatten().count();
        let most = self.tried.iter().map(|(_, c)| *c).max_by_key(|c| (known(*c), std::cmp::Reverse(*c)));
        let reference = most.map(scores).unwrap_or_default();
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        let level = mean(&reference.iter().flatten().copied().collect::<Vec<_>>());
        let estimate = |c: CandidateId| {
            let own = scores(c);
            let differences = own.iter().zip(&reference).filter_map(|(a, b)| Some((*a)? - (*b)?));
            let differences: Vec<f64> = differences.collect();
            match differences.is_empty() {
                true => self.engine.mean(c, &self.rows),
                false => Some(level + mean(&differences)),
            }
        };
        of.iter().map(|(point, c)| (point.as_slice(), *c, estimate(*c))).collect()
    }

    /// Tells the estimator what is known of all combinations.
    fn tell(&mut self) {
        let told = self.estimates(&self.tried).into_iter().map(|(point, _, value)| (point.to_vec(), value));
        let told: Vec<_> = told.collect();
        for (point, value) in told {
            self.tpe.observe(point, value.unwrap_or(f64::NAN));
        }
    }

    fn candidate(&self, point: &[usize], trial: usize) -> CandidateId {
        let parameters = self.parameters(point);
        self.engine.find(&parameters).unwrap_or_else(|| {
            let parents = [CandidateId::STUDENT];
            self.engine.propose(self.name(point, trial), parents, parameters)
        })
    }

    fn parameters(&self, point: &[usize]) -> Parameters {
        let mut parameters = Parameters::clone(&self.engine.parameters(CandidateId::STUDENT));
        for (((_, own), options), choice) in parameters.iter_mut().zip(&self.predictors).zip(point.chunks(2))
        {
            if let [instruction, demos] = choice {
                if let Some(text) = options.instructions.get(*instruction) {
                    own.instructions.clone_from(text);
                }
                if let Some(demos) = options.demos.get(*demos) {
                    own.demos.clone_from(demos);
                }
            }
        }
        parameters
    }

    /// `trial 3: instruction 2, demos 4` of each predictor.
    fn name(&self, point: &[usize], trial: usize) -> String {
        let one = |choice: &[usize]| match choice {
            [instruction, demos] => format!("instruction {instruction}, demos {demos}"),
            _ => String::new(),
        };
        format!("trial {trial}: {}", point.chunks(2).map(one).collect::<Vec<_>>().join("; "))
    }

    /// The instruction of a predictor in the candidate that leads.
    pub(super) fn leading_instruction(&self, predictor: usize) -> String {
        let leader = self.engine.parameters(self.leader());
        leader.iter().nth(predictor).map(|(_, own)| own.instructions.clone()).unwrap_or_default()
    }

    /// The instructions of a predictor that were tried, with the mean of the estimates of the combinations they are in.
    pub(super) fn scored_instructions(&self, predictor: usize) -> Vec<(String, f64)> {
        let mut scores: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (point, _, value) in self.estimates(&self.tried) {
            if let (Some(instruction), Some(value)) = (point.get(2 * predictor), value) {
                scores.entry(*instruction).or_default().push(value);
            }
        }
        let text = |(i, values): (usize, Vec<f64>)| {
            let text = self.predictors.get(predictor)?.instructions.get(i)?;
            Some((text.clone(), values.iter().sum::<f64>() / values.len() as f64))
        };
        scores.into_iter().filter_map(text).collect()
    }
}
