//! Observers and spans: what is told of programs, evaluations and compiles, and how it hangs together.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic)]

#[path = "../model/mod.rs"]
mod model;

mod events;
mod seen;
mod spans;

use std::sync::Arc;

use dspy::{prelude::*, retrieve::Bm25};

/// Say what to look for.
#[signature]
struct WriteQuery {
    #[input]
    question: String,
    #[output]
    query: String,
}

/// Answer from the context.
#[signature]
struct Answer {
    #[input]
    context: Vec<String>,
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// A question with its answer.
#[signature]
struct Qa {
    #[input]
    question: String,
    #[output]
    answer: String,
}

/// Looks up, then answers.
#[module]
#[derive(Clone)]
struct Rag {
    query: Predict<WriteQuery>,
    answer: Inner,
    passages: Arc<dyn Retriever>,
}

/// The second half, a program in the program.
#[module]
#[derive(Clone)]
struct Inner {
    think: ChainOfThought<Answer>,
}

impl Module for Rag {
    type Input = QaInput;
    type Output = QaOutput;

    async fn forward(&self, input: QaInput) -> Result<QaOutput> {
        let query = self.query.call(&input.question).await?.into_inner().query;
        let context = self.passages.texts(&query, 1).await?;
        let asked = AnswerInput { context, question: input.question };
        Ok(self.answer.call(asked).await?.into_inner())
    }
}

impl Module for Inner {
    type Input = AnswerInput;
    type Output = QaOutput;

    async fn forward(&self, input: AnswerInput) -> Result<QaOutput> {
        let answer = self.think.call(input).await?.into_inner().into_inner().answer;
        Ok(QaOutput { answer })
    }
}

fn rag() -> Rag {
    let passages = Bm25::new(["Tartu lies on the Emajõgi.", "Vienna lies on the Danube."]);
    Rag {
        query: Predict::new(),
        answer: Inner { think: ChainOfThought::new() },
        passages: Arc::new(passages),
    }
}

/// Answers every signature of the program.
fn said(outputs: &[(&str, &str)]) -> String {
    let fields = outputs.iter().map(|(name, text)| format!("[[ ## {name} ## ]]\n{text}\n\n"));
    fields.chain(["[[ ## completed ## ]]".to_owned()]).collect()
}

/// A model that does both halves.
async fn knowing() -> model::Model {
    model::Model::saying(|asked| match asked.texts("system")[0].contains("look for") {
        true => said(&[("query", "Tartu river")]),
        false => said(&[("reasoning", "It says so."), ("answer", "Emajõgi")]),
    })
    .await
}
