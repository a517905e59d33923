//! No name is taken but `completed`, and nothing the user writes sees what the macro writes.
#![deny(warnings, missing_docs, unreachable_pub)]

use dspy::signature;

/// Every name that generated code might use.
#[signature]
pub struct Names {
    #[input]
    config: String,
    #[input]
    demos: String,
    #[input]
    lm: String,
    #[input]
    input: String,
    #[input]
    value: String,
    #[input]
    writer: String,
    #[input]
    w: String,
    #[input]
    r#type: String,
    #[input]
    größe: String,
    #[output(assert(|output: &str| output.len() < LIMIT, "short"), suggest(|value| !value.is_empty(), "not empty"))]
    output: String,
    #[output]
    reader: String,
    #[output]
    r: String,
    #[output]
    trace: String,
    #[output]
    usage: String,
    #[output]
    checks: String,
    #[output(default = value())]
    record: String,
    #[output]
    field0: String,
    #[output]
    spec: String,
    #[output]
    reasoning: String,
}

const LIMIT: usize = 3;

fn value() -> String {
    String::new()
}

/// Types with the names of the prelude, of the library and of the standard library.
pub mod shadowed {
    #![allow(dead_code, missing_docs)]

    struct Result;
    struct Option;
    struct Vec;
    struct Box;
    struct Clone;
    struct From;
    mod std {}
    mod core {}
    mod serde {}
    mod dspy {}

    #[::dspy::signature]
    struct Signature {
        #[input(default)]
        question: ::std::string::String,
        #[output(assert(|a: &str| !a.is_empty(), "not empty"), default = "x")]
        answer: ::std::string::String,
    }

    #[::dspy::module]
    struct Program {
        predict: ::dspy::Predict<Signature>,
    }
}

pub(crate) fn main() {
    #[signature]
    struct Local {
        #[input]
        question: String,
        #[output]
        answer: String,
    }
    let _ = dspy::Predict::<Local>::new();
}
