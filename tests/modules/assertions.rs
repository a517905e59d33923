//! Programs that run again where an assertion is not met.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
};

use dspy::{
    Error,
    lm::StubModel,
    predict::{Checked, WithViolations},
    prelude::*,
};

use crate::world::{Sent, World, chat, question, world};

/// Write a search query for the question.
#[signature]
struct WriteQuery {
    #[input]
    question: String,
    #[output]
    query: String,
}

/// Answer the question from what was found.
#[signature]
struct Answer {
    #[input]
    found: String,
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Which demands the program makes.
#[derive(Debug, Clone, Copy, Default)]
struct Demands {
    short_query: bool,
    good_query: bool,
    known_answer: bool,
    one_word: bool,
}

#[module]
struct Rag {
    query: Predict<WriteQuery>,
    answer: ChainOfThought<Answer>,
    #[module(skip)]
    demands: Demands,
}

impl Rag {
    fn new(demands: Demands) -> Self {
        Self { query: Predict::new(), answer: ChainOfThought::new(), demands }
    }
}

#[module]
impl Module for Rag {
    type Input = WriteQueryInput;
    type Output = AnswerOutput;

    async fn forward(&self, input: WriteQueryInput) -> Result<AnswerOutput> {
        let asked = self.query.call(input.clone()).await?;
        let Demands { short_query, good_query, known_answer, one_word } = self.demands;
        dspy::assert!(!short_query || asked.query.len() <= 20, "a query has at most 20 characters");
        let found = format!("what was found for {}", asked.query);
        let answer = self.answer.call((found, input.question)).await?;
        let nothing = answer.answer == "unknown";
        dspy::assert!(!good_query || !nothing, retry = self.query, "{:?} finds nothing", asked.query);
        dspy::assert!(!known_answer || !nothing, "an answer");
        let words = answer.answer.split(' ').count();
        dspy::suggest!(!one_word || words == 1, "one word, not {words}");
        Ok(answer.into_inner().into_inner())
    }
}

fn is_query(sent: &[Sent]) -> bool {
    sent[0].1.contains("Write a search query")
}

/// A model that does it right only when it was told so.
async fn corrigible() -> World {
    world(|sent| match (is_query(sent), question(sent)) {
        (true, text) if text.contains("at most 20 characters") => chat(&[("query", "emma author")]),
        (true, text) if text.contains("finds nothing") => chat(&[("query", "a better query for it")]),
        (true, _) => chat(&[("query", "who is it that wrote the novel called Emma?")]),
        (false, text) if text.contains("one word") => chat(&[("reasoning", "short"), ("answer", "Austen")]),
        (false, text) if text.contains("novel called") => {
            chat(&[("reasoning", "none"), ("answer", "unknown")])
        }
        (false, _) => chat(&[("reasoning", "long"), ("answer", "Jane Austen")]),
    })
    .await
}

#[tokio::test]
async fn the_last_answer_is_corrected_and_what_came_before_is_replayed() {
    let world = corrigible().await;
    let mut rag = Rag::new(Demands { one_word: true, short_query: true, ..Demands::default() });
    rag.set_lm(world.lm.clone());
    let p = rag.call("Who wrote Emma?").await.unwrap();
    assert_eq!(p.answer, "Austen");
    // Two of each: the first answer and the corrected one.
    assert_eq!((world.count(), p.usage().total().calls, p.backtracks()), (4, 4, 2));
    assert!(p.violations().is_empty());
    let steps: Vec<_> =
        p.trace().iter().map(|s| (s.path.clone().unwrap(), s.output_json().unwrap())).collect();
    assert_eq!(steps.len(), 2, "the trace is that of the last run: {steps:?}");
    assert_eq!((&*steps[0].0, &steps[0].1["query"]), ("query", &"emma author".into()));
    assert_eq!((&*steps[1].0, &steps[1].1["answer"]), ("answer.predict", &"Austen".into()));
    world.assert_sent("assertions.md");
}

#[tokio::test]
async fn another_predictor_than_the_last_is_named() {
    let world = corrigible().await;
    let mut rag = Rag::new(Demands { good_query: true, ..Demands::default() });
    rag.set_lm(world.lm.clone());
    let p = rag.call("Who wrote Emma?").await.unwrap();
    assert_eq!(p.answer, "Jane Austen");
    let kinds: Vec<bool> = world.requests().iter().map(|sent| is_query(sent)).collect();
    assert_eq!(kinds, [true, false, true, false], "what depends on the query is asked again");
    assert!(
        question(&world.requests()[2])
            .contains("\"who is it that wrote the novel called Emma?\" finds nothing")
    );
}

#[tokio::test]
async fn an_assertion_that_is_never_met_is_an_error_and_a_suggestion_a_warning() {
    let stubborn = |sent: &[Sent]| match is_query(sent) {
        true => chat(&[("query", "q")]),
        false => chat(&[("reasoning", "r"), ("answer", "un known")]),
    };
    let world = world(stubborn).await;
    let demanding = |demands| {
        let mut rag = Rag::new(demands);
        rag.set_lm(world.lm.clone());
        rag
    };
    let wishing = demanding(Demands { one_word: true, ..Demands::default() });
    let p = wishing.call("?").await.unwrap();
    assert_eq!((world.count(), p.backtracks()), (4, 2), "one query, and an answer with two corrections");
    let [violation] = p.violations() else { panic!("{:?}", p.violations()) };
    assert_eq!((violation.message.as_str(), violation.fatal), ("one word, not 2", false));
    assert!(violation.field.starts_with("tests/modules/assertions.rs:"), "{}", violation.field);
    // The last request shows both answers that were not accepted.
    let last = world.requests().pop().unwrap();
    assert_eq!(last.iter().filter(|(role, _)| role == "assistant").count(), 2, "{last:?}");

    let unknown = |sent: &[Sent]| match is_query(sent) {
        true => chat(&[("query", "q")]),
        false => chat(&[("reasoning", "r"), ("answer", "unknown")]),
    };
    let world = crate::world::world(unknown).await;
    let mut asserting = Rag::new(Demands { known_answer: true, ..Demands::default() });
    asserting.set_lm(world.lm.clone());
    let error = asserting.call("?").await.unwrap_err();
    assert_eq!((world.count(), error.kind()), (4, "assertion"));
    let Error::Assertion(failed) = &error else { panic!("{error}") };
    assert_eq!(failed.message, "an answer");
    assert!(
        error.to_string().starts_with("assertion not met: an answer (tests/modules/assertions.rs:"),
        "{error}"
    );

    // Without corrections, both are only checked.
    let before = world.count();
    let checked = with(|c| c.max_backtracks(0), asserting.call("?")).await;
    assert_eq!((checked.unwrap_err().kind(), world.count() - before), ("assertion", 2));
}

/// Checks what another module gives.
#[module]
struct Outer {
    inner: Rag,
    check: Predict<WriteQuery>,
}

impl Module for Outer {
    type Input = WriteQueryInput;
    type Output = AnswerOutput;

    async fn forward(&self, input: WriteQueryInput) -> Result<AnswerOutput> {
        let found = self.inner.call(input.clone()).await?;
        let checked = self.check.call(format!("check {}", found.answer)).await?;
        dspy::assert!(checked.query == "fine", retry = self.inner.answer, "one word");
        Ok(found.into_inner())
    }
}

#[tokio::test]
async fn what_an_inner_module_settled_is_not_asked_again() {
    let world = world(|sent| match (is_query(sent), question(sent)) {
        (true, text) if text.contains("check Austen") => chat(&[("query", "fine")]),
        (true, text) if text.contains("check") => chat(&[("query", "too long")]),
        (true, text) if text.contains("at most 20") => chat(&[("query", "short")]),
        (true, _) => chat(&[("query", "a query of more than twenty characters")]),
        (false, text) if text.contains("one word") => chat(&[("reasoning", "r"), ("answer", "Austen")]),
        (false, _) => chat(&[("reasoning", "r"), ("answer", "Jane Austen")]),
    })
    .await;
    let inner = Rag::new(Demands { short_query: true, ..Demands::default() });
    let mut outer = Outer { inner, check: Predict::new() };
    outer.set_lm(world.lm.clone());
    let p = outer.call("Who wrote Emma?").await.unwrap();
    assert_eq!(p.answer, "Austen");
    // Two queries, two answers, two checks: in the second run of the outer program the query is replayed as corrected.
    assert_eq!((world.count(), p.backtracks()), (6, 2));
    let paths: Vec<_> = p.trace().iter().map(|s| s.path.clone().unwrap().to_string()).collect();
    assert_eq!(paths, ["inner.query", "inner.answer.predict", "check"]);
}

/// Queries for the parts of a question at the same time.
#[module]
struct Fan {
    query: Predict<WriteQuery>,
    at_once: usize,
}

impl Module for Fan {
    type Input = Vec<String>;
    type Output = Vec<String>;

    async fn forward(&self, parts: Vec<String>) -> Result<Vec<String>> {
        let asked: Vec<_> = match self.at_once {
            0 => self.query.batch(parts).await.into_iter().collect::<Result<_>>()?,
            n => {
                Parallel::new()
                    .concurrency(n)
                    .try_run(parts.iter().map(|part| self.query.call(part.clone())))
                    .await?
            }
        };
        let queries: Vec<String> = asked.into_iter().map(|p| p.into_inner().query).collect();
        dspy::assert!(queries.last().is_some_and(|last| last == "right"), "right");
        Ok(queries)
    }
}

#[tokio::test]
async fn after_calls_at_the_same_time_the_last_in_order_is_corrected() {
    for at_once in [0, 1, 3] {
        let world = world(|sent| {
            chat(&[("query", if question(sent).contains("demand") { "right" } else { "wrong" })])
        })
        .await;
        let mut fan = Fan { query: Predict::new(), at_once };
        fan.set_lm(world.lm.clone());
        let parts: Vec<String> = ["a", "b", "c", "a"].map(str::to_owned).to_vec();
        let p = fan.call(parts).await.unwrap();
        assert_eq!(*p, ["wrong", "wrong", "wrong", "right"], "{at_once}");
        assert_eq!((world.count(), p.trace().len()), (5, 4));
    }
}

#[tokio::test]
async fn calls_at_the_same_time_are_corrected_each_on_its_own() {
    // The model gets it right after two corrections, and says which question it answers.
    let world = world(|sent| {
        let asked = sent.iter().filter(|(role, _)| role == "assistant").count();
        let number: String = sent[1].1.chars().filter(char::is_ascii_digit).collect();
        match is_query(sent) {
            true if asked < 2 => chat(&[("query", &format!("{number} is much longer than is allowed"))]),
            true => chat(&[("query", &number)]),
            false => chat(&[("reasoning", "r"), ("answer", &number)]),
        }
    })
    .await;
    let mut rag = Rag::new(Demands { short_query: true, ..Demands::default() });
    rag.set_lm(world.lm.clone());
    let found = rag.batch((100..140).map(|n| format!("number {n}?"))).await;
    for (n, p) in (100..140).zip(found) {
        let p = p.unwrap();
        assert_eq!((p.backtracks(), p.trace().len()), (2, 2));
        assert!(p.answer.starts_with(&n.to_string()), "{n}: {}", p.answer);
    }
    assert_eq!(world.count(), 40 * 4);
}

#[tokio::test]
async fn only_the_call_that_made_the_answer_runs_again() {
    // The wrong answer was drawn at random: a step that is replayed gives exactly what it gave, without a cache.
    let drawn = Arc::new(Mutex::new(0));
    let lm = StubModel::from_fn(move |request: &dspy::lm::Request| {
        let text = request.prompt.messages().last().unwrap().content.text().to_owned();
        let mut drawn = drawn.lock().unwrap();
        *drawn += 1;
        match text.contains("search")
            || request.prompt.messages().next().unwrap().content.text().contains("Write a search")
        {
            true => chat(&[("query", &format!("draw {drawn}"))]),
            false if text.contains("one word") => {
                chat(&[("reasoning", "r"), ("answer", &format!("{drawn}"))])
            }
            false => chat(&[("reasoning", "r"), ("answer", "two words")]),
        }
    });
    let mut rag = Rag::new(Demands { one_word: true, ..Demands::default() });
    rag.set_lm(&lm);
    let p = with(|c| c.temperature(1.0), rag.call("?")).await.unwrap();
    assert_eq!((p.answer.as_str(), lm.requests().len()), ("3", 3));
    assert_eq!(p.trace().iter().next().unwrap().output_json().unwrap()["query"], "draw 1");
}

fn rows(n: usize) -> Vec<(WriteQueryInput, AnswerOutput)> {
    let row = |i: usize| {
        (WriteQueryInput { question: format!("question {i}") }, AnswerOutput { answer: "Austen".into() })
    };
    (0..n).map(row).collect()
}

type Gold = (WriteQueryInput, AnswerOutput);

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A model that answers four of ten questions in too many words, and heeds eight of ten corrections.
async fn careless() -> World {
    world(|sent| match is_query(sent) {
        true => chat(&[("query", "q")]),
        false => {
            let told = question(sent).contains("one word");
            let draw = hash(sent) % 10;
            let wrong = if told { draw < 2 } else { draw < 4 };
            chat(&[("reasoning", "r"), ("answer", if wrong { "Jane Austen" } else { "Austen" })])
        }
    })
    .await
}

#[tokio::test]
async fn fewer_suggestions_are_broken_with_corrections_than_without() {
    let world = careless().await;
    let mut rag = Rag::new(Demands { one_word: true, ..Demands::default() });
    rag.set_lm(world.lm.clone());
    let rows = rows(200);
    let metric = |gold: &Gold, pred: &AnswerOutput| gold.1.answer == pred.answer;
    let evaluate = Evaluate::new(&rows, metric).progress(false);
    let without = with(|c| c.max_backtracks(0), evaluate.run(&rag)).await.unwrap();
    let corrected = evaluate.run(&rag).await.unwrap();
    let (before, after) = (without.violations().count(), corrected.violations().count());
    // 86 and 2.
    assert!(before > 60 && after * 8 < before, "{before} without, {after} with");
    assert!(corrected.score > without.score);
    assert_eq!(without.backtracks(), 0);
    let shown = corrected.to_string();
    assert!(shown.contains(&format!("suggestions not met: {after} in {after} rows")), "{shown}");
    assert!(shown.contains(&format!("{} answers corrected", corrected.backtracks())), "{shown}");

    let streamed = Evaluate::stream(rows.clone(), metric).progress(false).run(&rag).await.unwrap();
    assert_eq!(streamed.violations(), after);

    // As a metric.
    let penalty = |_: &Gold, pred: &Checked<AnswerOutput>| 1.0 - pred.violations.len() as f64;
    let counted =
        Evaluate::new(&rows, penalty).progress(false).run(&WithViolations(rag.clone())).await.unwrap();
    assert!((counted.score - (1.0 - after as f64 / 200.0)).abs() < 1e-9, "{}", counted.score);
    let same = Evaluate::new(&rows, metric).progress(false).run(&WithViolations(rag)).await.unwrap();
    assert_eq!(same.score, corrected.score);
}

#[tokio::test]
async fn demonstrations_are_of_runs_that_meet_everything_and_show_the_corrected_answer() {
    // Every answer is wrong at first; the odd ones stay so.
    let world = world(|sent| match is_query(sent) {
        true => chat(&[("query", "q")]),
        false => {
            let even = sent[1..].iter().any(|(_, text)| {
                text.contains("0\n")
                    || text.ends_with('0')
                    || text.contains("question 2")
                    || text.contains("question 4")
            });
            let told = question(sent).contains("one word");
            chat(&[("reasoning", "r"), ("answer", if told && even { "Austen" } else { "Jane Austen" })])
        }
    })
    .await;
    let rag = Rag::new(Demands { one_word: true, ..Demands::default() });
    let lm = world.lm.clone();
    let rows = rows(6);
    let any = |_: &Gold, _: &AnswerOutput| true;
    let compiled = with(
        move |c| c.lm(lm),
        BootstrapFewShot::new().max_bootstrapped_demos(4).max_labeled_demos(0).compile(rag, &rows, any),
    )
    .await
    .unwrap();
    let mut shown: HashMap<String, Vec<String>> = HashMap::new();
    for (path, predictor) in compiled.program.predictors() {
        for demo in predictor.demos() {
            assert!(demo.fields.keys().all(|name| predictor.spec().field(name).is_some()), "{demo:?}");
            shown
                .entry(path.clone())
                .or_default()
                .push(demo.fields.values().next_back().unwrap().to_string());
        }
    }
    let answers = &shown["answer.predict"];
    assert!(
        !answers.is_empty() && answers.len() < 6 && answers.iter().all(|a| a == "\"Austen\""),
        "{answers:?}"
    );
}

#[tokio::test]
async fn outside_of_a_call_assertions_are_only_checked() {
    fn check(n: usize) -> Result<()> {
        dspy::assert!(n < 3, "less than three, not {n}");
        dspy::suggest!(n < 2, "less than two");
        Ok(())
    }
    assert!(check(2).is_ok());
    assert!(check(3).unwrap_err().to_string().contains("less than three, not 3"));
}
