//! An adapter that is written from outside, that of `examples/custom_adapter.rs`.
#![allow(clippy::unwrap_used)]

#[path = "../examples/custom_adapter.rs"]
#[allow(dead_code, unreachable_pub)]
mod example;

use dspy::{lm::StubModel, prelude::*};
use example::MarkdownAdapter;
use proptest::prelude::*;

/// Answer.
#[signature]
#[derive(PartialEq)]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
    #[output]
    sources: Vec<String>,
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Reads an answer that the model writes as the demonstration is written.
fn round_trip(row: &Qa) -> QaOutput {
    let shown = |request: &dspy::lm::Request| {
        let demo = request.prompt.messages().nth(2).map(|message| message.content.text().to_owned());
        demo.unwrap_or_default()
    };
    let program = Predict::<Qa>::new().lm(StubModel::from_fn(shown)).adapter(MarkdownAdapter).repairs(0);
    run(program.demos([row.clone()]).call(row.question.as_str())).unwrap().into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_it_writes_it_reads(
        answer in "([a-z ]{0,6}|\\\\{0,2}## (answer|sources|x)|```[a-z]?|#+ [a-z]{1,3}|\n){0,8}",
        sources in prop::collection::vec("[a-z]{1,5}", 1..3),
    ) {
        // Blanks at the ends of a text are not kept, and a code block that is not closed ends the answer.
        let fences = answer.lines().filter(|line| line.trim_start().starts_with("```")).count();
        prop_assume!(fences % 2 == 0);
        let row = Qa { question: "q".into(), answer: answer.trim().into(), sources };
        prop_assert_eq!(round_trip(&row), QaOutput::from(row));
    }
}

#[test]
fn an_answer_without_headings_is_asked_for_in_json() {
    let model = StubModel::scripted(["I do not know.", r#"{"answer": "Emma", "sources": ["a"]}"#]);
    let program = Predict::<Qa>::new().lm(&model).adapter(MarkdownAdapter);
    let p = run(program.call("Which?")).unwrap();
    assert_eq!(p.answer, "Emma");
    assert_eq!(model.requests().len(), 2);
}

#[test]
fn a_field_that_cannot_be_read_is_asked_for_again_alone() {
    let model = StubModel::scripted(["## Answer\nEmma", "## sources\n- a\n- b"]);
    let p = run(Predict::<Qa>::new().lm(&model).adapter(MarkdownAdapter).call("Which?")).unwrap();
    assert_eq!(p.sources, ["a", "b"]);
    let again = model.requests()[1].prompt.messages().last().unwrap().content.text().to_owned();
    assert!(again.contains("Write only `sources` again."), "{again}");
    assert!(again.contains("field `sources` (Array_of_string) is not in the answer"), "{again}");
}
