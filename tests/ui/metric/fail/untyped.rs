use dspy::prelude::*;

#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

async fn evaluate(rows: Vec<Qa>) -> Result<()> {
    Evaluate::new(&rows, |gold, pred| gold.answer == pred.answer).run(&Predict::<Qa>::new()).await?;
    Ok(())
}

async fn compile(rows: Vec<Qa>) -> Result<()> {
    LabeledFewShot::new().compile(Predict::<Qa>::new(), &rows, |gold, pred| gold.answer == pred.answer).await?;
    Ok(())
}

fn main() {}
