//! What a compile tells: its plan, its events, its report.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "../examples/support/mod.rs"]
mod support;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use dspy::{
    lm::{Budget, Cache},
    optimize::{CandidateId, Event, Report},
    prelude::*,
};
use serde_json::Value;
use support::{demo_model, http};

/// Sort the message by what it is about.
#[signature]
struct Sort {
    #[input]
    message: String,
    #[output]
    topic: String,
}

fn right(gold: &Sort, found: &SortOutput) -> bool {
    gold.topic == found.topic
}

fn rows(name: &str) -> Vec<Sort> {
    dspy::data::jsonl(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)).unwrap()
}

fn model(server: &http::Server) -> LM {
    let lm = LM::builder("openai/demo").api_base(server.api_base()).api_key("k");
    lm.cache(Cache::memory(100_000)).retries(0).build().unwrap()
}

fn optimizer() -> BootstrapFewShotWithRandomSearch {
    BootstrapFewShotWithRandomSearch::new().num_candidates(4).seed(3).racing(None).progress(false)
}

async fn compiled(optimizer: BootstrapFewShotWithRandomSearch) -> Compiled<Predict<Sort>> {
    let server = http::Server::start(demo_model::answer).unwrap();
    let (train, dev) = (rows("tickets-train.jsonl"), rows("tickets-dev.jsonl"));
    let (val, test) = dev.split_at(20);
    let data = (&train[..], val, test);
    dspy::with(|c| c.lm(model(&server)), optimizer.compile(Predict::<Sort>::new(), data, right))
        .await
        .unwrap()
}

#[tokio::test]
async fn events_tell_the_compile_and_the_log_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("deep/events.jsonl");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let compiled = compiled(
        optimizer()
            .log(&log)
            .on_event(move |event| told.lock().unwrap().push(serde_json::to_value(event).unwrap())),
    )
    .await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let logged = std::fs::read_to_string(&log).unwrap();
    let logged: Vec<Value> = logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(logged, seen);
    let count = |name: &str| seen.iter().filter(|event| event["event"] == name).count();
    assert_eq!(seen[0]["event"], "started");
    assert_eq!(
        (seen[0]["train"].as_u64(), seen[0]["val"].as_u64(), seen[0]["test"].as_u64()),
        (Some(60), Some(20), Some(20))
    );
    assert_eq!(seen.last().unwrap()["event"], "finished");
    // The student, which has no demonstrations, labels, in order, and four random ones.
    assert_eq!((count("proposed"), count("finished")), (7, 1));
    let scored = seen.iter().filter(|event| event["event"] == "row" && !event["candidate"].is_null()).count();
    assert_eq!(scored, 7 * 20 + 2 * 20);
    let best = seen.iter().rfind(|event| event["event"] == "best").unwrap();
    assert_eq!(best["score"].as_f64(), compiled.score());
}

#[tokio::test]
async fn the_report_compares_on_rows_that_no_choice_was_made_by() {
    let compiled = compiled(optimizer()).await;
    let report = &compiled.report;
    let test = report.test.as_ref().unwrap();
    assert_eq!((test.rows, report.val.rows), (20, 20));
    let [gain, low, high] = test.gain.unwrap();
    assert!(
        low <= gain && gain <= high && (gain - (test.after.unwrap() - test.before.unwrap())).abs() < 1e-9
    );
    let (won, lost) = report.changed_rows.iter().fold((0, 0), |(won, lost), row| {
        (won + i32::from(row.after > row.before), lost + i32::from(row.after < row.before))
    });
    assert!((f64::from(won - lost) / 20.0 - gain).abs() < 1e-9);
    assert!(
        report
            .changed_rows
            .iter()
            .all(|row| row.record.contains_key("message") && row.after_output.is_some())
    );
    assert_eq!(report.candidates[0].id, CandidateId::STUDENT);
    assert!(report.progress.is_sorted_by(|a, b| a.calls <= b.calls && a.best <= b.best));
    assert_eq!(report.spent.calls, report.usage.total().calls);
    let shown = compiled.to_string();
    assert!(shown.contains("held-out rows:") && shown.contains("[+") | shown.contains("[-"), "{shown}");

    let plan = optimizer()
        .plan(&Predict::<Sort>::new(), (&rows("tickets-train.jsonl"), &rows("tickets-dev.jsonl")))
        .unwrap();
    assert_eq!(plan.calls().at_most, 60 + 7 * 40);
    assert!(plan.to_string().contains("evaluate") && plan.tokens().at_most > plan.tokens().expected);
}

#[tokio::test]
async fn a_budget_ends_a_compile_with_the_best_that_was_confirmed() {
    for calls in [0, 10, 24, 60, 110] {
        let compiled = compiled(optimizer().budget(Budget::calls(calls)).concurrency(7)).await;
        let report = &compiled.report;
        assert!(
            report.spent.calls <= calls && report.usage.total().calls <= calls,
            "{calls}: {:?}",
            report.spent
        );
        assert!(report.ended_early.as_ref().unwrap().contains(&format!("{calls} calls")), "{report}");
        let best = report
            .candidates
            .iter()
            .filter(|c| c.complete)
            .max_by(|a, b| a.score.partial_cmp(&b.score).unwrap().then(b.id.cmp(&a.id)));
        assert_eq!(report.chosen, best.map_or(CandidateId::STUDENT, |best| best.id));
    }
}

#[tokio::test]
async fn the_page_is_drawn_by_a_browser() {
    let Some(browser) = browser() else {
        eprintln!("skipped: no browser; set DSPY_BROWSER, or install chromium");
        return;
    };
    let compiled = compiled(optimizer()).await;
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    compiled.report.save_html(&page).unwrap();
    let text = std::fs::read_to_string(&page).unwrap();
    // The name of SVG is no address that anybody asks.
    let addresses = text.replace("http://www.w3.org/2000/svg", "");
    assert!(!addresses.contains("http://") && !addresses.contains("https://"), "the page asks nobody");
    for scheme in ["0", "1"] {
        let drawn = drawn(&browser, &page, folder.path(), scheme);
        assert!(drawn.contains("<h1 id=\"title\">BootstrapFewShotWithRandomSearch</h1>"), "{drawn}");
        assert_eq!(drawn.matches("class=\"node").count(), compiled.report.candidates.len());
        assert_eq!(drawn.matches("class=\"dot").count(), compiled.report.progress.len());
        assert!(drawn.contains("class=\"best\"") && drawn.contains("demonstrations"), "{drawn}");
        assert!(!drawn.contains("undefined") && !drawn.contains("NaN"), "{drawn}");
    }
}

#[test]
fn what_a_report_holds_cannot_end_its_script() {
    let hostile = "</script><b>";
    let report: &Report = &{
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut compiled = runtime.block_on(compiled(optimizer()));
        compiled.report.notes.push(hostile.into());
        compiled.report
    };
    let page = report.to_html().unwrap();
    assert!(!page.contains(hostile) && page.contains("\\u003c/script>"));
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("DSPY_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// The document as the browser has it when its scripts have run, in a colour scheme (0 dark, 1 light).
fn drawn(browser: &Path, page: &Path, folder: &Path, scheme: &str) -> String {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", folder.join(format!("profile-{scheme}")).display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    // What the scripts made, without their own text and the data.
    let body = dom.split("<script").next().unwrap_or_default();
    body.to_owned()
}

#[test]
fn events_are_plain_data() {
    let event = Event::Note { message: "a".into() };
    assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"event":"note","message":"a"}"#);
}
