//! JSON answers with something needless around them.

use dspy::{adapter::XmlAdapter, prelude::*};

use super::model::{Model, run};

/// Judge.
#[signature]
#[derive(PartialEq)]
struct Judge {
    #[input]
    claim: String,
    #[output]
    reason: String,
    #[output]
    percent: u8,
    #[output]
    remark: Option<String>,
}

/// Name the person.
#[signature]
#[derive(PartialEq)]
struct Who {
    #[input]
    question: String,
    #[output]
    person: Person,
}

#[value]
#[derive(PartialEq)]
struct Person {
    name: String,
    age: u32,
}

async fn output<S>(adapter: impl Adapter, answer: &str) -> Result<S::Output>
where
    S: StaticSignature,
    S::Input: From<String>,
{
    let model = Model::script(&[answer]).await;
    let program = Predict::<S>::new().lm(model.lm.clone()).adapter(adapter).repairs(0);
    program.forward("?".to_owned().into()).await
}

const FIELDS: &str = r#"{"reason": "it is {so}", "percent": 7}"#;

#[test]
fn what_is_needlessly_around_the_fields_is_taken_off() {
    run(async {
        let text = serde_json::to_string(FIELDS).unwrap();
        for answer in [
            FIELDS.to_owned(),
            format!("{{\"output\": {FIELDS}}}"),
            format!("{{\"response\": {FIELDS}}}"),
            format!("{{\"réponse\": {FIELDS}}}"),
            format!("{{\"Judge\": {FIELDS}, \"status\": \"ok\"}}"),
            format!("{{\"id\": 7, \"meta\": {{\"percent\": 3}}, \"output\": {FIELDS}}}"),
            format!("[{FIELDS}]"),
            format!("{{\"results\": [{FIELDS}]}}"),
            format!("[{{\"output\": {FIELDS}}}]"),
            format!("{{\"data\": {{\"output\": {FIELDS}}}}}"),
            format!("{{data: {{'output': {FIELDS},}},}}"),
            format!("{{\"reason\": {FIELDS}}}"),
            format!("Here:\n```json\n{{\"output\": {FIELDS}}}\n```\nDone."),
            format!("{{\"output\": {text}}}"),
            text,
        ] {
            for read in [
                output::<Judge>(JsonAdapter::new(), &answer).await,
                output::<Judge>(ChatAdapter::new().without_fallback(), &answer).await,
            ] {
                let read = read.unwrap_or_else(|e| panic!("{answer}: {e}"));
                assert_eq!((read.reason.as_str(), read.percent), ("it is {so}", 7), "{answer}");
            }
        }
    });
}

#[test]
fn a_brace_in_prose_spoils_nothing() {
    run(async {
        for prose in [
            "The { opens it.",
            "A set {1, 2} and a {",
            "In {braces: as here",
            "f(x) { return",
            "{{question}} was:",
            "$\\frac{a}{b}$ and {x",
            "{\"status\": \"thinking\"",
        ] {
            for object in
                [format!("```json\n{FIELDS}\n```"), format!("```\n{FIELDS}\n```\n}}"), FIELDS.to_owned()]
            {
                let answer = format!("{prose}\n\n{object}");
                let read = output::<Judge>(JsonAdapter::new(), &answer).await;
                let read = read.unwrap_or_else(|e| panic!("{answer}: {e}"));
                assert_eq!((read.reason.as_str(), read.percent), ("it is {so}", 7), "{answer}");
            }
        }
    });
}

#[test]
fn the_object_with_the_outputs_wins() {
    run(async {
        let whole = r#"{"reason": "a", "percent": 7, "remark": null}"#;
        for answer in [
            format!("{{\"reason\": \"draft\"}}\n{whole}"),
            format!("{whole}\n{{\"reason\": \"draft\"}}"),
            format!("{{\"reason\": \"draft\", \"percent\": 3}}\n{whole}"),
            format!("{{\"example\": {{\"percent\": 9}}, \"output\": {whole}}}"),
        ] {
            let read = output::<Judge>(JsonAdapter::new(), &answer).await;
            let read = read.unwrap_or_else(|e| panic!("{answer}: {e}"));
            assert_eq!((read.reason.as_str(), read.percent), ("a", 7), "{answer}");
        }
        // What stands within an output is part of it.
        let answer = r#"{"person": {"name": "Ada", "age": 36}}"#;
        let read = output::<Who>(JsonAdapter::new(), answer).await.unwrap();
        assert_eq!(read.person, Person { name: "Ada".into(), age: 36 });
        let answer = r#"{"reason": "a", "facts": [{"percent": 3}]}"#;
        assert!(output::<Judge>(JsonAdapter::new(), answer).await.is_err());
        // An object in a text is text.
        let answer = r#"{"note": "as in {reason: a, percent: 3}"}"#;
        assert!(output::<Judge>(JsonAdapter::new(), answer).await.is_err());
        // Of equal keys the last counts.
        let answer = r#"{"reason": "a", "percent": 3, "reason": "b", "percent": 4}"#;
        let read = output::<Judge>(JsonAdapter::new(), answer).await.unwrap();
        assert_eq!((read.reason.as_str(), read.percent), ("b", 4));
    });
}

#[test]
fn an_object_under_a_header_or_in_a_tag_is_found() {
    run(async {
        for answer in [
            format!("[[ ## reason ## ]]\n{FIELDS}\n\n[[ ## completed ## ]]"),
            format!("**Reason**\n```json\n{FIELDS}\n```"),
            format!("<reason>{FIELDS}</reason>"),
        ] {
            for read in [
                output::<Judge>(ChatAdapter::new().without_fallback(), &answer).await,
                output::<Judge>(XmlAdapter::new().without_fallback(), &answer).await,
                output::<Judge>(JsonAdapter::new(), &answer).await,
            ] {
                let read = read.unwrap_or_else(|e| panic!("{answer}: {e}"));
                assert_eq!((read.reason.as_str(), read.percent), ("it is {so}", 7), "{answer}");
            }
        }
    });
}
