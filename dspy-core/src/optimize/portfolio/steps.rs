//! The steps, and why each of them is taken or not.

use super::{options::Portfolio, size};
use crate::{
    Result,
    adapter::Coverage,
    evaluate::{Failure, Score},
    lm::Budget,
    optimize::{
        Auto, CandidateId, Demonstration, Engine, GEPA, KNNFewShot, MIPROv2, Optimizer, Parameters, Rollout,
        Rows, Stop, TaskShape,
    },
};

/// The share of the calls that runs for demonstrations may take.
const FOR_DEMOS: f64 = 0.4;
/// How many training rows demonstrations are made from at most.
const MOST_DEMOS: usize = 1_000;
/// How many runs it takes at least to improve an instruction.
const LEAST_FOR_INSTRUCTIONS: usize = 60;
/// How many training rows are looked at to see what rows hold.
const SEEN: usize = 32;

/// How many training rows are run for demonstrations, of so many runs altogether: some of them run twice.
pub(super) fn runs_for_demos(runs: usize, train: usize) -> usize {
    ((runs as f64 * FOR_DEMOS / 2.0) as usize).min(train).min(MOST_DEMOS)
}

/// A search on its way.
pub(super) struct Steps<'e> {
    options: &'e Portfolio,
    engine: &'e Engine,
    /// Calls that a run of the program takes.
    per_run: f64,
    /// Whether the metric says in words what was wrong.
    feedback: bool,
    /// The score from which on a run is shown: the middle of those that there are. Without any difference, above 0.
    good: Option<f64>,
    /// The score with which nothing is wrong, when the metric gives one of two.
    perfect: Option<f64>,
}

impl<'e> Steps<'e> {
    /// Runs the student on a few validation rows.
    pub(super) async fn look(options: &'e Portfolio, engine: &'e Engine) -> Result<Self, Stop> {
        let mut val = engine.val().to_vec();
        engine.rng("look").shuffle(&mut val);
        val.truncate(size::LOOK);
        engine.stage("look", val.len());
        let runs = engine.run_missing(&[CandidateId::STUDENT], &val, false).await?;
        let says = |rollout: &Rollout| match &rollout.outcome {
            Ok(score) => is_feedback(score),
            Err(Failure::Program(_) | Failure::Metric(_)) => false,
        };
        let said = runs.iter().filter(|(_, _, rollout)| says(rollout)).count();
        let predictors = engine.predictors().len().max(1) as f64;
        let per_run = (engine.spent().calls as f64 / runs.len().max(1) as f64).max(predictors.min(1.0));
        let scores: Vec<f64> = runs.iter().filter_map(|(_, _, rollout)| rollout.score()).collect();
        let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let good = (low < high).then_some(low + (high - low) / 2.0);
        let two = scores.iter().all(|score| *score == low || *score == high);
        let perfect = good.and(two.then_some(high));
        let steps = Self { options, engine, per_run, feedback: said > 0, good, perfect };
        engine.note(format!(
            "look: the student scores {} on {} rows; a run takes {per_run:.1} calls; the metric {}; {} runs may be made",
            engine.mean(CandidateId::STUDENT, &val).map_or("nothing".into(), |score| format!("{score:.3}")),
            val.len(),
            if said > 0 { "says in words what was wrong" } else { "gives numbers alone" },
            steps.runs_left(),
        ));
        Ok(steps)
    }

    /// How many calls may still be made, with those kept back that the confirmation takes.
    fn calls_left(&self) -> u64 {
        let own = self.options.runs() as f64 * self.per_run;
        let own = (own as u64).saturating_sub(self.engine.spent().calls);
        let left = self.engine.calls_left().unwrap_or(u64::MAX).min(own);
        let confirmed = self.engine.test().len() as f64 * 2.0 * self.per_run;
        // Runs differ in their calls.
        left.saturating_sub((confirmed * 1.05).ceil() as u64)
    }

    fn runs_left(&self) -> usize {
        (self.calls_left() as f64 / self.per_run) as usize
    }

    /// Makes demonstrations, and gives the best candidate with or without them.
    pub(super) async fn demonstrations(&mut self) -> Result<CandidateId, Stop> {
        let engine = self.engine;
        let skipped = |why: &str| engine.note(format!("demonstrations: skipped, because {why}"));
        if self.options.demos == 0 {
            skipped("none are wanted");
            return Ok(CandidateId::STUDENT);
        }
        let mut train = engine.train().to_vec();
        engine.rng("demonstrations").shuffle(&mut train);
        train.truncate(MOST_DEMOS);
        let complete = self.rows_are_complete(&train)?;
        let before = engine.spent().calls;
        if !complete {
            train.truncate(runs_for_demos(self.runs_left(), train.len()));
            if train.len() < self.options.demos {
                skipped("the budget does not allow enough runs");
                return Ok(CandidateId::STUDENT);
            }
        }
        train.sort_unstable();
        let n = train.len();
        let knn = KNNFewShot::new(self.options.demos)
            .bootstrap(!complete)
            .seed(self.options.search.seed)
            .budget(self.share(FOR_DEMOS));
        let knn = match self.good {
            Some(score) => knn.metric_threshold(score),
            None => knn,
        };
        let rows = Rows { train, ..Rows::default() };
        let nearest = engine.run_on(&knn, CandidateId::STUDENT, "nearest demonstrations", rows).await?;
        let made = engine.parameters(nearest);
        let mut shown = Vec::new();
        if let Some(same) = self.same_for_all(&made) {
            shown.push(engine.propose("same demonstrations", [CandidateId::STUDENT], same));
        }
        if self.options.nearest {
            shown.push(nearest);
        }
        engine.note(format!(
            "demonstrations: made from {n} rows, {}, with {} calls",
            if complete {
                "because they hold all that the predictors give"
            } else {
                "by running the program on them, because they do not hold all that the predictors give"
            },
            engine.spent().calls - before
        ));
        self.race(shown).await
    }

    /// A part of what is left, as a budget.
    fn share(&self, share: f64) -> Budget {
        Budget::calls((self.calls_left() as f64 * share) as u64)
    }

    /// Whether rows hold what each predictor takes and gives.
    fn rows_are_complete(&self, train: &[usize]) -> Result<bool> {
        for row in train.iter().take(SEEN) {
            for info in self.engine.predictors() {
                let demo = self.engine.labeled(info.path(), *row)?;
                if demo.is_none_or(|demo| demo.demo.coverage(info.spec()) != Coverage::Complete) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Some of the demonstrations of which each call would be shown the nearest: complete ones before others.
    fn same_for_all(&self, made: &Parameters) -> Option<Parameters> {
        let rng = self.engine.rng("same demonstrations");
        let mut shown = made.clone();
        let mut any = false;
        for ((path, own), info) in shown.iter_mut().zip(self.engine.predictors()) {
            let Some(nearest) = own.nearest.take() else { continue };
            let mut pool: Vec<Demonstration> = nearest
                .demos
                .pool()
                .iter()
                .zip(&*nearest.rows)
                .map(|(demo, row)| Demonstration { demo: demo.clone(), row: *row })
                .collect();
            rng.fork(path).shuffle(&mut pool);
            pool.sort_by_key(|demo| demo.demo.coverage(info.spec()) != Coverage::Complete);
            pool.truncate(self.options.demos);
            any |= !pool.is_empty();
            own.set_demos(pool);
        }
        any.then_some(shown)
    }

    /// Runs candidates and the student on the same validation rows, and gives the best; of equals, the first.
    async fn race(&mut self, shown: Vec<CandidateId>) -> Result<CandidateId, Stop> {
        let engine = self.engine;
        let mut rows = engine.val().to_vec();
        // The rows of the first look come first: the student was run on them.
        engine.rng("look").shuffle(&mut rows);
        rows.truncate(size::race_rows(rows.len()));
        let mut racing = vec![CandidateId::STUDENT];
        racing.extend(shown);
        let fit = self.runs_left() / (2 * racing.len()).max(1);
        if fit < size::LOOK.min(rows.len()) {
            engine.note(
                "race of demonstrations: skipped, because the budget does not allow it; the last is taken",
            );
            return Ok(racing.last().copied().unwrap_or(CandidateId::STUDENT));
        }
        rows.truncate(fit);
        engine.stage("race of demonstrations", racing.len() * rows.len());
        engine.evaluate(&racing, &rows).await?;
        let finished = |c: &CandidateId| engine.covers(*c, &rows);
        let mean = |c: CandidateId| engine.mean(c, &rows).unwrap_or(f64::NEG_INFINITY);
        let best =
            racing.iter().copied().filter(finished).reduce(|a, b| if mean(b) > mean(a) { b } else { a });
        let best = best.unwrap_or(CandidateId::STUDENT);
        engine.lead(best);
        let told: Vec<String> = engine
            .candidates()
            .into_iter()
            .filter(|c| racing.contains(&c.id))
            .map(|c| {
                let n = engine.scores(c.id, &rows).iter().flatten().count();
                format!("{} {:.3} on {n}", c.name, mean(c.id))
            })
            .collect();
        engine.note(format!("race of demonstrations: {}; {best} goes on", told.join(", ")));
        Ok(best)
    }

    /// The largest search that is expected to need no more than so many runs.
    fn mipro_size(&self, runs: usize) -> Auto {
        let shape = TaskShape {
            predictors: self.engine.predictors().len(),
            train: self.engine.train().len(),
            val: self.engine.val().len(),
            judged_by_train: self.engine.train() == self.engine.val(),
            test: 0,
        };
        let fits = |size: &Auto| {
            let stages = MIPROv2::auto(*size).zero_shot().stages(shape);
            stages.iter().map(|stage| stage.rollouts.expected).sum::<usize>() <= runs
        };
        [Auto::Heavy, Auto::Medium].into_iter().find(fits).unwrap_or(Auto::Light)
    }

    /// Improves the instructions of a candidate, and gives the best of all that were run on all validation rows.
    pub(super) async fn instructions(&mut self, base: CandidateId) -> Result<CandidateId, Stop> {
        let engine = self.engine;
        let (runs, seed) = (self.runs_left(), self.options.search.seed);
        let budget = self.share(1.0);
        if runs < LEAST_FOR_INSTRUCTIONS {
            engine.note(format!("instructions: skipped, because the budget allows {runs} more runs alone"));
        } else if self.feedback {
            engine.note(format!(
                "instructions: by reflection, because the metric says in words what was wrong; {runs} runs at most"
            ));
            let gepa = GEPA::new().max_metric_calls(runs).seed(seed).budget(budget);
            let gepa = match self.perfect {
                Some(score) => gepa.perfect_score(score),
                None => gepa,
            };
            engine.run(&gepa, base, "reflection").await?;
        } else {
            engine.note(format!(
                "instructions: by MIPROv2, because the metric gives numbers alone; {runs} runs at most"
            ));
            let mipro = MIPROv2::auto(self.mipro_size(runs)).zero_shot().seed(seed).budget(budget);
            engine.run(&mipro, base, "MIPROv2").await?;
        }
        if engine.best().is_none() && engine.val().len() <= self.runs_left() {
            engine.stage("judge", engine.val().len());
            engine.evaluate_fully(base).await?;
        }
        Ok(engine.best().map_or(base, |(best, _)| best))
    }
}

/// Whether the metric says something.
fn is_feedback(score: &Score) -> bool {
    score.feedback.as_ref().is_some_and(|words| !words.trim().is_empty()) || !score.by_predictor.is_empty()
}
