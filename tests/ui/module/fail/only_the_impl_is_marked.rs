use dspy::prelude::*;

#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

struct Program {
    qa: Predict<Qa>,
}

#[module]
impl Module for Program {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        Ok(self.qa.call(input).await?.into_inner())
    }
}

fn main() {}
