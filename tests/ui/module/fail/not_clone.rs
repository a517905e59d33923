use dspy::prelude::*;

struct Index;

#[module]
struct Program {
    #[module(skip)]
    index: Index,
}

#[module]
struct Hook {
    hook: Box<dyn Fn(usize) -> usize + Send + Sync>,
}

fn main() {}
