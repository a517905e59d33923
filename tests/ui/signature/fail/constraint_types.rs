use dspy::prelude::*;

#[signature(assert(|o: &FindInput| true, "wrong side"))]
struct Find {
    #[input]
    text: String,
    #[output(assert(|n: &i64| *n > 0, "positive"))]
    answer: String,
    #[output(assert(|a: &str| a.len(), "long"))]
    length: String,
    #[output(assert(|a| a.missing(), "no such method"))]
    method: String,
    #[output(assert(|a: &str| a.is_empty(), 3))]
    message: String,
    #[output(default = 1)]
    default: String,
}

fn main() {}
