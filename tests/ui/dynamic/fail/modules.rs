//! Modules as values that cannot take a record, or are none.

use dspy::{DynModule, Sequence, prelude::*};

#[signature("question -> answer")]
struct Qa;

fn an_input_that_is_no_record() -> Box<dyn DynModule> {
    Box::new(MultiChainComparison::<Qa>::new())
}

fn a_number() -> Sequence {
    Sequence::new().then("three", 3)
}

async fn a_typed_input(module: Box<dyn DynModule>) -> Result<()> {
    module.call(QaInput { question: "?".into() }).await?;
    Ok(())
}

fn main() {}
