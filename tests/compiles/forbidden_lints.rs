//! A crate that forbids lints can use the macros: generated code allows none of these.
#![forbid(missing_docs, unreachable_pub, unused_variables)]

use dspy::{ChainOfThought, Predict, module, signature, value};

/// Answer.
#[signature]
pub struct Qa {
    /// what is asked
    #[input]
    pub question: String,
    /// what is said
    #[output]
    pub answer: Tone,
}

/// How it sounds.
#[value]
pub enum Tone {
    /// Kind.
    Kind,
}

/// A program with nothing in it.
#[module]
pub struct Empty {}

/// A program.
#[module]
pub struct Program {
    /// its step
    pub step: Predict<Qa>,
    /// its other steps
    pub others: Vec<ChainOfThought<Qa>>,
}

fn main() {
    let program = Program { step: Predict::new(), others: Vec::new() };
    let input = QaInput { question: "why?".into() };
    assert_eq!(program.step.render(&input).unwrap(), program.step.render("why?").unwrap());
    let _ = (program, Empty {}, dspy::predict!("question -> answer"));
}
