use dspy::prelude::*;

#[module]
struct Tuple(Predict<()>);

#[module]
enum Choice {
    A,
}

#[module(skip)]
struct Options {}

#[module]
impl Options {
    fn new() -> Self {
        Self {}
    }
}

#[module]
fn function() {}

fn main() {}
