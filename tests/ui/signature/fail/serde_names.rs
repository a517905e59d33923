use dspy::prelude::*;

#[signature]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[input]
    #[serde(rename = "q")]
    question: String,
    #[input]
    #[serde(default)]
    context: Vec<String>,
    #[output]
    #[serde(skip)]
    answer: String,
}

fn main() {}
