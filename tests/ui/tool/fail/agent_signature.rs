//! Agents of what is no signature, and inputs of another one.

use dspy::prelude::*;

struct Qa;

#[signature("question -> answer")]
struct Ask;

async fn ask() -> Result<()> {
    let agent = ReAct::<Ask>::builder().build();
    agent.call(7).await?;
    println!("{}", agent.call("Why?").await?.reasoning);
    Ok(())
}

fn main() {
    let agent = ReAct::<Qa>::builder().build();
}
