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

// `metric_with_state` passes the judge as an argument.
async fn run(rows: Vec<Qa>) -> Result<()> {
    let judge = Predict::<Judge>::new();
    let metric = async move |_: &Qa, pred: &QaOutput| {
        Ok::<_, Error>(judge.call(pred.answer.as_str()).await?.good)
    };
    Evaluate::new(&rows, metric).run(&Predict::<Qa>::new()).await?;
    Ok(())
}

fn main() {}
