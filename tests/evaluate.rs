//! Evaluations through the public interface, against a server that answers from the prompt.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "../examples/support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dspy::{
    evaluate::{
        Evaluation, Failure, Score, answer_exact_match, answer_passage_match, exact_match, f1, f1_match,
        max_f1, normalize_text,
    },
    lm::Cache,
    prelude::*,
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

fn rows(n: usize) -> Vec<Echo> {
    (0..n).map(|i| row(format!("text {i}"))).collect()
}

fn same(gold: &Echo, found: &EchoOutput) -> bool {
    gold.copy == found.copy
}

/// What a request asks about.
fn asked(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let last = messages.last().unwrap()["content"].as_str().unwrap();
    let text = last.split("[[ ## text ## ]]\n").nth(1).unwrap_or_default();
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

fn completion(text: &str) -> Value {
    json!({
        "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2 }
    })
}

fn copied(text: &str) -> Reply {
    Reply::ok(completion(&format!("[[ ## copy ## ]]\n{text}\n\n[[ ## completed ## ]]")).to_string())
}

/// A server that repeats what it is asked about, after a while that differs from text to text.
fn echo() -> Server {
    Server::start(|request| {
        let text = asked(&request);
        let wait = text.bytes().map(u64::from).sum::<u64>() * 7 % 10;
        Reply::After(Duration::from_millis(wait), Box::new(copied(&text)))
    })
    .unwrap()
}

fn model(server: &Server, retries: u32) -> LM {
    let lm = LM::builder("openai/echo").api_base(server.api_base()).api_key("k");
    lm.cache(Cache::off()).retries(retries).build().unwrap()
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

/// A path in a folder of its own, which goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("dspy-evaluate-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn read(&self, result: &Evaluation<Echo, EchoOutput>) -> (String, Value) {
        let (csv, json) = (self.0.join("rows.csv"), self.0.join("rows.json"));
        result.save_csv(&csv).unwrap();
        result.save_json(&json).unwrap();
        let json = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
        (std::fs::read_to_string(csv).unwrap(), json)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn rows_stand_in_their_order_whatever_the_order_of_the_answers() {
    let server = echo();
    let rows = rows(60);
    dspy::with(|c| c.lm(model(&server, 0)), async {
        for concurrency in [1, 7, 64] {
            let evaluate = Evaluate::new(&rows, same).concurrency(concurrency);
            let result = evaluate.run(&Careful::default()).await.unwrap();
            assert_eq!((result.score, result.rows.len()), (1.0, 60));
            for (i, row) in result.rows.iter().enumerate() {
                assert_eq!((row.index, &row.example.text), (i, &rows[i].text));
                assert_eq!(row.prediction.as_ref().unwrap().copy, rows[i].copy);
            }
            let usage = result.usage.total();
            assert_eq!((usage.calls, usage.total_tokens()), (60, 60 * 7));
        }
    })
    .await;
}

#[tokio::test]
async fn failures_keep_their_errors_and_stop_nothing() {
    let server = echo();
    let rows = ["a", "refused", "fatal", "d"].map(row);
    let judge = |gold: &Echo, found: &EchoOutput| match gold.text.as_str() {
        "d" => Err(Error::other("cannot tell")),
        _ => Ok(same(gold, found)),
    };
    dspy::with(|c| c.lm(model(&server, 0)), async {
        let result = Evaluate::new(&rows, judge).run(&Careful::default()).await.unwrap();
        assert_eq!(result.score, 0.25);
        let errors: Vec<(usize, String)> = result.failures().map(|(r, f)| (r.index, f.to_string())).collect();
        assert_eq!(
            errors,
            [
                (1, "not this one".to_owned()),
                (2, "the program panicked: oh no".to_owned()),
                (3, "the metric failed: cannot tell".to_owned())
            ]
        );
        assert!(matches!(result.rows[3].failure, Some(Failure::Metric(_))));
        assert!(result.rows[3].prediction.is_some() && result.rows[1].prediction.is_none());
        assert_eq!(result.errors_by_kind(), BTreeMap::from([("other", 2), ("task", 1)]));
        let shown = result.to_string();
        assert!(shown.contains("0.2500 (1 of 4 rows)") && shown.contains("row 1: not this one"), "{shown}");

        let kinder = Evaluate::new(&rows, judge).failure_score(0.5).run(&Careful::default()).await.unwrap();
        assert_eq!(kinder.score, (1.0 + 3.0 * 0.5) / 4.0);
        let error = Evaluate::new(&rows, judge).max_errors(2).concurrency(1).run(&Careful::default()).await;
        let error = error.unwrap_err();
        assert!(error.kind() == "limit" && error.to_string().contains("the first is row 1"), "{error}");
        assert!(Evaluate::new(&rows, judge).max_errors(4).run(&Careful::default()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn what_was_never_answered_has_no_score_to_show() {
    let lm = LM::builder("openai/echo").api_base("http://127.0.0.1:9/v1").api_key("k").cache(Cache::off());
    dspy::with(|c| c.lm(lm.retries(0).build().unwrap()), async {
        let result = Evaluate::new(&rows(3), same).run(&Careful::default()).await.unwrap();
        assert_eq!((result.score, result.score_of_answered()), (0.0, None));
        let shown = result.to_string();
        assert!(shown.contains("no row could be answered: openai/echo: transport"), "{shown}");
        assert!(!shown.contains("score 0.0"), "{shown}");
        // One row that the program itself fails on is an answer.
        let mut some = rows(2);
        some.push(row("refused"));
        let shown = Evaluate::new(&some, same).run(&Careful::default()).await.unwrap().to_string();
        assert!(shown.contains("score 0.0000 (0 of 3 rows)"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn metrics_have_many_shapes() {
    /// Looks it up elsewhere.
    async fn asks(gold: &Echo, found: &EchoOutput) -> Result<(bool, String)> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok((gold.copy == found.copy, format!("{} is {}", gold.text, found.copy)))
    }

    let server = echo();
    let rows = rows(3);
    dspy::with(|c| c.lm(model(&server, 0)), async {
        let program = Careful::default();
        assert_eq!(Evaluate::new(&rows, same).run(&program).await.unwrap().score, 1.0);
        let length = |_: &Echo, found: &EchoOutput| found.copy.len() as f64 / 10.0;
        let result = Evaluate::new(&rows, length).run(&program).await.unwrap();
        assert!((result.score - 0.6).abs() < 1e-12);
        let told = |gold: &Echo, found: &EchoOutput| (0.25, format!("{} {}", gold.text, found.copy));
        let result = Evaluate::new(&rows, told).run(&program).await.unwrap();
        assert_eq!((result.rows[2].score, result.rows[2].feedback.as_deref()), (0.25, Some("text 2 text 2")));
        let result = Evaluate::new(&rows, asks).run(&program).await.unwrap();
        assert_eq!((result.score, result.rows[0].feedback.as_deref()), (1.0, Some("text 0 is text 0")));
        let later = |gold: &Echo, found: &EchoOutput| {
            let same = same(gold, found);
            async move { Score::new(if same { 2.0 } else { 0.0 }) }
        };
        assert_eq!(Evaluate::new(&rows, later).run(&program).await.unwrap().score, 2.0);
        let exact = exact_match(|gold: &Echo| &gold.copy, |found: &EchoOutput| &found.copy);
        assert_eq!(Evaluate::new(&rows, exact).run(&program).await.unwrap().score, 1.0);
        let words = f1_match(|gold: &Echo| &gold.copy, |found: &EchoOutput| &found.copy);
        assert_eq!(Evaluate::new(&rows, words).run(&program).await.unwrap().score, 1.0);
        let nan = |_: &Echo, _: &EchoOutput| f64::NAN;
        let result = Evaluate::new(&rows, nan).run(&program).await.unwrap();
        assert_eq!((result.score, result.failures().count()), (0.0, 3));
    })
    .await;
}

#[tokio::test]
async fn results_are_exported() {
    let (server, folder) = (echo(), Folder::new());
    let rows = [row("a, \"b\""), row("refused")];
    let told = |gold: &Echo, found: &EchoOutput| (same(gold, found), "line 1\nline 2");
    dspy::with(|c| c.lm(model(&server, 0)), async {
        let result = Evaluate::new(&rows, told).metric_name("same").run(&Careful::default()).await.unwrap();
        let (csv, json) = folder.read(&result);
        let expected = "text,example_copy,pred_copy,same,feedback,error\n\
                        \"a, \"\"b\"\"\",\"a, \"\"b\"\"\",\"a, \"\"b\"\"\",1,\"line 1\nline 2\",\n\
                        refused,refused,,0,,not this one\n";
        assert_eq!(csv, expected);
        assert_eq!(
            json,
            json!([
                { "text": "a, \"b\"", "example_copy": "a, \"b\"", "pred_copy": "a, \"b\"", "same": 1.0,
                  "feedback": "line 1\nline 2", "error": null },
                { "text": "refused", "example_copy": "refused", "same": 0.0, "feedback": null,
                  "error": "not this one" }
            ])
        );
        let table = result.table(1);
        assert!(table.contains("pred_copy") && table.ends_with("… 1 rows more\n"), "{table}");
        assert!(result.save_csv(folder.0.join("no/such/rows.csv")).is_err());
    })
    .await;
}

#[tokio::test]
async fn an_evaluation_without_hope_ends_early() {
    let rows = rows(500);
    let error = Evaluate::new(&rows, same).run(&Careful::default()).await.unwrap_err();
    assert_eq!(error.kind(), "context", "{error}");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::Json(401, json!({ "error": { "message": "no such key" } }).to_string().into())
    })
    .unwrap();
    dspy::with(|c| c.lm(model(&server, 0)), async {
        let error = Evaluate::new(&rows, same).concurrency(4).run(&Careful::default()).await.unwrap_err();
        assert!(error.kind() == "auth" && error.to_string().contains("no such key"), "{error}");
    })
    .await;
    assert!(asked.load(Ordering::SeqCst) < 20);
    let none: [Echo; 0] = [];
    assert!(Evaluate::new(&none, same).run(&Careful::default()).await.is_err());
}

/// A server where every tenth request goes wrong, in five ways by turns.
fn flaky() -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let good = copied(&asked(&request));
        if n % 10 != 9 {
            return good;
        }
        match n / 10 % 5 {
            0 => Reply::Json(429, b"{}".to_vec()),
            1 => Reply::Json(500, b"oops".to_vec()),
            2 => Reply::Reset,
            3 => Reply::Half(completion("[[ ## copy ## ]]\nx").to_string().into_bytes()),
            _ => Reply::ok("{ \"choices\": [ {"),
        }
    })
    .unwrap()
}

#[tokio::test]
async fn no_row_is_lost_on_a_bad_line() {
    let rows = rows(2000);
    let server = flaky();
    dspy::with(|c| c.lm(model(&server, 0)), async {
        let result = Evaluate::new(&rows, same).concurrency(32).run(&Careful::default()).await.unwrap();
        assert_eq!(result.rows.len(), 2000);
        let kinds = result.errors_by_kind();
        assert_eq!(kinds.values().sum::<usize>(), result.failures().count());
        for (kind, n) in [
            ("rate_limit", 40..=40),
            ("server", 40..=40),
            ("transport", 40..=80),
            ("invalid_response", 40..=80),
        ] {
            assert!(n.contains(&kinds[kind]), "{kinds:?}");
        }
        assert_eq!(result.failures().count(), 200, "{kinds:?}");
        assert_eq!(result.score, 0.9);
        assert_eq!(result.score_of_answered(), Some(1.0));
    })
    .await;
    let server = flaky();
    dspy::with(|c| c.lm(model(&server, 6)), async {
        let result = Evaluate::new(&rows, same).concurrency(32).run(&Careful::default()).await.unwrap();
        assert_eq!((result.score, result.failures().count()), (1.0, 0));
    })
    .await;
}

#[test]
fn texts_are_compared_as_people_would() {
    assert_eq!(normalize_text(" The  Eiffel-Tower, a “wonder”! "), "eiffeltower wonder");
    assert!(answer_exact_match("The Eiffel Tower.", ["eiffel tower"]));
    assert!(!answer_exact_match("the tower", ["eiffel tower"]));
    assert!(!answer_exact_match("x", [""; 0]));
    assert!((f1("the red house", "a red barn") - 0.5).abs() < 1e-12);
    assert_eq!((f1("", ""), f1("", "x"), f1("a b b", "b b b")), (1.0, 0.0, 0.8));
    assert_eq!(max_f1("red house", ["barn", "red house"]), 1.0);
    assert!(answer_passage_match(["It is the Eiffel Tower!"], ["eiffel tower"]));
    assert!(!answer_passage_match(["the eiffel towers"], ["eiffel tower"]));
}

#[tokio::test]
async fn a_metric_sees_the_whole_prediction() {
    let server = echo();
    dspy::with(|c| c.lm(model(&server, 0)), async {
        let rows = rows(4);
        let metric = |gold: &Echo, found: &Prediction<EchoOutput>| {
            let paths: Vec<_> = found.trace().iter().filter_map(|step| step.path.as_deref()).collect();
            let tokens = found.usage().total().prompt_tokens;
            (gold.copy == found.copy && paths == ["echo"], format!("{tokens} tokens"))
        };
        let found = Evaluate::new(&rows, metric).progress(false).run(&Careful::default()).await.unwrap();
        assert_eq!((found.score, found.rows[0].feedback.as_deref()), (1.0, Some("5 tokens")));
        // Traces are not kept unless they are asked for.
        let kept = |found: &Evaluation<Echo, EchoOutput>| {
            let prediction = found.rows[0].prediction.as_ref().unwrap();
            (prediction.trace().len(), prediction.usage().total().calls)
        };
        assert_eq!(kept(&found), (0, 1));
        let traced = Evaluate::new(&rows, metric).progress(false).trace(true);
        assert_eq!(kept(&traced.run(&Careful::default()).await.unwrap()), (1, 1));
        let streamed = Evaluate::stream(rows.clone(), metric).progress(false).run(&Careful::default()).await;
        assert_eq!(streamed.unwrap().score, 1.0);

        // An optimizer does not run with traces unless it needs them, and the metric sees them in any case.
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(1).progress(false).racing(None);
        let compiled = search.compile(Careful::default(), &rows, metric).await.unwrap();
        assert_eq!(compiled.report.val.before, Some(1.0), "{compiled}");

        let brief = |_: &EchoInput, found: &Prediction<EchoOutput>| found.trace().len() == 1;
        let p = BestOfN::new(Careful::default(), 3, brief, 1.0).call("text").await.unwrap();
        assert_eq!(p.usage().total().calls, 1);
    })
    .await;
}
