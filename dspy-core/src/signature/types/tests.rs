use serde_json::json;

use super::*;
use crate::value::{Image, Kind, lang, write, write_output};

fn ty(text: &str) -> Dynamic {
    let source = format!("a -> b: {text}");
    let parsed = dspy_grammar::parse(&source).unwrap();
    Dynamic::new(&parsed.outputs[0].ty, &source, &Types::new()).unwrap_or_else(|e| panic!("{e}"))
}

fn read(text: &str, answer: &str) -> Result<Value, String> {
    let read = ty(text).read(Raw::text(answer), &ReadOptions::default());
    read.map(|r| r.value).map_err(|e| e.to_string())
}

#[test]
fn values_are_read_by_their_types() {
    for (text, answer, value) in [
        ("str", "Paris", json!("Paris")),
        ("str", "12", json!("12")),
        ("bool", "true", json!(true)),
        ("int", "3", json!(3)),
        ("float", "3", json!(3.0)),
        ("u64", "18446744073709551615", json!(u64::MAX)),
        ("Any", r#"{"a": [1]}"#, json!({"a": [1]})),
        ("list[int]", "[1, 2]", json!([1, 2])),
        ("set[str]", r#"["a", "b", "a"]"#, json!(["a", "b"])),
        ("tuple[str, int]", r#"["a", 2]"#, json!(["a", 2])),
        ("dict[str, list[bool]]", r#"{"x": [true]}"#, json!({"x": [true]})),
        ("Optional[int]", "null", json!(null)),
        ("Optional[int]", "4", json!(4)),
        ("Union[int, str]", "4", json!(4)),
        ("Union[int, float]", "0.5", json!(0.5)),
        ("Literal['spam', 'ham']", "Spam.", json!("spam")),
        ("Literal[1, 2]", "2", json!(2)),
        ("list[Literal['a', 'b']]", r#"["A"]"#, json!(["a"])),
        ("Code['sql']", "SELECT 1", json!("SELECT 1")),
    ] {
        assert_eq!(read(text, answer), Ok(value), "{text} from {answer}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (text, answer) in [
        ("int", "3.5"),
        ("u8", "256"),
        ("u8", "-1"),
        ("tuple[str, int]", r#"["a"]"#),
        ("tuple[int]", "[1, 2]"),
        ("Literal['spam', 'ham']", "spam or ham"),
        ("Literal['spam', 'ham']", "not spam"),
        ("Literal['spam', 'ham']", "eggs"),
        ("Union[int, bool]", r#"{"a": 1}"#),
        ("list[int]", r#"["x"]"#),
    ] {
        assert!(read(text, answer).is_err(), "{text} from {answer}");
    }
    assert!(read("Literal['a', 'b']", "c").unwrap_err().contains("one of a, b"));
}

#[test]
fn checking_bends_nothing() {
    for (text, value, fits) in [
        ("int", json!(3), true),
        ("int", json!(3.0), false),
        ("int", json!("3"), false),
        ("float", json!(3), true),
        ("Literal['a']", json!("A"), false),
        ("Optional[str]", json!(null), true),
        ("str", json!(null), false),
        ("list[Union[int, str]]", json!([1, "a"]), true),
        ("list[Union[int, str]]", json!([1, true]), false),
        ("dspy.Image", json!({"url": "https://a.b/c.png"}), true),
        ("dspy.Image", json!({"urn": "x"}), false),
    ] {
        assert_eq!(ty(text).check(&value).is_ok(), fits, "{text} from {value}");
    }
}

#[test]
fn schemas_are_those_of_typed_fields() {
    fn same<T: JsonSchema>(text: &str) {
        let mut typed = schemars::schema_for!(T).to_value();
        if let Value::Object(typed) = &mut typed {
            typed.remove("$schema");
            typed.remove("title");
        }
        assert_eq!(ty(text).schema().to_value(), typed, "{text}");
    }
    same::<String>("str");
    same::<bool>("bool");
    same::<i64>("int");
    same::<u8>("u8");
    same::<i16>("i16");
    same::<usize>("usize");
    same::<f64>("float");
    same::<Vec<String>>("list[str]");
    same::<std::collections::BTreeSet<i64>>("set[int]");
    same::<std::collections::BTreeMap<String, bool>>("dict[str, bool]");
    same::<(String, i64)>("tuple[str, int]");
    same::<Option<i64>>("Optional[int]");
    same::<Option<Vec<String>>>("Optional[list[str]]");
    assert_eq!(ty("dspy.Image").kind(), Kind::Media);
    assert_eq!(ty("Code['python']").kind(), Kind::Code("python".into()));
    assert_eq!(ty("list[dspy.Tool]").kind(), Kind::Tools);
    assert_eq!(ty("Literal['a', 'b']").schema().to_value(), json!({"type": "string", "enum": ["a", "b"]}));
}

#[test]
fn values_are_written_by_their_types() {
    fn same<T: Serialize>(text: &str, typed: &T) {
        let value = crate::value::write_json(typed).unwrap();
        let (mut one, mut other) = (Content::new(), Content::new());
        write(typed, &mut one).unwrap();
        ty(text).write_input(&value, &mut other);
        assert_eq!(one, other, "{text}");
        let (mut one, mut other) = (Content::new(), Content::new());
        write_output(typed, &mut one).unwrap();
        ty(text).write_output(&value, &mut other);
        assert_eq!(one, other, "{text}");
    }
    let image = Image::from_url("https://a.b/c.png").unwrap();
    same("str", &"a\nb");
    same("list[str]", &vec!["a", "b"]);
    same("tuple[str, str]", &("a", "b"));
    same("dict[str, float]", &std::collections::BTreeMap::from([("k", 0.5)]));
    same("dspy.Image", &image);
    same("list[dspy.Image]", &vec![image.clone()]);
    same("Optional[dspy.Image]", &Some(image.clone()));
    same("dict[str, dspy.Image]", &std::collections::BTreeMap::from([("k", image)]));
    same("Code['rust']", &crate::value::Code::<lang::Rust>::new("f()"));
}

#[test]
fn types_of_the_program_have_names() {
    #[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
    struct Tree {
        value: u8,
        below: Vec<Tree>,
    }
    let types = Types::new().with::<Tree>("my.Tree");
    let source = "a -> b: my.Tree, c: list[my::Tree]";
    let parsed = dspy_grammar::parse(source).unwrap();
    let [one, many] = [0, 1].map(|i| Dynamic::new(&parsed.outputs[i].ty, source, &types).unwrap());
    let tree = json!({"value": 1, "below": [{"value": 2, "below": []}]});
    assert_eq!(one.read(Raw::text(&tree.to_string()), &ReadOptions::default()).unwrap().value, tree);
    let trees = json!([tree]);
    assert_eq!(many.read(Raw::text(&trees.to_string()), &ReadOptions::default()).unwrap().value, trees);
    assert!(many.check(&json!([{"value": 300, "below": []}])).is_err());
    let schema = many.schema().to_value();
    assert_eq!(schema["items"]["$ref"], "#/$defs/Tree");
    assert_eq!(schema["$defs"]["Tree"]["properties"]["below"]["items"]["$ref"], "#/$defs/Tree");
}

/// Answers as models give them, for any type.
const ANSWERS: [&str; 40] = [
    "",
    "Paris",
    " Paris \n",
    "12",
    "12.",
    "about 12 people",
    "twelve",
    "-3",
    "1,200",
    "3.5",
    "3.0",
    "1e3",
    "50%",
    "true",
    "True.",
    "yes",
    "no, never",
    "null",
    "None",
    "N/A",
    "[]",
    "[1, 2]",
    "1, 2",
    "- a\n- b",
    "1. a\n2. b",
    r#"["a", "b"]"#,
    r#"["a", 2]"#,
    "```json\n[\"a\", \"b\",]\n```",
    "Here it is: {\"x\": [true]}",
    r#"{"x": 1, "y": 2}"#,
    "{x: 1, 'y': 2,}",
    "spam",
    "Spam!",
    "It is spam.",
    "spam or ham",
    "not spam",
    "300",
    "-1",
    "18446744073709551615",
    "```sql\nSELECT 1\n```",
];

#[test]
fn answers_are_read_as_by_typed_fields() {
    fn same<T: JsonSchema + Serialize + DeserializeOwned>(text: &str) {
        same_when::<T>(text, &[false, true]);
    }
    fn same_when<T: JsonSchema + Serialize + DeserializeOwned>(text: &str, strict: &[bool]) {
        for form in [crate::value::Form::Text, crate::value::Form::Json] {
            for strict in strict.iter().copied() {
                let options = if strict { ReadOptions::strict() } else { ReadOptions::default() };
                for answer in ANSWERS {
                    let raw = Raw { text: answer, form };
                    let typed = TypeInfo::of::<T>().read(raw, &options).map(|r| r.value).ok();
                    let found = ty(text).read(raw, &options).map(|r| r.value).ok();
                    assert_eq!(found, typed, "{text} from {answer:?} as {form:?}, strict: {strict}");
                }
            }
        }
    }
    #[derive(Serialize, serde::Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
    #[serde(rename_all = "lowercase")]
    enum Mail {
        Spam,
        Ham,
    }
    same::<String>("str");
    same::<bool>("bool");
    same::<i64>("int");
    same::<u8>("u8");
    same::<u64>("u64");
    same::<f64>("float");
    same::<Option<i64>>("Optional[int]");
    same::<Option<String>>("Optional[str]");
    same::<Vec<String>>("list[str]");
    same::<Vec<i64>>("list[int]");
    same::<std::collections::BTreeMap<String, i64>>("dict[str, int]");
    same::<(String, i64)>("tuple[str, int]");
    same::<(String,)>("tuple[str]");
    same::<crate::value::Code<lang::Sql>>("Code['sql']");
    // A strict reader takes a bare word for an enum in JSON, but not for a text.
    same_when::<Mail>("Literal['spam', 'ham']", &[false]);
    same_when::<Option<Mail>>("Optional[Literal['spam', 'ham']]", &[false]);
    same_when::<Vec<Mail>>("list[Literal['spam', 'ham']]", &[false]);
    same::<Vec<Vec<Option<f64>>>>("list[list[Optional[float]]]");
    same::<std::collections::BTreeMap<String, Vec<bool>>>("dict[str, list[bool]]");
    same::<std::collections::BTreeMap<i64, String>>("dict[int, str]");
    same::<Image>("dspy.Image");
    same::<Value>("Any");
}
