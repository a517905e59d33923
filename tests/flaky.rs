//! A provider on a bad day: every tenth request goes wrong, each time in another way.
#![allow(clippy::unwrap_used)]

mod model;

use std::{collections::BTreeMap, time::Duration};

use dspy::{
    lm::{Cache, RetryPolicy},
    prelude::*,
};
use model::{Reply, server, server::Server};
use serde_json::Value;

/// Double the number.
#[signature]
struct Double {
    #[input]
    number: u64,
    #[output]
    twice: u64,
}

const ROWS: u64 = 2_000;

fn rows() -> Vec<Double> {
    (0..ROWS).map(|number| Double { number, twice: 2 * number }).collect()
}

/// Doubles the number that it reads in the prompt; every tenth request goes wrong.
async fn provider() -> Server {
    Server::start(|call| {
        let body: Value = call.json();
        let prompt = body["messages"].as_array().and_then(|m| m.last()).map(|m| m["content"].to_string());
        let digits = prompt.iter().flat_map(|p| p.split("\\n")).find_map(|line| line.parse::<u64>().ok());
        let answer =
            format!("[[ ## twice ## ]]\n{}\n\n[[ ## completed ## ]]", 2 * digits.unwrap_or(u64::MAX / 2));
        let good = server::completion(&answer).to_string();
        if call.number % 10 != 9 {
            return Reply::text(200, &good);
        }
        match call.number / 10 % 5 {
            0 => Reply::error(429, "slow down").with_header("retry-after", "0"),
            1 => Reply::error(500, "out of order"),
            2 => Reply::Reset,
            3 => Reply::HalfBody(good.into_bytes()),
            _ => Reply::text(200, &good[..good.len() - 9].replace("choices", "choi\"ces")),
        }
    })
    .await
}

fn program(server: &Server, retries: u32) -> Predict<Double> {
    let policy = RetryPolicy::new().retries(retries).base(Duration::ZERO);
    let lm = LM::builder("openai/flaky").api_base(server.api_base()).cache(Cache::off()).retry(policy);
    Predict::new().lm(lm.build().unwrap())
}

fn correct(row: &Double, output: &DoubleOutput) -> bool {
    row.twice == output.twice
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_retries_no_row_is_lost() {
    let server = provider().await;
    let rows = rows();
    let result = dspy::Evaluate::new(&rows, correct).concurrency(64).progress(false);
    let result = result.run(&program(&server, 30)).await.unwrap();
    assert_eq!((result.score, result.rows.len(), result.failures().count()), (1.0, rows.len(), 0));
    for (i, row) in result.rows.iter().enumerate() {
        assert_eq!((row.index, row.example.number), (i, i as u64));
        assert_eq!(row.prediction.as_ref().map(|p| p.twice), Some(2 * i as u64));
    }
    // A tenth of all requests failed, so that this many were needed; only answers are paid for.
    assert_eq!(server.count(), (ROWS as usize - 1) * 10 / 9 + 1);
    assert_eq!(result.usage.total().calls, ROWS);
}

/// Evaluates and compiles where no answer can be kept, in a process of its own.
#[tokio::test]
async fn in_a_process_without_a_cache() {
    let Ok(folder) = std::env::var("DSPY_TEST_FOLDER") else { return };
    let server = Server::start(|call| {
        let prompt = call.json()["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
        let number = prompt.split("\\n").find_map(|line| line.parse::<u64>().ok()).unwrap();
        Reply::completion(&format!("[[ ## twice ## ]]\n{}\n\n[[ ## completed ## ]]", 2 * number))
    })
    .await;
    let lm = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::disk(folder)).build().unwrap();
    let program = Predict::<Double>::new().lm(lm);
    let rows = &rows()[..20];
    let evaluation = dspy::Evaluate::new(rows, correct).progress(false).run(&program).await.unwrap();
    let lost = "answers could not be kept on disk";
    assert!(evaluation.to_string().contains(&format!("20 {lost}")), "{evaluation}");
    let search = BootstrapFewShotWithRandomSearch::new().num_candidates(2).progress(false);
    let compiled = search.compile(program, rows, correct).await.unwrap();
    assert!(compiled.to_string().contains("could not be kept"), "{compiled}");
}

#[test]
fn a_cache_that_cannot_be_used_is_said_in_the_results_and_once_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "no folder").unwrap();
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_a_process_without_a_cache", "--nocapture"])
        .env("DSPY_TEST_FOLDER", blocked.join("below"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("dspy: ")).collect();
    assert!(lines.len() == 1 && lines[0].contains("cannot be used"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_retries_every_failure_is_named() {
    let server = provider().await;
    let rows = rows();
    let result = dspy::Evaluate::new(&rows, correct).concurrency(64).progress(false);
    let result = result.run(&program(&server, 0)).await.unwrap();
    assert_eq!((result.rows.len(), server.count()), (rows.len(), rows.len()));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (row, failure) in result.failures() {
        assert!(row.prediction.is_none() && failure.is_infrastructure());
        let Error::Lm(error) = failure.error() else { panic!("{failure}") };
        assert_eq!((error.attempts, error.model.as_str()), (1, "openai/flaky"));
        let name = match error.status {
            Some(status) => format!("{} {status}", error.kind),
            None => error.kind.to_string(),
        };
        *kinds.entry(name).or_default() += 1;
        assert!(!error.message.is_empty());
    }
    let expected = [("invalid_response", 40), ("rate_limit 429", 40), ("server 500", 40), ("transport", 80)];
    assert_eq!(kinds, expected.map(|(kind, n)| (kind.to_owned(), n)).into());
    let answered = rows.len() - 200;
    assert_eq!(result.score, answered as f64 / rows.len() as f64);
    assert_eq!(result.score_of_answered(), Some(1.0));
    assert_eq!(result.usage.total().calls, answered as u64);
}

/// The credit of the account is used up at some point, or the key is wrong from the beginning.
async fn without_credit(answered: usize, refusal: &'static str) -> Server {
    Server::start(move |call| {
        if call.number >= answered {
            return Reply::text(if refusal.contains("quota") { 429 } else { 401 }, refusal);
        }
        let prompt = call.json()["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
        let number = prompt.split("\\n").find_map(|line| line.parse::<u64>().ok()).unwrap();
        Reply::completion(&format!("[[ ## twice ## ]]\n{}\n\n[[ ## completed ## ]]", 2 * number))
    })
    .await
}

const NO_CREDIT: &str =
    r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}"#;
const NO_KEY: &str = r#"{"error":{"code":"invalid_api_key","message":"Incorrect API key"}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credit_or_key_work_ends_early() {
    for (answered, refusal, kind) in [(0, NO_CREDIT, "quota"), (300, NO_CREDIT, "quota"), (0, NO_KEY, "auth")]
    {
        let server = without_credit(answered, refusal).await;
        let rows = rows();
        let evaluation = dspy::Evaluate::new(&rows, correct).concurrency(16).progress(false);
        let error = evaluation.run(&program(&server, 4)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(server.count() < answered + 60, "{} requests", server.count());

        let asked = server.count();
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(4).progress(false);
        let error = search.compile(program(&server, 4), &rows[..200], correct).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(server.count() < asked + 60, "{} requests more", server.count() - asked);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compile_says_which_scores_lack_rows() {
    // Of the first thirty rows, every fifth is never answered.
    let server = Server::start(|call| {
        let prompt = call.json()["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
        let number = prompt.split("\\n").find_map(|line| line.parse::<u64>().ok()).unwrap();
        if number % 5 == 4 {
            return Reply::error(500, "out of order");
        }
        Reply::completion(&format!("[[ ## twice ## ]]\n{}\n\n[[ ## completed ## ]]", 2 * number))
    })
    .await;
    let search = BootstrapFewShotWithRandomSearch::new().num_candidates(2).max_errors(None).progress(false);
    let compiled = search.compile(program(&server, 0), &rows()[..30], correct).await.unwrap();
    assert!(compiled.report.candidates.iter().all(|c| c.unanswered == 6 && c.score == Some(1.0)));
    assert!(compiled.to_string().contains("6 without a score"), "{compiled}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program.json");
    compiled.save(&path).unwrap();
    let saved: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let origin = saved["metadata"].to_string();
    assert!(origin.contains("\"unanswered_rows\":{") && origin.contains(":6"), "{origin}");
}
