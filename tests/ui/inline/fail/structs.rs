use dspy::prelude::*;

#[signature("question -> answer")]
struct Both {
    #[input]
    question: String,
}

#[signature]
struct Neither;

#[signature("question -> answer", "Answer it.")]
struct SecondText;

#[signature("question -> answer", hint = "x")]
struct UnknownOption;

fn main() {}
