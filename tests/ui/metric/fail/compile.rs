use dspy::prelude::*;

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
    let program = ChainOfThought::<Qa>::new;
    // Another row.
    let row = |gold: &Other, pred: &QaOutput| gold.answer == pred.answer;
    LabeledFewShot::new().compile(program(), &rows, row).await?;
    // Another output.
    let output = |gold: &Qa, pred: &OtherOutput| gold.answer == pred.answer;
    BootstrapFewShot::new().compile(program(), &rows, output).await?;
    // No score.
    let text = |gold: &Qa, _: &QaOutput| gold.answer.clone();
    BootstrapFewShotWithRandomSearch::new().compile(program(), &rows, text).await?;
    // No references.
    let owned = |gold: Qa, pred: QaOutput| gold.answer == pred.answer;
    BootstrapFewShot::new().compile(program(), &rows, owned).await?;
    Ok(())
}

fn main() {}
