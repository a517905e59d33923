//! `#[signature]` through the public interface.
#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use dspy::{
    prelude::*,
    signature::{Checks, FieldReader, FieldRole, Section, Sections},
    value::ReadOptions,
};
use serde_json::json;

/// Answer the question from the passages.
///
///   - quote nothing
#[signature]
#[derive(PartialEq)]
struct Answer {
    /// passages that may hold the answer
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    /// between one and five words
    #[output(assert(|a: &str| a.split_whitespace().count() <= 5, "at most five words"))]
    answer: String,
    #[output(desc = "how sure it is", default = 0.5, prefix = "Sure:")]
    confidence: f64,
    #[output]
    source: Option<usize>,
}

#[signature(instructions = "
    Find the numbers:
      - all of them

    Leave out dates.
")]
#[derive(PartialEq)]
struct Numbers {
    #[input]
    text: String,
    #[output]
    numbers: Vec<f64>,
}

#[test]
fn instructions_lose_the_indentation_of_the_source() {
    let clean = "Find the numbers:\n  - all of them\n\nLeave out dates.";
    assert_eq!(Numbers::spec().instructions, clean);
    let text = "Find the numbers:
        Leave out dates.
          And ages.
        ";
    let cut = "Find the numbers:\nLeave out dates.\n  And ages.";
    assert_eq!(Predict::<Numbers>::new().instructions(text).predictor().instructions(), cut);
    assert_eq!(ChainOfThought::<Numbers>::new().instructions(text).predictor().instructions(), cut);
    assert_eq!(
        predict!(
            "text -> numbers: list[float]",
            "
        Find the numbers:
        Leave out dates.
          And ages.
    "
        )
        .predictor()
        .instructions(),
        cut
    );
    let signature = DynSignature::parse("text -> numbers: list[float]").unwrap().with_instructions(text);
    assert_eq!(signature.spec().instructions, cut);
    // Cleaned once, it stays.
    assert_eq!(Predict::<Numbers>::new().instructions(cut).predictor().instructions(), cut);
}

/// A public one.
#[signature(name = "Sorted", instructions = concat!("Sort", " it."))]
pub struct Sort {
    /// what to sort
    #[input(name = "type")]
    pub kind: String,
    /// raw names lose their mark
    #[output(suggest(|v| v.len() < 3, "short"), assert(not_empty, "something"))]
    pub r#match: Vec<u32>,
    /// names that mean something elsewhere
    #[output(default)]
    pub config: BTreeMap<String, Severity>,
}

fn not_empty(list: &[u32]) -> bool {
    !list.is_empty()
}

/// How bad.
#[value]
#[derive(PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not at all.
    Low,
    /// Very.
    High,
}

#[signature(assert(|o: &SumOutput| o.total >= 0, "no debt"), suggest(|o| o.total < 100, "small"))]
struct Sum {
    #[output]
    total: i64,
}

fn record() -> Answer {
    Answer {
        context: vec!["a".into(), "b".into()],
        question: "q?".into(),
        answer: "yes".into(),
        confidence: 1.0,
        source: None,
    }
}

fn read<S: StaticSignature>(texts: &[(&str, &str)]) -> Result<S::Output, Vec<String>> {
    let spec = S::spec();
    let mut sections = Sections::new();
    for (name, text) in texts {
        sections.insert(spec.position(name).unwrap(), Section::text(*text));
    }
    let options = ReadOptions::default();
    let mut reader = FieldReader::new(&spec, &sections, &options);
    let output = S::read_output(&mut reader);
    let errors = reader.finish().0;
    output.ok_or_else(|| errors.iter().map(|e| e.field.clone()).collect())
}

#[test]
fn docs_become_the_specification() {
    let spec = Answer::spec();
    assert_eq!(spec.name, "Answer");
    assert_eq!(spec.instructions, "Answer the question from the passages.\n\n  - quote nothing");
    let fields: Vec<_> =
        spec.fields.iter().map(|f| (f.name.as_str(), f.role == FieldRole::Input, f.desc.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("context", true, "passages that may hold the answer"),
            ("question", true, ""),
            ("answer", false, "between one and five words"),
            ("confidence", false, "how sure it is"),
            ("source", false, ""),
        ]
    );
    assert_eq!(spec.fields[3].default, Some(json!(0.5)));
    assert_eq!(spec.fields[3].prefix, "Sure:");
    assert!(Arc::ptr_eq(&spec, &Answer::spec()));
    assert_eq!((Sort::spec().name.as_str(), Sort::spec().instructions.as_str()), ("Sorted", "Sort it."));
}

#[test]
fn a_record_splits_and_joins() {
    let record = record();
    let (input, output) = (AnswerInput::from(&record), AnswerOutput::from(&record));
    assert_eq!(input.question, "q?");
    assert_eq!(output.answer, "yes");
    assert_eq!(Example::input(&record), input);
    assert_eq!(Answer::from((input, output)), record);
    assert_eq!(AnswerInput::from(record.clone()).context, record.context);
}

#[test]
fn inputs_of_one_field_come_from_its_value() {
    assert_eq!(SortInput::from("x").kind, "x");
    let text = String::from("x");
    assert_eq!(SortInput::from(&text).kind, "x");
    let rendered = Predict::<Sort>::new().render(&text).unwrap();
    assert_eq!(*rendered, *Predict::<Sort>::new().render(text.as_str()).unwrap());
    assert_eq!(SortInput::from(text).kind, "x");
    let SumInput {} = SumInput::from(());
}

#[test]
fn inputs_of_several_fields_come_from_their_values() {
    /// Numbers of all sizes.
    #[signature]
    #[derive(PartialEq)]
    struct Count {
        #[input]
        text: String,
        #[input]
        most: u8,
        #[input]
        least: i64,
        #[input]
        share: f32,
        #[input]
        note: Option<String>,
        #[output]
        total: usize,
    }

    let expected = CountInput { text: "x".into(), most: 3, least: -1, share: 0.5, note: Some("n".into()) };
    assert_eq!(CountInput::from(("x", 3, -1, 0.5, "n".to_owned())), expected);
    assert_eq!(CountInput::from(("x", 3, -1_i32, 0.5, Some("n".to_owned()))), expected);
    let prompt = Predict::<Count>::new().render(("x", 3, -1, 0.5, None)).unwrap();
    assert_eq!(prompt.len(), 2);
    let question = "q".to_owned();
    assert_eq!(AnswerInput::from((Vec::new(), &question)).question, "q", "a reference to a text, too");
    let input = (vec!["c".to_owned()], "q");
    assert_eq!(AnswerInput::from(input).question, "q");
}

#[test]
fn data_has_the_names_that_the_model_sees() {
    let sort =
        Sort { kind: "a".into(), r#match: vec![1], config: BTreeMap::from([("k".into(), Severity::High)]) };
    assert_eq!(
        serde_json::to_value(&sort).unwrap(),
        json!({"type": "a", "match": [1], "config": {"k": "high"}})
    );
    assert_eq!(serde_json::to_value(SortInput::from(&sort)).unwrap(), json!({"type": "a"}));
    let names: Vec<String> = Sort::spec().fields.iter().map(|f| f.name.clone()).collect();
    assert_eq!(names, ["type", "match", "config"]);
    // What has a default can be left out.
    let sort: Sort = serde_json::from_value(json!({"type": "a", "match": []})).unwrap();
    assert!(sort.config.is_empty());
    let answer: Answer =
        serde_json::from_value(json!({"context": [], "question": "", "answer": ""})).unwrap();
    assert_eq!((answer.confidence, answer.source), (0.5, None));
}

#[test]
fn outputs_are_read_by_their_types() {
    let output = read::<Answer>(&[("answer", "Paris"), ("source", "3")]).unwrap();
    assert_eq!(output, AnswerOutput { answer: "Paris".into(), confidence: 0.5, source: Some(3) });
    // Every failure is known at once.
    assert_eq!(read::<Answer>(&[("confidence", "[]")]).unwrap_err(), ["answer", "confidence"]);
}

#[test]
fn demands_are_checked() {
    fn violations<S: Signature>(output: &S::Output) -> Vec<(String, String, bool)> {
        let mut checks = Checks::default();
        S::check(output, &mut checks);
        checks.into_violations().into_iter().map(|v| (v.field, v.message, v.fatal)).collect()
    }
    let answer = |text: &str| AnswerOutput { answer: text.into(), confidence: 0.0, source: None };
    assert_eq!(violations::<Answer>(&answer("a b")), []);
    assert_eq!(
        violations::<Answer>(&answer("a b c d e f")),
        [("answer".into(), "at most five words".into(), true)]
    );
    let sort = |list: &[u32]| SortOutput { r#match: list.to_vec(), config: BTreeMap::new() };
    assert_eq!(violations::<Sort>(&sort(&[1, 2, 3])), [("match".into(), "short".into(), false)]);
    assert_eq!(violations::<Sort>(&sort(&[])), [("match".into(), "something".into(), true)]);
    assert_eq!(violations::<Sum>(&SumOutput { total: -1 }), [("self".into(), "no debt".into(), true)]);
    assert_eq!(violations::<Sum>(&SumOutput { total: 100 }), [("self".into(), "small".into(), false)]);
}

#[test]
fn inputs_are_rendered_in_order() {
    let prompt = Predict::<Answer>::new().render(record()).unwrap();
    let text = prompt.last().unwrap().content.text().to_owned();
    let (context, question) =
        (text.find("[[ ## context ## ]]").unwrap(), text.find("[[ ## question ## ]]").unwrap());
    assert!(context < question, "{text}");
    assert!(!text.contains("yes"), "{text}");
}
