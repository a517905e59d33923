//! Compile a program, see it improve, save it, load it.
//!
//! ```text
//! cargo run -p dspy-examples
//! cargo run -p dspy-examples --features tls -- --model openai/gpt-4o-mini
//! ```
//!
//! Without `--model` it asks the tiny model in `examples/models/tiny`, in this process. That is a real decoder, but a
//! fixture: what is gained with it shows that the machinery works, not that an optimizer is good.

#![allow(clippy::print_stdout)]

mod support;

use dspy::{predict::Rendered, prelude::*};

// Where a note goes. Nothing but examples tells what each group is for.
#[dspy::value]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Group {
    Lantern,
    Harbour,
    Compass,
}

/// Sort the note.
#[signature]
struct Sort {
    #[input]
    note: String,
    #[output]
    group: Group,
}

#[tokio::main]
async fn main() -> Result<()> {
    let _setup = support::setup_with(&[], Some(support::TINY))?;
    let trainset: Vec<Sort> = dspy::data::jsonl(support::data("notes-train.jsonl"))?;
    let devset: Vec<Sort> = dspy::data::jsonl(support::data("notes-dev.jsonl"))?;
    let right = |gold: &Sort, found: &SortOutput| gold.group == found.group;

    let program = Predict::<Sort>::new();
    let held_out = Evaluate::new(&devset, right);
    let before = held_out.run(&program).await?;
    println!("before: {:.0} % of {} held-out notes\n", 100.0 * before.score, devset.len());
    println!("the prompt of the first one:\n\n{}\n", program.render(&devset[0])?);

    let optimizer = BootstrapFewShotWithRandomSearch::new().max_labeled_demos(8).num_candidates(6).seed(7);
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
    println!("saved to {}, loaded: {:.0} %\n", path.display(), 100.0 * again.score);
    println!("With a hosted model: -- --model openai/gpt-4o-mini (the key in OPENAI_API_KEY).");
    Ok(())
}
