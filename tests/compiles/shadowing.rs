//! Texts mean the same where the usual names mean something else, and no type of the user is taken for another.
#![deny(warnings, missing_docs, unreachable_pub)]

/// Types with the names of the prelude, of the library and of the standard library.
pub mod shadowed {
    #![allow(dead_code, missing_docs)]

    struct Result;
    struct Option;
    struct Vec;
    struct String;
    struct Into;
    struct From;
    mod std {}
    mod core {}
    mod serde {}
    mod dspy {}

    #[::dspy::signature(
        "question, n: int = 3 -> answer, list: list[str], map: dict[str, float], maybe: Optional[bool],
         kind: Literal['Some', 'None', 'Ok', 'Self', '1', ''] = 'None'"
    )]
    struct Signature;

    pub fn program() -> impl ::dspy::Module<Output: ::core::fmt::Debug> {
        ::dspy::predict!(
            "value, writer, reader, f -> output, checks: list[str], spec: Literal['a'], match: int"
        )
    }
}

/// Types of the user within functions.
pub fn local() {
    #[dspy::value]
    struct Inner {
        r#type: u8,
    }
    #[dspy::value]
    struct Page<T> {
        items: Vec<T>,
    }
    let predict = dspy::predict!("a: Inner, b: Page<Inner> -> c: dict[str, list[Page[Inner]]]");
    let _ = predict.render((Inner { r#type: 1 }, Page { items: vec![Inner { r#type: 2 }] }));
}

pub(crate) fn main() {
    let _ = shadowed::program();
    local();
}
