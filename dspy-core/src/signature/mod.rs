//! What a step takes and gives.

mod grammar;

pub use grammar::GrammarError;
