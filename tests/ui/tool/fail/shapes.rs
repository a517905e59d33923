//! What is no function.

use dspy::prelude::*;

#[tool]
struct Search;

struct Library;

#[tool]
impl Default for Library {
    fn default() -> Self {
        Library
    }
}

fn main() {}
