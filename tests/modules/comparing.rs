//! Attempts compared, votes, calls at the same time.

use dspy::{Error, draws, majority, prelude::*};
use serde_json::json;

use crate::world::{chat, question, world};

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
    #[output]
    sure: bool,
}

#[tokio::test]
async fn attempts_are_shown_and_the_answer_is_reasoned() {
    let world = world(|sent| {
        let sums = question(sent).contains("reasoning_attempt");
        chat(&[
            ("reasoning", if sums { "Two agree." } else { "I recall it." }),
            ("answer", "1815"),
            ("sure", "yes"),
        ])
    })
    .await;
    let (solve, compare) = (ChainOfThought::<Qa>::new(), MultiChainComparison::<Qa>::new());
    let lm = world.lm.clone();
    let p = with(move |c| c.lm(lm), async {
        let input = QaInput { question: "When was Waterloo?".into() };
        let found = draws(&solve, input.clone(), 3).await?;
        let attempts = found.into_iter().map(Prediction::into_inner).collect::<Vec<_>>();
        let few = compare.call((input.clone(), attempts[..2].to_vec())).await.unwrap_err().to_string();
        assert!(few.contains("3 attempts are compared, and 2 were given"), "{few}");
        compare.call((input, attempts)).await
    })
    .await
    .unwrap();
    assert_eq!((p.reasoning.as_str(), p.answer.as_str(), p.sure), ("Two agree.", "1815", true));
    assert_eq!(world.server.last().json()["temperature"], 0.7);
    let step = p.trace().iter().next().unwrap().input_json();
    assert_eq!(step["reasoning_attempt_3"], "I recall it.\nanswer: 1815\nsure: true");
    world.assert_sent("multi_chain_comparison.md");

    let five = MultiChainComparison::<Qa>::new().attempts(12);
    let names: Vec<_> = five.predictor().spec().fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        (names.len(), names[2], names[12], names[13]),
        (16, "reasoning_attempt_2", "reasoning_attempt_12", "reasoning")
    );
    let shown = json!({"question": "Who?", "reasoning_attempt_1": "I guess.", "reasoning": "So.", "answer": "She", "sure": true});
    let taught = MultiChainComparison::<Qa>::new().repairs(0).try_demos([shown]).unwrap();
    assert_eq!(taught.predictor().demos().len(), 1);
    let paths: Vec<_> = five.predictors().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["predict"]);
}

#[tokio::test]
async fn draws_differ_and_vote() {
    let model = dspy::lm::StubModel::from_fn(|request: &dspy::lm::Request| {
        let answer = ["Paris", "Rome", "paris.", "Rome "][request.rollout as usize % 4];
        format!(r#"{{"answer": "{answer}", "sure": true}}"#)
    });
    let qa = Predict::<Qa>::new().lm(&model);
    let found = draws(&qa, "Which city?", 3).await.unwrap();
    assert_eq!(majority(&found, |p| p.answer.clone()).unwrap().answer, "Paris");
    let tie = draws(&qa, "Which city?", 4).await.unwrap();
    assert_eq!(
        majority(&tie, |p| &p.answer == "x").unwrap().answer,
        "Paris",
        "any field, and the earliest on a tie"
    );
    assert!(majority(Vec::<String>::new(), |s| s.clone()).is_none());
}

/// Asks two predictors at the same time, within a program.
#[module]
struct Both {
    one: Predict<Qa>,
    other: ChainOfThought<Qa>,
}

impl Module for Both {
    type Input = Vec<String>;
    type Output = Vec<String>;

    async fn forward(&self, questions: Vec<String>) -> Result<Vec<String>> {
        let calls = questions.iter().map(|question| async move {
            let (one, other) =
                (self.one.call(question.clone()).await?, self.other.call(question.clone()).await?);
            Ok(format!("{}, {}", one.answer, other.answer))
        });
        Parallel::new().concurrency(2).try_run(calls).await
    }
}

#[tokio::test]
async fn calls_at_the_same_time_keep_order_settings_and_trace() {
    let world = world(|sent| {
        let asked = question(sent).lines().find(|line| line.starts_with('q')).unwrap().to_owned();
        match asked.as_str() {
            "q3" => "ERROR".into(),
            asked => chat(&[("reasoning", "r"), ("answer", asked), ("sure", "no")]),
        }
    })
    .await;
    let lm = world.lm.clone();
    with(move |c| c.lm(lm), async {
        let both = Both { one: Predict::new(), other: ChainOfThought::new() };
        let questions = |range: std::ops::Range<usize>| range.map(|n| format!("q{n}")).collect::<Vec<_>>();
        let p = both.call(questions(0..3)).await.unwrap();
        assert_eq!(*p, ["q0, q0", "q1, q1", "q2, q2"]);
        let steps: Vec<_> =
            p.trace().iter().map(|s| (s.path.clone().unwrap(), s.input_json()["question"].clone())).collect();
        let expected = (0..3).flat_map(|n| [("one", n), ("other.predict", n)]);
        for ((path, question), (expected, n)) in steps.iter().zip(expected) {
            assert_eq!((&**path, question), (expected, &format!("q{n}").into()));
        }
        assert_eq!((steps.len(), p.usage().total().calls), (6, 6));

        let qa = Predict::<Qa>::new();
        let call = |question: String| qa.call(question);
        let all = Parallel::new().run(questions(2..6).into_iter().map(call)).await;
        assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
        let stopped =
            Parallel::new().concurrency(1).max_errors(0).run(questions(2..6).into_iter().map(call)).await;
        assert!(matches!(stopped[3], Err(Error::Limit(_))) && stopped[0].is_ok(), "{stopped:?}");
        let panicked =
            Parallel::new().run([async { if world.count() > 0 { panic!("no") } else { Ok(1) } }]).await;
        assert!(panicked[0].as_ref().unwrap_err().to_string().contains("the call panicked: no"));
    })
    .await;
}
