//! Evaluations over streams of rows: in bounded memory, resumed after a kill, and compared.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "../examples/support/mod.rs"]
mod support;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::prelude::*;
use dspy::{
    data::JsonlReader,
    evaluate::{ResultRow, Scores, results},
    lm::Cache,
};
use serde_json::{Value, json};
use support::http::{Reply, Request, Server};

/// Repeat the text.
#[signature]
struct Echo {
    #[input]
    text: String,
    #[output]
    copy: String,
}

fn row(text: impl Into<String>) -> Echo {
    let text = text.into();
    Echo { copy: text.clone(), text }
}

fn rows(n: usize) -> impl Iterator<Item = Echo> + Send {
    (0..n).map(|i| row(format!("text {i}")))
}

fn same(gold: &Echo, found: &EchoOutput) -> bool {
    gold.copy == found.copy
}

fn asked(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let last = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    let text = last.split("[[ ## text ## ]]\n").nth(1).unwrap_or_default();
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

fn copied(text: &str) -> Reply {
    let text = format!("[[ ## copy ## ]]\n{text}\n\n[[ ## completed ## ]]");
    let body = json!({
        "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2 }
    });
    Reply::ok(body.to_string())
}

/// A server that repeats what it is asked about after a while, and counts how often.
struct Echoes {
    server: Server,
    asked: Arc<Mutex<HashMap<String, usize>>>,
    /// While this is set, it cannot be reached.
    down: Arc<AtomicBool>,
}

impl Echoes {
    fn start(wait: Duration) -> Self {
        let counts: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
        let (count, down) = (counts.clone(), Arc::new(AtomicBool::new(false)));
        let is_down = down.clone();
        let server = Server::start(move |request| {
            let text = asked(&request);
            if is_down.load(Ordering::SeqCst) && text.ends_with('3') {
                return Reply::Json(503, b"{}".to_vec());
            }
            *count.lock().unwrap().entry(text.clone()).or_default() += 1;
            Reply::After(wait, Box::new(copied(&text)))
        });
        Self { server: server.unwrap(), asked: counts, down }
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().values().sum()
    }
}

fn model(api_base: &str) -> LM {
    let lm = LM::builder("openai/echo").api_base(api_base).api_key("k").cache(Cache::off());
    lm.retries(0).build().unwrap()
}

/// A program that does not like some texts.
#[module]
#[derive(Default)]
struct Careful {
    echo: Predict<Echo>,
}

impl Module for Careful {
    type Input = EchoInput;
    type Output = EchoOutput;

    async fn forward(&self, input: EchoInput) -> Result<EchoOutput> {
        match input.text.as_str() {
            "refused" => Err(Error::other("not this one")),
            "fatal" => panic!("oh no"),
            _ => Ok(self.echo.call(input).await?.into_inner()),
        }
    }
}

fn lines(path: &Path) -> Vec<ResultRow> {
    results(path).unwrap().collect::<Result<_>>().unwrap()
}

#[tokio::test]
async fn a_stream_gives_what_rows_in_memory_give() {
    let (echoes, folder) = (Echoes::start(Duration::ZERO), tempfile::tempdir().unwrap());
    let path = folder.path().join("new/results.jsonl");
    let mut devset: Vec<Echo> = rows(40).collect();
    devset.extend([row("refused"), row("fatal")]);
    let metric = |gold: &Echo, found: &EchoOutput| (same(gold, found), "as it is");
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let program = Careful::default();
        let whole = Evaluate::new(&devset, metric).run(&program).await.unwrap();
        for concurrency in [1, 9, 100] {
            let evaluate = Evaluate::stream(devset.clone(), metric).concurrency(concurrency);
            let summary = evaluate.run(&program).await.unwrap();
            assert_eq!((summary.score, summary.rows, summary.failed()), (whole.score, 42, 2));
            assert_eq!(*summary.scores(), whole.scores().unwrap());
            assert_eq!(summary.usage, whole.usage);
        }
        let summary = Evaluate::stream(devset.clone(), metric)
            .metric_name("same")
            .to_jsonl(&path)
            .run(&program)
            .await
            .unwrap();
        assert_eq!((summary.metric(), summary.resumed), ("same", 0));
        assert_eq!(Scores::load(&path).unwrap(), *summary.scores());
        let shown = summary.to_string();
        assert!(
            shown.starts_with("same 0.9524 [0.842, 0.987] (40 of 42 rows)\nfailed: 1 other, 1 task\n"),
            "{shown}"
        );
        assert!(shown.contains("  row 41: the program panicked: oh no\n40 calls"), "{shown}");

        let mut found = lines(&path);
        found.sort_by_key(|line| line.row);
        assert_eq!(found.len(), 42);
        let first = &found[0];
        assert_eq!(first.example["text"], "text 0");
        assert_eq!(first.prediction, Some(json!({ "copy": "text 0" })));
        assert_eq!((first.score, first.feedback.as_deref()), (1.0, Some("as it is")));
        assert_eq!(first.usage["openai/echo"].total_tokens(), 7);
        let failure = found[40].failure.as_ref().unwrap();
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("other", "not this one"));
        assert!(found[40].prediction.is_none() && !failure.unscored && !failure.by_metric);
        // All is there: nothing is asked again.
        let calls = echoes.calls();
        let again = Evaluate::stream(devset, metric).metric_name("same").to_jsonl(&path).run(&program).await;
        let again = again.unwrap();
        assert_eq!((echoes.calls(), again.resumed, again.rows), (calls, 42, 42));
        assert_eq!((again.scores(), &again.usage), (summary.scores(), &summary.usage));
        assert!(again.to_string().contains("42 rows were finished by an earlier run"), "{again}");
    })
    .await;
}

const CHILD: &str = "DSPY_TEST_EVALUATION";

/// What the parent kills: not a test of its own.
#[tokio::test]
async fn killed_child() {
    let Some(setup) = std::env::var_os(CHILD) else { return };
    let setup: Value = serde_json::from_str(setup.to_str().unwrap()).unwrap();
    dspy::with(|c| c.lm(model(setup["api_base"].as_str().unwrap())), async {
        slow(Path::new(setup["path"].as_str().unwrap())).await.unwrap();
    })
    .await;
}

async fn slow(path: &Path) -> Result<dspy::evaluate::Summary> {
    Evaluate::stream(rows(300), same).concurrency(8).to_jsonl(path).run(&Careful::default()).await
}

#[tokio::test]
async fn a_killed_evaluation_goes_on_where_it_was() {
    let (echoes, folder) = (Echoes::start(Duration::from_millis(2)), tempfile::tempdir().unwrap());
    let path = folder.path().join("results.jsonl");
    let setup = json!({ "api_base": echoes.server.api_base(), "path": path });
    // Killed at three moments.
    for least in [1, 40, 120] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_child", "--nocapture"])
            .env(CHILD, setup.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let written = || std::fs::read(&path).map_or(0, |t| t.iter().filter(|b| **b == b'\n').count());
        while written() <= least {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // What a kill in the middle of a line leaves.
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"row\":299,\"id\":\"00");
    std::fs::write(&path, torn).unwrap();
    let before = lines(&path).len();
    assert!(before >= 120);
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let summary = slow(&path).await.unwrap();
        assert_eq!((summary.score, summary.rows, summary.resumed), (1.0, 300, before));
    })
    .await;
    // Every row stands there once, and only what was in flight at a kill was asked about again.
    let mut found: Vec<usize> = lines(&path).iter().map(|line| line.row).collect();
    found.sort_unstable();
    assert_eq!(found, (0..300).collect::<Vec<_>>());
    assert!(echoes.calls() <= 300 + 3 * 8, "{} calls", echoes.calls());
    assert!(echoes.asked.lock().unwrap().len() == 300);
}

#[tokio::test]
async fn rows_that_could_not_be_asked_about_are_run_again() {
    let (echoes, folder) = (Echoes::start(Duration::ZERO), tempfile::tempdir().unwrap());
    let path = folder.path().join("results.jsonl");
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let program = Careful::default();
        let run = || Evaluate::stream(rows(20), same).to_jsonl(&path).run(&program);
        echoes.down.store(true, Ordering::SeqCst);
        let first = run().await.unwrap();
        assert_eq!((first.score, first.score_of_answered(), first.failed()), (0.9, Some(1.0), 2));
        assert_eq!(first.scores().values()[3], None);
        assert_eq!(Scores::load(&path).unwrap(), *first.scores());
        echoes.down.store(false, Ordering::SeqCst);
        let second = run().await.unwrap();
        assert_eq!((second.score, second.resumed, second.failed()), (1.0, 18, 0));
        assert_eq!((second.usage.total().calls, echoes.calls()), (20, 20));
        assert_eq!(Scores::load(&path).unwrap(), *second.scores());
        assert_eq!(lines(&path).len(), 22);
    })
    .await;
}

#[tokio::test]
async fn results_of_another_evaluation_are_refused() {
    let (echoes, folder) = (Echoes::start(Duration::ZERO), tempfile::tempdir().unwrap());
    let path = folder.path().join("results.jsonl");
    let lm = model(&echoes.server.api_base());
    let other = |_: &Echo, _: &EchoOutput| 0.5;
    dspy::with(|c| c.lm(lm.clone()), async {
        let program = Careful::default();
        Evaluate::stream(rows(5), same).to_jsonl(&path).run(&program).await.unwrap();
        let (content, calls) = (std::fs::read(&path).unwrap(), echoes.calls());
        let mut taught = Careful::default();
        taught.predictors_mut()[0].1.set_instructions("Repeat it.");
        let start = || Evaluate::stream(rows(5), same).to_jsonl(&path);
        let named = start().metric_name("exact").run(&program).await;
        let judged = Evaluate::stream(rows(5), other).to_jsonl(&path).run(&program).await;
        let counted = start().failure_score(0.5).run(&program).await;
        let warm = dspy::with(|c| c.temperature(1.0), start().run(&program)).await;
        let formatted = dspy::with(|c| c.adapter(JsonAdapter::default()), start().run(&program)).await;
        let data = rows(4).chain([row("another")]);
        let data = Evaluate::stream(data, same).to_jsonl(&path).run(&program).await;
        for (result, what) in [
            (start().run(&taught).await, "another program"),
            (named, "another metric"),
            (judged, "another metric"),
            (counted, "another failure score"),
            (warm, "another model"),
            (formatted, "another adapter"),
            (data, "row 4 is not the one whose result stands in the file"),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(what), "{what}: {error}");
        }
        assert_eq!((std::fs::read(&path).unwrap(), echoes.calls()), (content, calls));
        // More rows are the same evaluation, which goes on.
        let more = Evaluate::stream(rows(8), same).to_jsonl(&path).run(&program).await.unwrap();
        assert_eq!((more.rows, more.resumed, echoes.calls()), (8, 5, calls + 3));
        let fewer = Evaluate::stream(rows(3), same).to_jsonl(&path).run(&program).await.unwrap();
        assert_eq!((fewer.rows, fewer.resumed), (3, 3));

        for foreign in ["{\"text\":\"a\",\"copy\":\"a\"}\n", "no newline", "{\"dspy_evaluation\":1}\n"] {
            std::fs::write(&path, foreign).unwrap();
            let error = start().run(&program).await.unwrap_err().to_string();
            assert!(error.contains("no file of results of an evaluation"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
        }
        std::fs::write(&path, "").unwrap();
        start().run(&program).await.unwrap();
        // A line in the middle that was damaged is no half line at the end.
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"row\":", "\"row\";", 1)).unwrap();
        let error = start().run(&program).await.unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("damaged"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn one_evaluation_at_a_time_writes_to_a_file() {
    let (echoes, folder) = (Echoes::start(Duration::from_millis(20)), tempfile::tempdir().unwrap());
    let path = folder.path().join("results.jsonl");
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let (one, two) = tokio::join!(slow(&path), slow(&path));
        let (Ok(summary), Err(error)) = (one, two) else { panic!("both wrote") };
        assert_eq!(summary.rows, 300);
        assert!(error.to_string().contains("another evaluation writes to this file"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_row_ends_the_evaluation_after_those_that_run() {
    let (echoes, folder) = (Echoes::start(Duration::from_millis(1)), tempfile::tempdir().unwrap());
    let path = folder.path().join("results.jsonl");
    let mut text = String::new();
    for i in 0..20 {
        text.push_str(&if i == 12 {
            "{}\n".to_owned()
        } else {
            json!({ "text": format!("t{i}"), "copy": "" }).to_string() + "\n"
        });
    }
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let program = Careful::default();
        let read = |text: String| JsonlReader::<Echo, _>::new(std::io::Cursor::new(text), "rows.jsonl");
        let run =
            |text: String| Evaluate::stream(read(text), same).concurrency(4).to_jsonl(&path).run(&program);
        let error = run(text.clone()).await.unwrap_err();
        assert!(error.kind() == "dataset" && error.to_string().contains("rows.jsonl, line 13"), "{error}");
        assert_eq!(lines(&path).len(), 12);
        let mended = text.replace("{}\n", "{\"text\":\"t12\",\"copy\":\"\"}\n");
        let summary = run(mended).await.unwrap();
        assert_eq!((summary.rows, summary.resumed), (20, 12));
        let passed = Evaluate::stream(read(text).filter_map(Result::ok), same).run(&Careful::default()).await;
        assert_eq!(passed.unwrap().rows, 19);
        let none = Evaluate::stream(rows(0), same).run(&Careful::default()).await.unwrap_err();
        assert!(none.to_string().contains("there are no rows"), "{none}");
    })
    .await;
}

#[tokio::test]
async fn limits_hold_for_streams() {
    let server =
        Server::start(|_| Reply::Json(401, b"{\"error\":{\"message\":\"no such key\"}}".to_vec())).unwrap();
    dspy::with(|c| c.lm(model(&server.api_base())), async {
        for n in [3, 500] {
            let taken = AtomicUsize::new(0);
            let counted = rows(n).inspect(|_| _ = taken.fetch_add(1, Ordering::SeqCst));
            let run = Evaluate::stream(counted, same).concurrency(4).run(&Careful::default()).await;
            assert_eq!(run.unwrap_err().kind(), "auth");
            assert!(taken.load(Ordering::SeqCst) < 20);
        }
        let refused = std::iter::repeat_with(|| row("refused"));
        let run = Evaluate::stream(refused, same).max_errors(5).concurrency(1).run(&Careful::default()).await;
        let error = run.unwrap_err();
        assert!(
            error.kind() == "limit" && error.to_string().starts_with("6 of 6 rows failed (6 other)"),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_metric_that_panics_is_to_blame_itself() {
    let echoes = Echoes::start(Duration::ZERO);
    let devset: Vec<Echo> = rows(3).collect();
    let metric = |gold: &Echo, _: &EchoOutput| if gold.text == "text 1" { panic!("no idea") } else { 1.0 };
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let result = Evaluate::new(&devset, metric).run(&Careful::default()).await.unwrap();
        let row = &result.rows[1];
        assert!(matches!(row.failure, Some(dspy::evaluate::Failure::Metric(_))), "{:?}", row.failure);
        assert_eq!(
            row.failure.as_ref().unwrap().to_string(),
            "the metric failed: the metric panicked: no idea"
        );
        assert!(row.prediction.is_some() && result.score > 0.6);
        let later = |gold: &Echo, _: &EchoOutput| {
            let first = gold.text == "text 0";
            async move { if first { panic!("later") } else { 1.0 } }
        };
        let summary = Evaluate::stream(devset, later).run(&Careful::default()).await.unwrap();
        assert!(
            summary.to_string().contains("row 0: the metric failed: the metric panicked: later"),
            "{summary}"
        );
    })
    .await;
}

#[tokio::test]
async fn programs_are_compared_on_the_same_rows() {
    let (echoes, folder) = (Echoes::start(Duration::ZERO), tempfile::tempdir().unwrap());
    let devset: Vec<Echo> = rows(60).collect();
    // Right where the number is odd, and where it is small.
    let odd = |gold: &Echo, _: &EchoOutput| gold.text.bytes().last().is_some_and(|b| b % 2 == 1);
    let most = |gold: &Echo, _: &EchoOutput| gold.text.len() < 7 || gold.text.ends_with(|c: char| c != '0');
    dspy::with(|c| c.lm(model(&echoes.server.api_base())), async {
        let program = Careful::default();
        let before = Evaluate::new(&devset, odd).run(&program).await.unwrap();
        let after = Evaluate::new(&devset, most).run(&program).await.unwrap();
        let comparison = after.compare(&before).unwrap();
        assert_eq!((comparison.rows, comparison.won, comparison.lost), (60, 25, 0));
        assert!(comparison.to_string().starts_with("+41.7 points ["), "{comparison}");
        assert!(before.interval(0.95).unwrap().contains(0.5));
        let (one, two) = (folder.path().join("one.jsonl"), folder.path().join("two.jsonl"));
        let first = Evaluate::stream(devset.clone(), odd).to_jsonl(&one).run(&program).await.unwrap();
        let second = Evaluate::stream(devset.clone(), most).to_jsonl(&two).run(&program).await.unwrap();
        assert_eq!(second.compare(&first).unwrap(), comparison);
        let (first, second) = (Scores::load(&one).unwrap(), Scores::load(&two).unwrap());
        assert_eq!(second.compare(&first).unwrap(), comparison);

        let fewer = Evaluate::new(&devset[1..], odd).run(&program).await.unwrap();
        assert!(
            fewer
                .compare(&before)
                .unwrap_err()
                .to_string()
                .contains("59 rows cannot be compared with one of 60")
        );
        let mut moved = devset.clone();
        moved.swap(3, 7);
        let moved = Evaluate::new(&moved, odd).run(&program).await.unwrap();
        assert!(moved.compare(&before).unwrap_err().to_string().contains("row 3 is not the same"));
        let named = Evaluate::new(&devset, odd).metric_name("odd").run(&program).await.unwrap();
        assert!(named.compare(&before).unwrap_err().to_string().contains("scores of `odd`"));
    })
    .await;
}

/// Says at once how long its text is.
#[module]
#[derive(Default)]
struct Length {}

impl Module for Length {
    type Input = EchoInput;
    type Output = usize;

    async fn forward(&self, input: EchoInput) -> Result<usize> {
        Ok(input.text.len())
    }
}

/// The memory in use, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_does_not_grow_with_the_rows() {
    static MOST: AtomicUsize = AtomicUsize::new(0);
    fn long(gold: &Echo, found: &usize) -> bool {
        if gold.text.ends_with("00") {
            MOST.fetch_max(resident(), Ordering::SeqCst);
        }
        gold.text.len() == *found
    }
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("results.jsonl");
    let large =
        |n: usize| (0..n).map(|i| Echo { text: format!("{}{i}", "x".repeat(8000)), copy: String::new() });
    Evaluate::stream(large(300), long).run(&Length::default()).await.unwrap();
    let before = MOST.load(Ordering::SeqCst);
    let summary = Evaluate::stream(large(5000), long).to_jsonl(&path).run(&Length::default()).await.unwrap();
    assert_eq!((summary.score, summary.rows), (1.0, 5000));
    assert!(std::fs::metadata(&path).unwrap().len() > 40_000_000);
    let grown = MOST.load(Ordering::SeqCst).saturating_sub(before);
    assert!(grown < 20_000_000, "{grown} bytes more than for 300 rows");
}
