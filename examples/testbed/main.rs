//! Measures an optimizer on a world of the testbed: a simulated model with a known response surface.
//!
//! ```text
//! cargo run --release --example testbed -- \
//!     --api-base http://127.0.0.1:4000/v1 --rows rows/desk --world desk --optimizer bootstrap --seed 0
//! ```
//!
//! Prints one line of JSON: the held-out score in per cent, and what the compile asked of the model as the server counted
//! it. The train rows are shuffled as `random.Random(seed).shuffle` of Python does it, so that runs of other libraries
//! learn from the same rows in the same order. `compare.py` beside this file runs many and makes a table.

#![allow(clippy::print_stdout, clippy::print_stderr, unreachable_pub)]

mod optimizers;
mod python;
mod server;
mod worlds;

use std::{collections::BTreeMap, time::Instant};

use dspy::{
    lm::{Budget, Cache},
    prelude::*,
};
use serde::Serialize;
use serde_json::{Value, json};
use server::Server;
use worlds::{Rows, World};

const USAGE: &str = "testbed --api-base URL --rows FOLDER --world desk|hops|math --optimizer NAME --seed N \
                     [--world-seed N] [--budget-calls N] [--concurrency N] [--show]";

/// What the command line says.
struct Args {
    api_base: String,
    rows: String,
    world: String,
    world_seed: Option<u64>,
    optimizer: String,
    seed: u64,
    budget: Budget,
    concurrency: usize,
    show: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::read()?;
    let lm = LM::builder("openai/sim")
        .api_base(&args.api_base)
        .temperature(0.0)
        .max_tokens(2000)
        .seed(args.seed)
        // What is drawn then depends on the request alone, not on the order in which requests arrive.
        .rollout_parameter("rollout_id")
        .cache(Cache::memory(1_000_000))
        .build()?;
    let concurrency = args.concurrency;
    configure(|c| c.lm(lm).concurrency(concurrency));
    match args.world.as_str() {
        "desk" => run(&args, worlds::desk(&args.rows)?).await,
        "hops" => run(&args, worlds::hops(&args.rows)?).await,
        "math" => run(&args, worlds::math(&args.rows)?).await,
        other => Err(Error::other(format!("there is no world `{other}`; there are desk, hops and math"))),
    }
}

async fn run<P, E, M, F, K, L>(args: &Args, world: World<P, E, M, F>) -> Result<()>
where
    P: Module + Clone + 'static,
    E: Example<Input: Into<P::Input>>,
    M: Metric<E, P::Output, K> + Clone,
    F: Metric<E, P::Output, L> + Clone,
    K: 'static,
    L: 'static,
{
    let Rows { mut train, dev, test } = world.rows;
    python::Random::new(args.seed).shuffle(&mut train);
    let server = Server::new(&args.api_base)?;

    server.reset().await?;
    let began = Instant::now();
    let compiled = optimizers::compile(
        &args.optimizer,
        args.seed,
        &args.budget,
        world.program,
        (&train, &dev),
        world.metric.clone(),
        world.feedback,
    )
    .await?;
    let (wall, spent) = (began.elapsed(), server.stats().await?);

    server.reset().await?;
    let score = Evaluate::new(&test, world.metric).progress(false).run(&compiled.program).await?.score;
    let tested = server.stats().await?;

    let line = Line {
        library: concat!("dspy-rs ", env!("CARGO_PKG_VERSION")),
        world: &args.world,
        world_seed: args.world_seed,
        optimizer: &args.optimizer,
        seed: args.seed,
        test: (score * 1e4).round() / 1e2,
        calls_task: spent.task.choices,
        calls_proposer: spent.proposer.choices,
        tokens: spent.total.prompt_tokens + spent.total.completion_tokens,
        dollars: spent.dollars,
        wall_s: (wall.as_secs_f64() * 10.0).round() / 10.0,
        test_calls: tested.total.choices,
        predictors: predictors(&compiled.program),
        ended_early: compiled.ended_early,
    };
    println!("{}", serde_json::to_string(&line)?);
    if args.show {
        if let Some(report) = compiled.report {
            eprintln!("{report}");
        }
        for (path, predictor) in compiled.program.predictors() {
            eprintln!("--- {path} ({} demos)\n{}", predictor.demos().len(), predictor.instructions());
        }
    }
    Ok(())
}

/// How large the predictors of a program have become.
fn predictors(program: &impl Program) -> BTreeMap<String, Value> {
    let size = |(path, p): (String, &dspy::Predictor)| {
        let words = p.instructions().split_whitespace().count();
        (path, json!({ "demos": p.demos().len(), "words": words }))
    };
    program.predictors().into_iter().map(size).collect()
}

/// What is printed.
#[derive(Serialize)]
struct Line<'a> {
    library: &'static str,
    world: &'a str,
    world_seed: Option<u64>,
    optimizer: &'a str,
    seed: u64,
    /// Per cent.
    test: f64,
    calls_task: u64,
    calls_proposer: u64,
    tokens: u64,
    dollars: f64,
    wall_s: f64,
    test_calls: u64,
    predictors: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_early: Option<String>,
}

impl Args {
    fn read() -> Result<Self> {
        let wrong = |what: String| Error::other(format!("{what}\n{USAGE}"));
        let (mut given, mut show) = (BTreeMap::new(), false);
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" => {
                    println!("{USAGE}\noptimizers: {}", optimizers::NAMES.join(", "));
                    std::process::exit(0);
                }
                "--show" => show = true,
                name => {
                    let value = words.next().ok_or_else(|| wrong(format!("{name} needs a value")))?;
                    given.insert(name.to_owned(), value);
                }
            }
        }
        let mut take = |name: &str| given.remove(name);
        let number = |name: &str, text: Option<String>| {
            let parsed =
                text.map(|text| text.parse::<u64>().map_err(|e| wrong(format!("{name} {text}: {e}"))));
            parsed.transpose()
        };
        let needed =
            |name: &str, value: Option<String>| value.ok_or_else(|| wrong(format!("{name} is missing")));
        let args = Self {
            api_base: needed("--api-base", take("--api-base"))?,
            rows: needed("--rows", take("--rows"))?,
            world: needed("--world", take("--world"))?,
            world_seed: number("--world-seed", take("--world-seed"))?,
            optimizer: needed("--optimizer", take("--optimizer"))?,
            seed: number("--seed", take("--seed"))?.ok_or_else(|| wrong("--seed is missing".into()))?,
            budget: number("--budget-calls", take("--budget-calls"))?
                .map_or_else(Budget::unlimited, Budget::calls),
            concurrency: number("--concurrency", take("--concurrency"))?.map_or(16, |n| n.max(1) as usize),
            show,
        };
        match given.keys().next() {
            Some(unknown) => Err(wrong(format!("the option {unknown} is unknown"))),
            None => Ok(args),
        }
    }
}
