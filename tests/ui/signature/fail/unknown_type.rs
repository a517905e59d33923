use dspy::prelude::*;

#[signature]
struct Find {
    #[input]
    text: String,
    #[output]
    person: Option<Persn>,
}

fn main() {}
