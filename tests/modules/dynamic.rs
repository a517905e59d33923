//! Programs that are put together at run time.

use std::collections::BTreeMap;

use dspy::{DynChainOfThought, DynModule, DynPredict, Sequence, prelude::*};
use serde_json::json;

use crate::world::{World, chat, question, world};

/// Answer the question in a word.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

fn parsed(text: &str) -> DynSignature {
    DynSignature::parse(text).unwrap()
}

/// A model that answers each signature in its way.
async fn answering() -> World {
    world(|sent| {
        let all = &sent[0].1;
        match question(sent) {
            text if all.contains("- `query`") && !all.contains("- `answer`") => {
                chat(&[("query", if text.contains("Emma") { "emma author" } else { "other" })])
            }
            text if text.contains("emma author") => chat(&[("reasoning", "known"), ("answer", "Austen")]),
            text if text.contains("not accepted") => chat(&[("reasoning", "r"), ("answer", "short")]),
            _ => chat(&[("reasoning", "unknown"), ("answer", "nobody at all")]),
        }
    })
    .await
}

fn two_steps() -> Sequence {
    Sequence::new()
        .then("query", DynPredict::dynamic(parsed("question -> query")))
        .then("answer", DynChainOfThought::dynamic(parsed("question, query -> answer")))
}

#[tokio::test]
async fn modules_follow_one_another_by_the_names_of_their_fields() {
    let world = answering().await;
    let mut program = two_steps();
    program.set_lm(world.lm.clone());
    let input = || Record::from([("question", "Who wrote Emma?"), ("unused", "x")]);
    let p = program.call(input()).await.unwrap();
    assert_eq!(serde_json::to_value(p.output()).unwrap(), json!({"reasoning": "known", "answer": "Austen"}));
    let steps: Vec<_> =
        p.trace().iter().map(|s| (s.path.clone().unwrap().to_string(), s.input_json())).collect();
    assert_eq!(steps[0], ("query".into(), json!({"question": "Who wrote Emma?"})));
    let expected = json!({"question": "Who wrote Emma?", "query": "emma author"});
    assert_eq!(steps[1], ("answer.predict".into(), expected));

    // A typed module takes part, and so does one that makes several attempts.
    let best = BestOfN::new(Predict::<Qa>::new(), 2, |_: &QaInput, p: &QaOutput| p.answer.len() < 9, 1.0);
    let mut mixed =
        Sequence::new().then("query", DynPredict::dynamic(parsed("question -> query"))).then("qa", best);
    mixed.set_lm(world.lm.clone());
    assert_eq!(mixed.call(input()).await.unwrap()["answer"], "nobody at all");
    assert_eq!(mixed.predictors()[1].0, "qa.module");

    let missing = program.call(Record::from([("text", "x")])).await.unwrap_err().to_string();
    assert!(missing.contains("the input `question` is missing"), "{missing}");
    let typed: Box<dyn DynModule> = Box::new(Predict::<Qa>::new().lm(world.lm.clone()));
    let wrong = typed.call(Record::from([("question", 3)])).await.unwrap_err().to_string();
    assert!(wrong.contains("the record is no input of the module"), "{wrong}");
    assert!(Sequence::new().call(input()).await.unwrap_err().to_string().contains("no module"));
}

/// Gives a question to one of several modules, which are known by name.
#[module]
struct Router {
    route: DynPredict,
    experts: BTreeMap<String, Box<dyn DynModule>>,
}

impl Module for Router {
    type Input = Record;
    type Output = Record;

    async fn forward(&self, input: Record) -> Result<Record> {
        let asked = self.route.call(input.clone()).await?;
        let expert = if asked["query"] == "emma author" { "books" } else { "rest" };
        let answer = self.experts[expert].call(input).await?;
        dspy::assert!(
            answer["answer"].as_str().is_some_and(|a| a.len() < 9),
            retry = self.experts[expert],
            "short"
        );
        Ok(answer.into_inner())
    }
}

fn router() -> Router {
    let books: Box<dyn DynModule> = Box::new(two_steps());
    let rest: Box<dyn DynModule> = Box::new(ChainOfThought::<Qa>::new());
    let experts = [("books".to_owned(), books), ("rest".to_owned(), rest)].into_iter().collect();
    Router { route: DynPredict::dynamic(parsed("question -> query")), experts }
}

#[tokio::test]
async fn modules_by_name_are_saved_loaded_and_compiled() {
    let world = answering().await;
    let mut program = router();
    let paths: Vec<String> = program.predictors().into_iter().map(|(path, _)| path).collect();
    let expected =
        ["route", "experts['books'].query", "experts['books'].answer.predict", "experts['rest'].predict"];
    assert_eq!(paths, expected);
    program.predictors_mut()[3].1.set_instructions("Learnt.");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("router.json");
    program.save(&file).unwrap();
    let mut loaded = router().load(&file).unwrap();
    assert_eq!(loaded.predictors()[3].1.instructions(), "Learnt.");

    loaded.set_lm(world.lm.clone());
    let p = loaded.call(Record::from([("question", "Who wrote Emma?")])).await.unwrap();
    assert_eq!((p["answer"].as_str(), p.backtracks()), (Some("Austen"), 0));
    let p = loaded.clone().call(Record::from([("question", "Who wrote Faust?")])).await.unwrap();
    assert_eq!((p["answer"].as_str(), p.backtracks()), (Some("short"), 1));

    let row = |question: &str, answer: &str| {
        (Record::from([("question", question)]), Record::from([("answer", answer)]))
    };
    let rows = [
        row("Who wrote Emma?", "Austen"),
        row("Who wrote Emma and Persuasion?", "Austen"),
        row("Who wrote Faust?", "Goethe"),
    ];
    let metric = |gold: &(Record, Record), pred: &Record| gold.1["answer"] == pred["answer"];
    let optimizer = BootstrapFewShot::new().max_labeled_demos(0);
    let boxed: Box<dyn DynModule> = Box::new(loaded);
    let compiled = optimizer.compile(boxed, &rows, metric).await.unwrap();
    let demos = |at: usize| compiled.program.predictors()[at].1.demos().len();
    assert_eq!((demos(0), demos(1), demos(2), demos(3)), (2, 2, 2, 0));
    let state = compiled.program.to_json().unwrap();
    assert!(router().load_json(&state).is_ok());
}
