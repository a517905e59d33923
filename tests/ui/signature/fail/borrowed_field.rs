use dspy::prelude::*;

#[signature]
struct Find {
    #[input]
    text: &'static str,
    #[output]
    answer: String,
}

fn main() {}
