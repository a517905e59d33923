//! Options that do not exist.

use dspy::prelude::*;

/// Search.
#[tool(retries = 3)]
fn search(#[arg(description = "what")] query: String) -> String {
    query
}

/// Look.
#[tool(parallel)]
fn look(#[arg(default = "many")] most: usize) -> usize {
    most
}

fn main() {}
