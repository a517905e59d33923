//! What the examples share: their command line, a small HTTP server, and the demonstration model behind it.
#![allow(dead_code, unreachable_pub)]

pub mod demo_model;
pub mod http;
mod sketch;

use std::path::PathBuf;

use dspy::{Error, LM, Result, lm::Cache};

/// What every example takes.
const COMMON: &[(&str, &str)] = &[
    ("--model", "the model, as provider/name (the key is read from the provider's variable)"),
    ("--api-base", "the address of any OpenAI-compatible server, such as http://localhost:8000/v1"),
];

/// The command line of an example, and the model that it talks to.
pub struct Setup {
    server: Option<http::Server>,
    options: Vec<(String, String)>,
    words: Vec<String>,
}

/// The tiny model of this repository, in this process.
pub const TINY: &str = concat!("local/", env!("CARGO_MANIFEST_DIR"), "/models/tiny");

/// Reads the command line and configures the model that it names. When it names none, the demonstration server is
/// started. `options` are those that the example takes besides, each with what it means.
pub fn setup(options: &[(&str, &str)]) -> Result<Setup> {
    setup_with(options, None)
}

/// As [`setup`], with another model when the command line names none.
pub fn setup_with(options: &[(&str, &str)], otherwise: Option<&str>) -> Result<Setup> {
    let mut setup = Setup { server: None, options: Vec::new(), words: Vec::new() };
    let known: Vec<_> = COMMON.iter().chain(options).collect();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--help" {
            println!("{}", help(&known));
            std::process::exit(0);
        } else if !arg.starts_with("--") {
            setup.words.push(arg);
        } else if known.iter().all(|(name, _)| *name != arg) {
            return Err(Error::other(format!("the option {arg} is unknown\n{}", help(&known))));
        } else {
            let value = args.next().ok_or_else(|| Error::other(format!("{arg} needs a value")))?;
            setup.options.push((arg, value));
        }
    }

    let owned = |name| setup.option(name).map(ToString::to_string);
    let (mut model, mut api_base) = (owned("--model"), owned("--api-base"));
    if model.is_none() && api_base.is_none() && otherwise.is_some() {
        model = otherwise.map(ToString::to_string);
        println!(
            "Asking the tiny model of this repository. It is a fixture: what is gained with it shows that the\n\
             machinery works, not that an optimizer is good.\n"
        );
    }
    if model.is_none() && api_base.is_none() {
        let server = http::Server::start(demo_model::answer)?;
        api_base = Some(server.api_base());
        setup.server = Some(server);
        println!(
            "Talking to the demonstration server, which copies from the prompt and knows nothing.\n\
             For a real model: --model openai/gpt-4o-mini (key in OPENAI_API_KEY), or --api-base.\n"
        );
    }
    let mut lm = LM::builder(model.unwrap_or_else(|| "openai/default".into()));
    if let Some(base) = api_base {
        lm = lm.api_base(base);
    }
    if setup.server.is_some() {
        // Its port changes from run to run, so its answers are of no use later.
        lm = lm.cache(Cache::memory(10_000));
    }
    let lm = lm.build()?;
    dspy::configure(|c| c.lm(lm).concurrency(8));
    Ok(setup)
}

fn help(options: &[&(&str, &str)]) -> String {
    let lines: Vec<String> = options.iter().map(|(name, means)| format!("  {name:<12} {means}")).collect();
    format!("options:\n{}", lines.join("\n"))
}

impl Setup {
    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What stands on the command line besides the options, or this text when nothing does.
    pub fn words_or(&self, otherwise: &str) -> String {
        if self.words.is_empty() { otherwise.into() } else { self.words.join(" ") }
    }
}

/// A file of `examples/data`.
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "data", name].iter().collect()
}
