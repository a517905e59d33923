use dspy::prelude::*;

/// Answer.
#[signature(model = "gpt")]
struct Answer {
    unmarked: String,
    #[input]
    #[output]
    both: String,
    #[input(desc)]
    no_text: String,
    #[input(lm = "x", assert(|a: &str| true, "m"))]
    unknown: String,
    #[input(name = "")]
    empty: String,
    #[input(name = "a b")]
    spaced: String,
    #[input(name = "unmarked")]
    twice: String,
    #[output]
    completed: bool,
    #[output(assert(|a: &str| true))]
    no_message: String,
    #[output(max = 3)]
    max: String,
}

fn main() {
    // The rest of the file still knows what the signature gives.
    let _ = AnswerInput { both: String::new() }.missing;
}
