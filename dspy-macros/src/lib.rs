//! The procedural macros of the `dspy` crate.
