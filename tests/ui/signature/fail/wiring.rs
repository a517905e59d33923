use dspy::prelude::*;

#[signature]
struct Qa {
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    answer: String,
}

async fn program(qa: Predict<Qa>, question: String, hops: usize) -> Result<String> {
    // An input is missing.
    qa.call(QaInput { question: question.clone() }).await?;
    // The wrong field is wired.
    qa.call(QaInput { context: question.clone(), question: hops }).await?;
    // An input that does not exist.
    qa.call(QaInput { context: vec![], question, hint: "h".into() }).await?;
    // Something else than the input.
    let p = qa.call("just the question").await?;
    // An output that does not exist.
    Ok(p.reasoning.clone())
}

fn main() {}
