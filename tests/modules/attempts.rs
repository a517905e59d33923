//! Several attempts at one input.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use dspy::{
    evaluate::Score,
    lm::{Cache, LM, StubModel},
    prelude::*,
};

use crate::world::{Sent, World, chat, question, world};

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Answer in one word.
fn short(_: &QaInput, pred: &QaOutput) -> (f64, String) {
    let words = pred.answer.split(' ').count();
    (1.0 / words as f64, format!("{words} words"))
}

/// The `n`th answer to a question is the `n`th of these.
async fn answering(answers: &'static [&'static str]) -> World {
    let asked = AtomicUsize::new(0);
    world(move |_| match answers[asked.fetch_add(1, SeqCst).min(answers.len() - 1)] {
        "ERROR" => "ERROR".into(),
        answer => chat(&[("answer", answer)]),
    })
    .await
}

fn best(world: &World, n: usize, threshold: f64) -> BestOfN<Predict<Qa>> {
    BestOfN::new(Predict::<Qa>::new().lm(world.lm.clone()), n, short, threshold)
}

#[tokio::test]
async fn the_first_that_reaches_the_threshold_ends_it() {
    let world = answering(&["one two three", "one two", "one", "never asked for"]).await;
    let p = best(&world, 5, 1.0).call("?").await.unwrap();
    assert_eq!((p.answer.as_str(), world.count()), ("one", 3));
    assert_eq!((p.usage().total().calls, p.trace().len()), (3, 1));
    let step = p.trace().iter().next().unwrap();
    assert_eq!(
        (step.path.as_deref(), &step.output_json().unwrap()["answer"]),
        (Some("module"), &"one".into())
    );
    for call in world.server.calls() {
        assert_eq!(call.json()["temperature"], 1.0);
    }
}

#[tokio::test]
async fn otherwise_the_best_is_taken_and_of_equals_the_earliest() {
    let world = answering(&["a b c", "a b", "c d"]).await;
    let p = best(&world, 3, 2.0).call("?").await.unwrap();
    assert_eq!((p.answer.as_str(), world.count()), ("a b", 3));
    assert_eq!(p.trace().len(), 1);
}

#[tokio::test]
async fn failures_count_up_to_a_limit() {
    let world = answering(&["ERROR", "a b", "ERROR"]).await;
    let p = best(&world, 3, 1.0).call("?").await.unwrap();
    assert_eq!(p.answer, "a b");

    let world = answering(&["ERROR", "a b", "ERROR"]).await;
    let error = best(&world, 3, 1.0).fail_count(1).call("?").await.unwrap_err();
    assert_eq!((error.kind(), world.count()), ("invalid_request", 3));
    let world = answering(&["ERROR"]).await;
    assert_eq!(best(&world, 3, 1.0).fail_count(0).call("?").await.unwrap_err().kind(), "invalid_request");
    assert_eq!(world.count(), 1);
    // Every call has all of its failures, however many calls came before.
    let program = best(&world, 2, 1.0);
    for _ in 0..3 {
        let before = world.count();
        program.call("?").await.unwrap_err();
        assert_eq!(world.count() - before, 2);
    }
    let none = best(&world, 0, 1.0).call("?").await.unwrap_err();
    assert!(none.to_string().contains("number of attempts is 0"), "{none}");
}

#[tokio::test]
async fn rewards_may_fail_wait_and_ask_models() {
    let world = answering(&["a b", "a"]).await;
    let judge = Predict::<Qa>::new().lm(StubModel::from_fn(|_: &dspy::lm::Request| r#"{"answer": "fine"}"#));
    let metric = metric_with_state(judge, async |judge: &Predict<Qa>, _: &QaInput, pred: &QaOutput| {
        let said = judge.call(format!("Is {} one word?", pred.answer)).await?;
        Ok::<_, dspy::Error>(said.answer == "fine" && !pred.answer.contains(' '))
    });
    let program = BestOfN::new(Predict::<Qa>::new().lm(world.lm.clone()), 3, metric, 1.0);
    let p = program.call("?").await.unwrap();
    assert_eq!((p.answer.as_str(), p.usage().total().calls), ("a", 4), "the calls of the reward count");
    assert_eq!(p.trace().len(), 1, "and are no steps of the program");
    let nan =
        BestOfN::new(Predict::<Qa>::new().lm(world.lm.clone()), 2, |_: &QaInput, _: &QaOutput| f64::NAN, 1.0);
    assert!(nan.call("?").await.unwrap_err().to_string().contains("finite"));
}

use dspy::metric_with_state;

#[tokio::test]
async fn attempts_are_other_draws_and_the_same_ones_again() {
    let model = StubModel::from_fn(|request: &dspy::lm::Request| {
        format!(r#"{{"answer": "{} {}"}}"#, request.rollout, "x ".repeat(9 - request.rollout as usize % 9))
    });
    let lm: LM = model.builder().cache(Cache::memory(100)).build().unwrap();
    let program = BestOfN::new(Predict::<Qa>::new().lm(lm), 4, short, 9.0);
    let first = program.call("?").await.unwrap();
    let rollouts = |from: usize| model.requests()[from..].iter().map(|r| r.rollout).collect::<Vec<_>>();
    assert_eq!(rollouts(0), [0, 1, 2, 3]);
    let second = program.call("?").await.unwrap();
    assert_eq!((model.requests().len(), &first.answer), (4, &second.answer), "from the cache");
    // Another draw of the whole has other draws of its parts.
    with(|c| c.rollout(2), program.call("?")).await.unwrap();
    assert_eq!(rollouts(4), [8, 9, 10, 11]);
}

#[tokio::test]
async fn programs_within_are_seen_saved_and_compiled_under_their_paths() {
    let make = || {
        let inner = BestOfN::new(ChainOfThought::<Qa>::new(), 2, short, 1.0);
        Refine::new(inner, 2, |_: &QaInput, p: &Reasoned<QaOutput>| p.reasoning.len(), 1.0)
    };
    let mut program = make();
    program.module_mut().module_mut().predictor_mut().set_instructions("Learnt.");
    let state = program.to_json().unwrap();
    assert_eq!(state["module.module.predict"]["signature"]["instructions"], "Learnt.");
    assert_eq!(make().load_json(&state).unwrap().predictors()[0].1.instructions(), "Learnt.");
}

/// Answers in two steps.
#[module]
struct TwoSteps {
    draft: Predict<Qa>,
    polish: Predict<Qa>,
}

#[module]
impl Module for TwoSteps {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        let draft = self.draft.call(input).await?;
        Ok(self.polish.call(format!("polish: {}", draft.answer)).await?.into_inner())
    }
}

fn is_advisor(sent: &[Sent]) -> bool {
    sent[0].1.contains("made an attempt at a task")
}

/// A model that drafts briefly only when it is advised to.
async fn advised() -> World {
    world(|sent| {
        let text = question(sent);
        match is_advisor(sent) {
            true => chat(&[
                ("discussion", "The draft is too long."),
                ("advice", r#"{"draft": "Use a single word.", "polish": " ", "unknown": "?"}"#),
            ]),
            false if text.contains("polish: ") => {
                let draft = text.split("polish: ").nth(1).unwrap().lines().next().unwrap();
                chat(&[("answer", draft)])
            }
            false if text.contains("single word") => chat(&[("answer", "Austen")]),
            false => chat(&[("answer", "It was Jane Austen")]),
        }
    })
    .await
}

#[tokio::test]
async fn advice_is_shown_in_the_next_attempt_and_nowhere_else() {
    let world = advised().await;
    let steps = TwoSteps { draft: Predict::new(), polish: Predict::new() };
    let mut program = Refine::new(steps, 3, short, 1.0).reward_desc("how short the answer is");
    program.set_lm(world.lm.clone());
    let p = program.call("Who wrote Emma?").await.unwrap();
    assert_eq!((p.answer.as_str(), world.count(), p.usage().total().calls), ("Austen", 5, 5));
    let paths: Vec<_> = p.trace().iter().map(|s| s.path.clone().unwrap().to_string()).collect();
    assert_eq!(paths, ["module.draft", "module.polish"]);
    assert_eq!(
        p.trace().iter().next().unwrap().input_json(),
        serde_json::json!({"question": "Who wrote Emma?"})
    );
    world.assert_sent("refine.md");
    let before = world.count();
    program.module().call("Who wrote Emma?").await.unwrap();
    assert!(
        world.requests()[before..].iter().all(|sent| !question(sent).contains("hint")),
        "the program stays as it was"
    );
}

#[tokio::test]
async fn advice_of_one_call_is_not_seen_by_others() {
    let world = world(|sent| {
        let all: String = sent.iter().map(|(_, text)| text.as_str()).collect();
        let number: String =
            all.split("number ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        match is_advisor(sent) {
            true => chat(&[("discussion", "d"), ("advice", &format!(r#"{{"self": "say {number}"}}"#))]),
            false => {
                let hints: Vec<&str> = all.split("say ").skip(1).collect();
                assert!(hints.iter().all(|hint| hint.starts_with(&number)), "{all}");
                chat(&[("answer", if hints.is_empty() { "a b" } else { &number })])
            }
        }
    })
    .await;
    let mut program = Refine::new(Predict::<Qa>::new(), 3, short, 1.0);
    program.set_lm(world.lm.clone());
    for (n, p) in (100..150).zip(program.batch((100..150).map(|n| format!("number {n}?"))).await) {
        assert_eq!(p.unwrap().answer, n.to_string());
    }
}

#[tokio::test]
async fn without_advice_the_next_attempt_is_made_as_it_is() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let world = world(move |sent| match is_advisor(sent) {
        true => "ERROR".into(),
        false => chat(&[("answer", if counted.fetch_add(1, SeqCst) == 0 { "a b" } else { "a" })]),
    })
    .await;
    let reward = |_: &QaInput, pred: &QaOutput| Score::new(f64::from(u8::from(pred.answer == "a")));
    let mut program = Refine::new(Predict::<Qa>::new(), 3, reward, 1.0);
    program.set_lm(world.lm.clone());
    assert_eq!(program.call("?").await.unwrap().answer, "a");
    assert_eq!(asked.load(SeqCst), 2);
}
