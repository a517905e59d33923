//! Train a model on what its program did well: bootstrap, tune the weights, save, load.
//!
//! ```text
//! cargo run -p dspy-examples --bin finetune
//! cargo run -p dspy-examples --bin finetune -- --model local/<directory of a model>
//! ```
//!
//! Without `--model` it tunes the tiny model in `examples/models/tiny`; see there what it is and what it is not.

#![allow(clippy::print_stdout)]

mod support;

use dspy::{
    BootstrapFinetune,
    local::{LocalFineTuner, Training},
    prelude::*,
};

// Without a comment of its own, which would become part of the prompt: the model knows no such descriptions.
#[dspy::value]
#[derive(Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Team {
    Anchor,
    Candle,
    Mirror,
    Feather,
}

/// Choose the team of the message.
#[signature]
struct Assign {
    #[input]
    message: String,
    #[output]
    team: Team,
}

#[tokio::main]
async fn main() -> Result<()> {
    let _setup = support::setup_with(&[], Some(support::TINY))?;
    let trainset: Vec<Assign> = dspy::data::jsonl(support::data("desks-train.jsonl"))?;
    let devset: Vec<Assign> = dspy::data::jsonl(support::data("desks-dev.jsonl"))?;
    let right = |gold: &Assign, found: &AssignOutput| gold.team == found.team;

    let program = Predict::<Assign>::new();
    let held_out = Evaluate::new(&devset, right);
    let before = held_out.run(&program).await?;
    println!(
        "before: {:.0} % of {} held-out messages, without demonstrations\n",
        100.0 * before.score,
        devset.len()
    );

    // The same program with demonstrations teaches the one without. It is asked four times for each row, at a
    // temperature, so that rows of every answer are accepted.
    let weights = std::env::temp_dir().join("dspy-finetune");
    let training = Training::new().epochs(8).batch(16).learning_rate(2e-3);
    let optimizer = BootstrapFinetune::new(LocalFineTuner::new(&weights).training(training))
        .name("teams")
        .max_labeled_demos(8)
        .samples(4)
        .temperature(1.0)
        .on_progress(|progress| {
            if progress.step.is_none_or(|step| step % 20 == 0) {
                println!("{progress}");
            }
        });
    let compiled = optimizer.compile(program, &trainset, right).await?;
    println!("\n{compiled}\n");
    let after = held_out.run(&compiled.program).await?;
    println!("after: {:.0} %, still without demonstrations\n", 100.0 * after.score);

    let path = weights.join("teams.json");
    compiled.save(&path)?;
    let loaded = Predict::<Assign>::new().load(&path)?;
    let again = held_out.run(&loaded).await?;
    println!("saved to {} beside its weights, loaded: {:.0} %", path.display(), 100.0 * again.score);
    Ok(())
}
