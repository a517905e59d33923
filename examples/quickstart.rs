//! Compile a program, see it improve, save it, load it.
//!
//! ```text
//! cargo run --release --example quickstart
//! cargo run --release --example quickstart -- --model openai/gpt-4o-mini --api-base https://api.openai.com/v1
//! ```
//!
//! Without `--api-base` it talks to the demonstration server in `examples/support/demo_model.rs`, which copies
//! from the most similar demonstration in the prompt. What is gained there shows that the machinery works.

#![allow(clippy::print_stdout)]

mod support;

use dspy::{predict::Rendered, prelude::*};

/// What a customer's message is about.
#[dspy::value]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Topic {
    Billing,
    Delivery,
    Account,
    Technical,
    Feedback,
}

/// Sort the customer's message by what it is about.
#[signature]
struct Sort {
    /// what the customer wrote
    #[input]
    message: String,
    #[output]
    topic: Topic,
}

#[tokio::main]
async fn main() -> Result<()> {
    let _setup = support::setup(&[])?;
    let trainset: Vec<Sort> = dspy::data::jsonl(support::data("tickets-train.jsonl"))?;
    let devset: Vec<Sort> = dspy::data::jsonl(support::data("tickets-dev.jsonl"))?;
    let right = |gold: &Sort, found: &SortOutput| gold.topic == found.topic;

    let program = Predict::<Sort>::new();
    let held_out = Evaluate::new(&devset, right);
    let before = held_out.run(&program).await?;
    println!("before: {:.0} % of {} held-out messages\n", 100.0 * before.score, devset.len());
    println!("the prompt of the first one:\n\n{}\n", program.render(&devset[0])?);

    let optimizer = BootstrapFewShotWithRandomSearch::new().max_labeled_demos(32).num_candidates(8).seed(7);
    let compiled = optimizer.compile(program, &trainset, right).await?;
    let after = held_out.run(&compiled.program).await?;
    println!("after: {:.0} % with {}\n", 100.0 * after.score, compiled.program);
    let prompt = compiled.program.render(&devset[0])?;
    println!("the prompt now has {} messages; its first demonstration:\n", prompt.len());
    println!("{}\n", Rendered(prompt[1..3].to_vec()));

    let path = std::env::temp_dir().join("dspy-quickstart.json");
    compiled.save(&path)?;
    let loaded = Predict::<Sort>::new().load(&path)?;
    let again = held_out.run(&loaded).await?;
    println!("saved to {}, loaded: {:.0} %", path.display(), 100.0 * again.score);
    Ok(())
}
