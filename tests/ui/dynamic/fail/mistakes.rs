use dspy::prelude::*;

#[module]
struct Program {
    step: Predict<DynSignature>,
}

fn rate<S: StaticSignature>() -> Predict<S> {
    Predict::new()
}

async fn forward(program: Program) -> Result<String> {
    let p = program.step.call(Record::from([("question", "Who?")])).await?;
    Ok(p.answer)
}

fn main() {
    let _ = Predict::<DynSignature>::new();
    let _ = rate::<DynSignature>();
    let _ = forward;
}
