use dspy::prelude::*;

#[derive(Clone)]
struct Index;

#[module]
struct Sub {}

#[module]
struct Program {
    index: Index,
    shared: Arc<Sub>,
    #[module(skp)]
    typo: usize,
}

fn main() {}
