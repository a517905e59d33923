use dspy::prelude::*;

#[signature]
struct Answer {
    #[input]
    question: String,
}

fn main() {
    let _: AnswerOutput = AnswerOutput {};
}
