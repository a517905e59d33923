use dspy::{evaluate::metric_with_state, prelude::*};

#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[signature]
struct Other {
    #[input]
    text: String,
    #[output]
    answer: String,
}

async fn run(rows: Vec<Qa>) -> Result<()> {
    let (plain, thought) = (Predict::<Qa>::new(), ChainOfThought::<Qa>::new());
    // Another row.
    Evaluate::new(&rows, |gold: &Other, pred: &QaOutput| gold.answer == pred.answer).run(&plain).await?;
    // Another output.
    Evaluate::new(&rows, |gold: &Qa, pred: &OtherOutput| gold.answer == pred.answer).run(&plain).await?;
    // Another output than that of a chain of thought.
    Evaluate::new(&rows, |gold: &Qa, pred: &OtherOutput| gold.answer == pred.answer).run(&thought).await?;
    // A reasoning that a plain prediction does not have.
    Evaluate::new(&rows, |_: &Qa, pred: &Reasoned<QaOutput>| pred.reasoning.is_empty()).run(&plain).await?;
    // No score.
    Evaluate::new(&rows, |gold: &Qa, _: &QaOutput| gold.answer.clone()).run(&plain).await?;
    // No references.
    Evaluate::new(&rows, |gold: Qa, pred: QaOutput| gold.answer == pred.answer).run(&plain).await?;
    // Too few arguments, too many.
    Evaluate::new(&rows, |pred: &QaOutput| pred.answer.is_empty()).run(&plain).await?;
    Evaluate::new(&rows, |_: &Qa, _: &QaOutput, trace: bool| trace).run(&plain).await?;
    // No function.
    Evaluate::new(&rows, "exact match").run(&plain).await?;
    // A future of no score.
    Evaluate::new(&rows, async |gold: &Qa, _: &QaOutput| gold.answer.clone()).run(&plain).await?;
    // Another state.
    Evaluate::new(&rows, metric_with_state(3, |_: &String, _: &Qa, _: &QaOutput| true)).run(&plain).await?;
    Ok(())
}

fn main() {}
