//! The engine of the `dspy` crate.
