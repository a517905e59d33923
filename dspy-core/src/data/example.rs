//! Rows of a data set.

use serde::Serialize;

/// A row of a data set: knows which of its fields are the input of a program, and carries whatever a metric needs
/// besides.
///
/// The record of every `#[signature]` is one. Your own struct becomes one with `#[derive(Example)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an example",
    label = "its inputs are not known",
    note = "use the record of a `#[signature]`, or put `#[derive(Example)]` and `#[example(input = ...)]` on the struct"
)]
pub trait Example: Serialize + Clone + Send + Sync + 'static {
    /// What a program is called with.
    type Input: Send + 'static;

    /// The input of this row.
    fn input(&self) -> Self::Input;
}
