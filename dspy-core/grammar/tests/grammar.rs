//! Texts that are signatures, and texts that are not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dspy_grammar::{Constant, parse};

/// What a text means, written the shortest way.
fn canonical(source: &str) -> String {
    parse(source).unwrap_or_else(|e| panic!("{e}")).to_string()
}

#[test]
fn texts_of_dspy() {
    for (source, meaning) in [
        ("question -> answer", "question -> answer"),
        ("question: str -> answer: str", "question -> answer"),
        (
            "question, context: list[str] -> answer: float, label: Literal['a','b']",
            "question, context: list[str] -> answer: float, label: Literal['a', 'b']",
        ),
        ("  a ,b, ->c,  ", "a, b -> c"),
        ("-> joke", "-> joke"),
        ("a: list -> b: dict", "a: list[Any] -> b: dict[str, Any]"),
        ("a: typing.List[int] -> b: Dict[str, list[int]]", "a: list[int] -> b: dict[str, list[int]]"),
        ("a: tuple[str, ...] -> b: tuple[str, int]", "a: list[str] -> b: tuple[str, int]"),
        ("a -> b: Optional[int]", "a -> b: Optional[int]"),
        ("a -> b: int | None", "a -> b: Optional[int]"),
        ("a -> b: Union[None, int, str, int]", "a -> b: Optional[Union[int, str]]"),
        ("a -> b: Optional[Optional[int] | str]", "a -> b: Optional[Union[int, str]]"),
        ("a -> b: Literal['x', 1, None, True]", "a -> b: Optional[Literal['x', 1, True]]"),
        (r#"a -> b: Literal["it's", 'a"b', 'x\\y\'z"']"#, r#"a -> b: Literal["it's", 'a"b', 'x\\y\'z"']"#),
        ("a -> b: Literal['x -> y', '\\u00e9\\x41']", "a -> b: Literal['x -> y', 'éA']"),
        ("image: dspy.Image -> caption", "image: dspy.Image -> caption"),
        ("when: datetime.date -> b", "when: datetime.date -> b"),
        ("a -> b: dspy.Code[\"Python\"]", "a -> b: Code['python']"),
        (
            "a: int = 3, b: float = 1 -> c: Optional[str] = None",
            "a: int = 3, b: float = 1.0 -> c: Optional[str] = None",
        ),
        ("frage -> größe: bool", "frage -> größe: bool"),
        ("a\n  , b: list[\n str]\n -> c", "a, b: list[str] -> c"),
    ] {
        assert_eq!(canonical(source), meaning, "{source}");
        assert_eq!(canonical(meaning), meaning, "{meaning}");
    }
}

#[test]
fn texts_of_rust() {
    for (source, meaning) in [
        ("a: String -> b: Vec<f64>", "a -> b: list[float]"),
        ("a: Vec<Vec<String>> -> b: Option<bool>", "a: list[list[str]] -> b: Optional[bool]"),
        ("a: HashMap<String, u8> -> b: f32", "a: dict[str, u8] -> b: f32"),
        ("a: std::collections::BTreeSet<i64> -> b: (String, i64)", "a: set[int] -> b: tuple[str, int]"),
        ("a: (String) -> b: (bool,)", "a -> b: tuple[bool]"),
        ("a: Vec<crate::Person> -> b: super::x::Y<u8>", "a: list[crate.Person] -> b: super.x.Y[u8]"),
        ("a: Box<str> -> b: serde_json::Value", "a -> b: Any"),
        ("a: Vec<str>-> b", "a: list[str] -> b"),
    ] {
        assert_eq!(canonical(source), meaning, "{source}");
    }
}

#[test]
fn mistakes_are_named_at_their_place() {
    for (source, at, message) in [
        ("", 0, "expected `->`, found the end; write `inputs -> outputs`"),
        ("question", 8, "expected `->`, found the end"),
        ("question answer -> b", 9, "expected `,` or `->`, found `answer`"),
        ("a -> ", 5, "expected a field, found the end; name at least one output"),
        ("a -> b -> c", 7, "there is a second `->`"),
        ("a -> b (short)", 7, "expected `,` or the end, found `(`"),
        ("a: -> b", 3, "expected a type, found `-`"),
        ("a,, b -> c", 2, "expected the name of a field, found `,`"),
        ("*args -> b", 0, "expected the name of a field, found `*`"),
        ("2nd -> b", 0, "expected the name of a field, found `2nd`"),
        ("a -> a", 5, "there is another field named `a`; name the output otherwise"),
        ("a, a -> b", 3, "there is another field named `a`; every field"),
        ("a -> completed", 5, "`completed` marks the end"),
        ("a -> _", 5, "`_` is no name"),
        ("a -> b: list[str", 16, "expected `,` or `]`, found the end; a bracket is left open"),
        ("a -> b: list[str>", 16, "expected `,` or `]`, found `>`"),
        ("a -> b: list[]", 13, "expected a type, found `]`; the brackets are empty"),
        ("a -> b: list[str, int]", 8, "`list` takes one type"),
        ("a -> b: dict[str]", 8, "`dict` takes two types"),
        ("a -> b: dict[list[str], int]", 13, "`list[str]` cannot be the type of keys"),
        ("a -> b: string", 8, "no field can be of type `string`; write `str`"),
        ("a -> b: STR", 8, "there is no type `STR`; write `str`"),
        ("a -> b: optional[int]", 8, "there is no type `optional`; write `Optional`"),
        ("a -> b: bytes", 8, "no field can be of type `bytes`"),
        ("a -> b: str[3]", 11, "`str` takes no parameters"),
        ("a -> b: [str]", 8, "expected a type, found `[`; a list is `list[str]`"),
        ("a -> b: 'x'", 8, "expected a type, found a text; a choice of constants is `Literal['x']`"),
        ("a: &str -> b", 3, "expected a type, found `&`; a field owns its value"),
        ("a -> b: Literal", 15, "expected `[`, found the end; name the choices"),
        (
            "a -> b: Literal[yes, no]",
            16,
            "expected a constant, found `yes`; a text stands in quotes: `'yes'`",
        ),
        ("a -> b: Literal['x", 16, "a quote is left open; close the text with '"),
        ("a -> b: Literal['\\q']", 17, "there is no escape `\\q`"),
        ("a -> b: Literal[0.5]", 16, "the choice `0.5` is a fraction"),
        ("a -> b: Literal[99999999999999999999]", 16, "`99999999999999999999` is no number that fits"),
        ("a -> b: None", 8, "`None` alone says nothing"),
        ("a -> b: Optional", 16, "expected `[`, found the end; say of what"),
        ("a -> b: tuple[..., str]", 8, "misplaced `...`"),
        ("a -> b: x.", 10, "expected a name, found the end"),
        ("a -> b: Code", 12, "expected `[`, found the end; name the language"),
        ("a -> b: int = 'x'", 14, "`'x'` is no value of `int`; write `b: str = 'x'`"),
        ("a -> b: u8 = 256", 13, "`256` is no value of `u8`"),
        ("a -> b = None", 9, "`None` is no value of `str`; write `b: Optional[str] = None`"),
        ("a -> b: Annotated[str, 'x']", 8, "no field can be of type `Annotated`"),
    ] {
        let error = parse(source).unwrap_err();
        assert!(error.message().starts_with(message), "{source}: {error}");
        assert_eq!(error.offset(), at, "{error}");
    }
}

#[test]
fn mistakes_are_shown() {
    let error = parse("größe, b: -> c").unwrap_err();
    let shown = error.to_string();
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    assert_eq!(lines, ["  größe, b: -> c", "            ^"]);
    let error = parse("a,\n  b: strin\n -> c: Str").unwrap_err();
    assert_eq!(error.excerpt(), "   -> c: Str\n         ^^^");
}

#[test]
fn depth_is_bounded() {
    let deep = format!("a -> b: {}str{}", "list[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(&deep).unwrap_err().problem.contains("nest deeper"));
    let deep = format!("a -> b: {}", "(".repeat(100_000));
    assert!(parse(&deep).unwrap_err().problem.contains("nest deeper"));
}

#[test]
fn constants_keep_their_type() {
    let signature = parse("a -> b: float = -1e3, c: Literal[True, 1, '1'] = '1'").unwrap();
    let defaults: Vec<_> = signature.outputs.iter().map(|f| f.default.clone()).collect();
    assert_eq!(defaults, [Some(Constant::Float(-1000.0)), Some(Constant::Str("1".into()))]);
}
