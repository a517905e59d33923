//! Learning from the spread between good and bad runs on the same rows.

mod advice;
mod combine;
mod trajectories;

use std::sync::Arc;

pub use self::advice::OfferAdvice;
use self::{
    advice::{Advice, Contrast},
    trajectories::{Bucket, percentile},
};
use super::{
    Amount, CandidateId, Engine, Evaluated, Optimizer, Parameters, PlannedStage, Run, SearchOptions,
    SettingsChange, Stop, TaskShape, engine::search_options,
};
use crate::{Error, Result, data::Rng, lm::BoxFuture, lm::LM};

/// Stochastic introspective mini-batch ascent: runs programs several times on small batches of rows, looks at the rows
/// whose runs differ most, and makes new programs of them: with what a good run did as a demonstration, or with advice
/// that a model gives on seeing a good and a bad run (Opsahl-Ong et al. 2025, SIMBA in DSPy).
///
/// Every step draws some [runs](Self::draws) on each of [`batch_size`](Self::batch_size) rows from the programs so far,
/// better ones more often; makes [new programs](Self::num_candidates) from the rows with the widest spread; and runs these
/// on the batch. At the end, the winners of the steps, and the student, are
/// judged by the validation rows, where racing is on unless it is set otherwise.
///
/// ```no_run
/// # use dspy_core::{Result, data::Example, module::Module};
/// use dspy_core::optimize::{Optimizer, SIMBA};
/// # use serde::Serialize;
/// # #[derive(Serialize, Clone)] struct Qa { question: String, answer: String }
/// # impl Example for Qa { type Input = String; fn input(&self) -> String { self.question.clone() } }
/// # async fn run<P: Module<Input = String, Output = String> + Clone + 'static>(program: P, trainset: Vec<Qa>) -> Result<()> {
/// let metric = |gold: &Qa, pred: &String| gold.answer == *pred;
/// let compiled = SIMBA::new().max_steps(4).seed(7).compile(program, &trainset, metric).await?;
/// println!("{}", compiled.report);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "an optimizer does nothing until `compile`"]
pub struct SIMBA {
    batch_size: usize,
    draws: usize,
    num_candidates: usize,
    max_steps: usize,
    max_demos: usize,
    sampling: f64,
    choosing: f64,
    adviser: Arc<Advice>,
    teacher: Option<SettingsChange>,
    search: SearchOptions,
}

impl Default for SIMBA {
    fn default() -> Self {
        Self {
            batch_size: 32,
            draws: 6,
            num_candidates: 6,
            max_steps: 8,
            max_demos: 4,
            sampling: 0.2,
            choosing: 0.2,
            adviser: Arc::default(),
            teacher: None,
            // The winners are told apart long before they have been run on all rows.
            search: SearchOptions { racing: Some(0.05), ..SearchOptions::default() },
        }
    }
}

impl SIMBA {
    /// Eight steps of 32 rows with six runs each and six candidates, at most four demonstrations, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many rows a step looks at. With fewer rows than this, a compile is refused.
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = rows.max(1);
        self
    }

    /// Sets how many runs are drawn on each row at most. Rows that every run of the first half gets right are not run
    /// again, because there is nothing to learn from.
    pub fn draws(mut self, n: usize) -> Self {
        self.draws = n.max(2);
        self
    }

    /// Sets how many programs a step makes, besides one more.
    pub fn num_candidates(mut self, n: usize) -> Self {
        self.num_candidates = n.max(1);
        self
    }

    /// Sets how many steps there are.
    pub fn max_steps(mut self, n: usize) -> Self {
        self.max_steps = n;
        self
    }

    /// Sets how many demonstrations a predictor is expected to keep: from then on, older ones are dropped. With 0, no
    /// demonstrations are made.
    pub fn max_demos(mut self, n: usize) -> Self {
        self.max_demos = n;
        self
    }

    /// Sets the model that gives advice: that of the settings unless set.
    pub fn prompt_model(mut self, lm: impl Into<LM>) -> Self {
        self.search.prompt_model = Some(lm.into());
        self
    }

    /// Draws the first run on each row under other settings, such as with a stronger model:
    /// `.teacher_settings(move |c| c.lm(strong.clone()))`.
    pub fn teacher_settings(
        mut self,
        change: impl Fn(crate::context::Settings) -> crate::context::Settings + Send + Sync + 'static,
    ) -> Self {
        self.teacher = Some(Arc::new(change));
        self
    }

    search_options!();
}

impl std::fmt::Debug for SIMBA {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SIMBA")
            .field("batch_size", &self.batch_size)
            .field("num_candidates", &self.num_candidates)
            .field("max_steps", &self.max_steps)
            .field("max_demos", &self.max_demos)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}

impl Optimizer for SIMBA {
    fn name(&self) -> &'static str {
        "SIMBA"
    }

    fn options(&self) -> SearchOptions {
        self.search.clone()
    }

    fn stages(&self, shape: TaskShape) -> Vec<PlannedStage> {
        let draws = self.batch_size * self.draws;
        let judged = (self.num_candidates + 1) * self.batch_size;
        let step = Amount::new(draws * 3 / 4 + judged, draws + judged);
        let winners = (self.num_candidates + 1) * shape.val;
        vec![
            PlannedStage::rollouts("steps", step.times(self.max_steps)).demos(self.max_demos),
            PlannedStage::proposals("advice", self.max_steps * (self.num_candidates + 1)),
            PlannedStage::rollouts("judge the winners", Amount::new(winners / 2, winners))
                .demos(self.max_demos),
        ]
    }

    async fn search(&self, engine: &Engine) -> Result<CandidateId, Stop> {
        self.run(engine).await
    }
}

impl SIMBA {
    // In a box, so that it is compiled with this crate and not with each program.
    fn run<'s>(&'s self, engine: &'s Engine) -> BoxFuture<'s, Result<CandidateId, Stop>> {
        Box::pin(async move {
            if engine.train().len() < self.batch_size {
                return Err(Error::other(format!(
                "there are {} rows to learn from, but a step looks at {}: give more rows, or a smaller `batch_size`",
                engine.train().len(),
                self.batch_size
            ))
            .into());
            }
            let rng = engine.rng("steps");
            let mut pool = Pool::new();
            let mut winners = vec![CandidateId::STUDENT];
            let mut batches = Batches::new(engine.train(), self.batch_size, rng.fork("batches"));
            let mut pace = Pace::new(engine);
            for step in 0..self.max_steps {
                if !pace.allows(engine, JUDGED * engine.val().len()) {
                    engine.note(format!(
                        "{step} of {} steps were taken: what is left of the budget judges their winners",
                        self.max_steps
                    ));
                    break;
                }
                engine.stage(
                    format!("step {}", step + 1),
                    self.batch_size * (self.draws + self.num_candidates + 1),
                );
                let rng = rng.fork_index(step as u64);
                let batch = batches.next();
                let mut buckets = self.draw(engine, &pool, &batch, step, &rng).await?;
                pool.saw(buckets.iter().flat_map(Bucket::scores));
                buckets.sort_by(|a, b| b.by_spread(a).then(a.row.cmp(&b.row)));
                let made = self.make(engine, &pool, &buckets, step, &rng).await?;
                let mut scored = engine.evaluate_all(&made, &batch).await?;
                if let Some(all) = combine::better_half(engine, &scored) {
                    let name = format!("{}. combined", step + 1);
                    let parents: Vec<CandidateId> = all.1;
                    let combined = engine.propose(name, parents, all.0);
                    scored.extend(engine.evaluate_all(&[combined], &batch).await?);
                }
                let drawn: usize = buckets.iter().map(|bucket| bucket.scores().count()).sum();
                pace.took(engine, drawn + scored.len() * batch.len());
                winners.extend(best(&scored));
                pool.add(engine, &scored, &batch);
            }
            let fit = pace.runs_left(engine).map_or(usize::MAX, |runs| runs / engine.val().len().max(1));
            let finalists = spaced(&winners, (self.num_candidates + 1).min(fit));
            engine.stage("judge the winners", finalists.len() * engine.val().len());
            engine.evaluate(&finalists, engine.val()).await?;
            Ok(engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
        })
    }
}

impl SIMBA {
    /// Runs programs of the pool on a batch, several times on each row.
    async fn draw(
        &self,
        engine: &Engine,
        pool: &Pool,
        batch: &[usize],
        step: usize,
        rng: &Rng,
    ) -> Result<Vec<Bucket>, Stop> {
        let mut rng = rng.fork("draw");
        let mut buckets: Vec<Bucket> = batch.iter().map(|row| Bucket::new(*row)).collect();
        let half = self.draws.div_ceil(2);
        for draws in [0..half, half..self.draws] {
            let scores = || buckets.iter().flat_map(Bucket::scores);
            let (low, high) =
                (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
            let solved = |at: usize| high > low && buckets[at].is_always(high);
            let open: Vec<usize> = (0..buckets.len()).filter(|at| !solved(*at)).collect();
            let mut runs = Vec::new();
            for draw in draws {
                for at in &open {
                    let program = pool.sample(self.num_candidates, self.sampling, &mut rng);
                    let number = (step * self.draws + draw + 1) as u64;
                    let mut run =
                        Run::new(engine.parameters(program), buckets[*at].row).draw(number).traced();
                    run.settings = self.teacher.clone().filter(|_| draw == 0);
                    runs.push(run);
                }
            }
            for (i, rollout) in engine.rollouts(runs).await?.into_iter().enumerate() {
                buckets[open[i % open.len()]].add(rollout);
            }
        }
        Ok(buckets)
    }

    /// Makes new programs from the rows whose runs differ most.
    async fn make(
        &self,
        engine: &Engine,
        pool: &Pool,
        buckets: &[Bucket],
        step: usize,
        rng: &Rng,
    ) -> Result<Vec<CandidateId>, Stop> {
        let all: Vec<f64> = buckets.iter().flat_map(Bucket::scores).collect();
        let (low, high) = (percentile(&all, 0.1), percentile(&all, 0.9));
        let mut made = Vec::new();
        for (i, bucket) in buckets.iter().enumerate() {
            if made.len() > self.num_candidates {
                break;
            }
            let mut rng = rng.fork("make").fork_index(i as u64);
            let source = pool.sample(self.num_candidates, self.choosing, &mut rng);
            let mut parameters = Parameters::clone(&engine.parameters(source));
            self.drop_demos(&mut parameters, &mut rng);
            let by_demo = self.max_demos > 0 && rng.below(2) == 0;
            let changed = if by_demo {
                bucket.best().is_some_and(|(run, score)| {
                    score > low && run.add_demos(engine, bucket.row, &mut parameters, &rng)
                })
            } else {
                match bucket.contrast(low, high) {
                    None => false,
                    Some((better, worse)) => {
                        let index = (step * buckets.len() + i) as u64;
                        let contrast = Contrast { row: bucket.row, better, worse };
                        self.adviser.give(engine, &contrast, &mut parameters, index).await?
                    }
                }
            };
            if changed && engine.find(&parameters).is_none() {
                let how = if by_demo { "demo" } else { "advice" };
                made.push(engine.propose(format!("{}.{i} {how}", step + 1), [source], parameters));
            }
        }
        Ok(made)
    }

    /// Makes room for new demonstrations: the more there are, the more are dropped.
    fn drop_demos(&self, parameters: &mut Parameters, rng: &mut Rng) {
        let most = parameters.iter().map(|(_, own)| own.demos.len()).max().unwrap_or(0);
        let limit = if self.max_demos == 0 { 3 } else { self.max_demos };
        let at_least = usize::from(most >= limit);
        let drop = poisson(most as f64 / limit as f64, rng).max(at_least).min(most);
        let places: Vec<usize> = (0..drop).map(|_| rng.below(most)).collect();
        for (_, own) in parameters.iter_mut() {
            let mut at = 0..;
            own.demos.retain(|_| at.next().is_none_or(|at| !places.contains(&at)));
        }
    }
}

/// How many winners the budget has to suffice for at the end.
const JUDGED: usize = 3;

/// What steps take, so that a budget ends the steps and not the judging of their winners.
struct Pace {
    runs: usize,
    began_at: u64,
    /// The calls of the last step.
    last: u64,
    spent: u64,
}

impl Pace {
    fn new(engine: &Engine) -> Self {
        let spent = engine.spent().calls;
        Self { runs: 0, began_at: spent, last: 0, spent }
    }

    /// Takes note of a step with so many runs.
    fn took(&mut self, engine: &Engine, runs: usize) {
        let spent = engine.spent().calls;
        self.last = spent - self.spent;
        self.spent = spent;
        self.runs += runs;
    }

    /// The calls of a run; until there were some, as if each predictor asked once.
    fn per_run(&self, engine: &Engine) -> f64 {
        match self.runs {
            0 => engine.predictors().len().max(1) as f64,
            runs => ((self.spent - self.began_at) as f64 / runs as f64).max(1e-9),
        }
    }

    /// How many runs may still be made, when that is limited.
    fn runs_left(&self, engine: &Engine) -> Option<usize> {
        Some((engine.calls_left()? as f64 / self.per_run(engine)) as usize)
    }

    /// Whether a step like the last one leaves enough for so many runs.
    fn allows(&self, engine: &Engine, runs: usize) -> bool {
        let Some(left) = engine.calls_left() else { return true };
        left as f64 >= self.last as f64 + runs as f64 * self.per_run(engine)
    }
}

/// The programs so far, with the mean of their scores on the batches that they were made from.
struct Pool {
    /// The first is the student. It has no score until it was run on a batch.
    programs: Vec<(CandidateId, Option<f64>)>,
    /// The lowest and the highest score of a row so far: the units of the metric.
    range: Option<(f64, f64)>,
}

impl Pool {
    fn new() -> Self {
        Self { programs: vec![(CandidateId::STUDENT, None)], range: None }
    }

    /// Takes note of scores of rows.
    fn saw(&mut self, scores: impl Iterator<Item = f64>) {
        for score in scores {
            let (low, high) = self.range.unwrap_or((score, score));
            self.range = Some((low.min(score), high.max(score)));
        }
    }

    fn add(&mut self, engine: &Engine, scored: &[Evaluated], batch: &[usize]) {
        // The student is measured where the others are, as far as it was run there.
        if let Some(score) = engine.mean(CandidateId::STUDENT, batch) {
            self.programs[0].1 = Some(score);
        }
        self.programs.extend(
            scored.iter().filter(|found| found.score.is_some()).map(|found| (found.candidate, found.score)),
        );
    }

    /// One of the `k` best and the student, better ones more often: by the exponential of the score over the
    /// temperature, scores being taken relative to the range of the scores of rows. A program that was not scored yet
    /// counts as the worst.
    fn sample(&self, k: usize, temperature: f64, rng: &mut Rng) -> CandidateId {
        let (low, high) = self.range.unwrap_or((0.0, 1.0));
        let range = if high > low { high - low } else { 1.0 };
        let mut best: Vec<(CandidateId, f64)> =
            self.programs.iter().map(|(id, score)| (*id, (score.unwrap_or(low) - low) / range)).collect();
        let student = best[0];
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        best.truncate(k.max(1));
        if !best.iter().any(|(id, _)| *id == CandidateId::STUDENT) {
            best.pop();
            best.push(student);
        }
        let highest = best.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> =
            best.iter().map(|(_, score)| ((score - highest) / temperature).exp()).collect();
        let mut at = rng.unit() * weights.iter().sum::<f64>();
        for ((id, _), weight) in best.iter().zip(weights) {
            at -= weight;
            if at <= 0.0 {
                return *id;
            }
        }
        CandidateId::STUDENT
    }
}

/// The rows in random order, a batch at a time; begun anew when fewer are left than a batch has.
struct Batches {
    order: Vec<usize>,
    at: usize,
    size: usize,
    round: u64,
    rng: Rng,
}

impl Batches {
    fn new(rows: &[usize], size: usize, rng: Rng) -> Self {
        let mut order = rows.to_vec();
        rng.fork_index(0).shuffle(&mut order);
        Self { order, at: 0, size, round: 0, rng }
    }

    fn next(&mut self) -> Vec<usize> {
        if self.at + self.size > self.order.len() {
            self.round += 1;
            self.at = 0;
            self.rng.fork_index(self.round).shuffle(&mut self.order);
        }
        self.at += self.size;
        self.order[self.at - self.size..self.at].to_vec()
    }
}

/// The best of some candidates; of equals, the first.
fn best(scored: &[Evaluated]) -> Option<CandidateId> {
    let score = |found: &Evaluated| found.score.unwrap_or(f64::NEG_INFINITY);
    scored.iter().reduce(|a, b| if score(b) > score(a) { b } else { a }).map(|found| found.candidate)
}

/// At most `n` of the winners, evenly spaced, the first and the last among them.
fn spaced(winners: &[CandidateId], n: usize) -> Vec<CandidateId> {
    let last = winners.len() - 1;
    let n = n.max(2).min(winners.len());
    let mut chosen: Vec<CandidateId> = match n {
        1 => vec![winners[0]],
        n => (0..n).map(|i| winners[i * last / (n - 1)]).collect(),
    };
    chosen.dedup();
    chosen
}

/// A draw from a Poisson distribution (Knuth 1969, "The Art of Computer Programming", volume 2, 3.4.1).
fn poisson(mean: f64, rng: &mut Rng) -> usize {
    let limit = (-mean).exp();
    let (mut n, mut product) = (0, rng.unit());
    while product > limit {
        n += 1;
        product *= rng.unit();
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_row_before_they_begin_anew() {
        let rows: Vec<usize> = (0..10).collect();
        let mut batches = Batches::new(&rows, 5, Rng::new(1));
        let mut seen = [batches.next(), batches.next()].concat();
        seen.sort_unstable();
        assert_eq!(seen, rows);
        assert_eq!(batches.next().len(), 5);
    }

    #[test]
    fn better_programs_are_drawn_more_often_in_any_unit() {
        let drawn = |unit: f64, shift: f64| {
            let mut pool = Pool::new();
            pool.saw([shift, shift + unit].into_iter());
            let better = CandidateId::of_index(1);
            pool.programs =
                vec![(CandidateId::STUDENT, Some(shift + 0.25 * unit)), (better, Some(shift + 0.75 * unit))];
            let mut rng = Rng::new(2);
            (0..500).filter(|_| pool.sample(2, 0.2, &mut rng) == better).count()
        };
        // exp(0.5 / 0.2) times as often.
        let times = drawn(1.0, 0.0);
        assert!((430..490).contains(&times), "{times}");
        assert_eq!((drawn(1024.0, 0.0), drawn(1.0, 8.0)), (times, times));
        let mut rng = Rng::new(3);
        let mean = (0..20_000).map(|_| poisson(1.5, &mut rng)).sum::<usize>() as f64 / 20_000.0;
        assert!((mean - 1.5).abs() < 0.05, "{mean}");
    }

    #[test]
    fn the_first_and_the_last_winner_are_judged() {
        assert_eq!(spaced(&[CandidateId::STUDENT], 5), [CandidateId::STUDENT]);
    }
}
