//! What an agent cannot be given.

use dspy::prelude::*;

#[signature("question -> answer")]
struct Qa;

async fn search(query: String) -> String {
    query
}

struct Library;

fn main() {
    let agent = ReAct::<Qa>::builder().tool(search).build();
    let agent = ReAct::<Qa>::builder().tool(Library).build();
}
