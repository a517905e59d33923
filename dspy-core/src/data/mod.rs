//! Data sets and their rows.

mod example;

pub use example::Example;
