//! Rewards for something else, and programs that are none.

use dspy::prelude::*;

#[signature("question -> answer")]
struct Qa;

#[signature("text -> label")]
struct Sort;

fn of_another_input() {
    let reward = |_: &SortInput, pred: &QaOutput| pred.answer.len();
    let _ = BestOfN::new(Predict::<Qa>::new(), 3, reward, 1.0);
}

fn of_another_output() {
    let reward = |_: &QaInput, pred: &SortOutput| pred.label.len();
    let _ = Refine::new(ChainOfThought::<Qa>::new(), 3, reward, 1.0);
}

fn no_score() {
    let reward = |_: &QaInput, pred: &QaOutput| pred.answer.clone();
    let _ = BestOfN::new(Predict::<Qa>::new(), 3, reward, 1.0);
}

fn no_program() {
    let reward = |_: &QaInput, pred: &QaOutput| pred.answer.len();
    let _ = BestOfN::new(&Predict::<Qa>::new(), 3, reward, 1.0);
}

async fn attempts_of_another_signature(attempts: Vec<Reasoned<SortOutput>>) -> Result<()> {
    let compare = MultiChainComparison::<Qa>::new();
    compare.call(("question", attempts)).await?;
    Ok(())
}

async fn without_attempts() -> Result<()> {
    MultiChainComparison::<Qa>::new().call("question").await?;
    Ok(())
}

fn main() {}
