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

/// A budget of the user's own around an evaluation and a compile.
#[tokio::test]
async fn a_budget_around_an_evaluation_or_a_compile_ends_it_and_is_said() {
    use dspy::lm::Budget;
    let devset = rows(0..60);
    for (limit, reached) in [(0, true), (25, true), (60, false)] {
        let (_server, answered, lm) = fresh().await;
        let scope = |c: dspy::context::Settings| c.lm(lm).budget(Budget::calls(limit));
        let evaluation = with(scope, async {
            // The inner scope has more to spend than the outer one.
            let evaluate = dspy::Evaluate::new(&devset, right).concurrency(8).progress(false);
            let program = Predict::<Sort>::new();
            with(|c| c.budget(Budget::calls(1000)), evaluate.run(&program)).await
        })
        .await;
        assert_eq!(answered.received() as u64, limit);
        match reached {
            false => assert_eq!(evaluation.unwrap().failures().count(), 0),
            true => match evaluation {
                Ok(evaluation) => {
                    assert_eq!(evaluation.rows.len() - evaluation.failures().count(), limit as usize);
                    let shown = evaluation.to_string();
                    assert!(shown.contains(&format!("the budget of {limit} calls")), "{shown}");
                }
                Err(error) => {
                    assert!(error.to_string().contains(&format!("the budget of {limit} calls")), "{error}");
                }
            },
        }
    }
    let (_server, answered, lm) = fresh().await;
    let compiled = with(move |c| c.lm(lm).budget(Budget::calls(50)), async {
        let (train, val) = (rows(0..20), rows(100..120));
        COPRO::new().breadth(4).depth(2).compile(Predict::<Sort>::new(), (&train, &val), right).await
    })
    .await
    .unwrap();
    assert!(answered.received() <= 50, "{}", answered.received());
    let shown = compiled.to_string();
    assert!(shown.contains("50 calls"), "{shown}");
}

fn costly(server: &Server, name: &str) -> LM {
    LM::builder(format!("openai/{name}"))
        .api_base(server.api_base())
        .cache(Cache::off())
        .retries(0)
        .build()
        .unwrap()
}

/// Several answers that are several requests are as many calls.
#[tokio::test]
async fn answers_that_are_asked_for_one_by_one_are_counted_one_by_one() {
    let server = Server::start(|_| {
        let answer = serde_json::json!({"content": [{"type": "text", "text": "[[ ## topic ## ]]\nbilling"}],
            "usage": {"input_tokens": 10, "output_tokens": 5}, "stop_reason": "end_turn"});
        server_reply(&answer)
    })
    .await;
    let single =
        LM::builder("anthropic/claude-x").api_base(server.api_base()).cache(Cache::off()).n(4).build();
    let single = single.unwrap();
    for lm in [single.clone(), LM::fallback([single]).unwrap().with_options(&dspy::lm::Options::new().n(4))] {
        let asked = server.count();
        let program = Predict::<Sort>::new().lm(lm);
        let scope = dspy::context::Settings::budget;
        let (first, second, third) = with(|c| scope(c, Budget::calls(9)), async {
            let mut ask = rows(0..3).into_iter().map(|row| program.call(row.input()));
            (ask.next().unwrap().await, ask.next().unwrap().await, ask.next().unwrap().await)
        })
        .await;
        assert_eq!(first.unwrap().response().unwrap().choices.len(), 4);
        assert!(second.is_ok());
        let error = third.unwrap_err().to_string();
        assert!(error.contains("9 calls") && error.contains("4"), "{error}");
        assert_eq!(server.count() - asked, 8);
    }
}

fn server_reply(body: &serde_json::Value) -> scripted::server::Reply {
    scripted::server::Reply::json(200, body)
}

/// Who stands in for another is paid at its own price.
#[tokio::test]
async fn a_budget_in_dollars_knows_which_of_several_models_answered() {
    use dspy::lm::Price;
    let good = Server::start(|_| scripted::server::Reply::completion("[[ ## topic ## ]]\nbilling")).await;
    let bad = Server::start(|_| scripted::server::Reply::error(400, "no")).await;
    let lm = LM::fallback([costly(&bad, "dear"), costly(&good, "cheap")]).unwrap();
    let program = Predict::<Sort>::new().lm(lm);
    let ask = |budget: Budget| {
        let program = &program;
        with(move |c| c.budget(budget), async move {
            let mut answered = Vec::new();
            for row in rows(0..4) {
                answered.push(program.call(row.input()).await);
            }
            answered
        })
    };
    let unknown = ask(Budget::usd(1.0)).await.remove(0).unwrap_err().to_string();
    assert!(unknown.contains("openai/dear"), "{unknown}");
    let prices = Budget::usd(1.0)
        .price("openai/dear", Price::per_million(100.0, 100.0))
        .price("openai/cheap", Price::per_million(1.0, 1.0));
    let answered = ask(prices).await;
    for one in &answered {
        let usage = one.as_ref().unwrap().usage();
        let by: Vec<_> =
            usage.by_model().map(|(model, usage)| (model.to_owned(), usage.total_tokens())).collect();
        assert_eq!(by, [("openai/cheap".to_owned(), 10)]);
    }
}
