//! Arguments that a model cannot pass.

use dspy::prelude::*;

/// Borrows.
#[tool]
fn borrows(query: &str, all: Vec<&str>) -> String {
    String::new()
}

/// Has no names.
#[tool]
async fn nameless((a, b): (u8, u8)) {}

/// Is open.
#[tool]
fn open(query: impl Into<String>) {}

/// Is generic.
#[tool]
fn generic<T: Clone>(query: T) {}

fn main() {}
