//! Names that cannot be called.

use dspy::prelude::*;

/// Ends.
#[tool]
fn finish() {}

/// Speaks French.
#[tool]
fn météo() {}

/// Two words.
#[tool(name = "look up")]
fn look_up() {}

fn main() {}
