use dspy::prelude::*;

#[signature]
struct Tuple(#[input] String, #[output] String);

#[signature]
struct Unit;

#[signature]
enum Choice {
    A,
}

#[signature]
union Either {
    a: u8,
    b: u8,
}

#[signature]
struct Generic<T> {
    #[input]
    question: T,
    #[output]
    answer: String,
}

#[signature]
struct Borrowed<'a> {
    #[input]
    question: &'a str,
    #[output]
    answer: String,
}

#[signature]
fn function() {}

fn main() {}
