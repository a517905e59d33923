//! Evaluate and compile on files of JSON lines, save the program, load it again.
//!
//! ```text
//! cargo run --release --example compile_jsonl
//! cargo run --release --example compile_jsonl -- --model openai/gpt-4o-mini \
//!     --train train.jsonl --dev dev.jsonl --out sort.json --optimizer random-search
//! ```
//!
//! Each line holds the fields of [`Sort`]: `{"message": "...", "topic": "billing"}`. Without `--model` and
//! `--api-base` it starts the demonstration server.

#![allow(clippy::print_stdout)]

mod support;

use dspy::prelude::*;

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

const OPTIONS: &[(&str, &str)] = &[
    ("--train", "rows to learn from, as JSON lines (examples/data/tickets-train.jsonl)"),
    ("--dev", "rows to judge by, as JSON lines (a fifth of --train, or examples/data/tickets-dev.jsonl)"),
    ("--out", "where the program is saved (sort.json in the folder for temporary files)"),
    ("--optimizer", "labeled, bootstrap or random-search (random-search)"),
];

/// The most demonstrations that the prompt may hold.
const DEMOS: usize = 32;

#[tokio::main]
async fn main() -> Result<()> {
    let setup = support::setup(OPTIONS)?;
    let (train, dev) = match (setup.option("--train"), setup.option("--dev")) {
        (Some(train), Some(dev)) => (dspy::data::load(train)?, dspy::data::load(dev)?),
        (Some(train), None) => dspy::data::split(&dspy::data::load::<Sort>(train)?, 0, [0.8, 0.2]).into(),
        (None, dev) => {
            let dev = dev.map_or_else(|| support::data("tickets-dev.jsonl"), Into::into);
            (dspy::data::load(support::data("tickets-train.jsonl"))?, dspy::data::load(dev)?)
        }
    };
    println!("{} rows to learn from, {} to judge by", train.len(), dev.len());

    // Bars appear on a terminal for whatever takes longer than a second.
    let right = |gold: &Sort, found: &SortOutput| gold.topic == found.topic;
    let evaluate = Evaluate::new(&dev, right).metric_name("right");
    let program = Predict::<Sort>::new();
    println!("\nBefore:\n{}", evaluate.run(&program).await?);

    let compiled = match setup.option("--optimizer").unwrap_or("random-search") {
        "labeled" => LabeledFewShot::new().k(DEMOS).compile(program, &train, right).await?,
        "bootstrap" => {
            BootstrapFewShot::new().max_labeled_demos(DEMOS).compile(program, &train, right).await?
        }
        "random-search" => {
            let search = BootstrapFewShotWithRandomSearch::new().max_labeled_demos(DEMOS).seed(7);
            search.compile(program, &train, right).await?
        }
        other => return Err(Error::other(format!("there is no optimizer {other}; see --help"))),
    };
    println!("\nCompiled: {compiled}");

    let out = setup.option("--out").map_or_else(|| std::env::temp_dir().join("sort.json"), Into::into);
    compiled.save(&out)?;
    let loaded = Predict::<Sort>::new().load(&out)?;
    println!("\nSaved to {}, loaded again:\n{}", out.display(), evaluate.run(&loaded).await?);
    Ok(())
}
