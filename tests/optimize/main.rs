//! Optimizers through the public interface.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod failing;
mod few_shot;
mod gepa;
mod laws;
mod mipro;
mod searching;
#[path = "../../examples/support/mod.rs"]
mod support;
mod tickets;
mod tool_words;
mod two_steps;
