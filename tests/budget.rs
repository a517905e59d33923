//! Budgets hold to the call, and a compile that reaches one ends with the best program so far.
#![allow(clippy::unwrap_used, clippy::panic)]

mod scripted;

use std::sync::Arc;

use dspy::{
    lm::{Budget, Cache},
    optimize::{CandidateId, CandidateReport, Report},
    prelude::*,
};
use scripted::{Answered, Sort, SortOutput, model, right, rows, server::Server};

async fn fresh() -> (Server, Arc<Answered>, LM) {
    let (server, answered) = scripted::start(|_| None).await;
    let lm = model(server.api_base(), Cache::memory(10_000));
    (server, answered, lm)
}

/// Compiles with an optimizer by name; the report, and the program's instruction and number of demonstrations.
async fn compile(
    name: &str,
    lm: LM,
    budget: Budget,
    concurrency: usize,
    metric: impl Fn(&Sort, &SortOutput) -> f64 + Send + Sync + 'static,
) -> (Report, Predict<Sort>) {
    let (train, val) = (rows(0..20), rows(100..120));
    let program = Predict::<Sort>::new();
    with(move |c| c.lm(lm), async {
        macro_rules! compile {
            ($optimizer:expr) => {{
                let optimizer = $optimizer.budget(budget).concurrency(concurrency);
                let compiled = optimizer.compile(program, (&train, &val), metric).await.unwrap();
                (compiled.report, compiled.program)
            }};
        }
        match name {
            "copro" => compile!(COPRO::new().breadth(4).depth(2)),
            "inferrules" => compile!(InferRules::new().num_candidates(4)),
            "random search" => compile!(BootstrapFewShotWithRandomSearch::new().num_candidates(4)),
            other => panic!("{other}"),
        }
    })
    .await
}

const NAMES: [&str; 3] = ["copro", "inferrules", "random search"];

fn judged(gold: &Sort, found: &SortOutput) -> f64 {
    f64::from(u8::from(right(gold, found)))
}

#[tokio::test]
async fn no_call_is_made_beyond_the_budget_and_the_report_says_that_it_ended_early() {
    for name in NAMES {
        let (_server, answered, lm) = fresh().await;
        let (whole, _) = compile(name, lm, Budget::unlimited(), 16, judged).await;
        assert!(whole.ended_early.is_none() && whole.val.after >= whole.val.before.or(Some(0.1)), "{name}");
        let needed = answered.received();
        for limit in [0, 1, 7, 25, needed / 2, needed - 1] {
            let mut results = Vec::new();
            for concurrency in [1, 5, 64] {
                let (_server, answered, lm) = fresh().await;
                let (report, program) =
                    compile(name, lm, Budget::calls(limit as u64), concurrency, judged).await;
                assert!(answered.received() <= limit, "{name}: {} calls of {limit}", answered.received());
                assert_eq!(report.spent.calls as usize, answered.received(), "{name} {limit} {concurrency}");
                let why = report.ended_early.as_deref().unwrap_or_default();
                assert!(why.contains(&format!("{limit} calls")), "{name}: {why}");
                // The best of those that were run on all validation rows; without one, the student.
                let complete = report.candidates.iter().filter(|c| c.complete);
                let best = complete.filter_map(|c| c.score).fold(f64::NEG_INFINITY, f64::max);
                match report.candidates[report.chosen.index()].complete {
                    true => assert_eq!(report.val.after, Some(best), "{name} {limit}"),
                    false => assert_eq!(report.chosen, CandidateId::STUDENT, "{name} {limit}"),
                }
                if name == "random search" {
                    // At most one candidate is left half done.
                    let scored = |c: &&CandidateReport| c.score.is_some();
                    let begun = (limit.saturating_sub(20)) / 20;
                    assert!(report.candidates.iter().filter(scored).count() >= begun, "{limit} {report}");
                }
                results.push(program.to_json().unwrap());
            }
            assert!(
                results.iter().all(|r| *r == results[0]),
                "{name} {limit}: concurrency changed the program"
            );
        }
        let (_server, answered, lm) = fresh().await;
        let (report, _) = compile(name, lm, Budget::calls(needed as u64), 16, judged).await;
        assert!(
            report.ended_early.is_none() && answered.received() == needed,
            "{name}: exactly enough is enough"
        );
    }
}

#[tokio::test]
async fn a_metric_that_says_the_same_of_all_does_no_harm() {
    for name in NAMES {
        let (_server, _, lm) = fresh().await;
        let (report, _) = compile(name, lm, Budget::unlimited(), 16, |_, _| 0.5).await;
        assert_eq!(report.val.after, Some(0.5), "{name}");
        // The first of equals: what the optimizer starts from.
        assert_eq!(
            report.candidates.iter().find(|c| c.complete).map(|c| c.id),
            Some(report.chosen),
            "{name}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_searched_is_refused_before_the_first_call() {
    let (train, none): (Vec<Sort>, Vec<Sort>) = (rows(0..1), Vec::new());
    let (_server, answered, lm) = fresh().await;
    let refused = |result: Result<Compiled<Predict<Sort>>>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    with(move |c| c.lm(lm), async {
        let program = Predict::<Sort>::new;
        refused(COPRO::new().breadth(1).compile(program(), &train, right).await, "breadth of 1");
        refused(COPRO::new().breadth(0).compile(program(), &train, right).await, "breadth of 0");
        refused(COPRO::new().depth(0).compile(program(), &train, right).await, "depth of 0");
        refused(COPRO::new().init_temperature(-1.0).compile(program(), &train, right).await, "-1");
        let blind = COPRO::new().examples(0).init_temperature(0.0);
        refused(blind.compile(program(), &train, right).await, "the same");
        refused(COPRO::new().compile(program(), (&train, &none), right).await, "validation rows");
        refused(InferRules::new().compile(program(), &train, right).await, "one row");
        refused(InferRules::new().num_rules(0).compile(program(), (&train, &train), right).await, "0 rules");
        let empty = InferRules::new().num_candidates(0);
        refused(empty.compile(program(), (&train, &train), right).await, "0 candidates");
    })
    .await;
    assert_eq!(answered.received(), 0);
}
