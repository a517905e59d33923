use std::rc::Rc;

use dspy::prelude::*;

#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[signature]
struct Judge {
    #[input]
    answer: String,
    #[output]
    good: bool,
}

async fn run(rows: Vec<Qa>) -> Result<()> {
    let metric = async |_: &Qa, pred: &QaOutput| {
        let judge = Rc::new(Predict::<Judge>::new());
        Ok::<_, Error>(judge.call(pred.answer.as_str()).await?.good)
    };
    Evaluate::new(&rows, metric).run(&Predict::<Qa>::new()).await?;
    Ok(())
}

fn main() {}
