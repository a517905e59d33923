//! Programs as judges: metrics that ask a model.

use dspy_macros::{module, signature};

use crate::{Result, module::Module, predict::ChainOfThought};

/// Compare an answer with the reference answer to the same question: how far does it cover the reference, and how far
/// does the reference support it?
#[signature]
struct Overlap {
    #[input]
    question: String,
    /// the reference answer
    #[input]
    reference: String,
    /// the answer to judge
    #[input]
    answer: String,
    /// share of what the reference says that the answer says, too, from 0 to 1
    #[output]
    recall: f64,
}

/// A judge.
#[module]
#[derive(Default)]
struct Judge {
    overlap: ChainOfThought<Overlap>,
}

#[module]
impl Module for Judge {
    type Input = OverlapInput;
    type Output = OverlapOutput;

    async fn forward(&self, input: OverlapInput) -> Result<OverlapOutput> {
        Ok(self.overlap.call(input).await?.into_inner().into_inner())
    }
}
