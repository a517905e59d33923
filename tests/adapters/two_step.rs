//! A free answer by one model, its fields drawn from it by another.

use dspy::{ParseErrorKind, adapter::TwoStepAdapter, lm::Cache, prelude::*};
use serde_json::json;

use super::model::{Model, choices, run};

/// Describe the animal.
#[signature]
#[derive(PartialEq)]
struct Describe {
    #[input]
    animal: String,
    #[output]
    legs: u32,
    #[output]
    sounds: Vec<String>,
}

const PROSE: &str = "legs: 4\nsounds: [\"moo\"]\nIn short, a cow walks on all fours.";
const DRAWN: &str = "[[ ## legs ## ]]\n4\n\n[[ ## sounds ## ]]\n[\"moo\"]\n\n[[ ## completed ## ]]";

fn cow() -> Describe {
    Describe { animal: "cow".into(), legs: 4, sounds: vec!["moo".into()] }
}

/// Copies the lines `name: value` of the text it is given under headers.
async fn extractor() -> Model {
    Model::saying(|asked| {
        let text = asked.last();
        let text = text.split("[[ ## text ## ]]").nth(1).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
            format!("[[ ## {name} ## ]]\n{}\n\n", line.unwrap_or("?").trim())
        };
        field("legs") + &field("sounds") + "[[ ## completed ## ]]"
    })
    .await
}

fn named(name: &str, model: &Model) -> LM {
    let lm = LM::builder(name).api_base(model.server.api_base()).cache(Cache::off()).retries(0);
    lm.build().unwrap()
}

#[test]
fn a_second_model_draws_the_fields_from_a_free_answer() {
    run(async {
        let (writer, extractor) = (Model::script(&[PROSE]).await, extractor().await);
        let adapter = TwoStepAdapter::new(named("openai/small", &extractor));
        let program = Predict::<Describe>::new().lm(named("openai/large", &writer)).adapter(adapter);
        let program = program.options(Options::new().temperature(0.9).n(1)).demos([cow()]);
        let p = program.call("calf").await.unwrap();
        assert_eq!(*p.output(), DescribeOutput::from(cow()));
        // The first request asks for no format, and shows none.
        let asked = &writer.asked()[0];
        assert!(!asked.texts("system").concat().contains("[[ ##"), "{:?}", asked.texts("system"));
        assert_eq!(asked.texts("assistant"), ["legs:\n4\n\nsounds:\n[\"moo\"]"]);
        assert!(asked.last().ends_with("Your answer must settle `legs`, `sounds`."), "{}", asked.last());
        // The second has the answer, the task, and none of the options of the first.
        let drawn = &extractor.asked()[0];
        assert!(drawn.last().contains("a cow walks on all fours"));
        assert!(drawn.texts("system").concat().contains("Describe the animal."));
        assert_eq!((&asked.body["temperature"], &drawn.body["temperature"]), (&json!(0.9), &json!(null)));
        // Each model is charged with its own.
        let usage: Vec<_> =
            p.usage().by_model().map(|(model, usage)| (model.to_owned(), usage.calls)).collect();
        assert_eq!(usage, [("openai/large".into(), 1), ("openai/small".into(), 1)]);
    });
}

#[test]
fn what_could_not_be_drawn_is_asked_of_the_second_model_again() {
    run(async {
        let writer = Model::script(&[PROSE]).await;
        let extractor = Model::script(&[
            "[[ ## legs ## ]]\na few\n\n[[ ## sounds ## ]]\n[\"moo\"]",
            "[[ ## legs ## ]]\n4",
        ])
        .await;
        let program = Predict::<Describe>::new()
            .lm(writer.lm.clone())
            .adapter(TwoStepAdapter::new(extractor.lm.clone()));
        assert_eq!(program.forward("cow".into()).await.unwrap(), DescribeOutput::from(cow()));
        assert_eq!((writer.count(), extractor.count()), (1, 2));
    });
}

#[test]
fn the_second_model_may_answer_in_json() {
    run(async {
        let writer = Model::script(&[PROSE]).await;
        let extractor = Model::script(&[r#"{"legs": 4, "sounds": ["moo"]}"#]).await;
        let adapter = TwoStepAdapter::with_adapter(extractor.lm.clone(), JsonAdapter::new());
        let program = Predict::<Describe>::new().lm(writer.lm.clone()).adapter(adapter);
        assert_eq!(program.forward("cow".into()).await.unwrap(), DescribeOutput::from(cow()));
        assert_eq!(extractor.asked()[0].body["response_format"]["type"], "json_schema");
    });
}

#[test]
fn the_second_model_is_asked_in_json_for_the_same_text() {
    run(async {
        let writer = Model::script(&[PROSE]).await;
        let extractor = Model::script(&["I cannot see any.", r#"{"legs": 4, "sounds": ["moo"]}"#]).await;
        let program = Predict::<Describe>::new()
            .lm(writer.lm.clone())
            .adapter(TwoStepAdapter::new(extractor.lm.clone()));
        assert_eq!(program.forward("cow".into()).await.unwrap(), DescribeOutput::from(cow()));
        assert_eq!((writer.count(), extractor.count()), (1, 2));
        let again = &extractor.asked()[1];
        assert!(again.last().contains("a cow walks on all fours"), "{}", again.last());
        assert_eq!(again.body["response_format"]["type"], "json_schema");
    });
}

#[test]
fn nothing_is_drawn_from_an_answer_that_was_cut_off() {
    run(async {
        let message = json!({"role": "assistant", "content": "A cow has"});
        let writer = Model::replying(move |_| choices(std::slice::from_ref(&message), "length")).await;
        let extractor = Model::script(&[DRAWN]).await;
        let program = Predict::<Describe>::new()
            .lm(writer.lm.clone())
            .adapter(TwoStepAdapter::new(extractor.lm.clone()));
        let Err(Error::Parse(error)) = program.forward("cow".into()).await else { panic!("an output") };
        assert_eq!(
            (error.kind, error.adapter, extractor.count()),
            (ParseErrorKind::Truncated, "two_step", 0)
        );
    });
}
