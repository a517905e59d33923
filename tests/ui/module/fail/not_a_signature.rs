use dspy::prelude::*;

struct Qa {
    question: String,
}

#[module]
struct Program {
    qa: Predict<Qa>,
}

fn main() {
    let _ = Program { qa: Predict::new() };
}
