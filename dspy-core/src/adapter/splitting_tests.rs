//! What is found while an answer arrives is what is found in the whole.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index};

use super::{
    Adapter, ChatAdapter, JsonAdapter, XmlAdapter,
    header_splitter::HeaderSplitter,
    headers, object,
    splitter::{ObjectSplitter, Piece, Splitter},
};
use crate::{
    lm::Choice,
    signature::{Field, Sections, SignatureSpec},
    value::TypeInfo,
};

fn spec() -> SignatureSpec {
    let text = TypeInfo::of::<String>();
    let outputs = ["answer", "completed_at", "x"].map(|name| Field::output(name, text.clone()));
    let mut fields = vec![Field::input("question", text)];
    fields.extend(outputs);
    SignatureSpec::new("S", "", fields)
}

fn found(splitter: &mut dyn Splitter, chunks: &[&str]) -> BTreeMap<usize, String> {
    let mut found = BTreeMap::new();
    let mut open = None;
    let mut out = |piece: Piece<'_>| match piece {
        Piece::Begin(field, _) => {
            found.insert(field, String::new());
            open = Some(field);
        }
        Piece::Text(text) => found.entry(open.unwrap_or_default()).or_default().push_str(text),
        Piece::End => open = None,
    };
    chunks.iter().for_each(|chunk| splitter.push(chunk, &mut out));
    splitter.finish(&mut out);
    found
}

fn whole(sections: &Sections<'_>) -> BTreeMap<usize, String> {
    let filled = sections.iter().filter(|(_, section)| !section.text.is_empty());
    filled.map(|(field, section)| (field, section.text.clone().into_owned())).collect()
}

fn cut<'t>(text: &'t str, cuts: &[Index]) -> Vec<&'t str> {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut at: Vec<usize> = cuts.iter().map(|cut| *cut.get(&places)).chain([0, text.len()]).collect();
    at.sort_unstable();
    at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn headers_are_found_as_in_the_whole(parts in proptest::collection::vec(prop::sample::select(vec![
        "[[ ## answer ## ]]", "[[ ## completed_at ## ]]", "[[ ## x ## ]]", "[[ ## completed ## ]]", "[[ ## other ## ]]",
        "[[ ## question ## ]]", "[[##Answer##]]", "[ ## x ## ]", "[[ x ## ]]", "[[ ## ", " ## ]]", "[[", "]]", "[", "]", "#",
        "\n", "\n\n", " ", "  ", "\t", "**", "*", "`", ":", "- ", "> ", "### ", "text", "[x]", "[[1, 2]]", "answer", "é", "a b",
        "\n[[ ## answer ## ]]\n", "\n[[ ## x ## ]]\n", "\n[[ ## completed ## ]]", "\n[[answer]]\n", "[[ x ]]", "[[completed]]", "\\", "\\[[ ## x ## ]]",
        "\n```\n", "\n```rust\n", "~~~", "## Answer\n", "\n**x**", "\n## Completed At:\n", "1. ", "\"", "\r\n",
    ]), 0..32), cuts in proptest::collection::vec(any::<Index>(), 0..12)) {
        let (text, spec) = (parts.concat(), spec());
        let expected = whole(&headers::split(&spec, &text));
        let trimmed = |chunks: &[&str]| -> BTreeMap<usize, String> {
            let found = found(&mut HeaderSplitter::new(&spec), chunks);
            found.into_iter().map(|(field, text)| (field, headers::trim_outer(&text).to_owned())).collect()
        };
        prop_assert_eq!(trimmed(&cut(&text, &cuts)), expected.clone(), "{}", text);
        let characters: Vec<&str> = text.split("").filter(|c| !c.is_empty()).collect();
        prop_assert_eq!(trimmed(&characters), expected, "{}", text);
    }

    #[test]
    fn members_are_found_as_in_the_whole(
        values in proptest::collection::vec(prop::sample::select(vec![
            "1", "\"a\"", "\"a, b\"", "\"say \\\"hi\\\"\"", "[1, {\"x\": \"}\"}]", "{\"answer\": 2}", "null", "True", "'it'",
            "\"\\u00e9\"", "\"\"", "\"line\nbreak\"", "\"a \"b\" c\"",
        ]), 3),
        order in Just(vec!["answer", "Completed At", "x", "unknown"]).prop_shuffle(),
        around in prop::sample::select(vec![("", ""), ("```json\n", "\n```"), ("Here: ", " Done."), ("{\"output\": ", "}"), ("[", "]"), ("{\"a\": [{\"b\": 1, \"c\": ", "}]}"), ("{1, 2} and ", "")]),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let spec = spec();
        let members: Vec<String> =
            order.iter().zip(values.iter().chain(["0"].iter())).map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let text = format!("{}{{{}}}{}", around.0, members.join(",\n "), around.1);
        let expected = object::split(&spec, &text).map(|sections| whole(&sections)).unwrap_or_default();
        for chunks in [cut(&text, &cuts), text.split("").filter(|c| !c.is_empty()).collect()] {
            let found = found(&mut ObjectSplitter::new(&spec), &chunks);
            let trimmed: BTreeMap<_, _> =
                found.into_iter().map(|(field, text)| (field, text.trim().to_owned())).collect();
            prop_assert_eq!(trimmed, expected.clone(), "{}", text);
        }
    }
}

/// Texts that say the same again and again are read to their end: with what grows faster than the square of the length,
/// this would not end.
#[test]
fn odd_texts_are_read_to_their_end() {
    let pieces = [
        "[",
        "[[ ## ",
        "[[ ## x ## ]] ",
        "[[ ## x ## ]]\n",
        "\n```\n[[ ## x ## ]]",
        "{",
        "{\"a\":",
        "[{\"a\":",
        "{\"x\":",
        "\\frac{a}{b} ",
        "{\"a\": \"{",
        "<x>",
        "<a>",
        "</x>",
        "<x>a</x>",
        "<![CDATA[",
        "&amp;",
        "# ",
        "**",
        "1. ",
        "\\",
        "\n\\[[ ## x ## ]]",
        "\"",
        "## Answer\n",
        " [[ ## completed ## ]]\n",
    ];
    let any = TypeInfo::of::<Vec<Vec<String>>>();
    let spec = SignatureSpec::new(
        "S",
        "",
        vec![Field::output("x", any), Field::output("answer", TypeInfo::of::<String>())],
    );
    let adapters: [&dyn Adapter; 3] = [&ChatAdapter::new(), &JsonAdapter::new(), &XmlAdapter::new()];
    for piece in pieces {
        let text = piece.repeat(6_000 / piece.len());
        let mut choice = Choice::default();
        for start in ["", "<x>", "[[ ## x ## ]] "] {
            choice.text = format!("{start}{text}");
            for adapter in adapters {
                let _ = adapter.parse(&spec, &choice);
            }
            let mut splitter = HeaderSplitter::new(&spec);
            for chunk in choice.text.as_bytes().chunks(7) {
                splitter.push(&String::from_utf8_lossy(chunk), &mut |_| {});
            }
            splitter.finish(&mut |_| {});
        }
    }
}
