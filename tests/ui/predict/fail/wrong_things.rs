use dspy::prelude::*;

struct Plain;

/// Answer.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

async fn run(rows: Vec<Qa>) -> Result<()> {
    configure(|c| c.lm("openai/gpt-4o-mini"));
    let _ = Predict::<Plain>::new();
    let _ = ChainOfThought::<Plain>::new();
    let qa = Predict::<Qa>::new();
    let metric = |gold: &Qa, found: &QaOutput| gold.answer == found.answer;
    let _ = BootstrapFewShot::new().compile(&qa, &rows, metric);
    Ok(())
}

fn main() {}
