//! Evaluate and compile on files of JSON lines, save the program, load it again.
//!
//! ```text
//! cargo run -p dspy-examples --bin compile_jsonl
//! cargo run -p dspy-examples --features tls --bin compile_jsonl -- --model openai/gpt-4o-mini \
//!     --train train.jsonl --dev dev.jsonl --out sort.json --optimizer random-search
//! ```
//!
//! Each line holds the fields of [`Sort`]: `{"message": "...", "topic": "billing"}`, or those of another signature that
//! is given as a text: `--signature "question -> answer"`. Without `--model` and `--api-base` it starts the demonstration
//! server.

#![allow(clippy::print_stdout)]

mod support;

use dspy::{evaluate::answer_exact_match, prelude::*, signature::FieldRole};
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    ("--signature", "what the rows hold, such as \"question -> answer\" (message -> topic)"),
    ("--optimizer", "labeled, bootstrap or random-search (random-search)"),
];

/// The most demonstrations that the prompt may hold.
const DEMOS: usize = 32;

#[tokio::main]
async fn main() -> Result<()> {
    let setup = support::setup(OPTIONS)?;
    let Some(text) = setup.option("--signature") else {
        let (train, dev) = rows(&setup)?;
        let right = |gold: &Sort, found: &SortOutput| gold.topic == found.topic;
        return compile(&setup, Predict::<Sort>::new(), &train, &dev, right).await;
    };
    let signature = DynSignature::parse(text)?;
    let (train, dev) = rows::<Record>(&setup)?;
    let divided =
        |rows: Vec<Record>| -> Vec<_> { rows.into_iter().map(|row| divide(&signature, row)).collect() };
    let (train, dev) = (divided(train), divided(dev));
    let right = |gold: &(Record, Record), found: &Record| {
        !gold.1.is_empty() && gold.1.iter().all(|(name, value)| same(value, &found[name]))
    };
    compile(&setup, Predict::dynamic(signature), &train, &dev, right).await
}

/// The rows to learn from, and those to judge by.
fn rows<E: DeserializeOwned + Clone + 'static>(setup: &support::Setup) -> Result<(Vec<E>, Vec<E>)> {
    Ok(match (setup.option("--train"), setup.option("--dev")) {
        (Some(train), Some(dev)) => (dspy::data::load(train)?, dspy::data::load(dev)?),
        (Some(train), None) => dspy::data::split(&dspy::data::load(train)?, 0, [0.8, 0.2]).into(),
        (None, dev) => {
            let dev = dev.map_or_else(|| support::data("tickets-dev.jsonl"), Into::into);
            (dspy::data::load(support::data("tickets-train.jsonl"))?, dspy::data::load(dev)?)
        }
    })
}

/// A row as the inputs and the outputs of a signature. What else it has is left out.
fn divide(signature: &DynSignature, row: Record) -> (Record, Record) {
    let spec = signature.spec();
    let fields = row.into_fields();
    let of = |role| -> Record {
        let named = spec.fields.iter().filter(|f| f.role == role).map(|f| &f.name);
        named.filter_map(|name| Some((name.clone(), fields.get(name)?.clone()))).collect()
    };
    (of(FieldRole::Input), of(FieldRole::Output))
}

/// Whether two values are the same; texts as people compare them.
fn same(gold: &Value, found: &Value) -> bool {
    match (gold.as_str(), found.as_str()) {
        (Some(gold), Some(found)) => answer_exact_match(found, [gold]),
        _ => gold == found,
    }
}

async fn compile<P, E, M, K>(
    setup: &support::Setup,
    program: P,
    train: &[E],
    dev: &[E],
    right: M,
) -> Result<()>
where
    P: Module + Clone + 'static,
    E: Example<Input: Into<P::Input>>,
    M: Metric<E, P::Output, K> + Clone,
    K: 'static,
{
    println!("{} rows to learn from, {} to judge by", train.len(), dev.len());

    // Bars appear on a terminal for whatever takes longer than a second.
    let evaluate = Evaluate::new(dev, right.clone()).metric_name("right");
    println!("\nBefore:\n{}", evaluate.run(&program).await?);

    let untaught = program.clone();
    let compiled = match setup.option("--optimizer").unwrap_or("random-search") {
        "labeled" => LabeledFewShot::new().k(DEMOS).compile(program, train, right).await?,
        "bootstrap" => {
            BootstrapFewShot::new().max_labeled_demos(DEMOS).compile(program, train, right).await?
        }
        "random-search" => {
            let search = BootstrapFewShotWithRandomSearch::new().max_labeled_demos(DEMOS).seed(7);
            search.compile(program, train, right).await?
        }
        other => return Err(Error::other(format!("there is no optimizer {other}; see --help"))),
    };
    println!("\nCompiled: {compiled}");

    let out = setup.option("--out").map_or_else(|| std::env::temp_dir().join("sort.json"), Into::into);
    compiled.save(&out)?;
    let loaded = untaught.load(&out)?;
    println!("\nSaved to {}, loaded again:\n{}", out.display(), evaluate.run(&loaded).await?);
    Ok(())
}
