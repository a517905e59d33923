//! Simple question answering: one signature, one predictor.
//!
//! ```text
//! cargo run -p dspy-examples --features tls --bin qa -- --model openai/gpt-4o-mini "Which river flows through Vienna?"
//! ```
//!
//! Without `--model` and `--api-base` it starts the demonstration server, which cannot know the answer.

#![allow(clippy::print_stdout)]

mod support;

use dspy::prelude::*;

/// Answer the question.
#[signature]
struct Qa {
    #[input]
    question: String,
    /// between one and five words
    #[output]
    answer: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let setup = support::setup(&[])?;
    let question = setup.words_or("Which river flows through Vienna?");

    // An input with a single field is made from the field's value.
    let program = ChainOfThought::<Qa>::new();
    let p = program.call(question.as_str()).await?;
    println!("question:  {question}\nreasoning: {}\nanswer:    {}\n", p.reasoning, p.answer);

    // What was sent, and what came back.
    println!("{}", dspy::inspect_history(1));
    let usage = p.usage().total();
    println!("{} calls, {} + {} tokens", usage.calls, usage.prompt_tokens, usage.completion_tokens);
    Ok(())
}
