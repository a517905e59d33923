use dspy::prelude::*;

#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[module]
struct Program {
    qa: ChainOfThought<Qa>,
}

#[module]
impl Module for Program {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        self.qa.call(input).await
    }
}

fn main() {}
