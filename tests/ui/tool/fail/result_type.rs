//! Results that cannot be shown.

use dspy::prelude::*;

struct Row;

/// Load a row.
#[tool]
async fn load(id: u64) -> Row {
    Row
}

struct Failure;

/// Store a row.
#[tool]
async fn store(id: u64) -> Result<(), Failure> {
    Ok(())
}

fn main() {}
