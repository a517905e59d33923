//! What the examples share: their command line, a small HTTP server, and the demonstration model behind it.
#![allow(dead_code, unreachable_pub)]

pub mod demo_model;
pub mod http;

use std::path::PathBuf;

use dspy::{LM, Result, lm::Cache};

/// The model that an example talks to.
pub struct Setup {
    server: Option<http::Server>,
}

/// Configures the model that the command line names: `--model openai/<name>`, `--api-base <address>`, the key from
/// `OPENAI_API_KEY`. Without an address the demonstration server is started.
pub fn setup() -> Result<Setup> {
    let option = |name: &str| {
        let mut args = std::env::args().skip_while(move |a| a != name).skip(1);
        args.next()
    };
    let model = option("--model");
    let (api_base, server) = match (option("--api-base"), &model) {
        (Some(base), _) => (Some(base), None),
        (None, Some(_)) => (None, None),
        (None, None) => {
            let server = http::Server::start(demo_model::answer)?;
            (Some(server.api_base()), Some(server))
        }
    };
    let mut lm = LM::builder(model.as_deref().unwrap_or("openai/demo"));
    if let Some(base) = api_base {
        lm = lm.api_base(base);
    }
    if server.is_some() {
        // Its port changes from run to run, so its answers are of no use later.
        lm = lm.cache(Cache::memory(10_000));
    }
    let lm = lm.build()?;
    dspy::configure(|c| c.lm(lm).concurrency(8));
    Ok(Setup { server })
}

impl Setup {
    /// How to run the example with a real model.
    pub fn switch(&self) -> &'static str {
        match self.server {
            Some(_) => {
                "This was the demonstration server. For a real model: \
                 --model openai/gpt-4o-mini (key in OPENAI_API_KEY), or --api-base of any OpenAI-compatible server."
            }
            None => "",
        }
    }
}

/// A file of `examples/data`.
pub fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "examples", "data", name].iter().collect()
}
