use dspy::prelude::*;

#[signature("question -> answer: list[Missing]")]
struct UnknownType;

fn main() {}
