//! Events.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dspy::{
    Event, EventKind,
    lm::{
        Cache, Message, Request, RetryPolicy,
        embed::{self, Embedder, EmbeddingModel},
    },
    predict::ReAct,
    prelude::*,
    with,
};

use crate::{
    Answer, Qa, QaInput, QaOutput, knowing,
    model::{Model, Reply, run},
    rag, said,
    seen::Seen,
};

/// Count the rivers.
#[signature]
struct Count {
    #[input]
    question: String,
    #[output]
    count: u64,
}

const QUESTION: &str = "Which river is in Tartu?";

#[test]
fn a_program_is_a_tree_of_events() {
    run(async {
        let (model, seen) = (knowing().await, Seen::default());
        let settings = seen.clone();
        let asked = with(|c| c.lm(model.lm.clone()).observer(settings), rag().call(QUESTION)).await;
        assert_eq!(asked.unwrap().answer, "Emajõgi");
        let expected = r#"
module Rag None: {"question":"Which river is in Tartu?"}
  predictor WriteQuery Some("query")
  formatted by chat: 2 messages
    request openai/test
    /request cached=false: 10 tokens
  parsed by chat: done
  /predictor Some("query") calls=1: {"query":"Tartu river"}
  search Bm25: Tartu river, 1
  /search: Tartu lies on the Emajõgi.
  module Inner Some("answer"): {"context":["Tartu lies on the Emajõgi."],"question":"Which river is in Tartu?"}
    predictor Answer Some("answer.think.predict")
    formatted by chat: 2 messages
      request openai/test
      /request cached=false: 10 tokens
    parsed by chat: done
    /predictor Some("answer.think.predict") calls=1: {"reasoning":"It says so.","answer":"Emajõgi"}
  /module Inner: {"answer":"Emajõgi"}
/module Rag: {"answer":"Emajõgi"}
"#;
        assert_eq!(format!("\n{}", seen.tree()), expected);
        // Outside of the scope nobody is told.
        let told = seen.all().len();
        with(|c| c.lm(model.lm.clone()), rag().call(QUESTION)).await.unwrap();
        with(|c| c.lm(model.lm.clone()).observer(seen.clone()).no_observers(), rag().call(QUESTION))
            .await
            .unwrap();
        assert_eq!(seen.all().len(), told);
    });
}

/// Look something up.
#[tool]
async fn look_up(question: String) -> Result<String> {
    // A tool that asks a model: its request belongs to the tool.
    let found = Predict::<Qa>::new().call(question).await?;
    Ok(found.answer.clone())
}

#[test]
fn agents_and_tools() {
    run(async {
        let step = |tool: &str, args: &str| {
            said(&[("next_thought", "So."), ("next_tool_name", tool), ("next_tool_args", args)])
        };
        let script = [
            step("look_up", r#"{"question": "river?"}"#),
            said(&[("answer", "Emajõgi")]),
            step("finish", "{}"),
            said(&[("reasoning", "Found."), ("answer", "Emajõgi")]),
        ];
        let model = Model::script(&script.each_ref().map(String::as_str)).await;
        let lm = model.lm.clone();
        let agent = ReAct::<Qa>::builder().tool(look_up).build();
        let seen = Seen::default();
        with(|c| c.lm(lm).observer(seen.clone()), agent.call(QUESTION)).await.unwrap();
        let tree = seen.tree();
        let short: String = tree
            .lines()
            .filter(|line| {
                !line.contains("formatted") && !line.contains("parsed") && !line.contains("/request")
            })
            .map(|line| format!("{}\n", line.split(':').next().unwrap()))
            .collect();
        let expected = r#"
module ReAct<Qa> (agent) None
  predictor Qa Some("react")
    request openai/test
  /predictor Some("react") calls=1
  tool look_up
    predictor Qa None
      request openai/test
    /predictor None calls=1
  /tool look_up
  predictor Qa Some("react")
    request openai/test
  /predictor Some("react") calls=1
  predictor Qa Some("extract.predict")
    request openai/test
  /predictor Some("extract.predict") calls=1
/module ReAct<Qa>
"#;
        assert_eq!(format!("\n{short}"), expected, "{tree}");
    });
}

#[test]
fn retries_repairs_and_the_cache() {
    run(async {
        let model = Model::replying(|asked| match asked.number {
            0 => Reply::error(500, "down"),
            1 => Reply::completion("no field at all"),
            _ => Reply::completion(r#"{"count": 3}"#),
        })
        .await;
        let lm = LM::builder("openai/test").api_base(model.server.api_base()).cache(Cache::memory(10));
        let lm = lm.retry(RetryPolicy::default().base(Duration::ZERO)).build().unwrap();
        let seen = Seen::default();
        let count = Predict::<Count>::new();
        let asked = with(|c| c.lm(lm.clone()).observer(seen.clone()), count.call(QUESTION)).await;
        assert_eq!(asked.unwrap().count, 3);
        let tree = seen.tree();
        let expected = "\
predictor Count None
formatted by chat: 2 messages
  request openai/test
  retried after 1 server
  /request cached=false: 10 tokens
parsed by chat: parse error
asked again
formatted by json: 2 messages
  request openai/test
  /request cached=false: 10 tokens
parsed by json: done
/predictor None calls=2: {\"count\":3}
";
        assert_eq!(tree, expected);

        // The same requests are answered by the cache; and requests without a program are told of as well.
        let seen = Seen::default();
        with(|c| c.lm(lm.clone()).observer(seen.clone()), count.call(QUESTION)).await.unwrap();
        assert_eq!(seen.count("/request cached=true: 0 tokens"), 2, "{}", seen.tree());
        let seen = Seen::default();
        let request = Request::new(vec![Message::user("hello")]);
        with(|c| c.observer(seen.clone()), lm.generate(request)).await.unwrap();
        assert_eq!(seen.tree(), "request openai/test\n/request cached=false: 10 tokens\n");
    });
}

#[test]
fn embeddings() {
    run(async {
        let lengths = embed::from_fn("own/lengths", |texts: Vec<String>, _| async move {
            Ok(texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect())
        });
        let model = EmbeddingModel::wrap(lengths).cache(Cache::off()).build().unwrap();
        let seen = Seen::default();
        with(|c| c.observer(seen.clone()), model.embed_query("four")).await.unwrap();
        assert_eq!(seen.tree(), "embedding own/lengths: [\"four\"]\n/embedding: 1 vectors\n");

        // Attempts that failed, and a client around a client, of which one tells.
        let calls = AtomicUsize::new(0);
        let slow = embed::from_fn("own/slow", move |texts: Vec<String>, _| {
            let n = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                match n {
                    0 => Err(dspy::LmError::new(dspy::LmErrorKind::Server, "own/slow", "warming up")),
                    _ => Ok(vec![vec![1.0]; texts.len()]),
                }
            }
        });
        let fast = RetryPolicy::new().base(Duration::from_millis(1));
        let inner = EmbeddingModel::wrap(slow).cache(Cache::off()).retry(fast).build().unwrap();
        let outer = EmbeddingModel::wrap(inner).build().unwrap();
        let seen = Seen::default();
        with(|c| c.observer(seen.clone()), outer.embed_query("four")).await.unwrap();
        let wanted = "embedding own/slow: [\"four\"]\nretried after 1 server\n/embedding: 1 vectors\n";
        assert_eq!(seen.tree(), wanted);
    });
}

fn rows(n: usize) -> Vec<Qa> {
    (0..n).map(|i| Qa { question: format!("{i}?"), answer: format!("{i}") }).collect()
}

/// Says the number of the question, but fails on the third.
async fn numbers() -> Model {
    Model::replying(|asked| match asked.last().split("## ]]\n").nth(1).and_then(|t| t.split('?').next()) {
        Some("2") => Reply::error(400, "not this one"),
        Some(n) => Reply::completion(&said(&[("answer", n)])),
        None => Reply::error(400, "what?"),
    })
    .await
}

#[test]
fn rows_of_evaluations() {
    run(async {
        let (model, seen, rows) = (numbers().await, Seen::default(), rows(6));
        let exact = |row: &Qa, found: &QaOutput| row.answer == found.answer;
        let qa = Predict::<Qa>::new().lm(model.lm.clone());
        let evaluate = Evaluate::new(&rows, exact).progress(false).concurrency(3).metric_name("exact");
        let result = with(|c| c.observer(seen.clone()), evaluate.run(&qa)).await.unwrap();
        assert_eq!(result.failures().count(), 1);
        let all = seen.all().clone();
        assert_eq!(all[0].what, "evaluation exact Some(6)");
        assert!(all.last().unwrap().what.starts_with("/evaluation: Some(0.83"));
        for row in 0..6 {
            let started = all.iter().find(|told| told.what == format!("row {row}")).unwrap();
            assert_eq!(started.parent, Some(all[0].work));
            let expected = if row == 2 { "None invalid_request" } else { "Some(1.0) fine" };
            let scored = all.iter().find(|told| told.what == format!("/row {row}: {expected}")).unwrap();
            assert_eq!(scored.work, started.work);
            // Rows run at the same time, and each has its own call.
            let within = all.iter().filter(|told| told.parent == Some(started.work));
            assert_eq!(within.filter(|told| told.what.starts_with("predictor")).count(), 1);
        }
        // The same of rows that come one by one.
        let streamed = Seen::default();
        let evaluate = Evaluate::stream(rows.clone(), exact).progress(false);
        with(|c| c.observer(streamed.clone()), evaluate.run(&qa)).await.unwrap();
        assert_eq!((streamed.count("row "), streamed.count("/row ")), (6, 6));
        assert_eq!(streamed.count("/evaluation: Some(0.83"), 1);
    });
}

#[test]
fn a_compile_tells_what_its_listeners_hear() {
    run(async {
        let (model, seen) = (numbers().await, Seen::default());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = heard.clone();
        let rows: Vec<Qa> = rows(6).into_iter().filter(|row| row.answer != "2").collect();
        let exact = |row: &Qa, found: &QaOutput| row.answer == found.answer;
        let qa = Predict::<Qa>::new().lm(model.lm.clone());
        let search = BootstrapFewShotWithRandomSearch::new().num_candidates(2).progress(false);
        let search = search.on_event(move |event: &dspy::optimize::Event| {
            let name = serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
            listener.lock().unwrap().push(format!("optimizer {name}"));
        });
        with(|c| c.observer(seen.clone()), search.compile(qa, &rows, exact)).await.unwrap();
        let all = seen.all().clone();
        assert!(all[0].what.starts_with("compile "), "{}", all[0].what);
        assert_eq!(all.last().unwrap().what, "/compile: true");
        let told: Vec<String> =
            all.iter().map(|told| told.what.clone()).filter(|what| what.starts_with("optimizer")).collect();
        assert_eq!(told, *heard.lock().unwrap());
        assert!(told.iter().filter(|what| *what == "optimizer row").count() >= rows.len());
        // All of it is part of the compile, and every row has ended.
        assert!(all.iter().filter(|told| told.what.starts_with("optimizer")).all(|t| t.work == all[0].work));
        assert_eq!(seen.count("row "), seen.count("/row "));
        assert!(seen.count("row ") >= rows.len());
        assert!(seen.tree().contains("\n  row 0\n    module Predict<Qa> None"), "{}", seen.tree());
    });
}

#[test]
fn work_that_is_dropped_is_cancelled() {
    run(async {
        let model = Model::replying(|_| Reply::completion("x").after(Duration::from_secs(60))).await;
        let seen = Seen::default();
        let program = rag();
        let call = with(|c| c.lm(model.lm.clone()).observer(seen.clone()), program.call(QUESTION));
        let asked = async {
            while model.count() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            _ = call => panic!("there is no answer"),
            () = asked => {}
        }
        let all = seen.all().clone();
        let open: Vec<_> = all.iter().filter(|told| told.what == "cancelled").collect();
        assert_eq!(open.len(), 3, "request, predictor, module: {}", seen.tree());
        let begun = all
            .iter()
            .filter(|told| ["module", "predictor", "request"].iter().any(|w| told.what.starts_with(w)));
        for begun in begun {
            assert!(open.iter().any(|told| told.work == begun.work));
        }
    });
}

#[test]
fn a_panic_in_an_observer_disturbs_nothing() {
    run(async {
        let (model, seen) = (knowing().await, Seen::default());
        let broken = |event: &Event<'_>| {
            assert!(!matches!(event.kind, EventKind::RequestEnded { .. }), "this one cannot be seen");
        };
        let scope = with(|c| c.lm(model.lm.clone()).observer(broken).observer(seen.clone()), async {
            rag().call(QUESTION).await.unwrap().into_inner().answer
        });
        assert_eq!(scope.await, "Emajõgi");
        assert_eq!(seen.count("/request"), 2);
    });
}

#[test]
fn calls_at_once_have_their_own_trees() {
    run(async {
        let (model, seen) = (numbers().await, Seen::default());
        let qa = Predict::<Qa>::new();
        let inputs = [0, 1, 3, 4, 5, 6, 7].map(|n| QaInput { question: format!("{n}?") });
        let outer = seen.clone();
        with(|c| c.lm(model.lm.clone()).observer(outer).concurrency(4), qa.batch(inputs)).await;
        assert_eq!(seen.count("predictor Qa"), 7);
        let all = seen.all().clone();
        for told in all.iter().filter(|told| told.what.starts_with("predictor")) {
            let within = all.iter().filter(|other| other.parent == Some(told.work));
            assert_eq!(within.filter(|other| other.what.starts_with("request")).count(), 1);
        }
    });
}

#[test]
fn what_is_replayed_is_not_done_again() {
    #[module]
    #[derive(Clone)]
    struct Checked {
        first: Predict<Qa>,
        second: Predict<Answer>,
    }

    impl Module for Checked {
        type Input = QaInput;
        type Output = QaOutput;

        async fn forward(&self, input: QaInput) -> Result<QaOutput> {
            let known = self.first.call(input.question.as_str()).await?.into_inner().answer;
            let second = self.second.call((vec![known], input.question)).await?.into_inner().answer;
            dspy::assert!(second != "wrong", "not wrong");
            Ok(QaOutput { answer: second })
        }
    }

    run(async {
        let answers = ["first", "wrong", "right"].map(|text| said(&[("answer", text)]));
        let model = Model::script(&answers.each_ref().map(String::as_str)).await;
        let seen = Seen::default();
        let program = Checked { first: Predict::new(), second: Predict::new() };
        let p =
            with(|c| c.lm(model.lm.clone()).observer(seen.clone()), program.call(QUESTION)).await.unwrap();
        assert_eq!((p.answer.as_str(), p.backtracks()), ("right", 1));
        assert_eq!((seen.count("predictor Qa"), seen.count("predictor Answer")), (1, 2), "{}", seen.tree());
        assert_eq!(seen.count("module"), 1);
    });
}
