//! A program of two predictors and its rows.

use std::hash::{DefaultHasher, Hash, Hasher};

use dspy::prelude::*;

/// Sort the message.
#[signature]
pub(crate) struct Sort {
    #[input]
    pub(crate) message: String,
    #[output]
    pub(crate) label: String,
}

/// Say what the message is about.
#[signature]
pub(crate) struct Sum {
    #[input]
    pub(crate) message: String,
    #[output]
    pub(crate) gist: String,
}

/// Sort the message by its gist.
#[signature]
pub(crate) struct SortSummed {
    #[input]
    pub(crate) message: String,
    #[input]
    pub(crate) gist: String,
    #[output]
    pub(crate) label: String,
}

/// Two predictors; the rows have no field for what is between them.
#[module]
#[derive(Default)]
pub(crate) struct TwoSteps {
    pub(crate) sum: Predict<Sum>,
    pub(crate) sort: Predict<SortSummed>,
}

#[module]
impl Module for TwoSteps {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, SortInput { message }: SortInput) -> Result<SortOutput> {
        let gist = self.sum.call(message.clone()).await?.gist.clone();
        let label = self.sort.call((message, gist)).await?.label.clone();
        Ok(SortOutput { label })
    }
}

pub(crate) fn label_of(number: usize) -> String {
    ["red", "green", "blue"][number % 3].to_owned()
}

pub(crate) fn rows(numbers: std::ops::Range<usize>) -> Vec<Sort> {
    let row = |n: usize| Sort { message: format!("the message with number {n}"), label: label_of(n) };
    numbers.map(row).collect()
}

pub(crate) fn right(gold: &Sort, found: &SortOutput) -> bool {
    gold.label == found.label
}

/// The student as it is saved.
pub(crate) fn student() -> String {
    TwoSteps::default().to_json().unwrap().to_string()
}

/// A number that depends on nothing else.
pub(crate) fn draw(of: &impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    (hasher.finish() >> 8) as usize
}
