use dspy::prelude::*;

#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[value]
#[derive(Example)]
struct NoInput {
    #[input]
    question: String,
}

#[value]
#[derive(Example)]
#[example(input = QaInput)]
struct NoMark {
    question: String,
}

#[value]
#[derive(Example)]
#[example(inputs = QaInput)]
struct Unknown {
    #[input]
    question: String,
}

#[value]
#[derive(Example)]
#[example(input = QaInput)]
struct OtherName {
    #[input]
    query: String,
}

#[derive(serde::Serialize, Example)]
#[example(input = QaInput)]
struct NotClone {
    #[input]
    question: String,
}

fn main() {}
