//! Searches: which candidate is taken, by which seed, and when it is enough.

use std::sync::atomic::Ordering;

use dspy::{optimize::SIMBA, prelude::*};
use serde_json::Value;

use crate::tickets::{Sort, TwoSteps, dev, model, right, score, server, tempfile, train};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_seed_gives_the_same_program() {
    let train = &train()[..24];
    let mut results = Vec::new();
    for (seed, concurrency, salt) in [(7, 1, None), (7, 16, Some(1)), (7, 5, Some(2)), (8, 16, None)] {
        let (server, seen) = server(salt);
        let optimizer =
            BootstrapFewShotWithRandomSearch::new().num_candidates(5).seed(seed).concurrency(concurrency);
        let compiled = dspy::with(|c| c.lm(model(&server, "demo")), async {
            optimizer.compile(TwoSteps::new(), train, right).await.unwrap()
        })
        .await;
        let file = tempfile();
        compiled.save(&file).unwrap();
        let saved = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let scores: Vec<_> =
            compiled.report.candidates.iter().map(|c| (c.name.clone(), c.scores.clone())).collect();
        let requests: Vec<Vec<u8>> = seen.answered.lock().unwrap().keys().cloned().collect();
        assert!(seen.spoiled.lock().unwrap().is_empty());
        results.push((saved, scores, requests));
    }
    assert!(results[0] == results[1] && results[1] == results[2]);
    assert_ne!(results[0].0, results[3].0);
}

#[tokio::test]
async fn the_search_takes_the_best_candidate_and_saves_where_it_comes_from() {
    let (server, seen) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let optimizer =
            BootstrapFewShotWithRandomSearch::new().num_candidates(4).max_labeled_demos(20).seed(3);
        // All candidates are run on all rows.
        let optimizer = optimizer.racing(None);
        let compiled = optimizer.compile(Predict::<Sort>::new(), (&train, &dev), right).await.unwrap();
        let names: Vec<&str> = compiled.report.candidates.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            ["student", "labels only", "in order", "random 0", "spread 1", "random 2", "spread 3"]
        );
        let best = compiled.report.ranking()[0];
        assert_eq!(
            (best.score, compiled.candidate(best.id).unwrap().to_json().unwrap()),
            (compiled.score(), compiled.program.to_json().unwrap())
        );
        let judged = &compiled.report.candidates;
        assert!(judged.iter().all(|c| c.score <= compiled.score() && c.scores.len() == dev.len()));
        assert!(compiled.score() > judged[0].score);
        // What it was chosen by is what an evaluation finds: no validation row is one of the training rows.
        assert_eq!(Some(score(&compiled.program, &dev).await), compiled.score());

        let file = tempfile();
        compiled.save(&file).unwrap();
        let saved: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let record = &saved["metadata"]["dspy_rs"];
        assert_eq!(record["optimizer"], "BootstrapFewShotWithRandomSearch");
        assert_eq!(record["score"].as_f64(), compiled.score());
        assert_eq!(record["scores"]["student"].as_f64(), compiled.report.candidates[0].score);
        let loaded = Predict::<Sort>::new().load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(loaded.to_json().unwrap(), compiled.program.to_json().unwrap());
        let asked = seen.requests.load(Ordering::SeqCst);
        assert_eq!(Some(score(&loaded, &dev).await), compiled.score());
        assert_eq!(seen.requests.load(Ordering::SeqCst), asked, "the loaded program asks the same");

        let shown = compiled.to_string();
        assert!(shown.contains("labels only") && shown.contains("the teacher ran on"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn a_search_stops_at_a_score_that_is_good_enough() {
    let (server, _) = server(None);
    let train = train();
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(2).concurrency(32).racing(None);
        let all = search.clone().compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        assert_eq!(all.report.candidates.len(), 5);
        let enough = all.report.candidates[1].score.unwrap();
        let some = search.stop_at_score(enough).compile(Predict::<Sort>::new(), &train, right).await.unwrap();
        let scored = some.report.candidates.iter().filter(|c| c.score.is_some()).count();
        assert_eq!((scored, some.score()), (2, Some(enough)));
    })
    .await;
}

#[tokio::test]
async fn simba_learns_from_good_runs() {
    let (server, _) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let simba =
            SIMBA::new().batch_size(16).max_steps(3).num_candidates(3).draws(3).seed(4).progress(false);
        // The model knows nothing without demonstrations.
        let program = LabeledFewShot::new().k(4).seed(1).apply(Predict::<Sort>::new(), &train).unwrap();
        let before = score(&program, &dev).await;
        let compiled = simba.clone().compile(program.clone(), (&train, &dev), right).await.unwrap();
        assert!(compiled.score().unwrap() >= before && compiled.report.candidates.len() > 3, "{compiled}");
        let again =
            simba.clone().concurrency(3).compile(program.clone(), (&train, &dev), right).await.unwrap();
        assert_eq!(again.program.to_json().unwrap(), compiled.program.to_json().unwrap());
        assert_eq!(program.predictor().demos().len(), 4);
        let error = simba.compile(program, &train[..5], right).await.unwrap_err();
        assert!(error.to_string().contains("`batch_size`"), "{error}");
    })
    .await;
}
