//! What a prompt model is asked, and by whom.
//!
//! Each question is an ordinary signature, asked by a [`Predict`](crate::predict::Predict) unless
//! [`MIPROv2`](crate::optimize::MIPROv2) is given another module for it.

// Where a name says it all there is no description: it would become part of the prompt.
#![allow(missing_docs)]

use dspy_macros::signature;

use crate::{
    Result,
    lm::BoxFuture,
    module::Module,
    optimize::{Engine, Stop},
};

/// Read rows of a data set. Write down what someone has to know to get such rows right: what the inputs are about, what
/// form the outputs have, and above all which conventions the right outputs follow that a reader would not expect. Rows
/// that a program got wrong tell most. Make general statements, each on a line of its own, that name the case and what
/// follows from it; do not retell single rows. Do not repeat what was observed before.
#[signature]
pub struct DescribeData {
    /// rows with the right outputs, and what a program answered where it was wrong
    #[input]
    pub rows: String,
    /// what was observed in other rows
    #[input]
    pub observed_before: Option<String>,
    /// at most ten statements
    #[output]
    pub observations: String,
}

/// Read the source of a program that asks language models. What task does it solve, and by which steps?
#[signature]
pub struct DescribeProgram {
    #[input]
    pub program_code: String,
    /// a few sentences
    #[output]
    pub program_description: String,
}

/// Read the source of a program that asks language models. What is one of its modules for, what does it get from the
/// steps before it, and what do the steps after it need from it?
#[signature]
pub struct DescribeModule {
    #[input]
    pub program_code: String,
    #[input]
    pub program_description: Option<String>,
    /// the module in question: its path, inputs and outputs
    #[input]
    pub module: String,
    /// a few sentences
    #[output]
    pub module_description: String,
}

/// Write the instruction of one module of a program that asks language models, so that its answers become right more
/// often. Keep what is useful in the current instruction. Put the conventions that the observations and the rows show
/// into words, as rules that name the case and what to do then; look hardest at the rows that went wrong. The instruction
/// is used for rows that are not seen here, so that single rows must not be copied into it. It stands in front of the
/// fields of the module, whose form is explained elsewhere.
#[signature]
pub struct ProposeInstruction {
    /// what is known of the data
    #[input]
    pub observations: Option<String>,
    #[input]
    pub program_code: Option<String>,
    #[input]
    pub program_description: Option<String>,
    /// the module in question: its path, inputs and outputs
    #[input]
    pub module: String,
    #[input]
    pub module_description: Option<String>,
    #[input]
    pub current_instruction: String,
    /// what the module did on some rows
    #[input]
    pub rows: Option<String>,
    /// earlier instructions of the module with the scores of programs that used them, the best last
    #[input]
    pub earlier_attempts: Option<String>,
    /// how to write it
    #[input]
    pub tip: Option<String>,
    /// the whole instruction, at most 12 rules long
    #[output]
    pub proposed_instruction: String,
}

/// A module as a proposer, its type erased.
pub(super) trait Describe<I, O>: Send + Sync {
    fn ask<'a>(
        &'a self,
        engine: &'a Engine,
        inputs: Vec<(u64, I)>,
        purpose: &'a str,
        temperature: f64,
    ) -> BoxFuture<'a, Result<Vec<Option<O>>, Stop>>;
}

pub(super) struct Asked<M>(pub(super) M);

impl<M: Module> Describe<M::Input, M::Output> for Asked<M> {
    fn ask<'a>(
        &'a self,
        engine: &'a Engine,
        inputs: Vec<(u64, M::Input)>,
        purpose: &'a str,
        temperature: f64,
    ) -> BoxFuture<'a, Result<Vec<Option<M::Output>>, Stop>> {
        Box::pin(engine.ask_all(&self.0, inputs, purpose, temperature))
    }
}
