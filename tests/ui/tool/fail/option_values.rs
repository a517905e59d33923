//! Options with values of another kind.

use dspy::prelude::*;

/// Search.
#[tool(timeout = 5, max_output = "long", parallel = 1)]
fn search(query: String) -> String {
    query
}

/// Look.
#[tool(name = LOOK)]
fn look() {}

/// Wait.
#[tool(timeout = seconds())]
fn wait(#[arg(default = "soon")] most: u32) -> u32 {
    most
}

fn seconds() -> u64 {
    5
}

const LOOK: &str = "look";

fn main() {}
