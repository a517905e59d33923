//! Optimizers that ask a model for words: failures of proposals, tasks that are no programs, racing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod scripted;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use dspy::{
    data::Rng,
    lm::{BoxFuture, Cache},
    optimize::{
        CandidateId, Engine, Parameters, PredictorInfo, PredictorParameters, Rollout, Rows, SearchOptions,
        Stop, Task,
    },
    prelude::*,
};
use scripted::{Sort, WORDS, model, right, rows, server::Reply};
use serde_json::{Map, Value};

/// A text elsewhere: how many of the words that a row wants it holds.
struct Rubric {
    predictors: Vec<PredictorInfo>,
    rollouts: Arc<AtomicUsize>,
}

impl Rubric {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let rollouts = Arc::new(AtomicUsize::new(0));
        let predictors = vec![PredictorInfo::text("rubric", "Sort the message.")];
        (Self { predictors, rollouts: rollouts.clone() }, rollouts)
    }
}

impl Task for Rubric {
    fn predictors(&self) -> &[PredictorInfo] {
        &self.predictors
    }

    fn parameters(&self) -> Parameters {
        Parameters::new([("rubric", PredictorParameters::new("Sort the message."))])
    }

    fn rows(&self) -> usize {
        WORDS.len()
    }

    fn record(&self, row: usize) -> Result<Map<String, Value>> {
        Ok(Map::from_iter([("wants".to_owned(), WORDS[row % WORDS.len()].into())]))
    }

    fn rollout<'a>(&'a self, parameters: &'a Arc<Parameters>, row: usize, _: bool) -> BoxFuture<'a, Rollout> {
        self.rollouts.fetch_add(1, Ordering::SeqCst);
        let has = |own: &PredictorParameters| own.instructions.contains(WORDS[row % WORDS.len()]);
        let score = f64::from(u8::from(parameters.get("rubric").is_some_and(has)));
        Box::pin(async move { Rollout::scored(score) })
    }
}

#[tokio::test]
async fn a_text_that_is_no_program_is_improved() {
    let (server, answered) = scripted::start(|_| None).await;
    let lm = model(server.api_base(), Cache::memory(1000));
    let (task, rollouts) = Rubric::new();
    let rows = Rows::new((0..WORDS.len()).collect());
    let found = with(move |c| c.lm(lm), async { COPRO::new().optimize(task, rows).await });
    let (parameters, report) = found.await.unwrap();
    let text = &parameters.get("rubric").unwrap().instructions;
    assert_eq!(report.val.before, Some(0.0));
    assert_eq!(report.val.after, Some(2.0 / 6.0), "two different words are the most that is written: {text}");
    assert_eq!(answered.different(), 9 + 10 + 10);
    assert!(rollouts.load(Ordering::SeqCst) <= 30 * WORDS.len());
}

#[tokio::test]
async fn a_proposal_that_fails_costs_itself_alone() {
    // Every other request for an instruction fails, and some rows do.
    let (server, _) = scripted::start(|call| {
        let asks_for_words = String::from_utf8_lossy(&call.body).contains("better_instruction");
        (asks_for_words && call.number.is_multiple_of(2)).then(|| Reply::error(500, "ill"))
    })
    .await;
    let lm = model(server.api_base(), Cache::memory(1000));
    let (train, val) = (rows(0..20), rows(100..120));
    let failures = Arc::new(AtomicUsize::new(0));
    let heard = failures.clone();
    let optimizer = COPRO::new().breadth(6).depth(2).on_event(move |event| {
        let failed = matches!(event, dspy::optimize::Event::Proposal { error: Some(_), .. });
        heard.fetch_add(usize::from(failed), Ordering::SeqCst);
    });
    let compiled = with(move |c| c.lm(lm), async {
        optimizer.compile(Predict::<Sort>::new(), (&train, &val), right).await
    });
    let report = compiled.await.unwrap().report;
    assert!(report.val.after > report.val.before && report.candidates.len() > 3, "{report}");
    assert!(failures.load(Ordering::SeqCst) > 2);
}

#[tokio::test]
async fn examples_are_dropped_until_they_fit_into_the_context_window() {
    let (server, answered) = scripted::start(|call| {
        let text = String::from_utf8_lossy(&call.body);
        let too_long = text.contains("`rules`") && text.matches("message: case ").count() > 12;
        let error = serde_json::json!({"error": {
            "message": "This model's maximum context length is 100 tokens.", "type": "invalid_request_error",
            "code": "context_length_exceeded"}});
        too_long.then(|| Reply::json(400, &error))
    })
    .await;
    let lm = model(server.api_base(), Cache::memory(1000));
    let (train, val) = (rows(0..40), rows(100..120));
    let compiled = with(move |c| c.lm(lm), async {
        let optimizer = InferRules::new().num_candidates(3).max_bootstrapped_demos(0).max_labeled_demos(0);
        optimizer.compile(Predict::<Sort>::new(), (&train, &val), right).await
    });
    let compiled = compiled.await.unwrap();
    let report = &compiled.report;
    assert_eq!(report.candidates.iter().filter(|c| c.name.starts_with("rules")).count(), 3, "{report}");
    assert!(report.notes.iter().any(|note| note.contains("only 12 of 40 examples")), "{report}");
    // 40, 30, 22, 16 and 12 of the first candidate; the others begin with what fitted.
    let refused = answered.received() - answered.total();
    assert_eq!(refused, 4);
    let instructions = compiled.program.predictor().instructions();
    assert!(report.val.after == report.val.before || instructions.contains("Keep to these rules:\n1. Read"));
}

/// Candidates of known merits on rows of their own difficulty.
struct Race {
    predictors: Vec<PredictorInfo>,
    rollouts: Arc<AtomicUsize>,
    seed: u64,
    rows: usize,
}

impl Task for Race {
    fn predictors(&self) -> &[PredictorInfo] {
        &self.predictors
    }

    fn parameters(&self) -> Parameters {
        Parameters::new([("merit", PredictorParameters::new("0.3"))])
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn record(&self, row: usize) -> Result<Map<String, Value>> {
        Ok(Map::from_iter([("row".to_owned(), row.into())]))
    }

    fn rollout<'a>(&'a self, parameters: &'a Arc<Parameters>, row: usize, _: bool) -> BoxFuture<'a, Rollout> {
        self.rollouts.fetch_add(1, Ordering::SeqCst);
        let text = &parameters.get("merit").unwrap().instructions;
        let merit: f64 = text.parse().unwrap();
        // Partly the row's own difficulty, partly the candidate's luck.
        let (mut row_luck, mut own) = (
            Rng::new(self.seed).fork_index(row as u64),
            Rng::new(self.seed).fork(text).fork_index(row as u64),
        );
        let luck = if own.below(2) == 0 { row_luck.unit() } else { own.unit() };
        let score = f64::from(u8::from(luck < merit));
        Box::pin(async move { Rollout::scored(score) })
    }
}

/// Takes the best of the candidates that there are.
struct TryAll(SearchOptions);

impl Optimizer for TryAll {
    fn name(&self) -> &'static str {
        "TryAll"
    }

    fn options(&self) -> SearchOptions {
        self.0.clone()
    }

    async fn search(&self, engine: &Engine) -> std::result::Result<CandidateId, Stop> {
        let student = engine.parameters(CandidateId::STUDENT);
        let merits = ["0.30", "0.35", "0.42", "0.50", "0.51", "0.55", "0.58", "0.60", "0.66", "0.80"];
        let propose = |merit: &&str| {
            let parameters = (*student).clone().with_instructions("merit", *merit);
            engine.propose(*merit, [CandidateId::STUDENT], parameters)
        };
        let candidates: Vec<CandidateId> = merits.iter().map(propose).collect();
        engine.evaluate(&candidates, engine.val()).await?;
        Ok(engine.best().map_or(CandidateId::STUDENT, |(best, _)| best))
    }
}

#[tokio::test]
async fn racing_finds_the_same_winner_with_fewer_runs() {
    let (mut same, mut spent) = (0, [0, 0]);
    let seeds = 20;
    for seed in 0..seeds {
        let mut winners = Vec::new();
        for (i, racing) in [None, Some(0.05)].into_iter().enumerate() {
            let rollouts = Arc::new(AtomicUsize::new(0));
            let task = Race {
                predictors: vec![PredictorInfo::text("merit", "0.3")],
                rollouts: rollouts.clone(),
                seed,
                rows: 300,
            };
            let mut options = SearchOptions::default();
            options.racing = racing;
            let found = TryAll(options).optimize(task, Rows::new((0..300).collect())).await.unwrap();
            winners.push(found.0.get("merit").unwrap().instructions.clone());
            spent[i] += rollouts.load(Ordering::SeqCst);
        }
        same += usize::from(winners[0] == winners[1]);
    }
    assert_eq!(same, seeds as usize, "racing lost a winner that is far ahead");
    assert!(2 * spent[1] < spent[0], "{} runs instead of {}", spent[1], spent[0]);
}
