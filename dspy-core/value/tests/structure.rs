//! Structure wins over lines, a complete object over everything, and what leaves doubt is refused.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, str::FromStr};

use dspy_value::{Code, CoercionKind, Prose, Raw, ReadOptions, lang::Python, read};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

fn text<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    read(Raw::text(text), &ReadOptions::default()).map(|r| r.value).map_err(|e| e.to_string())
}

fn json_of<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    read(Raw::json(text), &ReadOptions::default()).map(|r| r.value).map_err(|e| e.to_string())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Person {
    name: String,
    age: u32,
    email: Option<String>,
}

fn ada(email: Option<&str>) -> Person {
    Person { name: "Ada".into(), age: 36, email: email.map(Into::into) }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { r: f64, label: String, filled: Option<bool> },
    Dot,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Circle { r: f64, label: String },
    Number(i64),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Mood {
    Gut,
    Schlecht,
    Positif,
}

#[test]
fn lines_never_win_over_a_structure() {
    let circle = |label: &str| Tagged::Circle { r: 1.5, label: label.into(), filled: None };
    for answer in [
        "{\n  'kind': 'Circle',\n  'r': 1.5,\n  'label': 'order'\n}",
        "\"{\n  'kind': 'Circle',\n  'r': 1.5,\n  'label': 'order'\n}\"",
        "Hi:\n{\n  'kind': 'Circle',\n  'r': 1.5,\n  'label': 'order'\n}\nBye",
        "```\n{\n  kind: 'Circle',\n  r: 1.5,\n  label: 'order',\n}\n```",
    ] {
        assert_eq!(text::<Tagged>(answer), Ok(circle("order")), "{answer}");
        assert_eq!(text::<Option<Tagged>>(answer), Ok(Some(circle("order"))), "{answer}");
        assert_eq!(
            text::<Untagged>(answer),
            Ok(Untagged::Circle { r: 1.5, label: "order".into() }),
            "{answer}"
        );
        let value = text::<Value>(answer.trim_start_matches("Hi:\n").trim_end_matches("\nBye"));
        assert_eq!(value, Ok(json!({"kind": "Circle", "r": 1.5, "label": "order"})), "{answer}");
    }
    // What is wrong inside a structure is not read as lines either.
    for answer in [
        "Hi:\n{\"name\": \"pen\", \"age\": 3.7}",
        "Hi:\n{\n\"name\": \"pen\",\n\"age\": \"a lot\"\n}",
        "{\n  \"name\": \"pen\",\n  \"age\": none of your business\n}",
    ] {
        assert!(text::<Person>(answer).is_err(), "{answer}: {:?}", text::<Person>(answer));
    }
}

#[test]
fn a_complete_object_beats_everything() {
    let wanted = ada(None);
    for answer in [
        "f(x) = {1 if x\n\n```json\n{\"name\": \"Ada\", \"age\": 36}\n```",
        "{ this is not it\n{\"name\": \"Ada\", \"age\": 36}",
        "A set {1, 2} and a list [3].\n{\"name\": \"Ada\", \"age\": 36}",
        "```json\n{\"name\": \"Ada\", \"age\": 36}\n```\nIf a value is missing, I use {} for it.",
        "{\"name\": \"Bo\", \"age\": 7, \"email\": \"a long address\"}\n\nFinal answer:\n{\"name\": \"Ada\", \"age\": 36}",
    ] {
        assert_eq!(text::<Person>(answer), Ok(wanted.clone()), "{answer}");
    }
    let mut many = "Consider {x: 1}. ".repeat(40);
    many.push_str("\n{\"name\": \"Ada\", \"age\": 36}");
    assert_eq!(text::<Person>(&many), Ok(wanted));
}

#[test]
fn all_objects_of_a_list_are_read_or_none() {
    let all = vec![ada(None), Person { name: "Bo".into(), age: 7, email: None }];
    for answer in [
        "First: {\"name\": \"Ada\", \"age\": 36}\nSecond: {\"name\": \"Bo\", \"age\": 7}",
        "```json\n{\"name\": \"Ada\", \"age\": 36}\n```\nand\n```json\n{\"name\": \"Bo\", \"age\": 7}\n```",
        "{\"name\": \"Ada\", \"age\": 36}\n{\"name\": \"Bo\", \"age\": 7}",
        "{\"name\": \"Ada\", \"age\": 36}, {\"name\": \"Bo\", \"age\": 7}",
    ] {
        assert_eq!(text::<Vec<Person>>(answer), Ok(all.clone()), "{answer}");
    }
    let broken = "First: {\"name\": \"Ada\"}\nSecond: {\"name\": \"Bo\", \"age\": 7}";
    assert!(text::<Vec<Person>>(broken).is_err());
}

#[test]
fn a_bare_value_ends_where_the_next_member_begins() {
    let wanted = ada(Some("a@b.c"));
    for answer in [
        r#"{"name": "Ada", "age": 36"email": "a@b.c"}"#,
        r#"{"name": "Ada", "age": 36 "email": "a@b.c"}"#,
        "{\"name\": \"Ada\", \"age\": 36\n\"email\": \"a@b.c\"}",
    ] {
        assert_eq!(text::<Person>(answer), Ok(wanted.clone()), "{answer}");
    }
    let reading = text::<BTreeMap<String, Option<i64>>>(r#"{"a": null"b": 3}"#);
    assert_eq!(reading, Ok(BTreeMap::from([("a".into(), None), ("b".into(), Some(3))])));
}

#[test]
fn a_scale_is_no_fraction() {
    for answer in ["10/10", "Score: 7/10", "4/5", "90/100", "Rating: 3/5 stars"] {
        assert!(text::<i64>(answer).is_err(), "{answer}");
        assert!(text::<f64>(answer).is_err(), "{answer}");
    }
    assert_eq!(text::<f64>("3/4"), Ok(0.75));
    assert_eq!(text::<f64>("½"), Ok(0.5));
    assert!(text::<i64>("4/2").is_err());
}

#[test]
fn sentences_are_not_understood() {
    for answer in [
        "Das Produkt ist nicht gut.",
        "Ce n'est pas positif.",
        "Weder gut noch schlecht.",
        "Es könnte gut sein.",
        "No es gut",
    ] {
        assert!(text::<Mood>(answer).is_err(), "{answer}: {:?}", text::<Mood>(answer));
    }
    for answer in [
        "nicht 5",
        "No puedo responder; el texto tiene 2 párrafos.",
        "mindestens 5",
        "5 oder 6",
        "plus de 5",
        "5以上",
        "menos de 10",
    ] {
        assert!(text::<i64>(answer).is_err(), "{answer}: {:?}", text::<i64>(answer));
    }
    for (answer, mood) in
        [("„Gut“", Mood::Gut), ("Stimmung: schlecht", Mood::Schlecht), ("**Positif.**", Mood::Positif)]
    {
        assert_eq!(text::<Mood>(answer), Ok(mood), "{answer}");
    }
    let strictly = ReadOptions::default().prose(Prose::Structure);
    assert!(read::<u8>(Raw::text("The answer is 42."), &strictly).is_err());
    assert_eq!(text::<u8>("The answer is 42."), Ok(42));
}

#[test]
fn numbers_that_are_texts_keep_their_digits() {
    let decimal = |text: &str| Decimal::from_str(text).unwrap();
    for (answer, digits) in [
        ("12345678901234567.89", "12345678901234567.89"),
        ("$1,013.70", "1013.70"),
        ("19%", "19"),
        ("13.50 EUR", "13.50"),
        ("1.234,56 €", "1234.56"),
        ("0.1", "0.1"),
        ("42", "42"),
        ("Preis: 13,50 €", "13.50"),
    ] {
        assert_eq!(text::<Decimal>(answer), Ok(decimal(digits)), "{answer}");
        let member = format!("{{\"price\": {}}}", serde_json::to_string(answer).unwrap());
        assert_eq!(
            text::<BTreeMap<String, Decimal>>(&member),
            Ok(BTreeMap::from([("price".into(), decimal(digits))])),
            "{member}"
        );
    }
    for bare in ["{\"price\": 12345678901234567.89}", "{\"price\": $12345678901234567.89,}"] {
        let wanted = BTreeMap::from([("price".into(), decimal("12345678901234567.89"))]);
        assert_eq!(text::<BTreeMap<String, Decimal>>(bare), Ok(wanted), "{bare}");
    }
    // What takes any value still takes a number.
    assert_eq!(text::<Value>("[12345678901234567.89]"), Ok(json!([12345678901234567.89])));
    assert_eq!(text::<Value>("[1.5,]"), Ok(json!([1.5])));
}

#[test]
fn dates_are_read_as_they_are_written() {
    use chrono::NaiveDate;
    let date = NaiveDate::from_ymd_opt(2024, 2, 3);
    for answer in
        ["2024-02-03", "3 February 2024", "Feb 3, 2024", "3. Februar 2024", "2024年2月3日", "**2024-02-03**"]
    {
        assert_eq!(text::<NaiveDate>(answer).ok(), date, "{answer}");
        assert_eq!(
            json_of::<Vec<NaiveDate>>(&format!("[{answer:?}]")).ok(),
            date.map(|d| vec![d]),
            "{answer}"
        );
    }
    assert!(text::<NaiveDate>("03/02/2024").is_err());
}

#[test]
fn code_is_the_fence_of_its_language() {
    let code = |answer: &str| text::<Code<Python>>(answer).map(Code::into_string);
    assert_eq!(code("```bash\npip install x\n```\n```python\nprint(1)\n```"), Ok("print(1)".into()));
    assert_eq!(code("```python\nprint(1)```"), Ok("print(1)".into()));
    assert_eq!(code("Here:\n```py\nprint(1)\n```\nDone."), Ok("print(1)".into()));
    assert_eq!(code("```\nprint(1)\n```"), Ok("print(1)".into()));
    assert_eq!(code("print(1)"), Ok("print(1)".into()));
}

#[test]
fn lists_in_quotes_and_sentences() {
    assert_eq!(json_of::<Vec<String>>(r#""[\"a\", \"b\"]""#), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(text::<Vec<String>>(r#""[\"a\", \"b\"]""#), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(text::<Vec<i64>>("1,2,3"), Ok(vec![1, 2, 3]));
    assert_eq!(
        text::<Vec<String>>("rot, grün und blau"),
        Ok(vec!["rot".into(), "grün".into(), "blau".into()])
    );
    for answer in ["There are no tags.", "Es gibt keine Schlagwörter.", "Il n'y a pas de mots-clés."] {
        assert!(text::<Vec<String>>(answer).is_err(), "{answer}");
    }
}

#[test]
fn kinds_of_coercion_can_be_refused() {
    let reading = read::<Vec<u8>>(Raw::text("[1, '2',]"), &ReadOptions::default()).unwrap();
    let told: Vec<(&str, CoercionKind)> = reading.coercions.iter().map(|c| (&*c.path, c.kind)).collect();
    assert!(told.contains(&("", CoercionKind::TrailingComma)), "{told:?}");
    assert!(told.contains(&("[1]", CoercionKind::NumberInQuotes)), "{told:?}");
    let options = ReadOptions::default().refuse([CoercionKind::NumberInQuotes]);
    assert!(read::<Vec<u8>>(Raw::text("[1, 2,]"), &options).is_ok());
    let error = read::<Vec<u8>>(Raw::text("[1, '2']"), &options).unwrap_err();
    assert_eq!((&*error.path, error.to_string().contains("a number in quotes")), ("[1]", true), "{error}");
    // An escape that JSON does not have is one.
    assert!(read::<String>(Raw::json("\"a\\\nb\""), &ReadOptions::strict()).is_err());
}
