//! Runs the optimizers on a model in this process and prints what they reach on held-out rows, before and after.
//!
//! ```text
//! cargo run --release -p dspy-tiny --features local --bin optimizers -- local/examples/models/tiny 5
//! ```
//!
//! The arguments: a model, and how many seeds (5). There are two tasks, as in the card of the tiny model: messages are
//! sorted into groups that only demonstrations tell, and something is taken from a list, which the instruction has to
//! tell. The model proposes the instructions itself, by the one kind of proposal that it knows.

#![allow(clippy::print_stdout)]

use std::sync::Arc;

use dspy::{
    data::Rng,
    evaluate::Score,
    lm::Cache,
    optimize::{
        gepa::{Reflection, ReflectionExample},
        mipro::proposers::{ProposeInstructionInput, ProposeInstructionOutput},
    },
    prelude::*,
};
use dspy_tiny::{lexicon, wording::RULES};

// Without comments of their own, which would become part of the prompt: the model knows no such descriptions.
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

/// Find the answer.
#[signature]
struct Take {
    #[input]
    list: String,
    #[output]
    answer: String,
}

/// Propose an instruction for the examples.
#[signature]
struct Propose {
    #[input]
    examples: String,
    #[output]
    instruction: String,
}

const TRAIN: usize = 40;
const VAL: usize = 40;
const TEST: usize = 200;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let model = args.next().ok_or_else(|| Error::other("usage: optimizers MODEL [SEEDS]"))?;
    let seeds: u64 = args.next().map_or(Ok(5), |n| n.parse()).map_err(Error::other)?;
    let lm = LM::builder(model).max_tokens(48).cache(Cache::memory(1_000_000)).build()?;
    dspy::with(|c| c.lm(lm).concurrency(16), async {
        println!("| optimizer | task | before | after, by seed | mean |\n| --- | --- | ---: | --- | ---: |");
        for name in ["LabeledFewShot", "BootstrapFewShot", "random search", "KNNFewShot", "MIPROv2", "SIMBA"]
        {
            let mut scores = Vec::new();
            for seed in 0..seeds {
                scores.push(sorted(name, seed).await?);
            }
            row(name, "sort", &scores);
        }
        let mut told = Vec::new();
        for name in ["MIPROv2, instructions alone", "GEPA"] {
            let mut scores = Vec::new();
            for seed in 0..seeds {
                let (before, after, instruction, proposals) = taken(name, seed).await?;
                scores.push((before, after));
                told.push(format!("{name}, seed {seed}: {proposals}\n  chosen: {instruction}"));
            }
            row(name, "list", &scores);
        }
        println!("\n{}", told.join("\n"));
        Ok(())
    })
    .await
}

fn row(name: &str, task: &str, scores: &[(f64, f64)]) {
    let mean = |of: fn(&(f64, f64)) -> f64| 100.0 * scores.iter().map(of).sum::<f64>() / scores.len() as f64;
    let after: Vec<String> = scores.iter().map(|(_, after)| format!("{:.0}", 100.0 * after)).collect();
    let (before, mean) = (mean(|s| s.0), mean(|s| s.1));
    println!("| {name} | {task} | {before:.0} | {} | {mean:.0} |", after.join(", "));
}

/// The scores on held-out notes, before and after.
async fn sorted(optimizer: &str, seed: u64) -> Result<(f64, f64)> {
    let rows = |side: &str| {
        let path = format!("{}/../data/notes-{side}.jsonl", env!("CARGO_MANIFEST_DIR"));
        dspy::data::jsonl::<Sort>(path)
    };
    let (mut train, dev) = (rows("train")?, rows("dev")?);
    Rng::new(seed).shuffle(&mut train);
    let right = |gold: &Sort, found: &SortOutput| gold.group == found.group;
    let program = Predict::<Sort>::new();
    let data = (&train[..50], &train[50..], &dev[..]);
    macro_rules! compile {
        ($optimizer:expr) => {
            $optimizer.seed(seed).progress(false).compile(program, data, right).await?.report
        };
    }
    let report = match optimizer {
        "LabeledFewShot" => compile!(LabeledFewShot::new().k(8)),
        "BootstrapFewShot" => compile!(BootstrapFewShot::new().max_labeled_demos(8)),
        "random search" => {
            compile!(BootstrapFewShotWithRandomSearch::new().max_labeled_demos(8).num_candidates(6))
        }
        "KNNFewShot" => compile!(KNNFewShot::new(8)),
        "MIPROv2" => compile!(MIPROv2::auto(Auto::Light)),
        _ => compile!(SIMBA::new().max_steps(3)),
    };
    let test = report.test.ok_or_else(|| Error::other("there are held-out rows"))?;
    Ok((test.before.unwrap_or_default(), test.after.unwrap_or_default()))
}

/// Lists, and what the rule of this number takes from them.
fn lists(rule: u64, rng: &mut Rng, count: usize) -> Vec<Take> {
    let rule = RULES[rule as usize % RULES.len()];
    let words = lexicon::all_words();
    let list = |_| {
        let n = 4 + rng.below(3);
        let list: Vec<&str> = rng.sample(words.len(), n).into_iter().map(|i| words[i]).collect();
        Take { list: list.join(", "), answer: rule.apply(&list) }
    };
    (0..count).map(list).collect()
}

/// The scores on held-out lists, before and after; the instruction, and what was proposed.
async fn taken(optimizer: &str, seed: u64) -> Result<(f64, f64, String, String)> {
    let mut rng = Rng::new(seed).fork("lists");
    let rows = lists(seed, &mut rng, TRAIN + VAL + TEST);
    let (train, rest) = rows.split_at(TRAIN);
    let (val, test) = rest.split_at(VAL);
    let data = (train, val, test);
    // The feedback says what was expected, and nothing else: it becomes a line of the examples.
    let metric = |gold: &Take, found: &TakeOutput| {
        Score::from(gold.answer == found.answer).feedback(gold.answer.as_str())
    };
    let program = Predict::<Take>::new();
    let compiled = match optimizer {
        "GEPA" => {
            let propose = |reflection: Reflection| async move {
                let line = |example: &ReflectionExample| {
                    format!("{} -> {}", example.inputs["list"].as_str().unwrap_or_default(), example.feedback)
                };
                let examples: Vec<String> = reflection.examples.iter().take(4).map(line).collect();
                let proposal = Predict::<Propose>::new().call(examples.join("\n")).await?;
                Ok(proposal.instruction.clone())
            };
            let gepa = GEPA::new().minibatch(4).max_metric_calls(400).propose_with(propose);
            gepa.seed(seed).progress(false).compile(program, data, metric).await?
        }
        _ => {
            let proposer = FromRows { ask: Predict::new(), rows: train.into() };
            let mipro = MIPROv2::new(8, 12).zero_shot().data_aware(false).program_aware(false);
            let mipro = mipro.minibatch(20).proposer(proposer);
            mipro.seed(seed).progress(false).compile(program, data, metric).await?
        }
    };
    let report = &compiled.report;
    let test = report.test.as_ref().ok_or_else(|| Error::other("there are held-out rows"))?;
    let instruction = compiled.program.predictors()[0].1.instructions().to_owned();
    let mut proposals: Vec<&str> = report
        .candidates
        .iter()
        .filter_map(|c| c.parameters["self"]["instructions"].as_str())
        .filter(|text| *text != "Find the answer.")
        .collect();
    proposals.sort_unstable();
    proposals.dedup();
    Ok((test.before.unwrap_or_default(), test.after.unwrap_or_default(), instruction, proposals.join(" | ")))
}

/// Proposes an instruction from some rows, in the words that the model knows.
#[dspy::module]
struct FromRows {
    ask: Predict<Propose>,
    #[module(skip)]
    rows: Arc<[Take]>,
}

impl Module for FromRows {
    type Input = ProposeInstructionInput;
    type Output = ProposeInstructionOutput;

    async fn forward(&self, input: ProposeInstructionInput) -> Result<ProposeInstructionOutput> {
        // Other rows for each proposal: the tip is what they differ in.
        let mut rng = Rng::new(7).fork(input.tip.as_deref().unwrap_or_default());
        let line = |i: usize| format!("{} -> {}", self.rows[i].list, self.rows[i].answer);
        let examples: Vec<String> = rng.sample(self.rows.len(), 4).into_iter().map(line).collect();
        let proposal = self.ask.call(examples.join("\n")).await?;
        Ok(ProposeInstructionOutput { proposed_instruction: proposal.instruction.clone() })
    }
}
