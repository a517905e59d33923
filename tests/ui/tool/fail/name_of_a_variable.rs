//! A variable may have the name of a tool that is an async function, but not that of a plain function.

use dspy::prelude::*;

#[tool]
async fn search(query: String) -> String {
    query
}

#[tool]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn main() {
    let search = Tool::from_fn(search);
    let add = Tool::from_fn(add);
}
