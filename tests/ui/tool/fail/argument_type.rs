//! A type that has no schema.

use dspy::prelude::*;

struct Filter;

/// Search.
#[tool]
fn search(query: String, filter: Filter) -> String {
    query
}

fn main() {}
