use dspy::prelude::*;

#[value(option)]
struct Options {
    a: String,
}

#[value]
fn function() {}

fn main() {}
