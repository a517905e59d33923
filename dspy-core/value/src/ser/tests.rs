use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Image;

fn text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Content::new();
    write(value, &mut out).unwrap();
    out.text().to_owned()
}

fn output<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Content::new();
    write_output(value, &mut out).unwrap();
    out.text().to_owned()
}

#[derive(Serialize)]
enum Mood {
    Happy,
    #[serde(rename = "very sad")]
    Sad,
    Mixed(u8, u8),
    Other {
        name: String,
    },
    Just(f32),
}

#[derive(Serialize)]
struct Row {
    id: u64,
    tags: Vec<String>,
    price: f32,
    mood: Option<Mood>,
}

#[test]
fn scalars_stand_plain() {
    assert_eq!(text("a \"b\"\nc"), "a \"b\"\nc");
    assert_eq!(text(&'x'), "x");
    assert_eq!(text(&true), "true");
    assert_eq!(text(&-3), "-3");
    assert_eq!(text(&0.1f32), "0.1");
    assert_eq!(text(&1.0f64), "1.0");
    assert_eq!(text(&u128::MAX), u128::MAX.to_string());
    assert_eq!(text(&i128::MIN), i128::MIN.to_string());
    assert_eq!(text(&None::<u8>), "null");
    assert_eq!(text(&Some("x")), "x");
    assert_eq!(text(&Mood::Happy), "Happy");
    assert_eq!(text(&Mood::Sad), "very sad");
}

#[test]
fn compound_values_are_compact_json() {
    let row =
        Row {
            id: 1, tags: vec!["größe".into(), "\u{1}\"".into()], price: 0.1, mood: Some(Mood::Just(1.5))
        };
    assert_eq!(text(&row), r#"{"id":1,"tags":["größe","\u0001\""],"price":0.1,"mood":{"Just":1.5}}"#);
    assert_eq!(text(&Mood::Mixed(1, 2)), r#"{"Mixed":[1,2]}"#);
    assert_eq!(text(&Mood::Other { name: "n".into() }), r#"{"Other":{"name":"n"}}"#);
    assert_eq!(text(&("a", 1)), r#"["a",1]"#);
    assert_eq!(text(&BTreeMap::from([(1, "a"), (2, "b")])), r#"{"1":"a","2":"b"}"#);
    assert_eq!(text(&BTreeMap::from([(true, ()), (false, ())])), r#"{"false":null,"true":null}"#);
    assert_eq!(text(&vec![Some("a"), None]), r#"["a",null]"#);
    assert_eq!(text(&vec![1, 2]), "[1,2]");
    assert_eq!(text(&json!(["a", 1, ["b"]])), r#"["a",1,["b"]]"#);
}

#[test]
fn lists_of_texts_are_passages() {
    assert_eq!(text(&Vec::<String>::new()), "[]");
    assert_eq!(text(&["a".to_owned()].to_vec()), "[1] a");
    assert_eq!(text(&vec!["a\n[2] b\n\nc", "", "d"]), "[1] a\n    [2] b\n\n    c\n[2]\n[3] d");
    assert_eq!(output(&vec!["a", "b\n"]), r#"["a","b\n"]"#);
    assert_eq!(output("a\nb"), "a\nb");
}

#[test]
fn media_become_parts_where_they_stand() {
    let image = Image::from_url("https://a.b/c.png").unwrap();
    let mut out = Content::from("see: ");
    write(&image, &mut out).unwrap();
    assert_eq!((out.text(), out.parts()[0].0), ("see: ", 5));
    assert_eq!(out.parts()[0].1.url().as_deref(), Some("https://a.b/c.png"));

    let mut out = Content::new();
    write(&vec![image.clone(), image.clone()], &mut out).unwrap();
    assert_eq!(out.text(), "[1] \n[2] ");
    assert_eq!(out.parts().iter().map(|p| p.0).collect::<Vec<_>>(), [4, 9]);

    let mut out = Content::new();
    write(&(1, Some(&image)), &mut out).unwrap();
    assert_eq!((out.text(), out.parts()[0].0), ("[1,]", 3));

    assert_eq!(write_json(&image).unwrap(), json!({"url": "https://a.b/c.png"}));
}

#[test]
fn text_never_becomes_a_part() {
    let image = Image::from_url("https://a.b/c.png").unwrap();
    let mut out = Content::new();
    write(&image, &mut out).unwrap();
    let marked = crate::to_dspy_marker(&out.parts()[0].1);
    for value in [json!(marked), json!([marked]), json!({"$dspy::Part:image": {"url": "https://a.b"}})] {
        let mut out = Content::new();
        write(&value, &mut out).unwrap();
        write_output(&value, &mut out).unwrap();
        assert!(out.parts().is_empty());
    }
}

#[test]
fn errors_name_the_place_and_leave_nothing_behind() {
    let mut out = Content::from("x");
    let value = HashMap::from([("items", vec![(1.0, "a"), (f64::NAN, "b")])]);
    let error = write(&value, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "at `items[1][0]`: the number NaN has no JSON form");
    assert_eq!(out.text(), "x");
    assert!(write_json(&f32::INFINITY).is_err());
    assert!(write(&f32::INFINITY, &mut out).is_err());
    let error = write_json(&HashMap::from([((1, 2), 3)])).unwrap_err();
    assert!(error.message.contains("map key cannot be a tuple"), "{error}");
    let row = Row { id: 1, tags: Vec::new(), price: f32::NAN, mood: None };
    assert_eq!(write_json(&vec![row]).unwrap_err().path, "[0].price");
}

#[test]
fn trees_keep_numbers_exact() {
    assert_eq!(write_json(&0.1f32).unwrap().to_string(), "0.1");
    assert_eq!(write_json(&(0.1 + 0.2)).unwrap(), json!(0.1 + 0.2));
    assert_eq!(write_json(&u64::MAX).unwrap(), json!(u64::MAX));
    assert_eq!(write_json(&u128::from(u64::MAX)).unwrap(), json!(u64::MAX));
    assert!(write_json(&(u128::from(u64::MAX) + 1)).is_err());
    assert_eq!(write_json(serde_bytes_like(&[1, 2])).unwrap(), json!([1, 2]));
}

#[test]
fn ready_json_is_taken_over() {
    struct Number;
    impl Serialize for Number {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            let mut number = s.serialize_struct("$serde_json::private::Number", 1)?;
            number.serialize_field("$serde_json::private::Number", "1.000000000000000000001")?;
            number.end()
        }
    }
    assert_eq!(text(&Number), "1.000000000000000000001");
    assert_eq!(text(&(Number, 1)), "[1.000000000000000000001,1]");
}

fn serde_bytes_like(bytes: &'static [u8]) -> &'static impl Serialize {
    struct Bytes(&'static [u8]);
    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.serialize_bytes(self.0)
        }
    }
    Box::leak(Box::new(Bytes(bytes)))
}

/// Takes numbered passages apart again; only possible because the form is unambiguous.
fn passages(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if text == "[]" {
        return found;
    }
    for line in text.split('\n') {
        let start = format!("[{}]", found.len() + 1);
        if let Some(rest) = line.strip_prefix(&start) {
            found.push(rest.strip_prefix(' ').unwrap_or(rest).to_owned());
        } else {
            let last = found.last_mut().unwrap();
            last.push('\n');
            last.push_str(line.strip_prefix("    ").unwrap_or(line));
        }
    }
    found
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|m| m.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn passages_cannot_be_confused(texts in prop::collection::vec("([a-z ]|\n|    |\\[[1-3]\\] ){0,8}", 0..5)) {
        prop_assert_eq!(passages(&text(&texts)), texts);
    }

    #[test]
    fn trees_are_kept(value in any_json()) {
        prop_assert_eq!(write_json(&value).unwrap(), value);
    }

    #[test]
    fn json_outputs_read_back(value in any_json()) {
        let text = output(&value);
        if value.is_string() {
            prop_assert_eq!(Value::from(text), value);
        } else {
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn narrow_floats_are_not_widened(value in any::<f32>().prop_filter("finite", |f| f.is_finite())) {
        let tree = write_json(&value).unwrap();
        prop_assert_eq!(serde_json::from_value::<f32>(tree.clone()).unwrap(), value);
        prop_assert_eq!(tree.to_string().parse::<f32>().unwrap(), value);
    }
}
