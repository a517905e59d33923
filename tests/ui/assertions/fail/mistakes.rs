//! Assertions that say nothing, ask nothing, or stand where nothing can fail.

use dspy::prelude::*;

#[signature("question -> answer")]
struct Qa;

fn without_words(n: usize) -> Result<()> {
    dspy::assert!(n < 3);
    dspy::suggest!(n < 3,);
    Ok(())
}

fn words_first(n: usize) -> Result<()> {
    dspy::assert!(retry = self, n < 3, "less than three");
    Ok(())
}

fn no_condition(answer: &QaOutput) -> Result<()> {
    dspy::assert!(answer.answer.find("x"), "an x");
    Ok(())
}

fn nothing_can_fail(n: usize) {
    dspy::assert!(n < 3, "less than three");
}

fn retry_of_no_program(n: usize) -> Result<()> {
    dspy::assert!(n < 3, retry = n, "less than three");
    Ok(())
}

fn main() {}
