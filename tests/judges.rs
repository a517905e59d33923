//! Programs as metrics, against a server that answers by what is asked for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[path = "../examples/support/mod.rs"]
mod support;

use dspy::{
    evaluate::{AsMetric, CompleteAndGrounded, Failure, SemanticF1, SemanticF1Input},
    lm::Cache,
    prelude::*,
};
use serde_json::{Value, json};
use support::http::{Reply, Request, Server};

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

fn prompt(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    messages.iter().filter_map(|m| m["content"].as_str()).collect::<Vec<_>>().join("\n")
}

fn answer(fields: &[(&str, &str)]) -> Reply {
    let mut text: String =
        fields.iter().map(|(name, value)| format!("[[ ## {name} ## ]]\n{value}\n\n")).collect();
    text.push_str("[[ ## completed ## ]]");
    let body = json!({
        "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2 }
    });
    Reply::ok(body.to_string())
}

/// Answers questions with `rivers`, and judges as told.
fn server() -> Server {
    Server::start(|request| {
        let prompt = prompt(&request);
        let half =
            "[{\"point\": \"it is long\", \"holds\": true}, {\"point\": \"it is wide\", \"holds\": false}]";
        let all = "[{\"point\": \"it is a river\", \"holds\": true}]";
        let reasoning = ("reasoning", "I compared them.");
        match () {
            () if prompt.contains("unjudged") && prompt.contains("expected_answer") => {
                Reply::Json(503, b"{}".to_vec())
            }
            () if prompt.contains("[[ ## recall ## ]]") => {
                answer(&[reasoning, ("recall", "0.5"), ("precision", "1.0")])
            }
            () if prompt.contains("[[ ## answer_points ## ]]") => {
                answer(&[reasoning, ("expected_points", half), ("answer_points", all)])
            }
            () if prompt.contains("[[ ## expected_points ## ]]") => {
                answer(&[reasoning, ("expected_points", half)])
            }
            () if prompt.contains("[[ ## claims ## ]]") => answer(&[reasoning, ("claims", all)]),
            () if prompt.contains("[[ ## same ## ]]") => answer(&[("same", "true")]),
            () => answer(&[("answer", "rivers")]),
        }
    })
    .unwrap()
}

fn model(server: &Server) -> LM {
    let lm = LM::builder("openai/judge").api_base(server.api_base()).api_key("k").cache(Cache::off());
    lm.retries(0).build().unwrap()
}

fn qa(question: &str) -> Qa {
    Qa { question: question.into(), answer: "It is long and wide.".into() }
}

fn parts(gold: &Qa, found: &QaOutput) -> SemanticF1Input {
    (&gold.question, &gold.answer, &found.answer).into()
}

#[tokio::test]
async fn answers_are_judged_by_what_they_say() {
    let server = server();
    let rows = [qa("What is the Nile?"), qa("unjudged")];
    dspy::with(|c| c.lm(model(&server)), async {
        let program = Predict::<Qa>::new();
        let judge = SemanticF1::new();
        let result = Evaluate::new(&rows, judge.metric(parts)).run(&program).await.unwrap();
        let row = &result.rows[0];
        assert!((row.score - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(row.feedback.as_deref(), Some("I compared them."));
        // A judge that cannot be reached says nothing about the program.
        assert!(matches!(&result.rows[1].failure, Some(Failure::Metric(e)) if e.kind() == "server"));
        assert!((result.score_of_answered().unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(result.usage.total().calls, 3);

        let rows = &rows[..1];
        for (least, score) in [(0.6, 1.0), (0.7, 0.0)] {
            let judge = SemanticF1::new().threshold(least);
            assert_eq!(Evaluate::new(rows, judge.metric(parts)).run(&program).await.unwrap().score, score);
        }
        let judge = SemanticF1::new().decompositional(true);
        let result = Evaluate::new(rows, judge.metric(parts)).run(&program).await.unwrap();
        assert!((result.score - 2.0 / 3.0).abs() < 1e-12);
        let feedback = result.rows[0].feedback.as_deref();
        assert_eq!(feedback, Some("I compared them.\nnot in the answer: it is wide"));

        // The reasoning of the program does not matter, whoever judges.
        let with_passages = |gold: &Qa, found: &QaOutput| {
            (&gold.question, &gold.answer, &found.answer, ["The Nile is a river."]).into()
        };
        let judge = CompleteAndGrounded::new();
        let result = Evaluate::new(rows, judge.metric(with_passages)).run(&program).await.unwrap();
        assert!((result.score - 2.0 / 3.0).abs() < 1e-12, "{result}");
        let judged = judge.call(("q", "e", "a", ["p"])).await.unwrap();
        assert_eq!((judged.completeness, judged.groundedness), (0.5, 1.0));
        assert_eq!(judge.threshold(0.9).call(("q", "e", "a", ["p"])).await.unwrap().score, 0.0);
    })
    .await;
}

/// Does the answer say the same?
#[signature]
struct Same {
    #[input]
    expected: String,
    #[input]
    found: String,
    #[output]
    same: bool,
}

#[tokio::test]
async fn any_module_is_a_metric() {
    let server = server();
    let judge = Predict::<Same>::new().lm(model(&server));
    let metric = judge.as_metric(
        |gold: &Qa, found: &QaOutput| SameInput {
            expected: gold.answer.clone(),
            found: found.answer.clone(),
        },
        |verdict| verdict.same,
    );
    // The judge has a model of its own.
    let program = Predict::<Qa>::new().lm(model(&server));
    let rows = [qa("a"), qa("b")];
    assert_eq!(Evaluate::new(&rows, metric.clone()).run(&program).await.unwrap().score, 1.0);
    assert_eq!(Evaluate::stream(rows, metric).run(&program).await.unwrap().score, 1.0);
}

#[tokio::test]
async fn a_judge_is_a_program() {
    /// What people say of an answer.
    #[derive(serde::Serialize, Clone)]
    struct Verdict {
        recall: f64,
        precision: f64,
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("judge.json");
    let paths =
        |program: &dyn Program| program.predictors().into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths(&SemanticF1::new()), ["judge.predict"]);
    assert_eq!(paths(&SemanticF1::new().decompositional(true)), ["judge.predict"]);
    assert_eq!(paths(&CompleteAndGrounded::new()), ["completeness.predict", "groundedness.predict"]);
    assert!(SemanticF1::source().unwrap().contains("fn forward"));

    let judged: Vec<(SemanticF1Input, Verdict)> = (0..4)
        .map(|i| {
            (
                SemanticF1Input::from((format!("question {i}"), "yes", "no")),
                Verdict { recall: 0.0, precision: 0.0 },
            )
        })
        .collect();
    let agrees = |_: &(SemanticF1Input, Verdict), _: &dspy::evaluate::SemanticF1Output| true;
    let compiled = LabeledFewShot::new().k(3).compile(SemanticF1::new(), &judged, agrees).await.unwrap();
    assert_eq!(compiled.program.predictors()[0].1.demos().len(), 3);
    compiled.program.save(&path).unwrap();
    let loaded = SemanticF1::new().load(&path).unwrap();
    assert_eq!(loaded.to_json().unwrap(), compiled.program.to_json().unwrap());
    let error = SemanticF1::new().decompositional(true).load(&path).unwrap_err().to_string();
    assert!(error.contains("judge.predict"), "{error}");
}
