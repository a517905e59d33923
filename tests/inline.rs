//! Signatures written as a text through the public interface.
#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../dspy-core/tests/support/mod.rs"]
#[allow(missing_docs)]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use dspy::{
    lm::Cache,
    prelude::*,
    signature::{Checks, FieldReader, FieldRole, Section, Sections},
    value::{Code, Image, ReadOptions, lang},
};
use serde_json::json;
use support::{Reply, Server};

/// Answer from the passages.
#[signature("question, context: list[str] -> answer: str, score: float = 0.5")]
#[derive(PartialEq)]
pub struct Qa;

/// What someone is called.
#[value]
#[derive(PartialEq)]
pub struct Person {
    /// All of it.
    pub name: String,
}

mod deep {
    /// Nested.
    #[dspy::value]
    pub(crate) struct Inner {
        /// A number.
        pub(crate) n: u8,
    }
}

#[signature(
    "text, type: int | None = None
     -> people: list[Person], inner: Option<deep::Inner>, by: dict[str, set[int]], pair: tuple[str, bool],
        mood: Literal['very good', 'bad'] = 'bad', next: Optional[Literal['a', 'b']], any: Any, small: u8 = 3,
        query: dspy.Code['sql'], raw: Vec<HashMap<String, f32>>",
    name = "Everything",
    instructions = "Do it.",
    assert(|o: &AllOutput| o.small < 10, "small"),
)]
struct All;

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
fn the_text_is_the_struct() {
    let record = Qa { question: "q".into(), context: vec!["c".into()], answer: "a".into(), score: 1.0 };
    let (input, output) = (QaInput::from(&record), QaOutput::from(&record));
    assert_eq!((input.question.as_str(), output.answer.as_str()), ("q", "a"));
    assert_eq!(Qa::from((input, output)), record);
    assert_eq!(QaInput::from(("q", vec!["c".to_owned()])), QaInput::from(&record));
    let spec = Qa::spec();
    assert_eq!((spec.name.as_str(), spec.instructions.as_str()), ("Qa", "Answer from the passages."));
    let names: Vec<_> =
        spec.fields.iter().map(|f| (f.name.as_str(), f.role == FieldRole::Input, f.desc.as_str())).collect();
    assert_eq!(
        names,
        [("question", true, ""), ("context", true, ""), ("answer", false, ""), ("score", false, "")]
    );
    assert_eq!(spec.fields[3].default, Some(json!(0.5)));
    let row: Qa = serde_json::from_value(json!({"question": "q", "context": ["c"], "answer": "a"})).unwrap();
    assert_eq!(row.score, 0.5);
}

#[test]
fn every_type_has_a_place_in_rust() {
    let output: AllOutput = read::<All>(&[
        ("people", r#"[{"name": "Ann"}]"#),
        ("inner", r#"{"n": 1}"#),
        ("by", r#"{"x": [2, 1]}"#),
        ("pair", r#"["x", true]"#),
        ("any", "[1]"),
        ("query", "SELECT 1"),
        ("raw", r#"[{"k": 0.5}]"#),
    ])
    .unwrap();
    assert_eq!(output.people, [Person { name: "Ann".into() }]);
    assert_eq!(output.inner.unwrap().n, 1);
    assert_eq!(output.by, BTreeMap::from([("x".to_owned(), BTreeSet::from([1, 2]))]));
    assert_eq!(output.pair, ("x".to_owned(), true));
    assert_eq!(output.mood, AllMood::Bad);
    assert_eq!(output.mood, "bad");
    assert_eq!(output.next, None::<AllNext>);
    assert_eq!(output.any, json!([1]));
    assert_eq!(output.small, 3_u8);
    assert_eq!(output.query, Code::<lang::Sql>::new("SELECT 1"));
    assert_eq!(output.raw[0]["k"], 0.5_f32);
    let spec = All::spec();
    assert_eq!((spec.name.as_str(), spec.instructions.as_str()), ("Everything", "Do it."));
    assert_eq!(spec.field("mood").unwrap().default, Some(json!("bad")));
    assert_eq!(spec.field("mood").unwrap().schema().to_value()["enum"], json!(["very good", "bad"]));
    let input = AllInput { text: "t".into(), r#type: Some(3) };
    assert_eq!(serde_json::to_value(&input).unwrap(), json!({"text": "t", "type": 3}));
    assert_eq!(AllMood::ALL.iter().map(|m| m.to_string()).collect::<Vec<_>>(), ["very good", "bad"]);
    let row = All {
        text: String::new(),
        r#type: None,
        people: vec![],
        inner: None,
        by: BTreeMap::new(),
        pair: (String::new(), false),
        mood: AllMood::VeryGood,
        next: Some(AllNext::A),
        any: json!(null),
        small: 11,
        query: "".into(),
        raw: vec![],
    };
    let mut checks = Checks::default();
    All::check(&AllOutput::from(&row), &mut checks);
    assert_eq!(checks.into_violations().len(), 1);
}

#[test]
fn predictors_come_from_a_text() {
    let classify = predict!("sentence -> sentiment: bool");
    let prompt = classify.render("a charming journey").unwrap();
    assert!(prompt.last().unwrap().content.text().contains("a charming journey"));
    let default = &classify.predictor().spec().instructions;
    assert!(default.contains("`sentence`") && default.contains("`sentiment`"), "{default}");

    const HOW: &str = "Answer in one word.";
    let answer = predict!("question, context: list[str] -> answer", HOW);
    assert_eq!(answer.predictor().instructions(), HOW);
    let prompt = answer.render(("Who?", vec!["Austen wrote it.".to_owned()])).unwrap();
    assert!(prompt.last().unwrap().content.text().contains("Austen"));

    #[value]
    struct Local {
        x: u8,
    }
    let local = predict!(r#"image: dspy.Image, hint: Option<Local> -> caption, kind: Literal["a", "b"]"#);
    let image = Image::from_url("https://a.b/c.png").unwrap();
    assert!(local.render((image, Some(Local { x: 1 }))).is_ok());
    assert!(predict!("-> joke").render(()).is_ok());
}

#[tokio::test]
async fn the_output_of_a_text_is_typed() {
    let answer = "[[ ## sentiment ## ]]\ntrue\n\n[[ ## label ## ]]\ngood\n\n[[ ## completed ## ]]";
    let server = Server::replying(vec![Reply::completion(answer)]).await;
    let lm = LM::builder("openai/m").api_base(server.api_base()).cache(Cache::off()).build().unwrap();
    let classify = predict!("sentence -> sentiment: bool, label: Literal['good', 'bad']").lm(lm);
    let p = classify.call("a charming and often affecting journey").await.unwrap();
    let sentiment: bool = p.sentiment;
    assert!(sentiment && p.label == "good");
}
